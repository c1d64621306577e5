package processors_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// A successor's commit happens, its answer is lost, and the call ends before the
// trust does: the renewal that settles the doubt is not the processor's. Its next
// try begins where the row is, and not where it was.
func TestACommitInDoubtIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, store := kcltest.NewStream(1), new(lease.Mem), new(shelf)
		s.Put(0, "a ", "b ", "c ", "d ")
		archive := func(d, callTimeout time.Duration, fault func(operation string, after bool) error) {
			t.Helper()
			table.Fault = func(_ context.Context, operation, _ string, after bool) error { return fault(operation, after) }
			archiver, err := processors.New(config(), store)
			if err != nil {
				t.Fatal(err)
			}
			cfg := kcl.Config{
				ApplicationName: "app", StreamName: "s", Source: s, Leases: table, WorkerID: "me",
				FailoverTime: 10 * time.Second,
			}
			if err := archiver.Configure(&cfg); err != nil {
				t.Fatal(err)
			}
			if callTimeout > 0 { // shorter than Configure permits
				cfg.CallTimeout = callTimeout
			}
			w, err := kcl.New(cfg, archiver.Processor)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if err := w.Run(ctx); err != nil && !errors.Is(err, kcl.ErrShutdownTimeout) {
				t.Error(err)
			}
		}
		archive(10*time.Minute, 0, func(operation string, _ bool) error { // prepares, puts, and cannot commit
			if operation == "checkpoint" {
				return errors.New("down")
			}
			return nil
		})
		if l := leaseOf(t, table); l.Pending == nil || len(store.words()) != 4 {
			t.Fatalf("it was to end with a prepared cut: %+v, %q", l, store.words())
		}
		var lost time.Time
		archive(3*time.Minute, 3*time.Second, func(operation string, after bool) error {
			if operation == "checkpoint" && after && lost.IsZero() {
				lost = time.Now()
			}
			if operation == "checkpoint" && after && time.Since(lost) < 3*time.Second {
				return errors.New("answer lost")
			}
			return nil
		})
		if got := strings.Join(store.words(), " "); got != "a b c d" {
			t.Errorf("the objects have %q, want each word once", got)
		}
		if l := leaseOf(t, table); l.Pending != nil || l.Checkpoint.SequenceNumber != s.Records(0)[3].SequenceNumber {
			t.Errorf("the row is %+v", l)
		}
	})
}

func leaseOf(t *testing.T, table lease.Table) lease.Lease {
	t.Helper()
	l, err := table.Get(context.Background(), "shardId-000000000000")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
