package lease_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/lease"
)

// mute is a table of which some lists are not answered for an hour.
type mute struct {
	*lease.Mem

	from  time.Time // lists are answered until then
	n     int       // so many are not
	deaf  bool      // they do not heed their context either
	alive bool      // but there are signs of life
}

func (m *mute) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	if now := time.Now(); !now.Before(m.from) && m.n > 0 {
		m.n--
		for time.Since(now) < time.Hour && (m.deaf || ctx.Err() == nil) {
			time.Sleep(time.Second)
			if m.alive {
				deadline.Beat(ctx)
			}
		}
	}
	return m.Mem.List(ctx)
}

// A list that is never answered is given up, told of, and tried again. One that
// makes progress is not given up.
func TestAListThatIsNeverAnswered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		table  mute
		failed int
		silent time.Duration
		taken  time.Duration // of a lease that is there since the first of them
	}{
		{"twice", mute{n: 2}, 2, 30 * time.Second, time.Minute},
		{"although it makes progress", mute{n: 1, alive: true}, 0, time.Second, time.Hour},
		{"nor heeds its context", mute{n: 1, deaf: true}, 1, time.Hour, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start, table := time.Now(), tt.table
				table.Mem, table.from = newTable(t, "a"), start.Add(10*time.Second)
				var failed []error
				c, err := lease.NewCoordinator(lease.Config{
					Table: &table, WorkerID: "me", FailoverTime: failover, ScanInterval: time.Second,
					OnScanFailed: func(err error) { failed = append(failed, err) },
				}, "me-1")
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(12*time.Second, func() { table.Put(lease.Lease{Key: "b"}) })
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
				defer cancel()
				silent, seen := time.Duration(0), time.NewTicker(time.Second-time.Millisecond)
				defer seen.Stop()
				var wg sync.WaitGroup
				wg.Go(func() {
					for ctx.Err() == nil {
						<-seen.C
						for _, l := range c.Loops() {
							if l.Loop == "scan" && l.Doing == "reading the lease table" && l.Limit == 30*time.Second {
								silent = max(silent, l.Silent)
							}
						}
					}
				})
				var taken time.Duration
				c.Run(ctx, ctx, func(h *lease.Held) {
					if h.Lease().Key == "b" {
						taken = time.Since(start)
					}
					<-h.Context().Done()
				})
				wg.Wait()
				if taken < tt.taken || taken > tt.taken+20*time.Second {
					t.Errorf("taken after %v, want %v", taken, tt.taken)
				}
				if len(failed) != tt.failed {
					t.Errorf("%d scans failed, want %d", len(failed), tt.failed)
				}
				for _, err := range failed {
					if _, ok := errors.AsType[*deadline.Error](err); !ok {
						t.Errorf("failed with %v", err)
					}
				}
				if silent > tt.silent+2*time.Second || silent < tt.silent-2*time.Second {
					t.Errorf("silent for %v, want %v", silent, tt.silent)
				}
			})
		})
	}
}

// Whoever looks on sees renewals and takes that hang, and nothing else.
func TestLoops(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"take", "renew", "checkpoint"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := newTable(t, "a")
				end := make(chan struct{})
				table.Fault = func(_ context.Context, o, _ string, applied bool) error {
					if o == op && !applied {
						<-end // whatever the context says
					}
					return nil
				}
				c := coordinator(t, table, "me")
				ctx, cancel := context.WithCancel(t.Context())
				go c.Run(ctx, ctx, func(h *lease.Held) {
					if op == "checkpoint" {
						_ = h.Checkpoint(ctx, checkpoint.At("1", 0, time.Time{}))
					}
					<-ctx.Done() // also if it is lost
				})
				time.Sleep(30 * time.Second)
				got := c.Loops()
				want := map[string]lease.LoopStatus{
					"take":       {Loop: "scan", Key: "a", Doing: "taking the lease"},
					"renew":      {Loop: "renewal", Key: "a", Doing: "renewing"},
					"checkpoint": {Loop: "renewal", Key: "a", Doing: "checkpointing"},
				}[op]
				want.Limit = failover / 4
				if len(got) == 1 {
					if got[0].Silent < 25*time.Second || got[0].Silent > 30*time.Second {
						t.Errorf("silent for %v", got[0].Silent)
					}
					got[0].Silent = 0
				}
				if !slices.Equal(got, []lease.LoopStatus{want}) {
					t.Errorf("under way are %+v, want %+v", got, want)
				}
				cancel()
				close(end)
				synctest.Wait()
				if got := c.Loops(); len(got) > 0 {
					t.Errorf("still under way: %+v", got)
				}
			})
		})
	}
}

