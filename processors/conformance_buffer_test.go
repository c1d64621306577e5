package processors_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// conformBuffers has those about when an object is complete.
func conformBuffers(t *testing.T) {
	t.Helper()
	for name, check := range map[string]func(*testing.T){
		"B1":  intervalCloses,
		"B2":  theRecordThatReachesTheSizeJoins,
		"B3":  anEmptyBufferMakesNoObject,
		"B4":  theSizeIsThatBeforeCompression,
		"B5":  theIntervalBeginsWithTheFirstRecord,
		"B8":  zeroBufferingDeliversAtOnce,
		"B9":  shortIntervalsUploadInParts,
		"B10": eachShardHasItsBuffer,
		"B15": nothingIsLostWhenDeliveryIsBehind,
		"B16": theBufferGoesWithTheLease,
	} {
		statement(t, name, check)
	}
}

func intervalCloses(t *testing.T) {
	t.Helper()
	s := begin(t, config(), arrived([]string{"0123456789"}))
	s.put(1)
	s.tick(299 * time.Second)
	if len(s.objects) > 0 {
		t.Fatal("an object after 299 s")
	}
	s.tick(time.Second)
	s.one()
}

func theRecordThatReachesTheSizeJoins(t *testing.T) {
	t.Helper()
	million := strings.Repeat("x", 1_000_000)
	s := begin(t, config(), arrived([]string{million, million, million, million, million, million, "rest"}))
	for range 5 {
		s.put(1)
	}
	if len(s.objects) > 0 {
		t.Fatal("an object after 5,000,000 bytes")
	}
	s.put(2)
	if _, o := s.one(); len(o.body) != 6_000_000 {
		t.Errorf("object of %d bytes, want 6,000,000", len(o.body))
	}
}

func TestExactlyTheSizeIsEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config(), arrived([]string{strings.Repeat("x", 5<<20-1), "y", "z"}))
		s.put(1)
		if len(s.objects) > 0 {
			t.Fatal("an object one byte early")
		}
		s.put(1)
		s.one()
	})
}

// TestOneBatchCompletesSeveralObjects: the size is looked at after each record.
func TestOneBatchCompletesSeveralObjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		data := make([]string, 11)
		for i := range data {
			data[i] = strings.Repeat("x", 1<<20)
		}
		s := begin(t, with(config(), gz), arrived(data))
		s.put(11)
		s.stop()
		var sizes []int64
		for _, e := range s.delivered {
			sizes = append(sizes, e.Bytes>>20)
		}
		if !slices.Equal(sizes, []int64{5, 5, 1}) {
			t.Errorf("objects of %v MiB", sizes)
		}
	})
}

func anEmptyBufferMakesNoObject(t *testing.T) {
	t.Helper()
	for _, change := range []func(*processors.Config){hints(5, 300), zeroBuffering} {
		s := begin(t, with(config(), change), nil)
		s.tick(time.Hour)
		s.stop()
		if len(s.objects) > 0 || s.counts["prepare"]+s.counts["commit"] > 0 {
			t.Errorf("objects %v, writes %v", s.keys(), s.counts)
		}
	}
}

func theSizeIsThatBeforeCompression(t *testing.T) {
	t.Helper()
	s := begin(t, with(config(), gz), arrived([]string{strings.Repeat("0123456789", 1<<19)}))
	s.put(1)
	if _, o := s.one(); len(o.body) > 1<<20 {
		t.Errorf("object of %d bytes", len(o.body))
	}
}

func theIntervalBeginsWithTheFirstRecord(t *testing.T) {
	t.Helper()
	s := begin(t, config(), arrived([]string{"a", "b", "c"}))
	s.tick(299 * time.Second)
	s.put(1)
	first := time.Now()
	s.tick(100 * time.Second)
	s.put(1) // does not begin it anew
	s.tick(300 * time.Second)
	_, o := s.one()
	if got := o.at.Sub(first); got != 300*time.Second {
		t.Errorf("delivered %v after the first record", got)
	}
	s.put(1)
	s.tick(300 * time.Second)
	if len(s.objects) != 2 {
		t.Errorf("%d objects", len(s.objects))
	}
}

