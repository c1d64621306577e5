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
		time.Sleep(time.Until(begun.Add(5 * time.Minute)))
		tr.outcome(doingScan, denied)
		due(5*time.Minute+time.Second, lease.ErrAccessDenied, TroubleAccess, TroubleContradiction)
		tr.outcome(doingScan, nil)
		due(time.Hour, nil, TroubleContradiction)
		tr.clear(func(k troubleKey) bool { return k.shardID == "shardId-000000000001" })
		if got := tr.present(); len(got) != 1 || got[0].Text != "why" || !got[0].Since.Equal(begun) {
			t.Errorf("troubles %+v", got)
		}
	})
}

// What counts is how long a request was refused, not how long ago: while a
// process is stopped it makes none, and its next one may well succeed.
func TestOneOldErrorIsNoTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tr troubles
		tr.outcome(doingList, ErrAccessDenied)
		time.Sleep(time.Hour)
		if tell, last := tr.due(time.Now(), time.Second, time.Minute); len(tell) != 1 || last != nil {
			t.Errorf("after one refusal: told %v, ended with %v", tell, last)
		}
		tr.outcome(doingList, ErrAccessDenied)
		if _, last := tr.due(time.Now(), time.Second, time.Minute); !errors.Is(last, ErrAccessDenied) {
			t.Errorf("refused for an hour: %v", last)
		}
		tr.outcome(doingList, nil)
		if tell, last := tr.due(time.Now(), time.Second, time.Minute); len(tell) != 0 || last != nil {
			t.Errorf("after a success: told %v, ended with %v", tell, last)
		}
	})
}