// Nothing was written by a write that was refused for its credentials or since
// there is no table: the next one need not repeat it, and it may pass.
func TestARefusalIsNoDoubt(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{lease.ErrThrottled, lease.ErrAccessDenied, lease.ErrTableNotFound} {
		t.Run(refusal.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := newTable(t, "a")
				var mu sync.Mutex
				var until time.Time
				var after []string
				table.Fault = func(_ context.Context, op, _ string, applied bool) error {
					mu.Lock()
					defer mu.Unlock()
					switch {
					case applied || until.IsZero():
					case time.Now().Before(until):
						return refusal
					default:
						after = append(after, op)
					}
					return nil
				}
				hold(t, table, time.Minute, func(h *lease.Held) {
					mu.Lock()
					until = time.Now().Add(5 * time.Second)
					mu.Unlock()
					brief, cancel := context.WithTimeout(h.Context(), time.Second)
					defer cancel()
					if err := h.Checkpoint(brief, checkpoint.At("5", 0, time.Time{})); !errors.Is(err, refusal) {
						t.Errorf("Checkpoint = %v", err)
					}
					if err := h.Annotate(h.Context(), []string{"b"}); err != nil || time.Now().Before(until) {
						t.Errorf("a write that waited for the refusal to pass: %v", err)
					}
					time.Sleep(20 * time.Second)
					if err := h.CheckTrust(); err != nil {
						t.Errorf("after a refusal for five seconds: %v", err)
					}
				})
				if len(after) == 0 || after[0] == "checkpoint" {
					t.Errorf("then came %v, and not what was asked for next", after)
				}
				if l, _ := table.Get(t.Context(), "a"); l.Checkpoint.SequenceNumber == "5" {
					t.Error("the checkpoint that was given up was written")
				}
			})
		})
	}
}

// A lease that is lost since its renewals were refused says so.
func TestALossSaysWhatWasWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t, "a")
		table.Fault = func(_ context.Context, op, _ string, _ bool) error {
			if op == "renew" {
				return lease.ErrAccessDenied
			}
			return nil
		}
		var reason string
		run(t, lease.Config{Table: table, OnChange: func(c lease.Change) {
			if c.Kind == lease.Lost && reason == "" {
				reason = c.Reason
			}
		}}, 15*time.Second)
		if want := "lease a lost: trust has ended; the last write: access denied"; reason != want {
			t.Errorf("lost with %q, want %q", reason, want)
		}
	})
}

// Takes that are refused are told once in a scan, however many there are, and as
// a scan that failed.
func TestRefusedTakesAreToldOncePerScan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table, start, tries := newTable(t, shards(200)...), time.Now(), atomic.Int32{}
		table.Fault = func(ctx context.Context, op, _ string, _ bool) error {
			if op == "take" && time.Since(start) < 30*time.Second {
				tries.Add(1)
				return lease.ErrAccessDenied
			}
			return nil
		}
		failed, well := 0, 0
		logs := run(t, lease.Config{
			Table: table,
			OnScanFailed: func(err error) {
				if failed++; !errors.Is(err, lease.ErrAccessDenied) {
					t.Errorf("failed with %v", err)
				}
			},
			OnScan: func(s lease.Scan) {
				if well++; s.Taken != 200 && s.ToTake > 0 {
					t.Errorf("told of %+v", s)
				}
			},
		}, time.Minute)
		if n := logs.FilterMessage("leases not taken").Len(); n != failed || failed < 29 || failed > 35 || well < 25 {
			t.Errorf("%d lines, %d scans failed, %d did not", n, failed, well)
		}
		if n := logs.FilterMessage("lease not taken").Len(); n > 0 {
			t.Errorf("%d lines about one lease", n)
		}
		if n := int(tries.Load()); n > 16*failed {
			t.Errorf("%d tries in %d scans", n, failed)
		}
	})
}
