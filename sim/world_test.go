package sim_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// scanEvery is how often each worker reads the table, by its own clock.
const scanEvery = 3 * time.Second

// keepFinished is how long finished leases stay in the table: no request is
// under way for so long.
const keepFinished = 2 * time.Minute

// parts are what a world is made of: the services, and what runs on them.
type parts interface {
	source(m *machine) kcl.Source
	table(m *machine) lease.Table
	factory(m *machine) kcl.ProcessorFactory
	rows() []lease.Lease // the lease table as it is
	streamPart
	judgePart
	loadPart
}

// streamPart is the stream, as producer and judge see it.
type streamPart interface {
	put(shard int, records ...string)
	split(shard int)
	merge(a, b int)
	shards() []kcl.Shard             // in the order in which they came to be
	records(shardID string) []string // in the order in which they were put
}

// judgePart says what became of the records.
type judgePart interface {
	done(shardID string) map[string]bool
	judge() // when all is over

	stored(bucket, key string) (body string, ok bool)
	below(bucket, prefix string) map[string]string // the bodies of objects, by key; with no prefix those with records
}

// loadPart is what a loader works with.
type loadPart interface {
	loaderStore(m *machine) redshiftarchive.Store
	jobs(m *machine) lease.Table
	jobRows() []string // the keys of the table of jobs
}

// world is everything that the machines of one scenario share.
type world struct {
	scenario

	t       *testing.T
	begun   time.Time
	parts   parts
	cluster *cluster       // nil without documents
	loose   sync.WaitGroup // requests that arrive late

	warehouse *warehouse // nil without loads

	mu       sync.Mutex                           // guards what follows
	trusted  map[string]map[*machine]func() error // whether a machine trusts a shard's lease
	at       map[string]checkpoint.Position       // the checkpoint of each shard
	moved    map[string]movement                  // the last time that a row's counter moved
	running  map[*machine]bool
	log      []event
	counts   map[string]int
	violated []string
	excused  map[string]excuse // records that may be lost
	dropped  map[string]bool   // records of which a transform said so
}

// event is a line of the timeline.
type event struct {
	at   time.Duration
	text string
}

// movement is a write that moved the counter of a row.
type movement struct {
	row lease.Lease
	at  time.Time
}

func newWorld(t *testing.T, s scenario) *world {
	t.Helper()
	w := &world{
		scenario: s, t: t, begun: time.Now(), trusted: map[string]map[*machine]func() error{}, at: map[string]checkpoint.Position{},
		moved: map[string]movement{}, running: map[*machine]bool{}, counts: map[string]int{},
		excused: map[string]excuse{},
	}
	if s.indexed {
		w.cluster = &cluster{w: w, held: map[string]string{}}
	}
	w.loads = s.loads && s.kind != processorWorld
	if w.loads {
		w.warehouse = newWarehouse(w)
	}
	switch s.kind {
	case awsWorld:
		w.parts = newAWSParts(w)
	case archiverWorld:
		m := newModel(w)
		m.archive = newObjects(w)
		w.parts = m
	case processorWorld:
		w.parts = newModel(w)
	}
	return w
}

func (w *world) dice() dice { return dice(w.seed) }

// violate reports a broken promise. What comes after the first one may follow
// from it.
func (w *world) violate(format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	w.note("%s%s", broken, text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violated = append(w.violated, fmt.Sprintf("after %v: %s", time.Since(w.begun), text))
}

// note appends to the timeline.
func (w *world) note(format string, a ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, event{time.Since(w.begun), fmt.Sprintf(format, a...)})
}

func (w *world) count(what string) { w.add(what, 1) }

func (w *world) add(what string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what] += n
}

func (w *world) calmed() bool { return time.Since(w.begun) >= w.trouble }

// chance is how likely a trouble strikes something that a slot does now.
func (w *world) chance(trouble what, slot int) (most float64) {
	now := time.Since(w.begun)
	for _, i := range w.incidents {
		if i.what == trouble && (i.slot == slot || i.slot < 0) && i.at <= now && now < i.at+i.span {
			most = max(most, i.chance)
		}
	}
	return most
}

// stalledFor is how long a slot's machine still stands still.
func (w *world) stalledFor(slot int) (left time.Duration) {
	now := time.Since(w.begun)
	for _, i := range w.incidents {
		if i.what == stalls && i.slot == slot && i.at <= now {
			left = max(left, i.at+i.span-now)
		}
	}
	return left
}

