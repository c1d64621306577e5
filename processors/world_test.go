package processors_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// world is one shard, its lease row and an object store, as one worker after
// the other sees them. One thing happens in it at a time.
type world struct {
	mu sync.Mutex // guards all that a holder's goroutines share

	records []kcl.Record
	horizon int          // records before it have expired
	skipped map[int]bool // had expired when a worker came to read them

	row     row
	holders int

	indexed  map[int]bool // by number
	objects  map[string]stored
	prepared map[string]bool     // names of objects whose plan reached the row
	late     []processors.Object // puts that were given up and may still land

	// fault says what happens to the nth operation of a kind, from 0, and
	// to the nth of all.
	fault  func(kind string, nth, all int) fault
	counts map[string]int
	total  int

	now         *holding // the latest
	config      processors.Config
	tb          testing.TB
	violations  []string
	lost        []processors.RecordsLostEvent
	bundlesLost []processors.BundleLostEvent
	failures    []processors.PutFailedEvent
	delivered   []processors.DeliveredEvent
	pendings    []processors.PendingFoundEvent
	puts        []processors.Object // their bodies are gone with their cut
	mostMarked  int                 // objects that a marker named
	replays     []kcl.ReplayOptions
	downUntil   time.Time
	deafUntil   time.Time // until then the store does not answer
	stuck       bool      // nor does it return when its context is done
	backedUp    bool      // each holder backs up what it delivers
	overtaken   bool      // another holder delivers everything
	loader      loader
	awaiting    []processors.AwaitingEvent
	behind      time.Duration // the tip of the shard, of what is delivered
}

type row struct {
	owner      int
	checkpoint checkpoint.Position
	pending    *checkpoint.Prepared
}

// fault is what goes wrong with one operation.
type fault int

const (
	noFault     fault = iota
	fails             // not applied, an error
	answerLost        // applied, an error
	crashBefore       // the holder is gone before it is applied
	crashAfter        // the holder is gone, it was applied
	lands1            // the holder is gone; a put lands at the next holder's 1st operation
	lands2
	lands3
	lands4
	overtakenBefore // another holder takes the lease and does everything first; this one only learns of it from a write that fails
	overtakenAfter
	trims1 // no error; the oldest record above the checkpoint expires
	trims3
	faults // their number
)

func (f fault) String() string {
	return [...]string{"nothing", "fails", "answer lost", "crash before", "crash after", "lands 1", "lands 2", "lands 3", "lands 4", "overtaken before", "overtaken after", "trims 1", "trims 3"}[f]
}

func newWorld(records []kcl.Record) *world {
	return &world{
		records: records, indexed: map[int]bool{}, objects: map[string]stored{}, prepared: map[string]bool{}, skipped: map[int]bool{}, counts: map[string]int{},
		row:    row{checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)},
		loader: loader{every: 1, toLoad: map[string]bool{}, loaded: map[string]int{}, taken: map[string]int{}},
	}
}

// numbered returns n records whose data is "<index>" with some padding.
func numbered(n int) []kcl.Record {
	records := make([]kcl.Record, n)
	for i := range records {
		records[i] = record(i, fmt.Sprintf("<%d>%s", i, strings.Repeat("x", i%7)))
	}
	return records
}

// start is when the tests' streams begin.
func start() time.Time { return time.Date(2016, 2, 25, 13, 0, 0, 0, time.UTC) }

// record makes the ith record. Every third is the second of its sequence
// number, as if aggregated.
func record(i int, data string) kcl.Record {
	seq, sub := i, int64(0)
	if i%3 == 1 {
		seq, sub = i-1, 1
	}
	return kcl.Record{
		SequenceNumber:              "4959000000000000000000000000000000000000000000000" + fmt.Sprintf("%07d", seq),
		SubSequenceNumber:           sub,
		ApproximateArrivalTimestamp: arrivalOf(i),
		Data:                        []byte(data),
		Aggregated:                  sub > 0,
	}
}

var (
	errFault = errors.New("scripted fault")
	errCrash = fmt.Errorf("scripted crash: %w", kcl.ErrLeaseLost)
)

// lapse lets d pass, with what the test did before, and with what others did in it seen by
// the test after.
func (w *world) lapse(d time.Duration) {
	w.mu.Lock()
	end := time.Now().Add(d)
	w.mu.Unlock()
	time.Sleep(time.Until(end))
	synctest.Wait()
}

