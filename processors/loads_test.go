package processors_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/transform"
)

// waysToLoad are configurations whose cuts have markers.
func waysToLoad() map[string]processors.Config {
	return map[string]processors.Config{
		"on stage":                loading(processors.CommitOnStage),
		"on stage, at least once": with(loading(processors.CommitOnStage), atLeastOnce),
		"on load":                 loading(processors.CommitOnLoad),
		"on load, at least once":  with(loading(processors.CommitOnLoad), atLeastOnce),
	}
}

// TestMarkers: while nothing fails, each cut has one marker, which is put last and names
// what is delivered, and each object is loaded once.
func TestMarkers(t *testing.T) {
	t.Parallel()
	each(t, waysToLoad(), func(t *testing.T, cfg processors.Config) {
		t.Helper()
		w := newWorld(numbered(23))
		w.loader.every = 4
		cfg = with(cfg, func(c *processors.Config) { c.Backup = backedUp().Backup }).WithSize(30).WithBackupSize(11)
		if err := w.run(t.Context(), t, []int{4}, cfg); err != nil {
			t.Fatal(err)
		}
		if err := w.verdict(true); err != nil {
			t.Error(err)
		}
		names := w.deliveredNames()
		for _, name := range names {
			if w.loader.loaded[name] != 1 {
				t.Errorf("%s is loaded %d times", name, w.loader.loaded[name])
			}
		}
		for name, n := range w.loader.taken {
			if n != 1 {
				t.Errorf("marker %s was there %d times", name, n)
			}
		}
		cuts := len(w.loader.taken) // on load one may have several objects
		if cuts > len(names) || cuts < 3 || len(w.bundles()) > 0 {
			t.Errorf("%d markers of %d objects, bundles %v", cuts, len(names), w.bundles())
		}
		announced := map[string]int{"exactly-once load": cuts}[string(cmp.Or(cfg.Delivery, processors.ExactlyOnce))+" "+string(cfg.Load.CommitOn)]
		if w.counts["announce"] != announced || w.counts["mark"] != cuts {
			t.Errorf("operations %v, %d cuts", w.counts, cuts)
		}
		for _, e := range w.delivered {
			if e.Role != processors.RoleDelivery && e.Role != processors.RoleBackup {
				t.Errorf("told to be delivered: %+v", e)
			}
		}
	})
}

// unwilling is a transform that refuses all records.
type unwilling struct{}

func (unwilling) ARN() string { return "urn:unwilling" }

func (unwilling) Transform(_ context.Context, b *transform.Batch) (results []transform.Result, _ error) {
	for _, r := range b.Records {
		results = append(results, transform.Result{ID: r.ID, Status: transform.ProcessingFailed, Data: r.Data})
	}
	return results, nil
}

// TestNothingToLoad: a cut of which nothing is delivered has no marker, and is committed
// without one. Its records are where Firehose puts those that failed.
func TestNothingToLoad(t *testing.T) {
	t.Parallel()
	each(t, waysToLoad(), func(t *testing.T, cfg processors.Config) {
		t.Helper()
		cfg = with(cfg, func(c *processors.Config) {
			c.Transform, c.Prefix = &processors.Transform{Function: unwilling{}}, "logs/"
		})
		s := begin(t, cfg, numbered(5))
		s.loader.every = 0
		s.put(5)
		s.stop()
		if len(s.objects) != 1 || !strings.HasPrefix(s.keys()[0], "b/logs/processing-failed/2016/02/25/13/orders-1-") || s.counts["mark"]+s.counts["announce"] > 0 {
			t.Errorf("objects %v, operations %v", s.keys(), s.counts)
		}
		if at := s.row.checkpoint; s.index(at.ExtendedSequenceNumber) != 4 || s.row.pending != nil {
			t.Errorf("the row is %+v", s.row)
		}
	})
}

// TestGoesOnWhileACutIsLoaded: for an hour nothing is loaded. What comes is gathered in
// objects of the hinted size, or interval, and no call waits; when the first cut is loaded
// the rest follows at once, as one.
func TestGoesOnWhileACutIsLoaded(t *testing.T) {
	t.Parallel()
	for _, delivery := range []processors.Delivery{processors.ExactlyOnce, processors.AtLeastOnce} {
		synctest.Test(t, func(t *testing.T) {
			cfg := with(loading(processors.CommitOnLoad), func(c *processors.Config) {
				c.Delivery = delivery
				c.Hints.SizeInMBs, c.Hints.IntervalInSeconds = 1, 300
			})
			s := begin(t, cfg.WithSize(60), numbered(400))
			s.loader.every = 0
			begun := time.Now()
			for i := 0; i < 300; i += 5 {
				before := time.Now()
				s.put(5)
				if time.Since(before) > time.Second {
					t.Fatalf("the call after record %d took %v", i, time.Since(before))
				}
			}
			s.tick(time.Hour) // of which the interval takes the last object
			if n := len(s.markers()); n != 1 || s.row.checkpoint.IsRecord() || time.Since(begun) > time.Hour+time.Minute {
				t.Fatalf("%d markers, checkpoint %v, after %v", n, s.row.checkpoint, time.Since(begun))
			}
			s.put(1)
			s.loader.every = 1
			s.tick(20 * time.Second)
			if n := s.index(s.row.checkpoint.ExtendedSequenceNumber); n != 300 || len(s.loader.taken) != 2 {
				t.Errorf("after a load the checkpoint is %d, with markers %v", n, s.loader.taken)
			}
			sizes := s.sizes(t)
			if len(sizes) < 30 {
				t.Errorf("objects of %v", sizes)
			}
			for i, n := range sizes[:len(sizes)-2] {
				if n < 60 || n > 72 {
					t.Errorf("object %d has %d bytes: %v", i, n, sizes)
				}
			}
			s.put(99)
			s.stop()
			if err := s.verdict(false); err != nil {
				t.Error(err)
			}
		})
	}
}

