package deadline_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shardmill/shardmill/internal/deadline"
)

// Several things may be done at once, each with a limit of its own or none.
func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w deadline.Watch
		is := func(want ...deadline.Try) {
			t.Helper()
			if diff := cmp.Diff(want, w.UnderWay(), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
		of := func(doing string, silent, limit int) deadline.Try {
			return deadline.Try{Loop: "shard", Key: "s", Doing: doing, Silent: time.Duration(silent) * time.Second, Limit: time.Duration(limit) * time.Second}
		}
		is()
		ctx, call := deadline.Start(t.Context(), 30*time.Second)
		defer call.End()
		reading := w.BeginCall("shard", "s", "reading", call)
		time.Sleep(5 * time.Second)
		processing := w.BeginCall("shard", "s", "ProcessRecords", nil)
		time.Sleep(10 * time.Second)
		is(of("ProcessRecords", 10, 0), of("reading", 15, 30))
		deadline.Beat(ctx)
		time.Sleep(time.Second)
		is(of("ProcessRecords", 11, 0), of("reading", 1, 30))
		reading()
		is(of("ProcessRecords", 11, 0))
		again := w.Begin("shard", "s", "releasing", 7*time.Second)
		time.Sleep(8 * time.Second)
		is(of("ProcessRecords", 19, 0), of("releasing", 8, 7))
		processing()
		again()
		is()
	})
}
