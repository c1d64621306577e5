package kcl

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shardmill/shardmill/lease"
)

// What ended the processing of a shard, the end of the lease's context, and the
// trust in it say together what the ending is: that time ran out first, then that
// the lease is lost, and only then the error.
func TestEndingOf(t *testing.T) {
	t.Parallel()
	lostLease, fault := &lease.LostError{Key: "k"}, errors.New("fault")
	for _, tt := range []struct {
		name                string
		err, holding, trust error
		want                ending
	}{
		{"an error of anybody", fault, nil, nil, endFailed},
		{"an error that was given up on", GiveUp(fault), nil, nil, endFailed},
		{"a panic", fmt.Errorf("4 processors panicked in a row: %w", &PanicError{Call: callProcessor}), nil, nil, endFailed},
		{"a processor's ErrShutdown", fmt.Errorf("attempt 4: %w", fromUser(ErrShutdown)), nil, nil, endFailed},
		{"a processor's refused access", fmt.Errorf("attempt 4: %w", fromUser(ErrAccessDenied)), nil, nil, endFailed},
		{"the end", endFinished, nil, nil, endFinished},
		{"the end of Run's context", ErrShutdown, nil, nil, endShutdown},
		{"a wait that Run's end ended", fmt.Errorf("waiting: %w", ErrShutdown), nil, nil, endShutdown},
		{"a lease too many", endSurplus, nil, nil, endSurplus},
		{"a parent", fmt.Errorf("%w: shardId-000000000000", endBlocked), nil, nil, endBlocked},
		{"refused access", fmt.Errorf("opening: %w", ErrAccessDenied), nil, nil, endBlocked},
		{"a stream that is gone", fmt.Errorf("listing: %w", ErrStreamNotFound), nil, nil, endBlocked},
		{"a table that is gone", fmt.Errorf("reading: %w", lease.ErrTableNotFound), nil, nil, endBlocked},
		{"a checkpoint of another stream", fmt.Errorf("%w: 12", endRefuted), nil, nil, endRefuted},
		{"a lost lease", lostLease, lostLease, lostLease, endLost},
		{"the end, of a lost lease", endFinished, lostLease, lostLease, endLost},
		{"trust that ran out before the timer", fault, nil, lostLease, endLost},
		{"too slow a stop", ErrShutdownTimeout, ErrShutdownTimeout, lostLease, endTimeout},
		{"too slow a stop, and an error", fault, ErrShutdownTimeout, lostLease, endTimeout},
		{"the end, too late", endFinished, ErrShutdownTimeout, lostLease, endTimeout},
		{"the lease's context ended otherwise", context.Canceled, context.Canceled, lostLease, endLost},
	} {
		if got := endingOf(tt.err, tt.holding, tt.trust); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestWhatFollowsFromAnEnding(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ending ending
		want   consequence
	}{
		{endFailed, consequence{released: true, why: lease.GivenUp, rest: restGrowing}},
		{endFinished, consequence{released: true}},
		{endShutdown, consequence{asked: true, released: true}},
		{endSurplus, consequence{asked: true, released: true, why: lease.Surplus}},
		{endBlocked, consequence{released: true, why: lease.Blocked, rest: restScan}},
		{endRefuted, consequence{released: true, why: lease.GivenUp}},
		{endLost, consequence{}},
		{endTimeout, consequence{}},
	} {
		if got := tt.ending.follows(); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.ending, got, tt.want)
		}
	}
}

func TestRestAfter(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{
		1: 10 * time.Second, 2: 20 * time.Second, 6: 320 * time.Second, 7: 10 * time.Minute, 1000: 10 * time.Minute,
	} {
		if got := restAfter(n, 10*time.Second); got != want {
			t.Errorf("after %d failures: %v, want %v", n, got, want)
		}
	}
}