// later does something after a while that nobody waits for.
func (w *world) later(in time.Duration, f func()) {
	w.loose.Go(func() {
		time.Sleep(in)
		f()
	})
}

// alive notes that a machine's worker runs, or has ended.
func (w *world) alive(m *machine, is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if is {
		w.running[m] = true
	} else {
		delete(w.running, m)
	}
}

// mayAct checks that a machine trusts a lease rightly: nobody else can have
// seen that its counter does not move for as long as the trust lasts.
func (w *world) mayAct(m *machine, key, doing string) {
	w.mu.Lock()
	last, ok := w.moved[key]
	w.mu.Unlock()
	if !ok || m.frozen || m.isDead() || last.row.Owner != m.name {
		return // it has to fail, which is checked where it would not
	}
	if age := time.Since(last.at); age > m.failover()*9/10 {
		w.violate("%s %s %s %v after its counter moved: it cannot trust the lease", m.name, doing, short(key), age)
	}
}

// wrote looks at a row that was just written; it is told of all writes, one
// after the other.
func (w *world) wrote(op string, old, row lease.Lease) {
	w.mu.Lock()
	before, known := w.at[row.Key]
	w.at[row.Key] = row.Checkpoint
	if old.Counter != row.Counter || old.Key == "" {
		w.moved[row.Key] = movement{row, time.Now()}
	}
	w.counts["rows written"]++
	w.counts[op]++
	w.mu.Unlock()
	if known && row.Checkpoint.Compare(before.ExtendedSequenceNumber) < 0 {
		w.violate("the checkpoint of %s went back from %v to %v", short(row.Key), before, row.Checkpoint)
	}
	if w.loads {
		w.passes(row, before)
	}
	if row.Finished() && !old.Finished() {
		w.note("%s is finished", short(row.Key))
		w.count("shards finished")
		if missing := w.missing(row.Key); len(missing) > 0 {
			w.violate("%s is at SHARD_END and %d of its records are not done: %.100v", short(row.Key), len(missing), missing)
		}
		w.childrenThere(row)
	}
}

// childrenThere checks that the children of a shard have leases, or had.
func (w *world) childrenThere(row lease.Lease) {
	for _, s := range w.parts.shards() {
		if !slices.Contains(s.ParentIDs, row.Key) {
			continue
		}
		w.mu.Lock()
		_, known := w.at[s.ID]
		w.mu.Unlock()
		if !known && !w.unleased(s.ID) {
			w.violate("%s is at SHARD_END and its child %s has no lease", short(row.Key), short(s.ID))
		}
	}
}

// missing returns the records of a shard that are neither done nor known to be
// lost.
func (w *world) missing(shardID string) (out []string) {
	done := w.parts.done(shardID)
	for _, r := range w.parts.records(shardID) {
		if !done[r] && !w.mayBeLost(shardID, r) {
			out = append(out, r)
		}
	}
	return out
}

// trusts notes how to ask whether a machine trusts a shard's lease.
func (w *world) trusts(m *machine, shard string, trusted func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trusted[shard] == nil {
		w.trusted[shard] = map[*machine]func() error{}
	}
	w.trusted[shard][m] = trusted
}

// begin checks that a call for a shard may begin: the machine trusts the lease,
// and no other does.
func (w *world) begin(m *machine, shard, doing string) {
	if m.isDead() || m.frozen {
		return
	}
	w.count("calls")
	w.mayAct(m, shard, doing)
	w.mu.Lock()
	all := maps.Clone(w.trusted[shard])
	ended := w.at[shard].IsShardEnd()
	w.mu.Unlock()
	// A Java worker that steals begins at once, and may be done before its victim knows.
	if ended && !w.java && (doing == "initializes" || doing == "processes") {
		w.violate("%s %s %s, which is done", m.name, doing, short(shard))
	}
	for o, trusted := range all {
		switch err := trusted(); {
		case o == m && err != nil:
			w.violate("%s %s %s after trust has ended: %v", m.name, doing, short(shard), err)
		case o != m && err == nil && !o.isDead() && !o.frozen:
			w.violate("%s %s %s while %s trusts its lease", m.name, doing, short(shard), o.name)
		}
	}
}

