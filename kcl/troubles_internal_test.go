package kcl

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/lease"
)

// Access is told once it has lasted for a failover time, all else at once; each
// is told again after a minute. A request that has met it for AccessTimeout ends
// Run, and only its own success ends it.
func TestTroublesAreDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tr troubles
		denied, gone := fmt.Errorf("%w: Scan", lease.ErrAccessDenied), fmt.Errorf("%w: s", ErrStreamNotFound)
		tr.outcome(doingScan, denied)
		tr.outcome(doingList, gone)
		tr.outcome(doingCheck, errors.New("503"))
		tr.set(troubleKey{reason: TroubleContradiction, shardID: "shardId-000000000000"}, "why", nil)
		begun := time.Now()
		due := func(after time.Duration, wantLast error, want ...TroubleReason) {
			t.Helper()
			time.Sleep(time.Until(begun.Add(after)))
			tell, last := tr.due(time.Now(), 10*time.Second, 5*time.Minute)
			var got []TroubleReason
			for _, x := range tell {
				got = append(got, x.Reason)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) || !errors.Is(last, wantLast) || (last == nil) != (wantLast == nil) {
				t.Errorf("after %v: told %q, ends Run with %v; want %q and %v", after, got, last, want, wantLast)
			}
		}
		due(0, nil, TroubleContradiction, TroubleStreamNotFound)
		due(9*time.Second, nil)
		due(10*time.Second, nil, TroubleAccess)
		due(59*time.Second, nil)
		due(61*time.Second, nil, TroubleContradiction, TroubleStreamNotFound)
		due(71*time.Second, nil, TroubleAccess)
		tr.outcome(doingRead, nil) // another request's success ends neither
		tr.outcome(doingScan, denied)
		tr.outcome(doingList, errors.New("503")) // an error that is none does not end it
		due(4*time.Minute, nil, TroubleAccess, TroubleContradiction, TroubleStreamNotFound)
		tr.outcome(doingList, nil)
		due(5*time.Minute+time.Second, lease.ErrAccessDenied, TroubleAccess, TroubleContradiction)
		tr.outcome(doingScan, nil)
		due(time.Hour, nil, TroubleContradiction)
		tr.clear(func(k troubleKey) bool { return k.shardID == "shardId-000000000001" })
		if got := tr.present(); len(got) != 1 || got[0].Text != "why" || !got[0].Since.Equal(begun) {
			t.Errorf("troubles %+v", got)
		}
	})
}
