package kcl_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// running runs a worker until stop is called, which returns what Run returned.
func running(t *testing.T, cfg kcl.Config, f kcl.ProcessorFactory) (w *kcl.Worker, stop func() error) {
	t.Helper()
	w, err := kcl.New(cfg, f)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return w, func() error {
		cancel()
		return <-done
	}
}

func recording(j *journal) kcl.ProcessorFactory {
	return func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }
}

// troubles returns the troubles of one reason, each as its shard.
func troubles(w *kcl.Worker, reason kcl.TroubleReason) []string {
	var out []string
	for _, tr := range w.Snapshot().Troubles {
		if tr.Reason == reason {
			out = append(out, tr.ShardID)
		}
	}
	return out
}

// A row that says that an open shard is done is told and left as it is, once that
// has lasted; the other shards go on.
func TestARowThatEndsAnOpenShard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
		// Java notes children in rows that it ends; this one's have begun.
		wrong := lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd), Counter: 7, Children: []string{s.Shard(1).ID}}
		table.Put(wrong)
		s.Put(0, "lost?")
		s.Put(1, "other")
		w, stop := running(t, config(s, table, "me"), recording(j))
		time.Sleep(29 * time.Second)
		if got := troubles(w, kcl.TroubleContradiction); len(got) > 0 {
			t.Errorf("told before it had lasted: %q", got)
		}
		time.Sleep(60 * time.Second)
		if got := troubles(w, kcl.TroubleContradiction); !slices.Equal(got, []string{wrong.Key}) {
			t.Errorf("troubles %q", got)
		}
		time.Sleep(time.Hour)
		if l := row(t, table, 0); l.Counter != wrong.Counter || !l.Finished() {
			t.Errorf("the row was written: %+v", l)
		}
		if got := j.words(); !slices.Equal(got, []string{"other"}) {
			t.Errorf("processed %q", got)
		}
		wrong.Checkpoint = checkpoint.Sentinel(checkpoint.TrimHorizon) // somebody mends it
		table.Put(wrong)
		time.Sleep(time.Minute)
		if got := troubles(w, kcl.TroubleContradiction); len(got) > 0 {
			t.Errorf("still told: %q", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := j.words(); !slices.Equal(got, []string{"other", "lost?"}) {
			t.Errorf("processed %q", got)
		}
	})
}

// If no row is left that can be this stream's, the worker ends.
func TestNoRowIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		table.Put(lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd)})
		w, err := kcl.New(config(s, table, "me"), recording(new(journal)))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err = w.Run(ctx)
		if !errors.Is(err, lease.ErrInvalidState) || !strings.Contains(err.Error(), "SHARD_END, and its shard is open") {
			t.Errorf("Run = %v", err)
		}
		if took := time.Since(start); took < 30*time.Second || took > 2*time.Minute {
			t.Errorf("it ended after %v", took)
		}
		if got := troubles(w, kcl.TroubleForeignTable); len(got) != 1 {
			t.Errorf("troubles: %+v", w.Snapshot().Troubles)
		}
	})
}

// A row of a shard that the stream does not have is left alone, and told once no
// listing that is behind explains it.
func TestARowOfAShardThatTheStreamDoesNotHave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		other := lease.Lease{Key: "shardId-000000000009", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon), Counter: 3}
		table.Put(other)
		s.Put(0, "a")
		w, stop := running(t, config(s, table, "me"), recording(j))
		time.Sleep(3 * time.Minute)
		if got := troubles(w, kcl.TroubleContradiction); !slices.Equal(got, []string{other.Key}) {
			t.Errorf("troubles %q", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if l := row(t, table, 9); l.Counter != other.Counter || l.Owner != "" {
			t.Errorf("the row was written: %+v", l)
		}
		if got := j.words(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("processed %q", got)
		}
	})
}

// Rows say whose they are: when created, taken and checkpointed, also those of
// children, and where Java made them without.
func TestRowsSayWhoseTheyAre(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
		table.Put(lease.Lease{Key: s.Shard(1).ID, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
		s.Put(0, "a")
		s.Put(1, "b")
		_, stop := running(t, config(s, table, "me"), recording(j))
		time.Sleep(10 * time.Second)
		s.Split(0)
		s.Put(2, "c")
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		for shard := range 4 {
			if got, want := row(t, table, shard).Identity, (lease.Identity{Stream: "s", Start: s.Shard(shard).StartingSequenceNumber}); got != want {
				t.Errorf("the row of shard %d says %+v; want %+v", shard, got, want)
			}
		}
	})
}