// do asks the script about an operation and carries out what it says. w.mu is held.
func (w *world) do(ctx context.Context, h *holding, kind string, apply func()) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f := noFault
	if w.fault != nil && !h.spared && !w.overtaken {
		f = w.fault(kind, w.counts[kind], w.total)
	}
	w.counts[kind]++
	w.total++
	w.turn()
	switch f {
	case noFault, faults:
	case fails:
		return errFault
	case answerLost:
		apply()
		return errFault
	case crashAfter:
		apply()
		h.crash()
		return errCrash
	case crashBefore:
		h.crash()
		return errCrash
	case trims1, trims3:
		// What was not read yet never expires here: that loss is the worker's.
		done := 0
		if at := w.row.checkpoint; at.IsRecord() {
			done = w.index(at.ExtendedSequenceNumber) + 1
		}
		w.horizon = max(w.horizon, w.startOf(min(done+map[fault]int{trims1: 1, trims3: 3}[f], h.position())))
	case overtakenBefore:
		w.overtake(ctx)
	case overtakenAfter:
		apply()
		w.overtake(ctx)
		return nil
	case lands1, lands2, lands3, lands4:
		if kind != "put" && kind != "seal" && kind != "mark" {
			h.crash()
			return errCrash
		}
	}
	apply()
	return nil
}

// startOf returns the first of those records that are one of the stream with
// record i: they expire together.
func (w *world) startOf(i int) int {
	for ; i > 0 && i < len(w.records) && w.records[i].SequenceNumber == w.records[i-1].SequenceNumber; i-- {
	}
	return i
}

// overtake lets another holder deliver everything, without faults.
func (w *world) overtake(ctx context.Context) {
	before := w.now
	h, p, ctx := w.taken(context.WithoutCancel(ctx), w.tb, w.config, theShard())
	h.spared, w.overtaken = true, true
	w.mu.Unlock()
	err := h.life(ctx, p, []int{3})
	w.mu.Lock()
	w.overtaken = false
	if err != nil {
		w.violate("the holder that overtook: %v", err)
	}
	w.now = before
}

func (w *world) violate(format string, a ...any) {
	w.violations = append(w.violations, fmt.Sprintf(format, a...))
}

// index returns which record is at a place, or where one would be.
func (w *world) index(at checkpoint.ExtendedSequenceNumber) int {
	i, _ := slices.BinarySearchFunc(w.records, at, func(r kcl.Record, at checkpoint.ExtendedSequenceNumber) int {
		return r.Position().Compare(at)
	})
	return i
}

// holding is one worker's holding of the lease: the Writer of a checkpointer
// and what a processor is given.
type holding struct {
	w       *world
	id      int
	shard   kcl.ShardInfo
	cancel  context.CancelCauseFunc
	cp      *checkpoint.Checkpointer
	crashed bool
	read    int // records delivered so far
	started bool
	spared  bool // by the script; its life is a step of another's
	woken   bool // asked for a call
	loads   bool // what it delivers is to be loaded
	awaits  bool // before the checkpoint passes it

	inDoubt      string    // the write whose outcome is unknown
	asked        bool      // CheckTrust was asked since the last put
	trustedUntil time.Time // zero: for ever
	landIn       int       // when late puts land, in operations of the next holder
	landOn       int
	operations   int
}

func (h *holding) crash() {
	h.crashed = true
	h.cancel(errCrash)
}

// position is up to where this holder, or one before, has certainly read.
func (h *holding) position() int {
	if p := h.w.row.pending; p != nil && !h.started {
		if p.At.IsShardEnd() {
			return len(h.w.records)
		}
		return h.w.index(p.At) + 1
	}
	return h.read
}

func (h *holding) CheckTrust() error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.crashed || !h.trustedUntil.IsZero() && !time.Now().Before(h.trustedUntil) {
		return kcl.ErrLeaseLost
	}
	h.asked = true
	return nil
}

func (h *holding) write(ctx context.Context, kind, what string, apply func()) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.land(h)
	if h.inDoubt != "" && h.inDoubt != what {
		h.w.violate("%s while %s is in doubt", what, h.inDoubt)
	}
	lost := h.w.row.owner != h.id
	err := h.w.do(ctx, h, kind, func() {
		if lost = h.w.row.owner != h.id; !lost {
			apply()
		}
	})
	if lost {
		h.crash()
		return kcl.ErrLeaseLost
	}
	h.inDoubt = ""
	if err != nil {
		h.inDoubt = what
	}
	return err
}

// Checkpoint implements checkpoint.Writer.
func (h *holding) Checkpoint(ctx context.Context, at checkpoint.Position) error {
	return h.write(ctx, "commit", fmt.Sprintf("checkpoint %v", at), func() {
		h.w.checkLoaded(h, at)
		h.w.row.checkpoint, h.w.row.pending = at, nil
	})
}

