package processors_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
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

// TestReadingStopsAtTheBudget: a loader that loads nothing for an hour. Workers read on
// until their memory is used up, and no further; when it loads, all is delivered.
func TestReadingStopsAtTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const budget, shards, records, size = 1 << 20, 2, 1000, 4 << 10
		stream, table, s := kcltest.NewStream(shards), new(lease.Mem), new(shelf)
		for i := range records {
			for shard := range shards {
				stream.Put(shard, fmt.Sprintf("%d.%d%s ", shard, i, strings.Repeat("x", size)))
			}
		}
		var held [shards]int64
		cfg := with(loading(processors.CommitOnLoad), func(c *processors.Config) {
			c.Compression = processors.Uncompressed
			c.Hooks.Buffered = func(e processors.BufferedEvent) { held[shardNumber(e.ShardID)] = e.Held }
		}).WithSize(64 << 10)
		archiver, err := processors.New(cfg, s)
		if err != nil {
			t.Fatal(err)
		}
		k := kcl.Config{
			ApplicationName: "app", StreamName: "clicks", Source: stream, Leases: table, WorkerID: "one", MaxBytes: budget,
			FailoverTime: 10 * time.Second,
		}
		if err := archiver.Configure(&k); err != nil {
			t.Fatal(err)
		}
		w, err := kcl.New(k, archiver.Processor)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		for range 3600 {
			time.Sleep(time.Second)
			if in := w.Snapshot().BytesInUse; in > budget+budget/2 { // a page may exceed
				t.Fatalf("%d bytes are in use", in)
			}
		}
		synctest.Wait()
		if held[0]+held[1] < budget/2 || held[0]+held[1] > budget+budget/4 {
			t.Errorf("after an hour %v are held, of a budget of %d", held, budget)
		}
		if n := s.markersTaken(); n != shards {
			t.Errorf("%d markers", n)
		}
		for range 600 {
			time.Sleep(time.Second)
			s.markersTaken()
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		seen := map[string]bool{}
		for _, word := range s.words() {
			seen[strings.TrimRight(word, "x")] = true
		}
		if n := len(seen); n != records*shards {
			t.Errorf("%d records are delivered, want %d", n, records*shards)
		}
	})
}

func shardNumber(id string) (n int) {
	_, _ = fmt.Sscanf(id, "shardId-%d", &n)
	return n
}

// markersTaken deletes the markers, and returns how many there were.
func (s *shelf) markersTaken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.objects)
	s.objects = slices.DeleteFunc(s.objects, func(o shelved) bool { return isMarker(o.Key) })
	return before - len(s.objects)
}

// awaiting returns a shard whose first cut waits to be loaded.
func awaiting(t *testing.T, cfg processors.Config) *shard {
	t.Helper()
	s := begin(t, cfg, numbered(23))
	s.loader.every = 0
	s.put(5)
	if len(s.markers()) != 1 || s.row.checkpoint.IsRecord() {
		t.Fatalf("objects %v, row %+v", s.keys(), s.row)
	}
	return s
}

// onLoad is config whose checkpoints wait for a load, with small cuts.
func onLoad() processors.Config { return loading(processors.CommitOnLoad).WithSize(20) }