// foreignSource refuses checkpoints, as Kinesis does with those of another stream,
// for so many times.
type foreignSource struct {
	*kcltest.Stream

	refusals int // left
	asked    int
	pages    atomic.Int64 // that were read and not given back
}

func (f *foreignSource) Open(shardID string, from checkpoint.Position) kcl.ShardReader {
	if from.IsRecord() {
		f.asked++
		if f.refusals > 0 {
			f.refusals--
			return refusing{}
		}
	}
	return counting{f.Stream.Open(shardID, from), &f.pages}
}

// counting counts the pages that are not given back.
type counting struct {
	kcl.ShardReader

	pages *atomic.Int64
}

func (c counting) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	p, err := c.ShardReader.Next(ctx, room)
	if err == nil {
		c.pages.Add(1)
		p.Release = func() { c.pages.Add(-1) }
	}
	return p, err
}

type refusing struct{}

func (refusing) Next(context.Context, kcl.Room) (kcl.Page, error) {
	return kcl.Page{}, errors.Join(kcl.ErrTrimmed, errors.New("did not come from this stream"))
}

func (refusing) Close() {}

// Two streams of one second: their first sequence numbers are the same, so only
// what is read tells that the checkpoint is of the other one.
func TestACheckpointThatTheStreamRefutes(t *testing.T) {
	t.Parallel()
	for _, mistake := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, table, j := &foreignSource{Stream: kcltest.NewStream(2), refusals: 1000}, new(lease.Mem), new(journal)
			if mistake {
				s.refusals = 1 // the service is asked once more
			}
			s.Put(0, "a", "b", "c")
			s.Put(1, "other")
			at := s.Records(0)[1].SequenceNumber
			table.Put(lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.At(at, 0, time.Time{})})
			var lost []kcl.LossEvent
			cfg := config(s, table, "me")
			cfg.Hooks.RecordsLost = func(e kcl.LossEvent) { lost = append(lost, e) }
			w, stop := running(t, cfg, recording(j))
			time.Sleep(20 * time.Second) // no sync follows the first one yet
			if got := troubles(w, kcl.TroubleContradiction); (len(got) == 0) != mistake {
				t.Errorf("mistake %v: told at once: %q", mistake, got)
			}
			time.Sleep(10 * time.Minute)
			told := troubles(w, kcl.TroubleContradiction)
			if err := stop(); err != nil {
				t.Error(err)
			}
			if l := row(t, table, 0); !mistake && (l.Checkpoint.SequenceNumber != at || l.Owner != "") {
				t.Errorf("the row was written: %+v", l)
			}
			got := j.words()
			slices.Sort(got)
			want, wantTold := []string{"other"}, []string{s.Shard(0).ID}
			if mistake {
				want, wantTold = []string{"c", "other"}, nil
			}
			if !slices.Equal(got, want) || !slices.Equal(told, wantTold) || len(lost) > 0 {
				t.Errorf("mistake %v: processed %q, told %q, lost %+v", mistake, got, told, lost)
			}
			if n := s.pages.Load(); n != 0 {
				t.Errorf("%d pages were not given back", n)
			}
			if s.asked > 10 {
				t.Errorf("the checkpoint was tried %d times", s.asked)
			}
		})
	}
}

// What is no contradiction is not refused: a parent that was removed by hand, and
// a shard all of whose records have expired.
func TestWhatIsNoContradiction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
		s.Put(0, "a", "b")
		s.Split(1)
		table.Put(lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.At(s.Records(0)[0].SequenceNumber, 0, time.Time{})})
		s.Trim(0, 2)
		table.Put(lease.Lease{Key: s.Shard(2).ID, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon), Parents: []string{"shardId-000000000077"}})
		s.Put(2, "c")
		w, stop := running(t, config(s, table, "me"), recording(j))
		time.Sleep(5 * time.Minute)
		if got := w.Snapshot().Troubles; len(got) > 0 {
			t.Errorf("troubles %+v", got)
		}
		s.Put(0, "d")
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		got := j.words()
		slices.Sort(got)
		if !slices.Equal(got, []string{"c", "d"}) {
			t.Errorf("processed %q", got)
		}
	})
}

