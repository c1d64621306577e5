package lease_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasetest"
)

func TestMemConforms(t *testing.T) {
	t.Parallel()
	leasetest.Run(t, func(testing.TB) lease.Table { return &lease.Mem{} })
}

func TestMemConformsInAHandOff(t *testing.T) {
	t.Parallel()
	leasetest.RunPut(t, func(testing.TB) (lease.Table, func(lease.Lease)) {
		m := &lease.Mem{}
		return m, m.Put
	})
}

// writesOf calls every write of t once, in an order in which all succeed.
func writesOf(ctx context.Context, t *testing.T, m *lease.Mem) {
	t.Helper()
	do := func(l lease.Lease, err error) lease.Lease {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	ok := func(err error) {
		t.Helper()
		do(lease.Lease{}, err)
	}
	ok(m.Create(ctx, lease.Lease{Key: "k", Checkpoint: checkpoint.Sentinel(checkpoint.Latest)}))
	l := do(m.Get(ctx, "k"))
	l = do(m.Take(ctx, l, lease.Claim{Owner: "o", Instance: "i"}))
	l = do(m.Renew(ctx, l))
	l = do(m.Prepare(ctx, l, checkpoint.Prepared{At: checkpoint.ExtendedSequenceNumber{SequenceNumber: "1"}}))
	ok(m.CreateChild(ctx, l, lease.Lease{Key: "c", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}))
	ok(m.Annotate(ctx, "k", []string{"c"}, lease.HashRange{}))
	l = do(m.Checkpoint(ctx, l, checkpoint.Sentinel(checkpoint.ShardEnd)))
	l = do(m.Release(ctx, l, lease.Plain))
	ok(m.Delete(ctx, l))
}

func TestMemTellsFaultOfEachWriteBeforeAndAfter(t *testing.T) {
	t.Parallel()
	type call struct {
		op, key string
		applied bool
	}
	var got []call
	m := &lease.Mem{Fault: func(_ context.Context, op, key string, applied bool) error {
		got = append(got, call{op, key, applied})
		return nil
	}}
	writesOf(t.Context(), t, m)
	var want []call
	for _, op := range []string{"create", "take", "renew", "prepare", "createChild", "annotate", "checkpoint", "release", "delete"} {
		key := "k"
		if op == "createChild" {
			key = "c"
		}
		want = append(want, call{op, key, false}, call{op, key, true})
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestMemWriteWithAFault(t *testing.T) {
	t.Parallel()
	cut := errors.New("connection cut")
	for name, applied := range map[string]bool{"before it was applied changes nothing": false, "after it was applied has happened": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &lease.Mem{}
			m.Put(lease.Lease{Key: "k", Owner: "o", Instance: "i", Counter: 7, Checkpoint: checkpoint.Sentinel(checkpoint.Latest)})
			held, err := m.Get(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			m.Fault = func(_ context.Context, _, _ string, after bool) error {
				if after == applied {
					return cut
				}
				return nil
			}
			if _, err = m.Renew(t.Context(), held); !errors.Is(err, cut) {
				t.Fatalf("got error %v, want %v", err, cut)
			}
			m.Fault = nil
			want := held.Counter
			if applied {
				want++
			}
			if now, err := m.Get(t.Context(), "k"); err != nil || now.Counter != want {
				t.Fatalf("got counter %d, %v; want %d", now.Counter, err, want)
			}
			if again, err := m.Renew(t.Context(), held); err != nil || again.Counter != held.Counter+1 {
				t.Fatalf("repeated: got counter %d, %v; want %d", again.Counter, err, held.Counter+1)
			}
		})
	}
}
