package kcl_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// rowsBehind is a table whose List shows a row as it was, and a stream whose listing
// does not show its newest shards.
type rowsBehind struct {
	*kcltest.Stream
	memory

	mu       sync.Mutex
	was      map[string]lease.Lease
	shows    int   // shards; 0: all
	getFails error // of Get
	listings int   // of the shards
}

func newBehind(shards int) *rowsBehind {
	return &rowsBehind{Stream: kcltest.NewStream(shards), memory: memory{new(lease.Mem)}, was: map[string]lease.Lease{}}
}

func (b *rowsBehind) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *rowsBehind) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list, unreadable, err := b.Mem.List(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, l := range list {
		if was, ok := b.was[l.Key]; ok {
			list[i] = was
		}
	}
	return list, unreadable, err
}

func (b *rowsBehind) Get(ctx context.Context, key string) (lease.Lease, error) {
	b.mu.Lock()
	err := b.getFails
	b.mu.Unlock()
	if err != nil {
		return lease.Lease{}, err
	}
	return b.Mem.Get(ctx, key)
}

func (b *rowsBehind) ListShards(ctx context.Context) (kcl.ShardList, error) {
	list, err := b.Stream.ListShards(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listings++
	if b.shows > 0 {
		list.Shards = list.Shards[:b.shows]
	}
	return list, err
}

// A list that is behind is no proof, however long it is: the row is read
// consistently before it is called wrong, and what cannot be read is not. It is
// read soon, however seldom shards are listed.
func TestAnOldListIsNoContradiction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, j := newBehind(2), new(journal)
		ended := lease.Lease{Key: b.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd)}
		b.Put(0, "a")
		b.Mem.Put(lease.Lease{Key: ended.Key, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		b.was[ended.Key] = ended
		cfg := config(b, b, "me")
		cfg.ShardSyncInterval = 10 * time.Minute
		w, stop := running(t, cfg, recording(j))
		told := func(when string, want ...string) {
			t.Helper()
			if got := troubles(w, kcl.TroubleContradiction); !slices.Equal(got, want) {
				t.Errorf("%s: told of %q, want %q", when, got, want)
			}
		}
		time.Sleep(3 * time.Minute)
		told("the row says otherwise")
		b.set(func() { b.getFails = errors.New("503") })
		b.Mem.Put(ended)
		time.Sleep(3 * time.Minute)
		told("the row cannot be read")
		b.set(func() { b.getFails = nil })
		time.Sleep(40 * time.Second)
		told("the row says so, too", ended.Key)
		b.set(func() { clear(b.was) })
		b.Mem.Put(lease.Lease{Key: ended.Key, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		time.Sleep(time.Minute)
		told("the row was mended")
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := j.words(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("processed %q", got)
		}
	})
}

// Rows that become another stream's while the worker runs stop their shards, and
// the worker once none is left; what is of no shard, or malformed, is none.
func TestRowsBecomeAnotherStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, j := kcltest.NewStream(3), new(journal)
		table := &malformed{Mem: new(lease.Mem), key: s.Shard(2).ID, mended: time.Now().Add(24 * time.Hour)}
		table.Put(lease.Lease{Key: "leader", Owner: "somebody", Counter: 5, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		table.Put(lease.Lease{Key: s.Shard(2).ID, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		cfg := config(s, table, "me")
		cfg.AccessTimeout = 5 * time.Minute // that is for requests
		w, stop := running(t, cfg, recording(j))
		time.Sleep(10 * time.Second)
		becomes := func(shard int) {
			l := row(t, table.Mem, shard)
			l.Owner, l.Instance, l.Counter = "", "", l.Counter+100
			l.Identity = lease.Identity{Stream: "other"}
			table.Put(l)
		}
		becomes(0)
		time.Sleep(10 * time.Minute)
		s.Put(0, "lost?")
		s.Put(1, "other")
		time.Sleep(10 * time.Minute)
		if got := troubles(w, kcl.TroubleContradiction); !slices.Equal(got, []string{s.Shard(0).ID}) {
			t.Errorf("told of %q", got)
		}
		if l := row(t, table.Mem, 0); l.Owner != "" || l.Identity.Stream != "other" {
			t.Errorf("the row was taken: %+v", l)
		}
		if got := j.words(); !slices.Equal(got, []string{"other"}) {
			t.Errorf("processed %q", got)
		}
		becomes(1)
		time.Sleep(2 * time.Minute)
		if got := w.Snapshot().Shards; len(got) > 0 {
			t.Errorf("still processed: %+v", got)
		}
		if err := stop(); !errors.Is(err, lease.ErrInvalidState) {
			t.Errorf("no row is left, and Run = %v", err)
		}
	})
}

// Rows say whose they are from their creation on, also if nobody takes them yet:
// at the first sync, for children, and where a child was missing.
func TestRowsSayWhoseTheyAreFromTheirCreationOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBehind(2)
		b.shows = 2 // the listing is behind, so only the reader tells of children
		cfg := config(b, b, "me")
		cfg.MaxLeases = 1
		_, stop := running(t, cfg, recording(new(journal)))
		time.Sleep(10 * time.Second)
		say := func(when string, table *lease.Mem, shards ...int) {
			t.Helper()
			for _, shard := range shards {
				if got, want := row(t, table, shard).Identity, (lease.Identity{Stream: "s", Start: b.Shard(shard).StartingSequenceNumber}); got != want {
					t.Errorf("%s: the row of shard %d says %+v; want %+v", when, shard, got, want)
				}
			}
		}
		say("created", b.Mem, 0, 1)
		taken := 0
		if row(t, b.Mem, 1).Counter > 0 {
			taken = 1
		}
		b.Split(taken)
		time.Sleep(10 * time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		say("children", b.Mem, 2, 3)
		last := row(t, b.Mem, taken)
		last.Children = nil
		table := new(lease.Mem) // both children are missing
		table.Put(last)
		table.Put(row(t, b.Mem, 1-taken))
		b.shows = 0
		cfg.Leases = table
		if err := run(t, 10*time.Second, cfg, recording(new(journal))); err != nil {
			t.Error(err)
		}
		say("children that were missing", table, 2, 3)
	})
}

