package points_test

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
)

const shardEnd = "SHARD_END"

// written is a write of the lease table under way.
type written struct {
	request

	by *machine
}

// row is a lease as the world saw it written.
type row struct {
	owner      string
	counter    int64
	at         checkpoint.ExtendedSequenceNumber
	pending    string // the state of a prepared checkpoint
	preparedBy string
	moved      time.Time // when the counter moved last
	present    bool
	deleted    bool // at some time
	begun      bool // a record of it was checkpointed, or it ended
	ended      bool // it was at SHARD_END at some time
	stolen     bool // the last taking was a theft
	objects    []string
}

func (r *row) finished() bool { return r.at.SequenceNumber == shardEnd }

// planned is the plan of an object, and who prepared it.
type planned struct {
	shard, by string
	last      checkpoint.ExtendedSequenceNumber
}

// onRow judges a committed write of a row; it is Options.OnRowWrite.
func (w *world) onRow(rw localaws.RowWrite) {
	if rw.Table == jobsTable {
		w.onJob(rw)
	}
	if rw.Table != leaseTable {
		return
	}
	now := w.writing
	if now == nil {
		now = &written{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := cmp.Or(rw.New["leaseKey"].Text, rw.Old["leaseKey"].Text)
	r := w.rows[key]
	if r == nil {
		r = &row{}
		w.rows[key] = r
	}
	if now.by != nil {
		w.judgeWrite(now, key, r, rw)
	}
	w.update(now, key, r, rw)
}

// onJob notes the rows of the table of jobs.
func (w *world) onJob(rw localaws.RowWrite) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if key := cmp.Or(rw.New["leaseKey"].Text, rw.Old["leaseKey"].Text); !slices.Contains(w.jobs, key) {
		w.jobs = append(w.jobs, key)
	}
}

// update notes what the row is now. w.mu is held.
func (w *world) update(now *written, key string, r *row, rw localaws.RowWrite) {
	if r.present = rw.New != nil; !r.present {
		r.deleted = true
		return
	}
	owner, counter := rw.New["leaseOwner"].Text, counterOf(rw.New["leaseCounter"].Text)
	r.owner = owner
	r.at = position(rw.New["checkpoint"].Text, rw.New["checkpointSubSequenceNumber"].Text)
	if r.pending != "" && rw.New["pendingCheckpointState"].Text == "" && now.point != release {
		r.objects = append(r.objects, w.inCut[key]...)
	}
	r.pending = rw.New["pendingCheckpointState"].Text
	r.begun = r.begun || r.at.IsRecord() || r.finished()
	r.ended = r.ended || r.finished()
	if now.point == prepare {
		r.preparedBy = now.by.name
		w.notePlan(key, r, now.by)
	}
	switch now.point {
	case commit, commitAgain, checkpointed, endShard:
		w.commits[now.by.name]++
	default:
	}
	if now.by != nil {
		w.lastWriter[key] = now.by.name
	}
	if counter != r.counter && owner != "" {
		w.watchTrust(key, owner, counter)
	}
	if counter != r.counter {
		r.counter, r.moved = counter, time.Now()
	}
}

func (w *world) notePlan(key string, r *row, by *machine) {
	p, err := processors.ReadPrepared([]byte(r.pending))
	if err != nil {
		w.violate("%s prepares a plan of %s that cannot be read: %v", by.name, key, err)
		return
	}
	plan := planned{shard: key, by: by.name, last: p.Last}
	w.plans[p.Key], w.preparing[key], w.inCut[key] = plan, p.Key, []string{p.Key}
	if stagedShard(p.Key) != "" {
		w.inCut[key], w.unlisted[key] = nil, w.unlisted[key] || len(p.Objects) == 0
	}
	for _, o := range p.Objects {
		w.plans[o.Key] = plan
		if o.Bucket == bucket && !isMarker(o.Key) {
			w.preparing[key] = o.Key
			w.inCut[key] = append(w.inCut[key], o.Key)
		}
	}
}

// judgeWrite checks what a worker wrote. w.mu is held.
func (w *world) judgeWrite(now *written, key string, r *row, rw localaws.RowWrite) {
	m := now.by.name
	switch {
	case rw.New == nil:
		w.judgeDelete(m, key, r)
		return
	case rw.Old == nil:
		w.judgeCreate(now, key, r)
		return
	}
	counter := counterOf(rw.New["leaseCounter"].Text)
	at := position(rw.New["checkpoint"].Text, rw.New["checkpointSubSequenceNumber"].Text)
	if at.Compare(r.at) < 0 {
		w.violate("%s moves the checkpoint of %s back from %v to %v", m, key, r.at, at)
	}
	switch now.point {
	case take:
		w.judgeTake(m, key, r, counter)
	case annotate, "":
	default:
		if r.owner != m || counter != r.counter+1 {
			w.violate("%s writes (%s) the row of %s, which %q holds with counter %d: it leaves counter %d", m, now.point, key, r.owner, r.counter, counter)
		}
	}
	if now.point == release && r.pending != "" && rw.New["pendingCheckpointState"].Text == "" {
		w.violate("%s releases %s and with it what is prepared there", m, key)
	}
	if !at.IsSentinel() && !r.begun {
		w.judgeBeginning(m, key)
	}
	if at.SequenceNumber == shardEnd && !r.finished() {
		w.judgeEnd(m, key, r)
	}
}

func (w *world) judgeTake(m, key string, r *row, counter int64) {
	if counter != r.counter+1 {
		w.violate("%s takes %s with counter %d over %d of %q", m, key, counter, r.counter, r.owner)
	}
	r.stolen = r.owner != "" && r.owner != m && time.Since(r.moved) < failover
	if r.owner == "" || r.owner == m || !r.stolen {
		return
	}
	for other, o := range w.rows {
		if o.present && o.owner == m && !o.finished() {
			w.violate("%s takes %s, which %q renewed %v ago, and holds %s already", m, key, r.owner, time.Since(r.moved), other)
		}
	}
}

func (w *world) judgeDelete(m, key string, r *row) {
	if !r.finished() {
		w.violate("%s deletes the lease of %s, which is at %v", m, key, r.at)
	}
	for _, child := range w.shards[key].children {
		if c := w.rows[child]; c == nil || !c.begun {
			w.violate("%s deletes the lease of %s before its child %s has begun", m, key, child)
		}
	}
}

func (w *world) judgeCreate(now *written, key string, r *row) {
	if r.deleted {
		w.violate("%s creates the lease of %s again, which was deleted", now.by.name, key)
	}
	if now.point != createChild {
		return
	}
	if p := w.rows[now.shard]; p == nil || !p.present || p.owner != now.by.name && !p.finished() {
		w.violate("%s creates the lease of %s, whose parent %s it does not hold", now.by.name, key, now.shard)
	}
}

// judgeBeginning checks that the parents of a shard have ended.
func (w *world) judgeBeginning(m, key string) {
	for _, parent := range w.shards[key].parents {
		if p := w.rows[parent]; p != nil && !p.ended {
			w.violate("%s begins %s and its parent %s is at %v", m, key, parent, p.at)
		}
	}
}

// judgeEnd checks that a shard that ends is done and followed.
func (w *world) judgeEnd(m, key string, r *row) {
	for _, child := range w.shards[key].children {
		if c := w.rows[child]; c == nil || !c.present && !c.deleted {
			w.violate("%s ends %s and its child %s has no lease", m, key, child)
		}
	}
	if rs := w.records[key]; len(rs) > 0 && !w.isDone(rs[len(rs)-1].at, key, r) {
		w.violate("%s ends %s at %v, and its last record is %v", m, key, r.at, rs[len(rs)-1].at)
	}
}

// isDone reports whether a record was checkpointed, or in a world without
// archivers delivered.
func (w *world) isDone(at checkpoint.ExtendedSequenceNumber, key string, r *row) bool {
	if w.plain {
		return at.Compare(w.delivered[key]) <= 0
	}
	return at.Compare(r.at) <= 0 || r.pending != "" && at.Compare(w.plans[w.preparing[key]].last) <= 0
}

// watchTrust looks when others may take the lease whether its holder has ceased
// to trust it. w.mu is held.
func (w *world) watchTrust(key, owner string, counter int64) {
	time.AfterFunc(failover+time.Millisecond, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		r, m := w.rows[key], w.machines[owner]
		if m == nil || r.counter != counter || r.owner != owner || !r.present || m.isDead() {
			return
		}
		m.mu.Lock()
		trusted := m.trust[key]
		m.mu.Unlock()
		if trusted != nil && trusted() == nil {
			w.violate("%s trusts the lease of %s, whose counter has been %d for a failover time", owner, key, counter)
		}
	})
}

func counterOf(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64) // what is no number is 0 and does not fit
	return n
}

func position(seq, sub string) checkpoint.ExtendedSequenceNumber {
	return checkpoint.ExtendedSequenceNumber{SequenceNumber: seq, SubSequenceNumber: counterOf(sub)}
}
