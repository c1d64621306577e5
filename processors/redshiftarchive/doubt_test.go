package redshiftarchive_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// With a ledger a batch whose rows may be there is not named under errors/manifests/: it is tried until
// the ledger was seen, also when RetryDuration is over. Without one it is named, as by Firehose.
func TestWhatIsLoadedIsNotNamed(t *testing.T) {
	t.Parallel()
	gone, doubt, no, bad := answer{kind: lost}, answer{kind: hangs}, answer{kind: refused}, answer{kind: rejected}
	for _, row := range []struct {
		name      string
		hasLedger bool
		answers   []answer
		at        []int
		named     bool
	}{
		{"loaded, and known", true, []answer{gone}, []int{0, 5}, false},
		{"loaded, then there is no connection", true, []answer{gone, no, no, no}, []int{0, 5, 10, 15, 20}, false},
		{"loaded, then again in doubt", true, []answer{gone, gone, bad}, []int{0, 5, 10}, false},
		{"loaded, then COPY would fail", true, []answer{gone, bad}, []int{0, 5}, false},
		{"not loaded, and COPY fails", true, []answer{doubt, bad}, []int{0, 240}, true},
		{"not loaded, no connection, and COPY fails", true, []answer{doubt, no, bad}, []int{0, 240, 245}, true},
		{"no doubt", true, []answer{no}, []int{0}, true},
		{"no ledger", false, []answer{gone}, []int{0}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var given []redshiftarchive.GivenUpEvent
				core, logs := observer.New(zap.InfoLevel)
				w := newWorld(t, row.hasLedger)
				w.stage("a", object(1, 1))
				r := w.load(changed(func(c *redshiftarchive.Config) {
					within(0)(c)
					c.CopyTimeout, c.Logger = 239*time.Minute, zap.New(core)
					c.Hooks.GivenUp = func(e redshiftarchive.GivenUpEvent) { given = append(given, e) }
				}), loads(row.answers...))
				time.Sleep(5 * time.Hour)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				w.settled(true)
				if got := w.at(); !slices.Equal(got, row.at) || (len(w.named) > 0) != row.named {
					t.Errorf("tried at %v, named %v", got, w.named)
				}
				if n := w.copies[object(1, 0).URL()]; row.hasLedger && n > 0 && row.named {
					t.Error("what is loaded is named")
				}
				beyond := logs.FilterMessage("COPY failed").FilterFieldKey("remedy")
				if beyond.Len() != len(row.at)-1 {
					t.Errorf("told %d times that it is tried beyond RetryDuration", beyond.Len())
				}
				if (len(given) > 0) != row.named || row.named && given[0].InDoubt == row.hasLedger {
					t.Errorf("told %+v", given)
				}
				for _, e := range logs.FilterMessageSnippet("batch given up").All() {
					if e.ContextMap()["rows_may_be_there"] == row.hasLedger {
						t.Errorf("%v", e.ContextMap())
					}
				}
			})
		})
	}
}
