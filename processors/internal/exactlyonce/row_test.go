package exactlyonce_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// rows makes the writes of the lease row with the product's own code: the model
// store of package lease, whose conditions every other one is tested against,
// and the plans of package plan. It remembers each answer, since the same
// question comes thousands of times.
type rows struct {
	ctx      context.Context //nolint:containedctx // that of the test
	answers  map[question]answer
	verdicts map[row]exactlyonce.Verdict
	plans    map[string]planned // by their bytes
	sameID   bool               // both workers have one ID
	sealed   bool               // plans are those of sealed cuts
	failed   error              // what should not happen in a model
}

type write uint8

const (
	take write = iota
	prepare
	commit
	release
)

// held is the row as a writer claims it to be.
type held struct {
	owner, instance, counter, switches uint8
}

type question struct {
	write write
	row   row
	held  held
	who   uint8
	last  uint8   // commit
	plan  planned // prepare
}

type answer struct {
	row row
	ok  bool // it is, or was, written
}

func newRows(ctx context.Context, sameID, sealed bool) *rows {
	return &rows{ctx: ctx, sameID: sameID, sealed: sealed, answers: map[question]answer{}, verdicts: map[row]exactlyonce.Verdict{}, plans: map[string]planned{}}
}

// ask makes a write. If it is refused the row is as it was.
func (r *rows) ask(q question) answer {
	a, known := r.answers[q]
	if known {
		return a
	}
	var t lease.Mem
	t.Put(r.lease(q.row))
	got, err := r.write(&t, q)
	switch {
	case err == nil:
		a = answer{r.row(got), true}
	case errors.Is(err, lease.ErrLost):
		a = answer{q.row, false}
	default:
		r.failed = errors.Join(r.failed, err)
	}
	r.answers[q] = a
	return a
}

func (r *rows) write(t *lease.Mem, q question) (lease.Lease, error) {
	l := lease.Lease{
		Key: shard, Owner: r.id(q.held.owner), Instance: instance(q.held.instance),
		Counter: int64(q.held.counter), OwnerSwitches: int64(q.held.switches),
	}
	switch q.write {
	case take:
		return t.Take(r.ctx, l, lease.Claim{Owner: r.id(q.who), Instance: instance(q.who)})
	case prepare:
		return t.Prepare(r.ctx, l, *r.prepared(q.plan))
	case commit:
		return t.Checkpoint(r.ctx, l, checkpoint.Position{ExtendedSequenceNumber: number(q.last)})
	default:
		return t.Release(r.ctx, l, lease.Plain)
	}
}

// account is what a model that makes its writes here has to tell. full says that its
// bounds were too small.
func (r *rows) account(reached [events]bool, full bool, requests int) account {
	a := account{reached, r.failed}
	if full {
		a.failed = errors.Join(a.failed, fmt.Errorf("the model's bounds are too small: %d keys, %d requests", keys, requests))
	}
	return a
}

// judge asks what a successor must do about the row.
func (r *rows) judge(now row) exactlyonce.Verdict {
	v, known := r.verdicts[now]
	if !known {
		l := r.lease(now)
		v, _, _ = exactlyonce.Judge(l.Pending, l.Checkpoint.ExtendedSequenceNumber, identity(), []string{bucket})
		r.verdicts[now] = v
	}
	return v
}

const (
	shard  = "shardId-000000000000"
	bucket = "b"
)

func identity() exactlyonce.Identity { return exactlyonce.NewIdentity("app", "clicks", "", shard) }

func (r *rows) id(who uint8) string {
	if who == 0 {
		return ""
	}
	if r.sameID {
		return "W"
	}
	return name(who)
}

func name(who uint8) string { return string(rune('A' + who - 1)) }

func instance(who uint8) string {
	if who == 0 {
		return ""
	}
	return "process " + name(who)
}

// number returns a record's place; 0 is before the first.
func number(r uint8) checkpoint.ExtendedSequenceNumber {
	if r == 0 {
		return checkpoint.ExtendedSequenceNumber{SequenceNumber: checkpoint.TrimHorizon}
	}
	return checkpoint.ExtendedSequenceNumber{SequenceNumber: strconv.Itoa(int(r))}
}

func recordOf(at checkpoint.ExtendedSequenceNumber) (r uint8) {
	if at.IsRecord() {
		_, _ = fmt.Sscan(at.SequenceNumber, &r)
	}
	return r
}

// full returns the plan as the product stores it. What is in the records, so
// their digest, is in the bag.
func (p planned) full() exactlyonce.Plan {
	r := replay(p.whole)
	return exactlyonce.Plan{
		Identity: identity(), UUID: uuid(p.key),
		After: number(p.after), First: r.First, Last: number(p.last),
		Records: r.Records, Bytes: r.Bytes, Digest: r.Digest, Bucket: bucket, Key: strconv.Itoa(int(p.key)),
	}
}

// replay is what reading the records of a bag brings, each of one byte.
func replay(b bag) exactlyonce.Replay {
	r := exactlyonce.Replay{Digest: exactlyonce.Digest{Rule: exactlyonce.XXH3, Sum: [32]byte{byte(b)}}}
	for i := uint8(3); i > 0; i-- {
		if b.has(i) {
			r.First = number(i)
		}
		r.Records += int64(b.count(i))
	}
	r.Bytes = r.Records
	return r
}

func uuid(key uint8) exactlyonce.UUID { return exactlyonce.NewUUID([16]byte{key}) }

func (r *rows) prepared(p planned) *checkpoint.Prepared {
	pl := p.full()
	if p.announced {
		pl = pl.Announce(exactlyonce.Target{Bucket: bucket, Key: "load/" + pl.UUID.String()})
	} else if r.sealed {
		pl.Bundle = &exactlyonce.Bundle{Bucket: bucket, Key: "x/" + pl.UUID.String(), Size: 1, IndexSize: 1, Count: 1}
	}
	b := pl.Encode()
	r.plans[string(b)] = p
	return &checkpoint.Prepared{At: number(p.last), State: b}
}

func (r *rows) lease(now row) lease.Lease {
	l := lease.Lease{
		Key: shard, Owner: r.id(now.owner), Instance: instance(now.instance), Counter: int64(now.counter),
		OwnerSwitches: int64(now.switches), Checkpoint: checkpoint.Position{ExtendedSequenceNumber: number(now.done)},
	}
	if now.plan.key != 0 {
		l.Pending = r.prepared(now.plan)
	}
	return l
}

// row is the way back from lease.
func (r *rows) row(l lease.Lease) row {
	now := row{counter: uint8(l.Counter), switches: uint8(l.OwnerSwitches), done: recordOf(l.Checkpoint.ExtendedSequenceNumber)}
	if l.Owner != "" {
		now.instance = l.Instance[len(l.Instance)-1] - 'A' + 1
		now.owner = now.instance
		if r.sameID {
			now.owner = 1
		}
	}
	if l.Pending != nil {
		now.plan = r.plans[string(l.Pending.State)]
	}
	return now
}
