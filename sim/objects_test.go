package sim_test

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// objects is an object store in memory.
type objects struct {
	w *world

	mu   sync.Mutex // guards what follows
	held map[string]object
}

type object struct {
	body     string
	metadata map[string]string
}

func newObjects(w *world) *objects { return &objects{w: w, held: map[string]object{}} }

// archiveConfig is how every machine of a world archives.
func (w *world) archiveConfig(m *machine) processors.Config {
	cfg := processors.Config{
		DeliveryStreamName: "s", Bucket: "bucket", Compression: processors.Uncompressed, SpoolDir: w.t.TempDir(),
		Hints:  processors.BufferingHints{SizeInMBs: 1, IntervalInSeconds: w.buffering, BeyondFirehose: true},
		Logger: w.logger(m),
		Hooks: processors.Hooks{
			RecordsLost: func(e processors.RecordsLostEvent) { w.shortObject(m, e) },
			BundleLost:  func(e processors.BundleLostEvent) { w.violate("%s finds no bundle %s", m.name, e.Key) },
		},
	}
	if w.sealed {
		cfg.Backup = &processors.Backup{Bucket: backupBucket, Hints: cfg.Hints}
		cfg.ParallelPuts = 1 // so that a world replays
	}
	if w.transformed {
		w.transforms(m, &cfg)
	}
	if w.indexed {
		w.index(m, &cfg)
	}
	if w.loads {
		cfg.Load, cfg.ParallelPuts = &processors.Load{CommitOn: w.commitOn(m)}, 1
	}
	return cfg
}

// backupBucket is where the worlds whose cuts are sealed have each record too.
const backupBucket = "backup"

func (o *objects) factory(m *machine) kcl.ProcessorFactory {
	f, err := processors.New(o.w.archiveConfig(m), store{o, m})
	if err != nil {
		o.w.violate("the archiver is refused: %v", err)
		return nil
	}
	return watched(m, f.Processor)
}

// watched has the world look at each call of an archiver.
func watched(m *machine, f kcl.ProcessorFactory) kcl.ProcessorFactory {
	return func(s kcl.ShardInfo) kcl.RecordProcessor {
		return &witness{f(s), m, s.ShardID, blind{m: m, shard: s.ShardID}}
	}
}

type witness struct {
	kcl.RecordProcessor

	m     *machine
	shard string
	blind blind
}

func (p *witness) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	p.m.w.trusts(p.m, p.shard, in.CheckTrust)
	p.m.w.begin(p.m, p.shard, "initializes")
	if p.m.wait("call for " + p.shard); !p.m.isDead() {
		p.m.w.parentsDone(p.shard)
	}
	err := p.RecordProcessor.Initialize(ctx, in)
	p.blind.is = in.Checkpointer.Last().IsSentinel()
	return err
}

func (p *witness) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	p.m.w.begin(p.m, p.shard, "processes")
	p.m.wait("call for " + p.shard)
	if len(in.Records) > 0 {
		p.blind.sees(in.Records)
	}
	return p.RecordProcessor.ProcessRecords(ctx, in)
}

func (p *witness) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	p.m.w.begin(p.m, p.shard, "ends")
	p.blind.sees(nil)
	return p.RecordProcessor.ShardEnded(ctx, in)
}

func (p *witness) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	p.m.w.begin(p.m, p.shard, "stops")
	return p.RecordProcessor.ShutdownRequested(ctx, in)
}

// store is the object store as one machine sees it.
type store struct {
	o *objects
	m *machine
}

func (s store) Put(ctx context.Context, o processors.Object) error {
	body, err := io.ReadAll(io.NewSectionReader(o.Body, 0, o.Body.Size())) // from its start, whoever has read it
	if err != nil {
		return err
	}
	return s.send(ctx, "put", func(context.Context) error { return s.o.put(o, string(body)) })
}