// Prepare implements checkpoint.Writer.
func (h *holding) Prepare(ctx context.Context, p checkpoint.Prepared) error {
	kind := "prepare"
	if pl, err := exactlyonce.Decode(p.State); err == nil && pl.Awaits != nil {
		kind = "announce"
	}
	return h.write(ctx, kind, fmt.Sprintf("prepare %v %x", p.At, p.State), func() {
		p.State = bytes.Clone(p.State)
		h.w.row.pending = &p
		pl, err := exactlyonce.Decode(p.State)
		switch {
		case err != nil, pl.Awaits != nil:
		case pl.Bundle != nil:
			h.w.prepareBundle(pl)
		default:
			h.w.prepared[objectName(pl.Bucket, pl.Key)] = true
		}
	})
}

func (h *holding) replay(ctx context.Context, first, last checkpoint.ExtendedSequenceNumber, o kcl.ReplayOptions) iter.Seq2[kcl.Record, error] {
	return func(yield func(kcl.Record, error) bool) {
		h.w.mu.Lock()
		h.w.land(h)
		h.w.replays = append(h.w.replays, o)
		err := h.w.do(ctx, h, "replay", func() {})
		from := max(h.w.index(first), h.w.horizon)
		h.w.mu.Unlock()
		if err != nil {
			yield(kcl.Record{}, err)
			return
		}
		var scratch []byte
		for i := from; i < len(h.w.records) && h.w.records[i].Position().Compare(last) <= 0; i++ {
			r := h.w.records[i]
			scratch = append(scratch[:0], r.Data...)
			r.Data = scratch
			if !yield(r, nil) {
				return
			}
			clear(scratch)
		}
	}
}

// take gives the lease to a new holder, with a processor of its own.
func (w *world) take(ctx context.Context, tb testing.TB, cfg processors.Config, shard kcl.ShardInfo) (*holding, kcl.RecordProcessor, context.Context) {
	tb.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.taken(ctx, tb, cfg, shard)
}

// taken is take while w.mu is held.
func (w *world) taken(ctx context.Context, tb testing.TB, cfg processors.Config, shard kcl.ShardInfo) (*holding, kcl.RecordProcessor, context.Context) {
	tb.Helper()
	w.holders++
	loads := cfg.Load != nil
	w.backedUp = cfg.Backup != nil && (w.backedUp || w.holders == 1)
	ctx, cancel := context.WithCancelCause(ctx)
	tb.Cleanup(func() { cancel(nil) })
	h := &holding{w: w, id: w.holders, shard: shard, cancel: cancel, loads: loads, awaits: loads && cfg.Load.CommitOn == processors.CommitOnLoad, cp: checkpoint.New(nil, w.row.checkpoint, false)}
	h.cp = checkpoint.New(h, w.row.checkpoint, w.row.pending != nil)
	if w.now != nil {
		h.landOn = w.now.landIn
	}
	w.row.owner, w.now, w.config, w.tb = h.id, h, cfg, tb
	cfg.Hooks = processors.Hooks{
		Buffered:     cfg.Hooks.Buffered,
		Awaiting:     func(e processors.AwaitingEvent) { note(w, &w.awaiting, e) },
		Delivered:    func(e processors.DeliveredEvent) { note(w, &w.delivered, e) },
		PutFailed:    func(e processors.PutFailedEvent) { note(w, &w.failures, e) },
		RecordsLost:  func(e processors.RecordsLostEvent) { note(w, &w.lost, e) },
		BundleLost:   func(e processors.BundleLostEvent) { note(w, &w.bundlesLost, e) },
		PendingFound: func(e processors.PendingFoundEvent) { note(w, &w.pendings, e) },
	}
	cfg = w.indexing(w.transforming(cfg, h), h)
	archiver, err := processors.New(cfg, store{w, h})
	if err != nil {
		tb.Fatal(err)
	}
	return h, archiver.Processor(shard), ctx
}

// note is a hook that keeps what it is told.
func note[E any](w *world, list *[]E, e E) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, e)
}

func (h *holding) initialize(ctx context.Context, p kcl.RecordProcessor) error {
	h.w.mu.Lock()
	row := h.w.row
	h.w.mu.Unlock()
	return p.Initialize(ctx, kcl.InitializationInput{
		Shard: h.shard, Checkpoint: row.checkpoint, Pending: row.pending, Checkpointer: h.cp,
		Replay: h.replay, CheckTrust: h.CheckTrust,
	})
}

