package lease_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// run runs a coordinator for d. Its leases are held until then, or until they
// are lost.
func run(t *testing.T, cfg lease.Config, d time.Duration) *observer.ObservedLogs {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	cfg.WorkerID, cfg.FailoverTime, cfg.ScanInterval, cfg.Logger = "me", failover, time.Second, zap.New(core)
	c, err := lease.NewCoordinator(cfg, "me-1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	c.Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
		select {
		case <-ctx.Done():
		case <-h.Context().Done():
		}
	})
	return logs
}

// What Judge refuses is neither taken when it is free nor when it expires nor
// stolen; of the others the row says what Judge says.
func TestJudge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "ours-1", "ours-2", "free", "ended", "malformed")
		for _, l := range []lease.Lease{
			{Key: "expired", Owner: "J", Counter: 3},
			{Key: "ended", Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd), Counter: 3},
		} {
			table.Put(l)
		}
		for _, key := range []string{"stolen-1", "stolen-2", "stolen-3", "stolen-4"} {
			l := lease.Lease{Key: key, Owner: "K", Counter: 3}
			table.Put(l)
			renew := time.NewTicker(3 * time.Second)
			defer renew.Stop()
			go func() {
				for range 30 {
					select {
					case <-renew.C:
						l.Counter++
						table.Put(l)
					case <-t.Context().Done():
						return
					}
				}
			}()
		}
		asked := map[string]int{}
		var last lease.Scan
		run(t, lease.Config{
			Table: unreadable{table, "malformed"},
			Judge: func(l lease.Lease) (lease.Identity, bool) {
				asked[l.Key]++
				return lease.Identity{Stream: "s", Start: l.Key}, strings.HasPrefix(l.Key, "ours")
			},
			OnScan: func(s lease.Scan) { last = s },
		}, time.Minute)
		for key, n := range asked {
			row, err := table.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			ours := strings.HasPrefix(key, "ours")
			if (row.Owner == "me") != ours || ours && row.Identity != (lease.Identity{Stream: "s", Start: key}) {
				t.Errorf("%s is owned by %q, with the identity %v", key, row.Owner, row.Identity)
			}
			if n != asked["free"] || n < 50 {
				t.Errorf("asked %d times about %s in a minute, and %d times about another", n, key, asked["free"])
			}
		}
		if want := (lease.Scan{LeftAlone: 7, Undated: 8}); len(asked) != 9 || last != want {
			t.Errorf("asked about %v, and the last scan was %+v; want 9 leases and %+v", asked, last, want)
		}
	})
}

// unreadable is a table of which one row is malformed.
type unreadable struct {
	*lease.Mem

	key string
}

func (u unreadable) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list, bad, err := u.Mem.List(ctx)
	list = slices.DeleteFunc(list, func(l lease.Lease) bool { return l.Key == u.key })
	return list, append(bad, &lease.UnreadableError{Key: u.key, Err: errors.New("malformed")}), err
}

// A lease that is judged otherwise while it is held stays held; once it is given
// up it is not taken again.
func TestJudgedOtherwiseWhileHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table, refuse := newTable(t, "a"), atomic.Bool{}
		c, err := lease.NewCoordinator(lease.Config{
			Table: table, WorkerID: "me", FailoverTime: failover, ScanInterval: time.Second,
			Judge: func(lease.Lease) (lease.Identity, bool) { return lease.Identity{}, !refuse.Load() },
		}, "me-1")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		n := 0
		c.Run(ctx, context.WithoutCancel(ctx), func(h *lease.Held) {
			n++
			refuse.Store(true)
			time.Sleep(time.Minute)
			select {
			case <-h.Surplus():
				t.Error("it is surplus")
			default:
			}
			if err := h.CheckTrust(); err != nil {
				t.Error(err)
			}
			_ = h.Release(ctx, lease.Plain)
		})
		if n != 1 {
			t.Errorf("held %d times", n)
		}
	})
}

// A counter that cannot grow: nobody could renew the lease.
func TestACounterAtItsLimitIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "a", "b")
		table.Put(lease.Lease{Key: "a", Counter: math.MaxInt64})
		takes := 0
		table.Fault = func(_ context.Context, op, key string, _ bool) error {
			if op == "take" && key == "a" {
				takes++
			}
			return nil
		}
		var last lease.Scan
		logs := run(t, lease.Config{Table: table, OnScan: func(s lease.Scan) { last = s }}, time.Minute)
		if want := (lease.Scan{LeftAlone: 1, Undated: 2}); takes > 0 || last != want {
			t.Errorf("%d takes; the last scan was %+v", takes, last)
		}
		if told := logs.FilterMessage("lease is left alone").All(); len(told) != 1 || told[0].ContextMap()["lease_key"] != "a" {
			t.Errorf("told of it as %v", told)
		}
	})
}