// A row that is never explained does not have the shards listed all the time.
func TestARowThatStaysUnknownIsCheap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, j := newOutage(1), new(journal)
		o.Mem.Put(lease.Lease{Key: "shardId-000000000009", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon), Counter: 3})
		var scans atomic.Int64
		s := scanCounter{o, &scans}
		_, stop := running(t, config(o, s, "me"), recording(j))
		time.Sleep(3 * time.Minute)
		scans.Store(0)
		time.Sleep(time.Hour)
		if n := scans.Load(); n > 2600 { // one each 1.7 s, less a tenth, and one each half a minute
			t.Errorf("the table was read %d times in an hour", n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// scanCounter counts how often the table is read.
type scanCounter struct {
	*outage

	n *atomic.Int64
}

func (c scanCounter) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	c.n.Add(1)
	return c.outage.List(ctx)
}

func (c scanCounter) Ensure(ctx context.Context) error { return c.outage.Ensure(ctx) }

// A row that cannot be read once more stays as wrong as it was.
func TestAWrongRowThatCannotBeReadStaysTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, j := newOutage(2), new(journal)
		o.Mem.Put(lease.Lease{Key: o.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd), Counter: 7})
		w, stop := running(t, config(o, o, "me"), recording(j))
		time.Sleep(3 * time.Minute)
		if len(troubles(w, kcl.TroubleContradiction)) != 1 {
			t.Fatal("not told")
		}
		o.set(func() { o.silent["get"] = true })
		for range 10 {
			time.Sleep(time.Minute)
			if len(troubles(w, kcl.TroubleContradiction)) != 1 {
				t.Fatal("forgotten")
			}
		}
		o.set(func() { clear(o.silent) })
		time.Sleep(3 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// behind is a table whose first reading takes long, and a stream whose listing
// shows a reshard late.
type behind struct {
	*outage

	old   kcl.ShardList
	until time.Time     // when the listing shows the reshard
	first time.Duration // how long the first reading takes
	lists atomic.Int64
}

func (b *behind) ListShards(ctx context.Context) (kcl.ShardList, error) {
	if time.Now().Before(b.until) {
		return b.old, nil
	}
	return b.outage.ListShards(ctx)
}

func (b *behind) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	if b.lists.Add(1) == 2 {
		time.Sleep(b.first)
	}
	return b.outage.List(ctx)
}

func (b *behind) Ensure(ctx context.Context) error { return b.outage.Ensure(ctx) }

// Two listings soon after each other prove nothing, however long the reading of
// the table before the first one took.
func TestListingsSoonAfterEachOtherProveNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &behind{outage: newOutage(1), first: 29 * time.Second}
		b.old, _ = b.outage.ListShards(t.Context())
		b.until = time.Now().Add(45 * time.Second)
		cfg := config(b, b, "me")
		cfg.ShardSyncInterval, cfg.ScanInterval = 2*time.Hour, time.Second
		b.lists.Store(1)
		b.fails["read"] = errors.New("503") // so that it creates no child
		time.AfterFunc(20*time.Second, func() {
			b.Split(0)
			b.Mem.Put(lease.Lease{Key: b.Shard(1).ID, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon), Parents: []string{b.Shard(0).ID}})
		})
		core, logs := observer.New(zapcore.ErrorLevel)
		cfg.Logger = zap.New(core)
		_, stop := running(t, cfg, recording(new(journal)))
		time.Sleep(5 * time.Minute)
		if n := logs.FilterMessage("worker is in trouble").Len(); n > 0 {
			t.Errorf("told %d times: %v", n, logs.All()[0].ContextMap())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A shard that was said to have ended while it was open has records that nobody
// read. That it is closed by now does not make that right.
func TestAnEarlyEndIsNotForgottenWhenTheShardEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
		wrong := lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd), Counter: 7}
		table.Put(wrong)
		s.Put(0, "lost?")
		w, stop := running(t, config(s, table, "me"), recording(j))
		time.Sleep(3 * time.Minute)
		s.Split(0)
		s.Put(2, "left")
		time.Sleep(time.Hour)
		if got := troubles(w, kcl.TroubleContradiction); !slices.Equal(got, []string{wrong.Key}) {
			t.Errorf("troubles %q", got)
		}
		wrong.Checkpoint = checkpoint.Sentinel(checkpoint.TrimHorizon) // somebody mends it
		table.Put(wrong)
		time.Sleep(5 * time.Minute)
		if got := troubles(w, kcl.TroubleContradiction); len(got) > 0 {
			t.Errorf("still told: %q", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := j.words(); !slices.Equal(got, []string{"lost?", "left"}) {
			t.Errorf("processed %q", got)
		}
	})
}
