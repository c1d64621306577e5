package sim_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

func (p *model) table(m *machine) lease.Table { return &view{p, m} }

// view is the table in memory as one machine sees it: over the network, and
// with times as its clock shows them.
type view struct {
	p *model
	m *machine
}

func (v *view) Ensure(ctx context.Context) error {
	return v.m.send(ctx, "ensure", func(context.Context) error { return nil })
}

func (v *view) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	out, err := fetched(func(apply func(context.Context) error) error { return v.m.send(ctx, "list", apply) }, func(context.Context) ([]lease.Lease, error) {
		return v.p.list(v.m), nil
	})
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(out, func(a, b lease.Lease) int { return cmp.Compare(a.Key, b.Key) })
	for i, l := range out {
		out[i] = v.m.in(l)
	}
	return out, nil, nil
}

func (v *view) Get(ctx context.Context, key string) (lease.Lease, error) {
	l, err := fetched(func(apply func(context.Context) error) error { return v.m.send(ctx, "get "+short(key), apply) }, func(ctx context.Context) (lease.Lease, error) {
		return v.p.mem.Get(ctx, key)
	})
	return v.m.in(l), err
}

// in gives a row's times as the machine's clock shows them.
func (m *machine) in(l lease.Lease) lease.Lease {
	l.FailoverTime = m.clocked(l.FailoverTime)
	return l
}

// errReleased is what becomes of the trust in a lease that is being released,
// whether or not the release has happened: no call may begin any more.
var errReleased = errors.New("released")

func (m *machine) releases(key string) {
	m.w.mayAct(m, key, "releases")
	m.w.trusts(m, key, func() error { return errReleased })
}

// claim gives a claim's times as everybody is to read them.
func (m *machine) claim(by lease.Claim) lease.Claim {
	by.FailoverTime = time.Duration(float64(by.FailoverTime)*m.rate + 0.5).Round(time.Millisecond)
	return by
}

// update makes one write that returns the row.
func (v *view) update(ctx context.Context, op, key string, do func(ctx context.Context, t *lease.Mem) (lease.Lease, error)) (lease.Lease, error) {
	row, err := fetched(func(apply func(context.Context) error) error {
		return v.write(ctx, op, key, func(ctx context.Context, _ *lease.Mem) error { return apply(ctx) })
	}, func(ctx context.Context) (lease.Lease, error) { return do(ctx, &v.p.mem) })
	if err != nil {
		return lease.Lease{}, err
	}
	return v.m.in(row), nil
}

func (v *view) write(ctx context.Context, op, key string, do func(ctx context.Context, t *lease.Mem) error) error {
	return v.m.send(ctx, op+" "+short(key), func(ctx context.Context) error {
		return v.p.write(op, key, func() error { return do(ctx, &v.p.mem) })
	})
}

func (v *view) Take(ctx context.Context, seen lease.Lease, by lease.Claim) (lease.Lease, error) {
	by = v.m.claim(by)
	return v.update(ctx, "take", seen.Key, func(ctx context.Context, t *lease.Mem) (lease.Lease, error) { return t.Take(ctx, seen, by) })
}

func (v *view) Renew(ctx context.Context, held lease.Lease) (lease.Lease, error) {
	v.p.w.mayAct(v.m, held.Key, "renews")
	return v.update(ctx, "renew", held.Key, func(ctx context.Context, t *lease.Mem) (lease.Lease, error) { return t.Renew(ctx, held) })
}

func (v *view) Checkpoint(ctx context.Context, held lease.Lease, at checkpoint.Position) (lease.Lease, error) {
	v.p.w.mayAct(v.m, held.Key, "checkpoints")
	return v.update(ctx, "checkpoint", held.Key, func(ctx context.Context, t *lease.Mem) (lease.Lease, error) {
		return t.Checkpoint(ctx, held, at)
	})
}

func (v *view) Prepare(ctx context.Context, held lease.Lease, at checkpoint.Prepared) (lease.Lease, error) {
	v.p.w.mayAct(v.m, held.Key, "prepares")
	return v.update(ctx, "prepare", held.Key, func(ctx context.Context, t *lease.Mem) (lease.Lease, error) { return t.Prepare(ctx, held, at) })
}

func (v *view) Release(ctx context.Context, held lease.Lease, why lease.ReleaseReason) (lease.Lease, error) {
	v.m.releases(held.Key)
	return v.update(ctx, "release", held.Key, func(ctx context.Context, t *lease.Mem) (lease.Lease, error) { return t.Release(ctx, held, why) })
}

func (v *view) Create(ctx context.Context, l lease.Lease) error {
	return v.write(ctx, "create", l.Key, func(ctx context.Context, t *lease.Mem) error { return t.Create(ctx, l) })
}

func (v *view) CreateChild(ctx context.Context, parent, child lease.Lease) error {
	return v.write(ctx, "createChild", child.Key, func(ctx context.Context, t *lease.Mem) error { return t.CreateChild(ctx, parent, child) })
}

func (v *view) Annotate(ctx context.Context, key string, children []string, r lease.HashRange) error {
	return v.write(ctx, "annotate", key, func(ctx context.Context, t *lease.Mem) error { return t.Annotate(ctx, key, children, r) })
}

func (v *view) Delete(ctx context.Context, seen lease.Lease) error {
	return v.write(ctx, "delete", seen.Key, func(ctx context.Context, t *lease.Mem) error { return t.Delete(ctx, seen) })
}
