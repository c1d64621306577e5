package kcl_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/localaws"
)

// The lease of a finished shard stays for a while, so that a request to create
// it that was under way finds it there, and is deleted then.
func TestFinishedLeasesStayForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		s.Put(0, "a")
		s.Split(0)
		s.Put(1, "b")
		s.Put(2, "c")
		there := func(when string, want bool) {
			_, err := table.Get(t.Context(), s.Shard(0).ID)
			if got := !errors.Is(err, lease.ErrNotFound); got != want {
				t.Errorf("%s: the lease is there %v, want %v", when, got, want)
			}
		}
		time.AfterFunc(19*time.Minute, func() { there("after 19 minutes", true) })
		time.AfterFunc(23*time.Minute, func() { there("after 23 minutes", false) })
		if err := run(t, 24*time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: new(journal)} }); err != nil {
			t.Error(err)
		}
	})
}

// late holds the first request to create a lease and lets it arrive later.
type late struct {
	*lease.Mem

	by   time.Duration
	held sync.WaitGroup
	once sync.Once
}

func (l *late) Create(ctx context.Context, row lease.Lease) (err error) {
	first := false
	l.once.Do(func() { first = true })
	if !first {
		return l.Mem.Create(ctx, row)
	}
	l.held.Go(func() {
		time.Sleep(l.by)
		_ = l.Mem.Create(context.WithoutCancel(ctx), row)
	})
	return errors.New("connection reset")
}

// A request to create the lease of a shard that arrives when the shard was read
// and has ended does not have its records delivered again.
func TestALateRequestBringsNoFinishedLeaseBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, j := kcltest.NewStream(1), new(journal)
		table := &late{Mem: new(lease.Mem), by: 14 * time.Minute}
		defer table.held.Wait()
		s.Put(0, "a", "b")
		s.Split(0)
		s.Put(1, "c")
		s.Put(2, "d")
		if err := run(t, 40*time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		if got := len(j.words()); got != 4 {
			t.Errorf("processed %q, each of a b c d once is right", j.words())
		}
	})
}

// The same of a request that the table had given up, as it was not answered,
// and that the service carries out much later.
func TestACreationThatWasGivenUpBringsNoFinishedLeaseBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, j, table := kcltest.NewStream(1), new(journal), newLocalTable(t)
		s.Put(0, "a", "b")
		s.Split(0)
		s.Put(1, "c")
		s.Put(2, "d")
		lost := table.stack.Faults().Add(localaws.Fault{
			Operation: "PutItem", Body: s.Shard(0).ID, Times: 1, Kind: localaws.Stall(14 * time.Minute),
		})
		time.AfterFunc(14*time.Minute-time.Second, func() {
			if l, err := table.Get(t.Context(), s.Shard(0).ID); err != nil || !l.Finished() {
				t.Errorf("before the request arrives the row is %+v, %v; want it finished", l, err)
			}
		})
		if err := run(t, 19*time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		if got := len(j.words()); got != 4 || lost.Hits() != 1 {
			t.Errorf("processed %q, each of a b c d once is right; %d requests were held", j.words(), lost.Hits())
		}
	})
}