// TestASuccessorAwaitsToo: it puts nothing, begins at once, gathers what follows and
// nothing again, and commits when the marker is gone, whatever is configured.
func TestASuccessorAwaitsToo(t *testing.T) {
	t.Parallel()
	successors := map[string]processors.Config{
		"same": onLoad(), "on stage": loading(processors.CommitOnStage).WithSize(20), "no load": config().WithSize(35), // its cut has one object, which cannot be followed by another
		"at least once": with(onLoad(), atLeastOnce), "a transform": with(onLoad(), func(c *processors.Config) { c.Transform = transformed().Transform }).WithBatchSize(12),
	}
	each(t, successors, func(t *testing.T, cfg processors.Config) {
		t.Helper()
		s := awaiting(t, onLoad())
		s.put(2)
		before := s.counts["put"] + s.counts["seal"] + s.counts["mark"]
		s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		if len(s.bundles()) > 0 {
			t.Errorf("bundles %v are there though it is announced", s.bundles())
		}
		begun := time.Now()
		h, p, ctx := s.take(t.Context(), t, cfg, theShard())
		if err := h.begin(ctx, p); err != nil || time.Since(begun) > time.Second || h.read != 0 {
			t.Fatalf("after %v it begins at record %d: %v", time.Since(begun), h.read, err)
		}
		for range 4 { // the awaited cut's come again, and two more
			if err := h.deliver(ctx, p, 2); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if after := s.counts["put"] + s.counts["seal"] + s.counts["mark"]; after != before || s.row.checkpoint.IsRecord() || s.row.pending == nil {
			t.Errorf("%d puts, %d before; the row is %+v", after, before, s.row)
		}
		if n := len(s.awaiting); n < 3 || s.awaiting[n-1].Since.IsZero() || !strings.HasSuffix(s.markers()[0], s.awaiting[n-1].Key) {
			t.Errorf("told %+v", s.awaiting)
		}
		s.loader.every = 1
		if err := h.life(ctx, p, []int{3}); err != nil {
			t.Fatal(err)
		}
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
		for name, n := range s.loader.taken {
			if n != 1 {
				t.Errorf("marker %s was there %d times", name, n)
			}
		}
	})
}

// TestWhatEndsAWait: each way that ends a holding ends it at once, and leaves the
// announcement to the next holder.
func TestWhatEndsAWait(t *testing.T) {
	t.Parallel()
	for name, end := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := awaiting(t, onLoad())
				asked := s.counts["head"]
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := s.counts["head"] - asked; n < 9 || n > 16 {
					t.Errorf("the marker was asked for %d times in a minute", n)
				}
				begun := time.Now()
				end(t, s.processor, kcl.ProcessRecordsInput{Checkpointer: s.cp})
				synctest.Wait()
				if took := time.Since(begun); took > 0 {
					t.Errorf("it took %v", took)
				}
				asked = s.counts["head"]
				if last := s.awaiting[len(s.awaiting)-1]; name != "initialized again" && !last.Since.IsZero() {
					t.Errorf("told %+v", last)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if _, isAnnounced := s.announced(); s.counts["head"] != asked || !isAnnounced {
					t.Errorf("asked for the marker %d times more; the row is %+v", s.counts["head"]-asked, s.row)
				}
			})
		})
	}
}

// TestAShutdownLeavesALoad to the next holder five seconds before its deadline.
func TestAShutdownLeavesALoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := awaiting(t, onLoad())
		s.put(3)
		begun := time.Now()
		err := s.processor.ShutdownRequested(t.Context(), kcl.ShutdownRequestedInput{Checkpointer: s.cp, Deadline: begun.Add(30 * time.Second)})
		if took := time.Since(begun); took != 25*time.Second || err == nil || !strings.Contains(err.Error(), "the next holder") {
			t.Errorf("after %v: %v", took, err)
		}
		s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		s.loader.every = 1
		if err := s.run(t.Context(), t, []int{3}, onLoad()); err != nil {
			t.Fatal(err)
		}
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

// TestAWaitIsTold: at once, and then once a minute, also if the marker cannot be asked
// for; and what the cut held is given back.
func TestAWaitIsTold(t *testing.T) {
	t.Parallel()
	for _, isDown := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			core, logs := observer.New(zapcore.InfoLevel)
			var last processors.BufferedEvent
			cfg := with(onLoad(), func(c *processors.Config) {
				c.Logger = zap.New(core, zap.WithClock(bubbleClock{}))
				c.Hooks.Buffered = func(e processors.BufferedEvent) { last = e }
			})
			s := awaiting(t, cfg)
			if isDown {
				s.downUntil = time.Now().Add(time.Hour)
			}
			s.tick(30 * time.Minute)
			told := logs.FilterMessage("staged, waiting to be loaded").Len()
			if want := map[bool]int{false: 29, true: 1}[isDown]; told < want || told > want+2 || gap(start(), logs) > 70*time.Second && !isDown {
				t.Errorf("told %d times that it waits, want %d", told, want)
			}
			if n := logs.FilterMessage("failed, will be repeated").Len(); isDown && (n < 29 || n > 31) {
				t.Errorf("told %d times that the marker cannot be asked for", n)
			}
			if last.Records != 0 || last.Bytes != 0 || last.Held != 1<<10 || last.Freshness != 0 {
				t.Errorf("buffered %+v", last)
			}
			for _, e := range s.awaiting {
				if e.ShardID != theShard().ShardID || !e.Since.Equal(s.awaiting[0].Since) || e.Since.IsZero() {
					t.Errorf("told %+v", e)
				}
			}
			s.downUntil, s.loader.every = time.Time{}, 1
			s.tick(20 * time.Second)
			if s.index(s.row.checkpoint.ExtendedSequenceNumber) != 3 && !s.row.checkpoint.IsRecord() || !s.awaiting[len(s.awaiting)-1].Since.IsZero() {
				t.Errorf("the row is %+v, told %+v", s.row, s.awaiting)
			}
		})
	}
}

