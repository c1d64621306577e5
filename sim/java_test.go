package sim_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
)

// java is a worker that follows the rules of the Java KCL 2.x where they differ
// from ours: it steals leases that are alive, begins with them at once, and
// does not say in the row how long it lives. It processes in an instant, so that
// nobody else can do so at the same time.
type java struct {
	p    *model
	seen map[string]movement
	mine map[string]int64 // the counters of the leases that it holds
}

const javaFailover = 10 * time.Second

// playJava runs a Java worker until the trouble ends; then its leases run out.
func (w *world) playJava(ctx context.Context) {
	p, ok := w.parts.(*model)
	if !ok {
		return
	}
	j := &java{p: p, seen: map[string]movement{}, mine: map[string]int64{}}
	for n := int64(0); !w.calmed(); n++ {
		if n%20 == 0 {
			j.take(ctx, n)
		}
		if n%3 == 0 {
			j.renew()
		}
		j.process()
		if pause.For(ctx, time.Second+w.dice().upTo(50*time.Millisecond, "java", n)) != nil {
			return
		}
	}
	w.note("java ends")
}

// set changes a row if its counter is as it was.
func (j *java) set(key string, counter int64, how string, change func(*lease.Lease)) bool {
	err := j.p.write(how, key, func() error {
		l, ok := j.p.row(key)
		if !ok || l.Counter != counter {
			return lease.ErrLost
		}
		l.Counter++
		change(&l)
		j.p.mem.Put(l)
		j.mine[key] = l.Counter
		return nil
	})
	if err != nil {
		delete(j.mine, key)
	}
	return err == nil
}

func own(l *lease.Lease) { l.Owner, l.Instance, l.FailoverTime = "java", "", 0 }

// take follows DynamoDBLeaseTaker.computeLeasesToTake.
func (j *java) take(_ context.Context, n int64) {
	var free []lease.Lease
	rows := j.p.rows()
	loads := map[string][]lease.Lease{"java": nil}
	for _, l := range rows {
		if was, ok := j.seen[l.Key]; !ok || was.row.Counter != l.Counter {
			j.seen[l.Key] = movement{l, time.Now()}
		}
		if l.Owner == "" || time.Since(j.seen[l.Key].at) > javaFailover {
			free = append(free, l)
		} else {
			loads[l.Owner] = append(loads[l.Owner], l)
		}
	}
	target := 1
	if len(loads) < len(rows) {
		target = (len(rows) + len(loads) - 1) / len(loads)
	}
	need := target - len(loads["java"])
	for _, l := range free {
		if need > 0 && j.set(l.Key, l.Counter, "taken by java", own) {
			j.p.w.note("java takes %s", short(l.Key))
			need--
		}
	}
	if need > 0 && len(free) == 0 {
		j.steal(loads, target, n)
	}
}

// steal takes one lease of the most loaded worker.
func (j *java) steal(loads map[string][]lease.Lease, target int, n int64) {
	var victim []lease.Lease
	for _, owner := range slices.Sorted(keys(loads)) {
		if owner != "java" && len(loads[owner]) > len(victim) {
			victim = loads[owner]
		}
	}
	if len(victim) < target || len(victim) == 0 {
		return
	}
	l := victim[j.p.w.dice().below(len(victim), "victim", n)]
	if j.set(l.Key, l.Counter, "stolen by java", own) {
		j.p.w.note("java steals %s from %s", short(l.Key), l.Owner)
	}
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (j *java) renew() {
	for _, key := range slices.Sorted(keys(j.mine)) {
		j.set(key, j.mine[key], "renewed by java", func(*lease.Lease) {})
	}
}

// process delivers what there is, and checkpoints.
func (j *java) process() {
	for _, key := range slices.Sorted(keys(j.mine)) {
		l, ok := j.p.row(key)
		if !ok || l.Counter != j.mine[key] || l.Finished() || !j.parentsEnded(l) {
			continue
		}
		last := l.Checkpoint.ExtendedSequenceNumber
		var todo []kcl.Record
		for _, r := range j.p.stream.Records(number(key)) {
			if !last.IsRecord() || r.Position().Compare(last) > 0 {
				todo = append(todo, r)
			}
		}
		if len(todo) > 0 {
			at := todo[len(todo)-1].Position()
			if j.set(key, j.mine[key], "checkpointed by java", func(l *lease.Lease) { l.Checkpoint, l.Pending, l.OwnerSwitches = at, nil, 0 }) {
				j.p.w.count("batches processed by java")
				j.p.accept(key, todo...)
			}
			continue
		}
		if s := j.p.stream.Shard(number(key)); s.EndingSequenceNumber != "" {
			j.end(key)
		}
	}
}

func (j *java) parentsEnded(l lease.Lease) bool {
	return !slices.ContainsFunc(l.Parents, func(parent string) bool {
		row, ok := j.p.row(parent)
		return ok && !row.Finished()
	})
}

// end creates the children's leases and then writes SHARD_END.
func (j *java) end(key string) {
	for _, s := range j.p.shards() {
		if !slices.Contains(s.ParentIDs, key) {
			continue
		}
		if slices.ContainsFunc(s.ParentIDs, func(parent string) bool { _, ok := j.p.row(parent); return !ok }) {
			return // BlockedOnParentShardException: the other parent's lease is to come
		}
		child := lease.Lease{Key: s.ID, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon), Parents: s.ParentIDs, Range: s.Range}
		err := j.p.write("created by java", s.ID, func() error { return j.p.mem.Create(j.p.w.t.Context(), child) })
		if err != nil && !errors.Is(err, lease.ErrExists) {
			return
		}
	}
	if j.set(key, j.mine[key], "ended by java", func(l *lease.Lease) { l.Checkpoint = checkpoint.Sentinel(checkpoint.ShardEnd) }) {
		j.p.w.note("java ends shard %s", short(key))
	}
}