// send is a request to the store, which may be down.
func (s store) send(ctx context.Context, op string, apply func(context.Context) error) error {
	if s.m.meets(sinkDown, op) {
		if s.m.throw("hangs") < 0.5 {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return errNet
	}
	if !s.o.w.calmed() && s.m.throw("late "+op) < 0.08 { // it lands later, whatever becomes of the sender
		s.o.w.count("late requests to the store")
		s.o.w.later(s.m.upTo(3*s.m.failover(), "how late "+op), func() { _ = apply(context.WithoutCancel(ctx)) })
		return errNet
	}
	return s.m.send(ctx, op, apply)
}

func (o *objects) put(in processors.Object, body string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := in.Bucket + "/" + in.Key
	if _, ok := o.held[name]; ok && in.IfAbsent {
		o.w.count("puts refused, because there was the object")
		return processors.ErrExists
	}
	o.held[name] = object{body: body, metadata: in.Metadata}
	o.w.count("objects")
	return nil
}

func (s store) Head(ctx context.Context, bucket, key string) (map[string]string, bool, error) {
	o, err := s.find(ctx, "head", bucket+"/"+key)
	if err != nil || o == nil {
		return nil, false, err
	}
	return o.metadata, true, nil
}

// find asks for an object; nil if there is none.
func (s store) find(ctx context.Context, op, name string) (*object, error) {
	return fetched(func(apply func(context.Context) error) error { return s.send(ctx, op, apply) }, func(context.Context) (*object, error) {
		if o, ok := s.o.get(name); ok {
			return &o, nil
		}
		return nil, nil //nolint:nilnil // there is none
	})
}

func (o *objects) get(name string) (object, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	out, ok := o.held[name]
	return out, ok
}

// Read implements redshiftarchive.Store.
func (s store) Read(ctx context.Context, bucket, key string, most int64) ([]byte, error) {
	o, err := s.find(ctx, "read", bucket+"/"+key)
	switch {
	case err != nil:
		return nil, err
	case o == nil:
		return nil, processors.ErrNotFound
	case int64(len(o.body)) > most:
		return nil, processors.ErrRange
	}
	return []byte(o.body), nil
}

func (s store) Get(ctx context.Context, bucket, key string, offset, length int64, w io.Writer) error {
	o, err := s.find(ctx, "get", bucket+"/"+key)
	switch {
	case err != nil:
		return err
	case o == nil:
		return processors.ErrNotFound
	case offset+length > int64(len(o.body)):
		return processors.ErrRange
	}
	_, err = io.CopyN(w, io.NewSectionReader(strings.NewReader(o.body), offset, length), length)
	return err
}

func (s store) List(ctx context.Context, bucket, prefix string) ([]string, error) {
	return fetched(func(apply func(context.Context) error) error { return s.send(ctx, "list", apply) }, func(context.Context) (keys []string, err error) {
		s.o.mu.Lock()
		defer s.o.mu.Unlock()
		for _, name := range slices.Sorted(maps.Keys(s.o.held)) {
			if key, ok := strings.CutPrefix(name, bucket+"/"); ok && strings.HasPrefix(key, prefix) && len(keys) < 1000 {
				keys = append(keys, key)
			}
		}
		return keys, nil
	})
}

func (s store) Delete(ctx context.Context, bucket, key string) error {
	return s.send(ctx, "delete", func(context.Context) error {
		if o, ok := s.o.get(bucket + "/" + key); ok && strings.HasPrefix(key, markersPrefix) {
			s.o.w.unmarks(o.body)
		}
		s.o.mu.Lock()
		defer s.o.mu.Unlock()
		delete(s.o.held, bucket+"/"+key)
		s.o.w.count("bundles and markers deleted")
		return nil
	})
}

func (s store) Check(ctx context.Context, _ string) error {
	return s.send(ctx, "check", func(context.Context) error { return nil })
}

// done returns every record that is in an object.
func (o *objects) done() map[string]bool {
	out := map[string]bool{}
	if o.w.awaits() {
		return o.w.loaded()
	}
	for record := range o.places() {
		out[record] = true
	}
	maps.Copy(out, o.w.droppedRecords())
	for record := range o.w.cluster.records() {
		out[record] = true
	}
	return out
}

// places returns the keys of the objects that each record is in.
func (o *objects) places() map[string][]string { return placesIn(o.below("bucket", "")) }

func placesIn(bodies map[string]string) map[string][]string {
	in := map[string][]string{}
	for key, body := range bodies {
		for _, record := range recordsIn(key, body) {
			in[record] = append(in[record], key)
		}
	}
	return in
}

// below returns the bodies of the objects of a bucket below a prefix, by their keys; with
// no prefix of those with records.
func (o *objects) below(bucket, prefix string) map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[string]string, len(o.held))
	for name, v := range o.held {
		if key, ok := strings.CutPrefix(name, bucket+"/"); ok && isBelow(key, prefix) {
			out[key] = v.body
		}
	}
	return out
}

func isBelow(key, prefix string) bool {
	return prefix == "" && isDelivery(key) || prefix != "" && strings.HasPrefix(key, prefix)
}

func (w *world) judgeArchive() {
	w.judgeObjects(w.parts.below("bucket", ""), "archived")
	if w.sealed {
		w.judgeObjects(w.parts.below(backupBucket, ""), "backed up")
	}
}

// judgeObjects checks that every record is in exactly one object, and that the
// records of an object are in order, without gaps.
func (w *world) judgeObjects(bodies map[string]string, what string) {
	in := placesIn(bodies)
	var missing, twice []string
	n := 0
	next := map[string]string{} // of each record, the one after it in its shard
	place := map[string]int{}   // of each record among those of its shard
	dropped := w.droppedRecords()
	if what == "archived" {
		w.judgeDocuments(in)
	}
	for _, s := range w.parts.shards() {
		all := w.parts.records(s.ID)
		n += len(all)
		all = slices.DeleteFunc(all, func(r string) bool { return len(in[r]) == 0 && w.mayBeLost(s.ID, r) })
		for i, record := range all {
			if !slices.Equal(in[record], []string{inTheIndex}) {
				w.toldRightly(record, in[record])
			}
			if place[record] = i; i+1 < len(all) {
				next[record] = all[i+1]
			}
			switch len(in[record]) {
			case 0:
				if !dropped[record] || what != "archived" {
					missing = append(missing, record)
				}
			case 1:
			default:
				twice = append(twice, record)
			}
		}
	}
	if len(missing)+len(twice) > 0 {
		w.violate("of %d records %d are not %s: %.200v and %d are in two objects: %.200v", n, len(missing), what, missing, len(twice), twice)
	}
	for key, body := range bodies {
		records := recordsIn(key, body)
		for i := range len(records) - 1 {
			one, two := records[i], records[i+1]
			isSparse := (w.transformed || w.indexed) && what == "archived" && place[one] < place[two] // others are in other objects
			if next[one] != two && !isSparse {
				w.violate("in object %s %s comes after %s", key, records[i+1], records[i])
			}
		}
	}
	w.add("records "+what, len(in))
}