// begin is initialize until it succeeds, and says where reading begins.
func (h *holding) begin(ctx context.Context, p kcl.RecordProcessor) error {
	for try := 0; ; try++ {
		err := h.initialize(ctx, p)
		if err == nil {
			break
		}
		if h.isCrashed() || ctx.Err() != nil || try > 100 || errors.Is(err, processors.ErrKeyTaken) || errors.Is(err, processors.ErrUnfinishable) {
			return err
		}
		time.Sleep(time.Second)
	}
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.started = true
	h.read = h.firstUndone()
	h.skipExpired()
	return nil
}

// skipExpired goes on at the oldest record that is there. What is skipped was in
// no cut that was prepared: a worker reports it.
func (h *holding) skipExpired() {
	for ; h.read < h.w.horizon; h.read++ {
		h.w.skipped[h.read] = true
	}
}

// deliver passes n more records to p, or a tick if n is 0, in a buffer that is
// overwritten afterwards, and calls it again as often as it asks at once.
func (h *holding) deliver(ctx context.Context, p kcl.RecordProcessor, n int) error {
	err := h.pass(ctx, p, n)
	for err == nil && h.isWoken() {
		err = h.pass(ctx, p, 0)
	}
	return err
}

// deliverAll is deliver, and waits until all is in the store.
func (h *holding) deliverAll(ctx context.Context, p kcl.RecordProcessor, n int) error {
	if err := h.deliver(ctx, p, n); err != nil {
		return err
	}
	return p.ProcessRecords(ctx, kcl.ProcessRecordsInput{Checkpointer: h.cp, Attempt: 1, Pressure: true})
}

// isWoken reports whether a call is asked for, by what ends without time passing.
func (h *holding) isWoken() bool {
	if h.spared {
		time.Sleep(time.Nanosecond) // another goroutine may be in Wait
	} else {
		synctest.Wait()
	}
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	woken := h.woken
	h.woken = false
	return woken
}

func (h *holding) wake() {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.woken = true
}

// pass is one call of ProcessRecords.
func (h *holding) pass(ctx context.Context, p kcl.RecordProcessor, n int) error {
	h.w.mu.Lock()
	h.skipExpired()
	end := min(h.read+n, len(h.w.records))
	batch := slices.Clone(h.w.records[h.read:end])
	for i := range batch {
		batch[i] = batch[i].Clone()
	}
	if len(batch) > 0 {
		h.cp.Processed(batch[len(batch)-1].Position())
	}
	h.read = end
	h.w.mu.Unlock()
	err := p.ProcessRecords(ctx, kcl.ProcessRecordsInput{Records: batch, Checkpointer: h.cp, BehindLatest: h.w.behind, Attempt: 1, Hold: func(int64) {}, Wake: h.wake})
	for i := range batch {
		for j := range batch[i].Data {
			batch[i].Data[j] = '!'
		}
	}
	return err
}

// places counts in how many places of all objects each record is, those of backups or
// the others.
func (w *world) places(backup bool) (map[int]int, error) {
	n := map[int]int{}
	for name, o := range w.objects {
		if _, key, _ := strings.Cut(name, "/"); isBundle(key) || isMarker(key) || w.isWaiting(name) || strings.HasPrefix(name, "backup/") != backup {
			continue
		}
		body, err := o.inflated()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if strings.Contains(name, documentsFailed) {
			failed, err := failedDocuments(body)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			for _, i := range failed {
				n[i]++
			}
			continue
		}
		before := -1
		for part := range strings.SplitSeq(body, "<") {
			number, _, found := strings.Cut(part, ">")
			if !found {
				continue
			}
			i, err := strconv.Atoi(number)
			if err != nil {
				return nil, fmt.Errorf("%s: %q", name, number)
			}
			if next := before + 1; before >= 0 && i != next && (i < next || !strings.Contains(name, "/k=")) { // of a partition
				return nil, fmt.Errorf("%s: record %d follows %d", name, i, before)
			}
			n[i]++
			before = i
		}
	}
	return n, nil
}