// sizes are those of the delivered objects, before compression, in their order.
func (w *world) sizes(t *testing.T) (sizes []int64) {
	t.Helper()
	events := slices.Clone(w.delivered)
	for _, e := range events {
		if e.Role == processors.RoleDelivery {
			sizes = append(sizes, e.Bytes)
		}
	}
	return sizes
}

// TestNoMoreThan128Objects: then the call waits until the cut before is loaded, alive; an
// interval alone makes no object more.
func TestNoMoreThan128Objects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := with(loading(processors.CommitOnLoad), func(c *processors.Config) {
			c.Hints = processors.BufferingHints{SizeInMBs: 1, IntervalInSeconds: 1, BeyondFirehose: true}
		})
		s := begin(t, cfg.WithSize(30), numbered(142))
		s.loader.every = 0
		s.put(5)
		for range 127 { // one each second
			s.put(1)
			s.tick(time.Second)
		}
		begun := time.Now()
		go func() {
			time.Sleep(time.Hour)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.loader.every = 1
		}()
		silent, err := watched(t, time.Minute, func(ctx context.Context) error { return s.pass(ctx, s.processor, 9) })
		if took := time.Since(begun); err != nil || took < time.Hour || took > time.Hour+time.Minute || silent > 5*time.Second {
			t.Errorf("the call took %v, silent for %v: %v", took, silent, err)
		}
		s.put(1)
		s.stop()
		if s.mostMarked != 128 {
			t.Errorf("a cut has %d objects", s.mostMarked)
		}
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

// TestAnApplicationNamedLoad: its bundles are not where markers are, whatever the delivery
// stream is named, so that its sweep deletes none.
func TestAnApplicationNamedLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shard := theShard()
		shard.Table = "load"
		w := newWorld(numbered(23))
		w.loader.every = 0
		_, p, ctx := w.take(t.Context(), t, onLoad(), shard)
		h := w.now
		w.fault = at("prepare", 0, crashBefore)
		if err := h.life(ctx, p, []int{5}); err == nil {
			t.Fatal("it did not crash")
		}
		left := ""
		for _, name := range w.keys() {
			if strings.Contains(name, "/load") {
				left = name
			}
		}
		if !strings.HasPrefix(left, "b/_shardmill/load-/shardId-000000000000-") || processors.Bundles("x/", "app") != "x/app/" {
			t.Fatalf("the bundle is %q", left)
		}
		// A delivery stream with the name of the directory of these bundles.
		dir := strings.Split(left, "/")[3]
		marker := "b/_shardmill/load/" + dir + "/" + exactlyonce.UUID{}.String()
		w.objects[marker] = stored{}
		w.fault, w.loader.every = nil, 0
		_, p, ctx = w.take(t.Context(), t, loading(processors.CommitOnStage).WithSize(20), shard)
		h = w.now
		if err := h.begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		if err := h.deliver(ctx, p, 5); err != nil {
			t.Fatal(err)
		}
		if _, isThere := w.objects[marker]; !isThere || w.objects[left].body != nil {
			t.Errorf("objects %v", w.keys())
		}
	})
}

// TestReadPreparedAnnounced: what `leases` shows.
func TestReadPreparedAnnounced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := awaiting(t, onLoad())
		got, err := processors.ReadPrepared(s.row.pending.State)
		if want := strings.TrimPrefix(s.markers()[0], "b/"); err != nil || got.Bucket != "b" || got.Key != want || got.Records < 3 || len(got.Objects) > 0 || !got.Announced {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestMarkersBucketMayBeNamed: a plan's, though nothing else is put there.
func TestMarkersBucketMayBeNamed(t *testing.T) {
	t.Parallel()
	each(t, waysToLoad(), func(t *testing.T, cfg processors.Config) {
		t.Helper()
		cfg = with(cfg, func(c *processors.Config) { c.Staging = "s3://marks/_shardmill/" }).WithSize(20)
		s := begin(t, cfg, numbered(9))
		s.put(9)
		s.stop()
		if s.counts["check"] != 2 || len(s.loader.taken) < 2 || len(s.loader.loaded) < len(s.loader.taken) {
			t.Errorf("operations %v, markers %v", s.counts, s.loader.taken)
		}
		for name := range s.loader.taken {
			if !strings.HasPrefix(name, "marks/_shardmill/load/orders/") {
				t.Errorf("marker %s", name)
			}
		}
	})
}
