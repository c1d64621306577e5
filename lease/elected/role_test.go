package elected_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
)

// Among many workers that all stand ready the job stays where it is, for as long as its
// worker lives; when it stops, or dies, another one does the job soon.
func TestTheJobStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 1)
		c.table.Put(lease.Lease{Key: "payments", Owner: "somebody", Counter: 3, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}) // another job, whose worker has died
		var all []*worker
		for i := range 20 {
			all = append(all, c.start(fmt.Sprint("w", i)))
			time.Sleep(time.Duration(c.draw(1500)) * time.Millisecond)
		}
		time.Sleep(30 * time.Minute)
		first := c.doer()
		if first == nil || c.times() != 1 || !first.Status().Has {
			t.Fatalf("%d workers began, %v does the job", c.times(), first)
		}
		for _, w := range all {
			if s := w.Status(); s.Holder != first.id || s.Has != (w == first) || s.Err != nil {
				t.Errorf("%s: %+v, want the holder %s", w.id, s, first.id)
			}
		}
		if row, err := c.table.Get(t.Context(), "payments"); err != nil || row.Owner != "somebody" || row.Counter != 3 {
			t.Errorf("the row of another job is %+v, %v", row, err)
		}

		stopped := time.Now()
		first.stop()
		<-first.done
		time.Sleep(failover/2 + time.Second)
		second := c.doer()
		if second == nil || second == first || c.times() != 2 {
			t.Fatalf("%v after its worker stopped %d workers have begun", time.Since(stopped), c.times())
		}
		second.set(func(l *link) { l.cut = true })
		time.Sleep(2*failover + time.Second)
		if third := c.doer(); third == nil || third == second || c.times() != 3 {
			t.Errorf("after its worker died %d workers have begun", c.times())
		}
		end(all...)
		if row, err := c.table.Get(t.Context(), "orders"); err != nil || row.Owner != "" {
			t.Errorf("when all have stopped the row is %+v, %v", row, err)
		}
	})
}

// Whatever happens to the workers and their network, two are never trusted at once, and
// when it is calm one of them does the job.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	begun := 0
	for seed := range uint64(24) {
		synctest.Test(t, func(t *testing.T) {
			c := newCrew(t, seed)
			alive := map[int]*worker{}
			var dead []*worker
			for step := range 150 {
				time.Sleep(time.Duration(c.draw(10_000)) * time.Millisecond)
				i := c.draw(4)
				w := alive[i]
				switch what := c.draw(10); {
				case w == nil:
					alive[i] = c.start(fmt.Sprint("w", i)) // of the same ID as the one that died
				case what == 0: // crashes: nothing that it does is seen any more
					w.set(func(l *link) { l.cut = true })
					c.mu.Lock()
					for term, who := range c.terms {
						if who == w && step%2 == 0 { // else it was only cut off, and goes on
							delete(c.terms, term)
						}
					}
					c.mu.Unlock()
					dead = append(dead, w)
					delete(alive, i)
				case what == 1:
					w.stop()
					dead = append(dead, w)
					delete(alive, i)
				case what < 4:
					w.set(func(l *link) { l.fails, l.slow = c.draw(60), time.Duration(1+c.draw(4000))*time.Millisecond })
				default:
					w.set(func(l *link) { l.fails, l.slow = 0, 300*time.Millisecond })
				}
			}
			all := dead
			for _, w := range alive {
				w.set(func(l *link) { l.fails, l.slow = 0, 0 })
				all = append(all, w)
			}
			all = append(all, c.start("last"))
			time.Sleep(4 * failover)
			if w := c.doer(); w == nil {
				t.Error("nobody does the job, though all is well")
			}
			end(all...)
			begun += c.times()
		})
	}
	if begun < 200 {
		t.Errorf("the job was begun %d times: too few to show anything", begun)
	}
}

// What a job's end leads to: who fails leaves the job to others for a time that grows.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		job  elected.Job
		err  string // of the status
		rest []int  // seconds between an end and the next begin, of one worker alone
	}{
		{"returns", func(context.Context, *elected.Term) error { return nil }, "", []int{10, 10, 10}},
		{"fails", func(context.Context, *elected.Term) error { return errNet }, "connection reset", []int{20, 40, 80, 160, 320, 600, 600}},
		{"panics", func(context.Context, *elected.Term) error { panic("oops") }, "the job panicked: oops", []int{20, 40}},
		{"ends its goroutine", func(context.Context, *elected.Term) error { runtime.Goexit(); return nil }, "runtime.Goexit", []int{20, 40}},
		{"fails late", func(ctx context.Context, _ *elected.Term) error {
			time.Sleep(11 * time.Minute)
			return errNet
		}, "connection reset", []int{20, 20, 20}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrew(t, 1)
				var rests []time.Duration
				c.job = func(ctx context.Context, term *elected.Term) error {
					c.mu.Lock()
					if !c.ended.IsZero() {
						rests = append(rests, time.Since(c.ended))
					}
					c.mu.Unlock()
					return row.job(ctx, term)
				}
				w := c.start("w")
				time.Sleep(2 * time.Second)
				for c.times() <= len(row.rest) || w.Status().Has {
					time.Sleep(time.Second)
				}
				w.stop()
				<-w.done
				for i, seconds := range row.rest {
					if want := time.Duration(seconds) * time.Second; rests[i] < want || rests[i] > want+failover {
						t.Errorf("rest %d is %v, want %d s", i, rests[i], seconds)
					}
				}
				s := w.Status()
				if got := fmt.Sprint(s.Err); s.Has || (s.Err != nil) != (row.err != "") || !strings.Contains(got, row.err) || s.Err != nil && s.ErrSince.IsZero() {
					t.Errorf("status %+v, want %q", s, row.err)
				}
			})
		})
	}
}