// verdict says what is wrong with the world: each record must be in exactly
// one object, or in at least one; one that expired may be in none.
func (w *world) verdict(exactly bool) error {
	w.load()
	if !isInOrder(w.puts) && len(w.late) == 0 && w.holders == 1 {
		w.violate("a marker is put before an object of its cut")
	}
	errs := make([]error, 0, len(w.violations))
	for _, v := range w.violations {
		errs = append(errs, errors.New(v))
	}
	if len(w.lost) > 0 && w.horizon == 0 {
		errs = append(errs, fmt.Errorf("a loss was reported, but nothing expired: %+v", w.lost))
	}
	for _, backup := range []bool{false, true} {
		n, err := w.places(backup)
		errs = append(errs, err)
		for i := range w.records {
			switch {
			case n[i] == 0 && (backup || !w.indexed[i]) && !w.skipped[i] && !w.reported(i) && (!backup || w.backedUp):
				errs = append(errs, fmt.Errorf("record %d is in no object, of backups %v", i, backup))
			case n[i] > 1 && exactly:
				errs = append(errs, fmt.Errorf("record %d is in %d objects, of backups %v", i, n[i], backup))
			}
		}
	}
	return errors.Join(errs...)
}

// reported reports whether the loss of record i was reported. Records that no
// cut had when they expired are the worker's to report.
func (w *world) reported(i int) bool {
	for _, e := range w.lost {
		to := e.To
		if to.IsZero() {
			to = checkpoint.ExtendedSequenceNumber{SequenceNumber: checkpoint.ShardEnd}
		}
		at := w.records[i].Position()
		if at.Compare(e.From) >= 0 && at.Compare(to) < 0 && at.Compare(e.Last) <= 0 {
			return true
		}
	}
	return false
}

func (w *world) keys() []string { return slices.Sorted(maps.Keys(w.objects)) }

func theShard() kcl.ShardInfo {
	return kcl.ShardInfo{
		StreamName: "clicks", StreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks", Table: "app",
		ShardID: "shardId-000000000000", WorkerID: "w",
		Range: lease.HashRange{Start: "0", End: "340282366920938463463374607431768211455"},
	}
}

// config is the conformance list's: stream orders, bucket b.
func config() processors.Config {
	return processors.Config{DeliveryStreamName: "orders", Bucket: "b", ParallelPuts: 1} // the world is one goroutine's
}

// backedUp is config with a backup, whose objects are smaller.
func backedUp() processors.Config {
	return with(config(), func(c *processors.Config) {
		c.Backup = &processors.Backup{Bucket: "backup", Prefix: "raw/", Compression: processors.GZIP}
	}).WithBackupSize(11)
}

func with(c processors.Config, changes ...func(*processors.Config)) processors.Config {
	for _, change := range changes {
		change(&c)
	}
	return c
}

// run lets one holder after the other work until every record is delivered and
// the shard has ended, each with a configuration of its own.
func (w *world) run(ctx context.Context, tb testing.TB, batches []int, cfgs ...processors.Config) error {
	tb.Helper()
	for try := range 60 {
		h, p, ctx := w.take(ctx, tb, cfgs[min(try, len(cfgs)-1)], theShard())
		err := h.life(ctx, p, batches)
		if err == nil {
			return nil
		}
		p.LeaseLost(ctx, kcl.LeaseLostInput{})
		if !h.isCrashed() {
			return err
		}
		time.Sleep(10 * time.Second)
	}
	return errors.New("60 holders did not finish")
}

// life is a whole holding: every batch, each followed by a tick, and then the
// shard's end. A negative batch is delivered twice.
func (h *holding) life(ctx context.Context, p kcl.RecordProcessor, batches []int) error {
	if h.w.row.checkpoint.IsShardEnd() {
		return nil
	}
	if err := h.begin(ctx, p); err != nil {
		return err
	}
	for i := 0; h.read < len(h.w.records); i++ {
		n := cmp.Or(batches[i%len(batches)], 1)
		from := h.read
		for range 1 + min(max(-n, 0), 1) {
			h.readFrom(max(from, h.firstUndone()))
			if err := h.deliver(ctx, p, max(n, -n)); err != nil {
				return err
			}
		}
		time.Sleep(time.Second)
		if err := h.deliver(ctx, p, 0); err != nil {
			return err
		}
	}
	h.cp.EndShard()
	for {
		err := p.ShardEnded(ctx, kcl.ShardEndedInput{Checkpointer: h.cp, Attempt: 1})
		if err == nil {
			break
		}
		if h.isCrashed() || errors.Is(err, processors.ErrKeyTaken) {
			return err
		}
		time.Sleep(time.Second)
	}
	p.LeaseLost(ctx, kcl.LeaseLostInput{})
	return nil
}

func (h *holding) isCrashed() bool {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	return h.crashed
}

func (h *holding) readFrom(i int) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.read = i
}

// firstUndone is the record after the checkpoint: a worker does not deliver
// again what was checkpointed.
func (h *holding) firstUndone() int {
	if at := h.cp.Last(); at.IsRecord() {
		return h.w.index(at.ExtendedSequenceNumber) + 1
	}
	return 0
}
