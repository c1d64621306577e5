package lease_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/lease"
)

// mute is a table whose lists are not answered from one time to another.
type mute struct {
	*lease.Mem

	from, to time.Time
	deaf     bool // they do not heed their context either
	alive    bool // but there are signs of life
}

func (m *mute) List(ctx context.Context) ([]lease.Lease, error) {
	for now := time.Now(); !now.Before(m.from) && now.Before(m.to) && (m.deaf || ctx.Err() == nil); now = time.Now() {
		time.Sleep(time.Second)
		if m.alive {
			deadline.Beat(ctx)
		}
	}
	return m.Mem.List(ctx)
}

// A list that is never answered is given up, told of, and tried again: leases of
// others that die are taken. One that makes progress is not given up.
func TestAListThatIsNeverAnswered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		table      mute
		failed     int
		taken      time.Duration
		mostSilent time.Duration
	}{
		{"for an hour", mute{}, 90, time.Hour, 30 * time.Second},
		{"although it makes progress", mute{alive: true}, 0, time.Hour, time.Second},
		{"nor heeds its context", mute{deaf: true}, 1, time.Hour, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				table := tt.table
				table.Mem, table.from, table.to = newTable(t, "a"), start.Add(10*time.Second), start.Add(time.Hour)
				var failed []error
				c, err := lease.NewCoordinator(lease.Config{
					Table: &table, WorkerID: "me", FailoverTime: failover, ScanInterval: time.Second,
					OnScanFailed: func(err error) { failed = append(failed, err) },
				}, "me-1")
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(11*time.Second, func() {
					if err := table.Create(context.Background(), lease.Lease{Key: "b"}); err != nil {
						t.Error(err)
					}
				})
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
				defer cancel()
				silent := time.Duration(0)
				go func() {
					for time.Since(start) < 2*time.Hour {
						time.Sleep(time.Second - time.Millisecond)
						for _, l := range c.Loops() {
							if l.Loop == "scan" && l.Doing == "reading the lease table" && l.Limit == 30*time.Second {
								silent = max(silent, l.Silent)
							}
						}
					}
				}()
				c.Run(ctx, ctx, func(h *lease.Held) {
					if took := time.Since(start); h.Lease().Key == "b" && (took < tt.taken || took > tt.taken+time.Minute) {
						t.Errorf("taken after %v", took)
					}
					<-h.Context().Done()
				})
				if n := len(failed); n < tt.failed || n > tt.failed+tt.failed/2 {
					t.Errorf("%d scans failed, want about %d", n, tt.failed)
				}
				for _, err := range failed {
					if _, ok := errors.AsType[*deadline.Error](err); !ok {
						t.Errorf("failed with %v", err)
					}
				}
				if silent > tt.mostSilent || silent < tt.mostSilent-3*time.Second {
					t.Errorf("silent for %v, want %v", silent, tt.mostSilent)
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
					<-h.Context().Done()
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
				var until time.Time
				var after []string
				table.Fault = func(_ context.Context, op, _ string, applied bool) error {
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
					until = time.Now().Add(5 * time.Second)
					brief, cancel := context.WithTimeout(h.Context(), time.Second)
					defer cancel()
					if err := h.Checkpoint(brief, checkpoint.At("5", 0, time.Time{})); !errors.Is(err, refusal) {
						t.Errorf("Checkpoint = %v", err)
					}
					time.Sleep(20 * time.Second)
					if err := h.Trusted(); err != nil {
						t.Errorf("after a refusal for five seconds: %v", err)
					}
				})
				if len(after) == 0 || after[0] != "renew" {
					t.Errorf("then came %v, want a renewal", after)
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
		table, start, tries := newTable(t, shards(200)...), time.Now(), 0
		table.Fault = func(ctx context.Context, op, _ string, _ bool) error {
			if op == "take" && time.Since(start) < 30*time.Second {
				tries++
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
		if tries > 16*failed {
			t.Errorf("%d tries in %d scans", tries, failed)
		}
	})
}
