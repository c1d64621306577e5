package kcltest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// No worker runs for longer than the stream keeps its records, and the next one
// says so: a test that an alarm would ring.
func ExampleStream_Trim() {
	_ = testAlarm // in a program's own test: func TestAlarm(t *testing.T)
}

func testAlarm(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stream, table := kcltest.NewStream(1), new(lease.Mem)
		var alarms int
		work := func() {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			w, err := kcl.New(kcl.Config{
				ApplicationName: "test", StreamName: "words", WorkerID: "worker-1", Source: stream, Leases: table,
				Hooks: kcl.Hooks{RecordsLost: func(kcl.LossEvent) { alarms++ }},
			}, kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error {
				stop()
				return nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Run(ctx); err != nil {
				t.Fatal(err)
			}
		}

		stream.Put(0, "to")
		work()
		stream.Put(0, "be")
		time.Sleep(25 * time.Hour)
		stream.Trim(0, 2) // the first two records have expired
		stream.Put(0, "or")
		work()
		if alarms != 1 {
			t.Errorf("%d alarms, want 1", alarms)
		}
	})
}