// Children whose leases were created here are taken before a listing shows them.
func TestChildrenAreTakenBeforeTheyAreListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, j := newBehind(1), new(journal)
		b.shows = 1
		_, stop := running(t, config(b, b, "me"), recording(j))
		time.Sleep(10 * time.Second)
		b.Split(0)
		b.Put(1, "left")
		b.Put(2, "right")
		time.Sleep(20 * time.Second)
		if got := slices.Sorted(slices.Values(j.words())); !slices.Equal(got, []string{"left", "right"}) {
			t.Errorf("processed %q", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A row of a shard that is not listed yet, which another worker created, has the
// shards listed and is taken at once then. While it stays unknown they are not
// listed more often than every few seconds.
func TestAnUnknownRowAsksForAListing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, j := newBehind(1), new(journal)
		b.Split(0)
		b.Put(1, "left")
		b.Put(2, "right")
		b.shows = 1
		b.Edit(0, func(sh *kcl.Shard) { sh.EndingSequenceNumber = "" }) // and shows the parent as open
		cfg := config(b, b, "me")
		cfg.ShardSyncInterval, cfg.ScanInterval = time.Hour, 20*time.Second
		b.Mem.Put(lease.Lease{Key: b.Shard(0).ID, Owner: "other", Counter: 1, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		renew := time.NewTicker(2 * time.Second)
		defer renew.Stop()
		_, stop := running(t, cfg, recording(j))
		go func() { // the other one has the parent
			for range renew.C {
				l, err := b.Mem.Get(context.Background(), b.Shard(0).ID)
				if err != nil || l.Owner != "other" {
					return
				}
				l.Counter++
				b.Mem.Put(l)
			}
		}()
		time.Sleep(61 * time.Second)
		b.set(func() { b.shows = 0 })
		b.Edit(0, func(sh *kcl.Shard) { sh.EndingSequenceNumber = "1003" })
		b.Mem.Put(lease.Lease{Key: b.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd), Counter: 1 << 30})
		for _, child := range []kcl.Shard{b.Shard(1), b.Shard(2)} {
			b.Mem.Put(lease.Lease{Key: child.ID, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon), Range: child.Range, Parents: child.ParentIDs})
		}
		time.Sleep(30 * time.Second)
		if got := slices.Sorted(slices.Values(j.words())); !slices.Equal(got, []string{"left", "right"}) {
			t.Errorf("processed %q", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// An unknown row is asked about every few seconds while a listing that is behind
// may explain it, and after that at each half minute.
func TestAnUnknownRowIsAskedAboutNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBehind(1)
		b.Mem.Put(lease.Lease{Key: "shardId-000000000009", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		cfg := config(b, b, "me")
		cfg.ScanInterval, cfg.ShardSyncInterval = time.Second, time.Hour
		if err := run(t, 29*time.Second, cfg, recording(new(journal))); err != nil {
			t.Error(err)
		}
		if b.listings < 5 || b.listings > 10 {
			t.Errorf("the shards were listed %d times in half a minute", b.listings)
		}
		b.listings, cfg.WorkerID = 0, "me again"
		if err := run(t, 10*time.Minute, cfg, recording(new(journal))); err != nil {
			t.Error(err)
		}
		if b.listings < 18 || b.listings > 50 {
			t.Errorf("the shards were listed %d times in ten minutes", b.listings)
		}
	})
}