// TestSomebodyElsesMarker: an object that is not the cut's is under the marker's key. The
// shard stops, and says so.
func TestSomebodyElsesMarker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := awaiting(t, onLoad())
		s.objects[s.markers()[0]] = stored{body: []byte("{}")}
		time.Sleep(10 * time.Second)
		if err := s.deliver(t.Context(), s.processor, 0); !errors.Is(err, processors.ErrKeyTaken) || s.row.checkpoint.IsRecord() {
			t.Errorf("%v, the row is %+v", err, s.row)
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

// TestPlansOfLoadsFit: with the longest names that there may be.
func TestPlansOfLoadsFit(t *testing.T) {
	t.Parallel()
	for _, on := range []processors.CommitOn{processors.CommitOnStage, processors.CommitOnLoad} {
		cfg := with(loading(on), func(c *processors.Config) {
			c.DeliveryStreamName, c.Bucket = strings.Repeat("d", 64), strings.Repeat("b", 63)
			c.Staging = "s3://" + strings.Repeat("s", 63) + "/" + strings.Repeat("p", 99) + "/"
		})
		if _, err := processors.New(cfg, new(shelf)); err != nil {
			t.Fatal(err)
		}
		pl := cfg.LargestPlan()
		bucket, prefix := cfg.Markers()
		announced := pl.Announce(exactlyonce.Target{Bucket: bucket, Key: prefix + pl.UUID.String()})
		if a, b := len(pl.Encode()), len(announced.Encode()); a > exactlyonce.MaxBytes || b > exactlyonce.MaxBytes || pl.Bundle == nil {
			t.Errorf("%d and %d bytes", a, b)
		}
	}
}

// TestLoadIsRefused: all that does not go with a load, in Firehose's words, at once.
func TestLoadIsRefused(t *testing.T) {
	t.Parallel()
	const formats, prefixes = stagedFormats, stagedPrefixes
	for _, row := range []struct {
		name   string
		change func(*processors.Config)
		want   []string // none: accepted
		not    string
	}{
		{"the shortest", func(c *processors.Config) { c.Load = &processors.Load{} }, nil, ""},
		{"a literal prefix", func(c *processors.Config) { c.Prefix = "logs/" }, nil, ""},
		{"uncompressed, at least once", func(c *processors.Config) { c.Compression = processors.Uncompressed; atLeastOnce(c) }, nil, ""},
		{"stages and a backup", func(c *processors.Config) { c.Decompression, c.Backup = true, backedUp().Backup }, nil, ""},
		{"UTC by name", zone("UTC"), nil, ""},
		{"Snappy", compression(processors.Snappy), []string{`Compression "Snappy"`, formats}, ""},
		{"ZIP", compression(processors.ZIP), []string{formats}, ""},
		{"ZSTD", compression(processors.ZSTD), []string{formats}, ""},
		{"an expression", prefixed("!{timestamp:yyyy}/"), []string{"Prefix", prefixes}, "must be given"},
		{"an expression, and another prefix", func(c *processors.Config) { c.Prefix, c.ErrorOutputPrefix = "!{timestamp:yyyy}/", "e/" }, []string{"Prefix", "ErrorOutputPrefix", prefixes}, ""},
		{"another prefix", errorsPrefixed("errors/"), []string{"ErrorOutputPrefix", prefixes}, ""},
		{"a time zone", zone("Asia/Calcutta"), []string{`CustomTimeZone "Asia/Calcutta": must be UTC`}, ""},
		{"an extension", func(c *processors.Config) { c.FileExtension = ".x" }, []string{"FileExtension"}, ""},
		{"the prefix of markers", prefixed("_shardmill/load/orders/x"), []string{"Prefix", "where markers are"}, ""},
		{"what to wait for", func(c *processors.Config) { c.Load.CommitOn = "copy" }, []string{`Load.CommitOn "copy"`, `"stage" or "load"`}, ""},
		{
			"all of it",
			func(c *processors.Config) {
				*c = partitioned()
				c.Load, c.Index, c.Compression, c.FileExtension = &processors.Load{CommitOn: "x"}, index{}, processors.ZIP, ".x"
				c.CustomTimeZone = "Asia/Calcutta"
			},
			[]string{"Load.CommitOn", formats, prefixes, "ErrorOutputPrefix", "CustomTimeZone", "DynamicPartitioning", "Index", "FileExtension"},
			"",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := processors.New(with(loading(""), row.change), new(shelf))
			if (err == nil) != (len(row.want) == 0) {
				t.Fatalf("got %v", err)
			}
			for _, part := range row.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\nlacks %q", err, part)
				}
			}
			if row.not != "" && strings.Contains(err.Error(), row.not) {
				t.Errorf("%v\nhas %q", err, row.not)
			}
		})
	}
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
