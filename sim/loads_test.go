package sim_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Where the worlds that load have what belongs to that.
const (
	deliveryStream  = "s" // and the key of the loader's lease
	jobsTable       = tableName + "-shardmill"
	markersPrefix   = "_shardmill/load/" + deliveryStream + "/"
	manifestsPrefix = "manifests/"
	errorsManifests = "errors/manifests/"
	ledger          = "ledger"
)

// isDelivery reports whether a key is of an object with records.
func isDelivery(key string) bool {
	return !strings.HasPrefix(key, "_shardmill/") && !isManifest(key)
}

func isManifest(key string) bool {
	return strings.HasPrefix(key, manifestsPrefix) || strings.HasPrefix(key, errorsManifests)
}

// commitOn is what a machine's checkpoints wait for. In a third of the worlds the machines
// differ.
func (w *world) commitOn(m *machine) processors.CommitOn {
	switch w.dice().below(3, "commit on", 0) {
	case 0:
		return processors.CommitOnStage
	case 1:
		return processors.CommitOnLoad
	default:
		return []processors.CommitOn{processors.CommitOnStage, processors.CommitOnLoad}[m.dice.below(2, "commit on", 0)]
	}
}

// awaits reports whether all checkpoints of a world wait until what they pass is loaded.
func (w *world) awaits() bool { return w.loads && w.dice().below(3, "commit on", 0) == 1 }

// mayAwait reports whether some checkpoints of a world wait.
func (w *world) mayAwait() bool { return w.loads && w.dice().below(3, "commit on", 0) > 0 }

