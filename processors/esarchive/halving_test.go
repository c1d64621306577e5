package esarchive_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// poisoned fails each request that has one of some documents, and takes all others.
func poisoned(f esarchive.Fault, bad ...string) *answering {
	return &answering{answer: func(ctx context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		wait(ctx, 20*time.Millisecond)
		for _, a := range list {
			if slices.Contains(bad, a.N) {
				return nil, &f
			}
		}
		return all(list, 201), nil
	}}
}

// faults are what a proxy, or the cluster, may answer because of one document.
func faults() map[string]esarchive.Fault {
	return map[string]esarchive.Fault{
		"403": {Code: "OS.AccessDenied", Status: 403, Auth: true},
		"400": {Code: "400", Status: 400},
		"503": {Code: "OS.ServiceException", Status: 503, Down: true},
		"500": {Code: "OS.ServiceException", Status: 500, Down: true},
	}
}

// A document that makes its requests fail does not take others along.
func TestPoisonedRequests(t *testing.T) {
	t.Parallel()
	for name, f := range faults() {
		size := int64(5 << 20)
		if name == "503" {
			size = 100 << 10 // others are taken meanwhile, or else it is an outage
		}
		for _, pauses := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := poisoned(f, "s0007.0", "s0700.0", "s0701.0")
				c := padded("s", 1000, 1000)
				o := run(t, esarchive.Config{IndexName: "i", PauseWhenDown: pauses, MaxRequestBytes: size}, s, c)
				if o.Indexed != 997 || len(o.Failed) != 3 || o.Failed[0].Code != f.Code || o.Requests > 250 {
					t.Fatalf("%d indexed, %d failed, %d requests", o.Indexed, len(o.Failed), o.Requests)
				}
				for _, failed := range o.Failed {
					if took := failed.Ended.Sub(s.at[0]); took < 5*time.Minute || took > 7*time.Minute || failed.Attempts > 40 {
						t.Errorf("failed after %d attempts and %v", failed.Attempts, took)
					}
				}
			})
		}
	}
}

// An outage does not make a request of each document.
func TestOutagesAreNotHalved(t *testing.T) {
	t.Parallel()
	for name, f := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &answering{}
			s.answer = func(context.Context, int, []action) ([]esarchive.Item, *esarchive.Fault) { return nil, &f }
			o := run(t, esarchive.Config{IndexName: "i"}, s, plain("s", 1000))
			if len(o.Failed) != 1000 || o.Requests > 400 || name == "503" && o.Requests > 30 {
				t.Errorf("%d failed, %d requests", len(o.Failed), o.Requests)
			}
		})
	}
}

// PauseWhenDown is for a cluster that takes nothing: one request that always fails, while
// others are taken, has its time.
func TestPauseWhenDownAndOneDocument(t *testing.T) {
	t.Parallel()
	for name, f := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := poisoned(f, "a0000.0")
			synctest.Test(t, func(t *testing.T) {
				x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", PauseWhenDown: true}, s)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				var others sync.WaitGroup
				others.Go(func() {
					for ; ctx.Err() == nil; time.Sleep(5 * time.Second) {
						if err := x.Open(input(plain("b", 1))).Run(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
				limited, end := context.WithTimeout(t.Context(), time.Hour)
				defer end()
				i := x.Open(input(plain("a", 1)))
				err = i.Run(limited)
				cancel()
				others.Wait()
				if o := i.Outcome(); err != nil || len(o.Failed) != 1 || o.Failed[0].Ended.Sub(s.at[0]) < 5*time.Minute || o.Failed[0].Ended.Sub(s.at[0]) > 10*time.Minute {
					t.Errorf("%+v, %v", o, err)
				}
			})
		})
	}
}

// The begin of an outage costs nothing: what was taken before is no sign that the cluster
// takes others, even if each document has but one try.
func TestPauseWhenDownFromTheMiddle(t *testing.T) {
	t.Parallel()
	for _, retry := range []time.Duration{0, time.Minute} {
		s := &answering{}
		s.answer = func(ctx context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			at := time.Now()
			wait(ctx, 100*time.Millisecond)
			s.mu.Lock()
			defer s.mu.Unlock()
			if d := at.Sub(s.at[0]); d > time.Second && d < 5*time.Hour {
				return nil, dead()
			}
			return all(list, 201), nil
		}
		if o := run(t, esarchive.Config{IndexName: "i", RetryDuration: &retry, PauseWhenDown: true, MaxRequestBytes: 64 << 10}, s, padded("s", 4000, 1000)); o.Indexed != 4000 {
			t.Errorf("%d indexed, %d failed", o.Indexed, len(o.Failed))
		}
	}
}

// What is too large however small requests get is sent alone in the end, and what may
// get through then does.
func TestTooLargeForTheFloor(t *testing.T) {
	t.Parallel()
	s := &answering{}
	s.answer = func(_ context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		if s.bodies[n] > 5000 {
			return nil, &esarchive.Fault{Code: "413", Status: 413, Message: "too large", TooLarge: true}
		}
		return all(list, 201), nil
	}
	c := padded("s", 50, 1000)
	c[9].data = strings.Replace(c[9].data, "{", `{"more":"`+strings.Repeat("x", 5000)+`",`, 1)
	once := time.Duration(0)
	synctest.Test(t, func(t *testing.T) {
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", RetryDuration: &once, Parallel: 1}, s)
		if err != nil {
			t.Fatal(err)
		}
		i := x.Open(input(c))
		err = i.Run(t.Context())
		if o := i.Outcome(); err != nil || o.Indexed != 49 || len(o.Failed) != 1 || o.Failed[0].Document != 9 || o.Failed[0].Attempts != 1 {
			t.Errorf("%+v, %v", o, err)
		}
		if n := x.Limit(s.at[len(s.at)-1]); n != 64<<10 {
			t.Errorf("requests of others have at most %d bytes", n)
		}
	})
}