// parentsDone checks that every record of a shard's parents is done.
func (w *world) parentsDone(shardID string) {
	for _, s := range w.parts.shards() {
		if s.ID != shardID {
			continue
		}
		for _, parent := range s.ParentIDs {
			if missing := w.missing(parent); len(missing) > 0 {
				w.violate("%s begins and %d records of its parent %s are not done", short(shardID), len(missing), short(parent))
			}
		}
	}
}

// short is a shard's number.
func short(shardID string) string { return strconv.Itoa(number(shardID)) }

func number(shardID string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(shardID, "shardId-"))
	if err != nil {
		return -1
	}
	return n
}

// play runs the scenario from its beginning to its end.
func (w *world) play() {
	ctx, cancel := context.WithTimeout(w.t.Context(), w.trouble+w.calm)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(w.produce)
	wg.Go(func() { w.watch(ctx) })
	if w.java {
		wg.Go(func() { w.playJava(ctx) })
	}
	for slot := range w.slots {
		wg.Go(func() {
			time.Sleep(time.Duration(slot) * 1300 * time.Millisecond)
			w.live(ctx, slot)
		})
	}
	wg.Wait()
	w.loose.Wait()
	w.parts.judge()
	if w.loads {
		w.judgeLoads()
	}
	for _, l := range w.parts.rows() {
		if l.Owner != "" && !l.Finished() {
			w.violate("%s is still owned by %s at the end", short(l.Key), l.Owner)
		}
	}
	for _, s := range w.parts.shards() {
		if s.EndingSequenceNumber == "" {
			continue
		}
		if at := w.at[s.ID]; !at.IsShardEnd() && !w.unleased(s.ID) {
			w.violate("%s has ended and its lease is at %v", short(s.ID), at)
		}
	}
	for _, s := range w.parts.shards() {
		w.counts["records"] += len(w.parts.records(s.ID))
		w.counts["shards"]++
		if w.trims() {
			w.countLosses(s.ID)
		}
	}
	w.counts["virtual minutes"] += int(time.Since(w.begun).Minutes())
}

// holders counts the leases that each running machine holds, of those that
// count, and returns those that nobody holds but somebody could.
func (w *world) holders() (held map[string]int, free []lease.Lease) {
	rows := w.parts.rows()
	unfinished := map[string]bool{}
	for _, l := range rows {
		unfinished[l.Key] = !l.Finished()
	}
	held = map[string]int{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for m := range w.running {
		held[m.name] = 0
	}
	for _, l := range rows {
		if l.Finished() || slices.ContainsFunc(l.Parents, func(p string) bool { return unfinished[p] }) {
			continue
		}
		if _, ok := held[l.Owner]; ok {
			held[l.Owner]++
		} else {
			free = append(free, l)
		}
	}
	return held, free
}

// settled is how long after the trouble the leases' places are not looked at:
// processors that failed are avoided for a while.
const settled = 3 * time.Minute

// watch checks in the calm that free leases are taken within two scans, and at
// its end that the leases are evenly spread.
func (w *world) watch(ctx context.Context) {
	time.Sleep(w.trouble + settled)
	slowest := time.Duration(0)
	for slot, f := range w.failover {
		slowest = max(slowest, time.Duration(float64(f)/w.rate[slot]))
	}
	patience := time.Duration(2 * 1.1 * float64(scanEvery) / slices.Min(w.rate))
	since := map[string]time.Time{}
	for time.Since(w.begun) < w.trouble+w.calm-2*time.Second && ctx.Err() == nil {
		_, free := w.holders()
		still := map[string]time.Time{}
		for _, l := range free {
			still[l.Key] = time.Now()
			if old, ok := since[l.Key]; ok {
				still[l.Key] = old
			}
			limit := patience
			if l.Owner != "" || w.java { // a new worker sees only after so long that the Java worker has gone
				limit += slowest
			}
			if age := time.Since(still[l.Key]); age > limit+time.Second {
				w.violate("%s is free for %v and nobody takes it (owner %q)", short(l.Key), age, l.Owner)
				return
			}
		}
		since = still
		time.Sleep(500 * time.Millisecond)
	}
	held, _ := w.holders()
	counts := slices.Sorted(maps.Values(held))
	if len(counts) > 0 && counts[len(counts)-1]-counts[0] > 1 {
		w.violate("the leases are not evenly spread: %v", held)
	}
}