// loadWhile calls run, and has a machine stand ready to load meanwhile.
func (w *world) loadWhile(ctx context.Context, m *machine, run func() error) error {
	if !w.loads {
		return run()
	}
	retry := []time.Duration{0, 6 * time.Minute, 10 * time.Minute}[w.dice().below(3, "retry duration", 0)]
	cfg := redshiftarchive.Config{
		Staging: w.archiveConfig(m), DataTableName: "records", RetryDuration: &retry, CopyTimeout: time.Minute,
		Access: redshiftarchive.RoleAccess{ARN: "arn:aws:iam::000000000000:role/load"}, Logger: w.logger(m),
		Hooks: redshiftarchive.Hooks{
			Loaded:  func(redshiftarchive.LoadedEvent) { w.count("batches loaded") },
			GivenUp: func(redshiftarchive.GivenUpEvent) { w.count("batches given up") },
		},
	}
	if w.warehouse.hasLedger {
		cfg.Ledger = ledger
	}
	loader, err1 := redshiftarchive.New(cfg, jobStore{w.parts.loaderStore(m), m}, toWarehouse{m})
	role, err2 := elected.New(elected.Config{
		Table: w.parts.jobs(m), Job: deliveryStream, WorkerID: m.name, FailoverTime: m.clocked(w.failover[m.slot]), Logger: w.logger(m),
		OnChange: func(has bool) { w.note("%s is the loader: %v", m.name, has) },
	})
	if err := errors.Join(err1, err2); err != nil {
		w.violate("the loader is refused: %v", err)
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	var loading sync.WaitGroup
	loading.Go(func() {
		role.Run(ctx, func(ctx context.Context, t *elected.Term) error {
			w.trusts(m, deliveryStream, t.CheckTrust)
			return loader.Run(ctx, t.CheckTrust)
		})
	})
	defer loading.Wait()
	defer stop()
	return run()
}

// wroteJob looks at a row of the table of jobs that was just written.
func (w *world) wroteJob(_ string, old, row lease.Lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old.Counter != row.Counter || old.Key == "" {
		w.moved[row.Key] = movement{row, time.Now()}
	}
	w.counts["rows of jobs written"]++
}

// jobStore is the store of a loader, which must be trusted when it changes something.
type jobStore struct {
	redshiftarchive.Store

	m *machine
}

func (s jobStore) Put(ctx context.Context, o processors.Object) error {
	s.m.w.begin(s.m, deliveryStream, "puts a manifest of")
	return s.Store.Put(ctx, o)
}

func (s jobStore) Delete(ctx context.Context, bucket, key string) error {
	s.m.w.begin(s.m, deliveryStream, "deletes a marker of")
	return s.Store.Delete(ctx, bucket, key)
}

// warehouse is the database of a world that loads.
type warehouse struct {
	w         *world
	hasLedger bool
	lock      chan struct{} // the ledger's: full while a transaction has it

	mu     sync.Mutex // guards what follows
	copies map[string]int
	ledger map[string]bool
	rows   map[string]int // records, by how often they are in the table
}

func newWarehouse(w *world) *warehouse {
	return &warehouse{
		w: w, hasLedger: w.dice().below(2, "ledger", 0) == 0, lock: make(chan struct{}, 1),
		copies: map[string]int{}, ledger: map[string]bool{}, rows: map[string]int{},
	}
}

// toWarehouse is the database as one machine sees it.
type toWarehouse struct{ m *machine }

// Check implements redshiftarchive.Database.
func (toWarehouse) Check(context.Context, redshiftarchive.Tables) error { return nil }

// Load implements redshiftarchive.Database. An answer of the network leaves open what
// became of the transaction.
func (d toWarehouse) Load(ctx context.Context, t redshiftarchive.Try) error {
	m, h := d.m, d.m.w.warehouse
	m.w.begin(m, deliveryStream, "copies")
	err := h.ask(ctx, m, func(ctx context.Context) error {
		done := make(chan error, 1)
		m.w.loose.Go(func() { done <- h.transact(m, t) }) // it goes on when nobody waits for it any more
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	if errors.Is(err, lease.ErrThrottled) {
		return &redshiftarchive.Fault{Code: "Redshift.ConnectionFailed", Message: "too many connections", Undone: true}
	}
	return err
}

// ask sends a COPY to the database, which may be down.
func (h *warehouse) ask(ctx context.Context, m *machine, apply func(context.Context) error) error {
	const op = "copy"
	if m.meets(sinkDown, op) {
		if m.throw("hangs "+op) < 0.5 {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return errNet
	}
	if !h.w.calmed() && m.throw("late "+op) < 0.1 { // it lands later, whatever becomes of the sender
		h.w.count("late COPYs")
		h.w.later(m.upTo(6*m.failover(), "how late "+op), func() { _ = apply(context.WithoutCancel(ctx)) })
		return errNet
	}
	return m.send(ctx, op, apply)
}

// transact is a transaction of the database, as it goes on there.
func (h *warehouse) transact(m *machine, t redshiftarchive.Try) error {
	h.w.count("COPYs")
	if (t.Ledger != nil) != h.hasLedger {
		h.w.violate("a try has the ledger %+v", t.Ledger)
	}
	if t.Ledger != nil {
		h.lock <- struct{}{}
		defer func() { <-h.lock }()
		if err := h.step(m, "LOCK"); err != nil {
			return err
		}
		known := h.known(t.Ledger.Objects)
		if len(known) > 0 {
			h.w.count("COPYs that the ledger left out")
			return &redshiftarchive.KnownError{Objects: known}
		}
	}
	objects, err := h.read(t)
	if err == nil {
		err = h.step(m, "COPY")
	}
	if err == nil {
		err = h.step(m, "COMMIT")
	}
	if err != nil {
		return err
	}
	h.commit(t, objects)
	if !h.w.calmed() && m.throw("answer of COMMIT") < 0.05 {
		h.w.count("COMMITs whose answer is lost")
		return errNet
	}
	return nil
}

// step passes the time of a statement, at which the session may end.
func (h *warehouse) step(m *machine, name string) error {
	takes := 50 * time.Millisecond
	switch {
	case h.w.calmed():
	case m.throw("slow "+name) < 0.2:
		takes = 90 * time.Second // more than a loader waits
	default:
		takes = 4 * time.Second
	}
	time.Sleep(time.Millisecond + m.upTo(takes, "how slow "+name))
	if !h.w.calmed() && m.throw("session ends at "+name) < 0.05 {
		h.w.count("sessions that end before " + name)
		return errNet
	}
	return nil
}

// known returns the objects that the ledger has.
func (h *warehouse) known(objects []string) (known []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, url := range objects {
		if h.ledger[url] {
			known = append(known, url)
		}
	}
	return known
}

// copied is an object that a COPY reads.
type copied struct {
	url     string
	records []string
}

var fromManifest = regexp.MustCompile(`^COPY records FROM 's3://bucket/([^']*)' CREDENTIALS '[^']*' MANIFEST`)

// read reads the objects of a try's manifest. Some have a row that is refused, while there is trouble.
func (h *warehouse) read(t redshiftarchive.Try) (objects []copied, err error) {
	found := fromManifest.FindStringSubmatch(t.Copy.SQL())
	if found == nil {
		h.w.violate("a statement is %s", t.Copy)
		return nil, errNet
	}
	body, ok := h.w.parts.stored("bucket", found[1])
	if !ok {
		h.w.violate("COPY finds no manifest %s", found[1])
		return nil, errNet
	}
	urls := entriesOf(body)
	if t.Ledger != nil && !slices.Equal(urls, t.Ledger.Objects) {
		h.w.violate("a try has the ledger's objects %v, and the manifest %v", t.Ledger.Objects, urls)
	}
	for _, url := range urls {
		key := strings.TrimPrefix(url, "s3://bucket/")
		body, ok := h.w.parts.stored("bucket", key)
		if !ok {
			h.w.violate("COPY finds no object %s", url)
			return nil, errNet
		}
		o := copied{url, recordsIn(key, body)}
		if !h.w.calmed() && slices.ContainsFunc(o.records, h.w.isBadRow) { // in the calm it would hold up everything for its retries
			h.w.count("COPYs with a bad row")
			return nil, &redshiftarchive.Fault{Code: "Redshift.DataLoadFailed", Message: "a row", SQLState: "XX000", Undone: true}
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func (w *world) isBadRow(record string) bool { return w.dice().below(300, "bad row "+record, 0) == 0 }

func (h *warehouse) commit(t redshiftarchive.Try, objects []copied) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range objects {
		if h.copies[o.url]++; h.copies[o.url] > 1 {
			h.w.count("objects loaded again")
		}
		for _, r := range o.records {
			h.rows[r]++
		}
		if t.Ledger != nil {
			h.ledger[o.url] = true
		}
	}
}

var entryURL = regexp.MustCompile(`"url":"([^"]*)"`)

// entriesOf returns the URLs that a manifest has.
func entriesOf(manifest string) (urls []string) {
	for _, found := range entryURL.FindAllStringSubmatch(manifest, -1) {
		urls = append(urls, found[1])
	}
	return urls
}

// named returns the records of the objects that errors manifests name.
func (w *world) named() map[string]bool {
	out := map[string]bool{}
	for _, body := range w.parts.below("bucket", errorsManifests) {
		for _, url := range entriesOf(body) {
			key := strings.TrimPrefix(url, "s3://bucket/")
			object, ok := w.parts.stored("bucket", key)
			if !ok {
				w.violate("an errors manifest names %s, which is not there", url)
			}
			for _, r := range recordsIn(key, object) {
				out[r] = true
			}
		}
	}
	return out
}

// loaded returns the records that are in the table, or named: what need not be loaded any more.
func (w *world) loaded() map[string]bool {
	out := w.named()
	w.warehouse.mu.Lock()
	defer w.warehouse.mu.Unlock()
	for r := range w.warehouse.rows {
		out[r] = true
	}
	return out
}

// passes checks that a checkpoint that waits for loads passes no record that is not loaded.
func (w *world) passes(row lease.Lease, before checkpoint.Position) {
	p, ok := w.parts.(*model)
	if !ok || !w.awaits() || row.Checkpoint.Compare(before.ExtendedSequenceNumber) == 0 {
		return
	}
	loaded := w.loaded()
	for _, r := range p.stream.Records(number(row.Key)) {
		at := r.Position()
		isPassed := at.Compare(row.Checkpoint.ExtendedSequenceNumber) <= 0 && (!before.IsRecord() || at.Compare(before.ExtendedSequenceNumber) > 0)
		if isPassed && !loaded[string(r.Data)] && !w.mayBeLost(row.Key, string(r.Data)) {
			w.violate("the checkpoint of %s passes %s, which is neither loaded nor named", short(row.Key), r.Data)
			return
		}
	}
}

// unmarks checks that a marker that is deleted names what is loaded or named.
func (w *world) unmarks(body string) {
	marker, err := processors.ParseMarker([]byte(body))
	if err != nil {
		w.violate("a marker that is deleted is none: %v", err)
	}
	loaded := w.loaded()
	for _, o := range marker.Objects {
		object, ok := w.parts.stored(o.Bucket, o.Key)
		if !ok {
			w.violate("a marker names %s, which is not there", o.URL())
		}
		for _, r := range recordsIn(o.Key, object) {
			if !loaded[r] {
				w.violate("a marker is deleted, and %s is neither loaded nor named", r)
				return
			}
		}
	}
	w.count("markers deleted")
}

// judgeLoads checks that every record is in the table, or in an object that an errors
// manifest names: with a ledger once.
func (w *world) judgeLoads() {
	if left := w.parts.below("bucket", markersPrefix); len(left) > 0 {
		w.violate("%d markers are left", len(left))
	}
	rows := w.parts.jobRows()
	if len(rows) != 1 || rows[0] != deliveryStream {
		w.violate("the table of jobs has the rows %v", rows)
	}
	for _, l := range w.parts.rows() {
		if number(l.Key) < 0 {
			w.violate("the application's table has the row %s", l.Key)
		}
	}
	named, delivered := w.named(), placesIn(w.parts.below("bucket", ""))
	h := w.warehouse
	h.mu.Lock()
	defer h.mu.Unlock()
	var missing, twice []string
	for _, s := range w.parts.shards() {
		for _, r := range w.parts.records(s.ID) {
			switch n := h.rows[r]; {
			case n == 0 && !named[r] && (len(delivered[r]) > 0 || !w.mayBeLost(s.ID, r)):
				missing = append(missing, r)
			case n > 1 && h.hasLedger:
				twice = append(twice, r)
			case n > 0 && named[r]:
				w.count("records loaded and named")
			}
		}
	}
	if len(missing)+len(twice) > 0 {
		w.violate("%d records are neither loaded nor named: %.200v, and %d are in the table twice: %.200v", len(missing), missing, len(twice), twice)
	}
	for r, n := range h.rows {
		if len(delivered[r]) == 0 {
			w.violate("%s is %d rows, and in no object", r, n)
		}
	}
	w.add("records loaded", len(h.rows))
	w.add("records named", len(named))
}