// A job that fails is done by another worker after a failover time, and not before.
func TestAnotherDoesWhatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 1)
		var at []time.Time
		c.job = func(ctx context.Context, _ *elected.Term) error {
			c.mu.Lock()
			at = append(at, time.Now())
			first := len(at) == 1
			c.mu.Unlock()
			if first {
				return errNet
			}
			<-ctx.Done()
			return errors.New("no failure, as it was to end")
		}
		a, b := c.start("a"), c.start("b")
		time.Sleep(3 * failover)
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(at) != 2 || c.began[0] == c.began[1] {
			t.Fatalf("%v began, at %v", c.began, at)
		}
		if gap := at[1].Sub(at[0]); gap < failover || gap > 2*failover {
			t.Errorf("the other worker began after %v", gap)
		}
		for _, w := range []*worker{a, b} {
			if s := w.Status(); s.Err != nil {
				t.Errorf("%s: %v, though the job is done again", w.id, s.Err)
			}
		}
		c.mu.Unlock()
		end(a, b)
		c.mu.Lock()
	})
}

// The lease is held until the job has returned, however long it takes, and that is told.
func TestNobodyBeginsBeforeTheJobReturned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		table := new(lease.Mem)
		var doing, most, began atomic.Int32
		role := func(id string) *elected.Role {
			r, err := elected.New(elected.Config{Table: table, Job: "orders", WorkerID: id, FailoverTime: failover, Logger: zap.New(core)})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		job := func(ctx context.Context, _ *elected.Term) error {
			began.Add(1)
			most.Store(max(most.Load(), doing.Add(1)))
			<-ctx.Done()
			time.Sleep(5*time.Minute + time.Second)
			doing.Add(-1)
			return nil
		}
		first, stopFirst := context.WithCancel(t.Context())
		second, stopSecond := context.WithCancel(t.Context())
		returned := make(chan time.Time, 2)
		begun := time.Now()
		go func() { role("a").Run(first, job); returned <- time.Now() }()
		time.Sleep(time.Second)
		go func() { role("b").Run(second, job); returned <- time.Now() }()
		time.Sleep(time.Minute)
		stopFirst()
		time.Sleep(6 * time.Minute)
		stopSecond()
		if ran := (<-returned).Sub(begun); most.Load() != 1 || began.Load() != 2 || ran < 6*time.Minute {
			t.Errorf("%d began, %d at once; the first Run returned after %v", began.Load(), most.Load(), ran)
		}
		if told := logs.FilterMessageSnippet("job has not returned").Len(); told != 5 {
			t.Errorf("that the job has not returned was told %d times, want once a minute", told)
		}
		<-returned
	})
}

// A row that is removed is made again, and a table that cannot be used is told, and used
// when it can.
func TestTheTableIsMended(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 1)
		denied := fmt.Errorf("ensuring: %w: permit dynamodb:CreateTable", lease.ErrAccessDenied)
		w := c.start("w")
		w.set(func(l *link) { l.ready = denied })
		time.Sleep(time.Hour)
		if s := w.Status(); !errors.Is(s.Err, lease.ErrAccessDenied) || s.Has || time.Since(s.ErrSince) < 59*time.Minute || c.times() != 0 {
			t.Errorf("while it may not be made: %+v", s)
		}
		w.set(func(l *link) { l.ready = nil })
		time.Sleep(time.Minute)
		if s := w.Status(); s.Err != nil || !s.Has || s.Holder != "w" {
			t.Errorf("when it could be made: %+v", s)
		}

		row, err := c.table.Get(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		row.Checkpoint.SequenceNumber = "SHARD_END"
		c.table.Put(row)
		if err := c.table.Delete(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * failover)
		if s := w.Status(); !s.Has || c.times() != 2 {
			t.Errorf("after the row was removed: %+v, begun %d times", s, c.times())
		}

		w.set(func(l *link) { l.cut = true })
		time.Sleep(time.Hour)
		if s := w.Status(); s.Err == nil || s.Has {
			t.Errorf("while nothing answers: %+v", s)
		}
		end(w)
	})
}

// A row that nobody can read is told, and left as it is.
func TestAMalformedRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		r, err := elected.New(elected.Config{Table: malformed{new(lease.Mem)}, Job: "orders", WorkerID: "w", Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		r.Run(ctx, func(context.Context, *elected.Term) error { t.Error("the job is done"); return nil })
		if s := r.Status(); !lease.IsUnreadable(s.Err) {
			t.Errorf("%+v", s)
		}
		if told := logs.FilterMessageSnippet("not ready").Len(); told < 40 || told > 70 {
			t.Errorf("told %d times in an hour", told)
		}
	})
}

type malformed struct{ *lease.Mem }

func (malformed) Get(context.Context, string) (lease.Lease, error) {
	return lease.Lease{}, &lease.UnreadableError{Key: "orders", Err: errors.New("leaseCounter is a text")}
}

func TestNew(t *testing.T) {
	t.Parallel()
	_, err := elected.New(elected.Config{FailoverTime: time.Millisecond})
	for _, want := range []string{"Job is required", "Table is required", "WorkerID is required", "FailoverTime is 1ms"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

// OnChange is told of each begin and end; what it does wrong ends nothing.
func TestOnChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []bool
		r, err := elected.New(elected.Config{Table: new(lease.Mem), Job: "orders", WorkerID: "w", OnChange: func(has bool) {
			told = append(told, has)
			panic("oops")
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 35*time.Second)
		defer stop()
		r.Run(ctx, func(ctx context.Context, _ *elected.Term) error { return nil })
		if got := fmt.Sprint(told); got != "[true false true false true false]" {
			t.Error(got)
		}
		r.Run(t.Context(), nil) // returns at once
	})
}
