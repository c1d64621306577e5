package esarchive_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// slow answers the requests of shard a after a minute, and those of others after an hour.
func slow() *answering {
	return &answering{answer: func(ctx context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		d := time.Hour
		if list[0].N[0] == 'a' {
			d = time.Minute
		}
		wait(ctx, d)
		return all(list, 201), nil
	}}
}

// begins returns when requests began that have documents of a shard, after the first of all.
func (a *answering) begins(shard byte) (after []time.Duration) {
	for i, list := range a.requests {
		if list[0].N[0] == shard {
			after = append(after, a.at[i].Sub(a.at[0]))
		}
	}
	return after
}

// A shard without a request under way need not wait for bytes, though others have them all;
// for a second one it waits, and gets its bytes when they are given back.
func TestBytesUnderWay(t *testing.T) {
	t.Parallel()
	s := slow()
	synctest.Test(t, func(t *testing.T) {
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", MaxRequestBytes: 64 << 10, MaxInFlightBytes: 130 << 10, Parallel: 2, RequestTimeout: 2 * time.Hour}, s)
		if err != nil {
			t.Fatal(err)
		}
		var shards sync.WaitGroup
		for i, c := range []cut{padded("a", 2, 55_000), padded("b", 2, 55_000)} {
			shards.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				if err := x.Open(input(c)).Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		shards.Wait()
		if a := s.begins('a'); len(a) != 2 || a[0] != 0 || a[1] != 0 {
			t.Errorf("a began at %v", a)
		}
		if b := s.begins('b'); len(b) != 2 || b[0] != time.Second || b[1] != time.Minute {
			t.Errorf("b began at %v", b)
		}
		if n := x.Used(); n != 0 {
			t.Errorf("%d bytes are in use", n)
		}
	})
}
