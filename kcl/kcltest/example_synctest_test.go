package kcltest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// A test in virtual time: retries, failovers and pauses of minutes take no time
// at all, and times are exact.
func Example_synctest() {
	_ = testSlowDatabase // in a program's own test: func TestSlowDatabase(t *testing.T)
}

func testSlowDatabase(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		stream := kcltest.NewStream(1) // made in the bubble, as all that it uses
		stream.Put(0, "to", "be")

		down := time.Now().Add(time.Minute)
		var attempts int
		w, err := kcl.New(kcl.Config{
			ApplicationName: "test", StreamName: "words", WorkerID: "worker-1",
			Source: stream, Leases: new(lease.Mem), MaxAttempts: 100,
		}, kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error {
			attempts++
			if time.Now().Before(down) {
				return errors.New("the database is down")
			}
			stop()
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if attempts < 2 || time.Now().Before(down) {
			t.Errorf("accepted at %v after %d attempts, want after %v", time.Now(), attempts, down)
		}
	})
}
