package lease_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// figure logs a figure for scripts/bench.sh.
func figure(t *testing.T, name string, value float64, unit string) {
	t.Helper()
	t.Logf("figure %s = %.4g %s", name, value, unit)
}

// renewals is a table's network, which notes how long each lease had to live on
// one write.
type renewals struct {
	mu      sync.Mutex // guards what follows
	rng     *rand.Rand
	begun   map[string]time.Time // the latest write of each lease
	trusted map[string]time.Time // the one before, which trust counts from until the latest is done
	longest time.Duration        // from the begin of one write to the end of the next
	n       int
}

// hop takes 5 to 20 ms, one write of a hundred half a second more and one of a
// thousand two seconds.
func (r *renewals) hop(ctx context.Context, _, key string, applied bool) error {
	timer := time.NewTimer(r.note(key, applied))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *renewals) note(key string, applied bool) (delay time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if applied {
		if begun := r.trusted[key]; !begun.IsZero() {
			r.longest = max(r.longest, now.Sub(begun))
		}
		return 0
	}
	r.n++
	r.trusted[key], r.begun[key] = r.begun[key], now
	switch draw := r.rng.IntN(1000); {
	case draw == 0:
		return 2 * time.Second
	case draw <= 10:
		return 500 * time.Millisecond
	default:
		return 5*time.Millisecond + time.Duration(r.rng.IntN(int(15*time.Millisecond)))
	}
}

// TestOneWorkerRenewsThousandsOfLeases: none of 5,000 leases comes near the end
// of trust, which is at nine tenths of the failover time.
func TestOneWorkerRenewsThousandsOfLeases(t *testing.T) {
	t.Parallel()
	const leases, failover = 5000, 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		var table lease.Mem
		for i := range leases {
			table.Put(lease.Lease{Key: fmt.Sprintf("shardId-%012d", i), Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		}
		r := &renewals{rng: rand.New(rand.NewPCG(1, 2)), begun: map[string]time.Time{}, trusted: map[string]time.Time{}}
		table.Fault = r.hop
		var mu sync.Mutex
		changes := map[lease.ChangeKind]int{}
		c, err := lease.NewCoordinator(lease.Config{
			Table: &table, WorkerID: "worker", FailoverTime: failover, OnChange: func(c lease.Change) {
				mu.Lock()
				defer mu.Unlock()
				changes[c.Kind]++
			},
		}, "worker-1")
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { c.Run(ctx, ctx, func(h *lease.Held) { <-h.Context().Done() }) })
		time.Sleep(30 * time.Second)
		mu.Lock()
		if changes[lease.Taken] != leases || changes[lease.Lost] > 0 {
			t.Errorf("of %d leases %d were taken and %d were lost", leases, changes[lease.Taken], changes[lease.Lost])
		}
		mu.Unlock()
		end()
		running.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		figure(t, "one worker, 5000 leases, longest life on one renewal", r.longest.Seconds()/failover.Seconds(), "of the failover time")
		figure(t, "one worker, 5000 leases", float64(r.n)/leases/30, "writes per lease per second")
		if r.longest > 6*time.Second {
			t.Errorf("a lease lived for %v on one renewal; others take it after %v", r.longest, failover)
		}
	})
}