// zeroBufferingDeliversAtOnce: what a call brings is one object, not one for each
// record, unless the size is reached.
func zeroBufferingDeliversAtOnce(t *testing.T) {
	t.Helper()
	for name, cfg := range map[string]processors.Config{"kind R": config(), "kind S": backedUp()} {
		s := begin(t, with(cfg, zeroBuffering).WithSize(12), numbered(6))
		began := time.Now()
		for _, n := range []int{2, 0, 4} {
			s.put(n)
		}
		var sizes []int64
		for _, e := range s.delivered {
			if e.Role == processors.RoleDelivery {
				sizes = append(sizes, e.Records)
			}
		}
		if took := time.Since(began); took > 5*time.Second || !slices.Equal(sizes, []int64{2, 3, 1}) {
			t.Errorf("%s: objects of %v records after %v", name, sizes, took)
		}
		if err := s.verdict(true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// shortIntervalsUploadInParts: of what is delivered and of what could not be, not of
// the backup and not of bundles, which Firehose does not have.
func shortIntervalsUploadInParts(t *testing.T) {
	t.Helper()
	for seconds, want := range map[int]bool{0: true, 30: true, 59: true, 60: false, 300: false} {
		intervalUploadsInParts(t, seconds, false, want)
		intervalUploadsInParts(t, seconds, true, false)
	}
}

func intervalUploadsInParts(t *testing.T, seconds int, beyond, want bool) {
	t.Helper()
	cfg := with(config(), hints(1, seconds), func(c *processors.Config) {
		c.Prefix, c.ErrorOutputPrefix, c.Decompression = "logs/", "errors/", true
		c.Backup = &processors.Backup{Bucket: "backups", Prefix: "raw/", Hints: processors.BufferingHints{SizeInMBs: 1, IntervalInSeconds: 30, BeyondFirehose: true}}
		c.Hints.ZeroBuffering, c.Hints.BeyondFirehose = seconds == 0, beyond
	})
	for _, successor := range []bool{false, true} {
		w := newWorld(arrived([]string{zipped(t, "a"), "b"}))
		if successor { // it puts what its predecessor sealed
			w.fault = at("put", 0, crashBefore)
		}
		_ = w.run(t.Context(), t, []int{2}, cfg)
		w.fault = nil
		if err := w.run(t.Context(), t, []int{2}, cfg); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, o := range w.puts {
			folder, _, _ := strings.Cut(o.Key, "/")
			got[folder] = o.Multipart
		}
		if wanted := map[string]bool{"logs": want, "errors": want, "raw": false, "_shardmill": false}; !maps.Equal(got, wanted) {
			t.Errorf("%d s, beyond %v, successor %v: in parts %v, want %v", seconds, beyond, successor, got, wanted)
		}
	}
}

func eachShardHasItsBuffer(t *testing.T) {
	t.Helper()
	w := newWorld(arrived([]string{"a"}))
	h, _, ctx := w.take(t.Context(), t, config(), theShard())
	archiver, err := processors.New(config(), store{w, h})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		shard := theShard()
		shard.ShardID = fmt.Sprintf("shardId-%012d", i)
		w.row = newWorld(nil).row
		h, _, _ = w.take(ctx, t, config(), shard)
		p := archiver.Processor(shard)
		w.now = h
		if err := h.begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		w.now.asked = true
		if err := h.deliver(ctx, p, 1); err != nil {
			t.Fatal(err)
		}
		if err := p.ShutdownRequested(ctx, kcl.ShutdownRequestedInput{Checkpointer: h.cp}); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.objects) != 4 {
		t.Errorf("%d objects, want 4", len(w.objects))
	}
}

func nothingIsLostWhenDeliveryIsBehind(t *testing.T) {
	t.Helper()
	s := begin(t, config().WithSize(30), numbered(100))
	s.downUntil, s.behind = time.Now().Add(10*time.Minute), 10*time.Minute
	s.put(100)
	s.stop()
	if err := s.verdict(true); err != nil {
		t.Error(err)
	}
	if e := s.delivered[0]; e.Bytes < 2*30 {
		t.Errorf("an object of %d bytes while the shard is two intervals behind", e.Bytes)
	}
}

// theBufferGoesWithTheLease: what Firehose does to its buffer when a delivery stream is
// deleted, an archiver does when its lease is lost: the next holder reads the records
// again. One that is told to stop delivers what it has.
func theBufferGoesWithTheLease(t *testing.T) {
	t.Helper()
	s := begin(t, config(), arrived([]string{"a"}))
	s.put(1)
	s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
	if len(s.objects) > 0 || s.counts["prepare"]+s.counts["commit"] > 0 {
		t.Errorf("objects %v, writes %v", s.keys(), s.counts)
	}
	if err := s.run(t.Context(), t, []int{1}, config()); err != nil {
		t.Fatal(err)
	}
	s.one()
}
