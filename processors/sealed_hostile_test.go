package processors_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// wayward is a store whose first puts of a bucket do not return.
type wayward struct {
	shelf

	calls int
	how   func()
}

func (s *wayward) Put(ctx context.Context, o processors.Object) error {
	if o.Bucket == "backup" {
		if s.calls++; s.calls <= 2 {
			s.how()
		}
	}
	return s.shelf.Put(ctx, o)
}

// TestAPutThatDoesNotReturn: nothing that a store does makes an object count as put.
func TestAPutThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(){
		"its goroutine ends": runtime.Goexit,
		"it panics":          func() { panic("a store's fault") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &wayward{how: how}
				archiver, err := processors.New(with(backedUp(), func(c *processors.Config) { c.Backup.Compression = processors.Uncompressed }), s)
				if err != nil {
					t.Fatal(err)
				}
				deliverAll(t, archiver, numbered(9))
				places := map[string]int{}
				for _, o := range s.objects {
					places[o.Bucket] += strings.Count(string(o.body), "<")
				}
				if s.calls < 3 || places["b"] != 9 || places["backup"] != 9 {
					t.Errorf("after %d puts the records are there %v times", s.calls, places)
				}
			})
		})
	}
}

// TestAShorterBundle: what is not whole is not waited for.
func TestAShorterBundle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := struck(t, "put", 0, crashBefore, backedUp().WithSize(30))
		name := w.bundles()[0]
		o := w.objects[name]
		o.body = o.body[:len(o.body)-5]
		w.objects[name] = o
		if err := w.run(t.Context(), t, []int{4}, backedUp()); !errors.Is(err, processors.ErrUnfinishable) || !strings.Contains(err.Error(), "shorter than planned") {
			t.Errorf("got %v", err)
		}
	})
}

// TestBundleAfterAChange: a holder that is configured in another way finishes what was
// staged, or says which bucket it is not allowed.
func TestBundleAfterAChange(t *testing.T) {
	t.Parallel()
	staged := with(backedUp(), func(c *processors.Config) { c.Staging = "s3://stage/x/" }).WithSize(30)
	long := with(staged, func(c *processors.Config) {
		c.Prefix, c.Backup.Prefix = strings.Repeat("p", 400), strings.Repeat("q", 400)
	})
	for _, row := range []struct {
		name          string
		first, second processors.Config
		want          string
	}{
		{"at least once", staged, with(staged, func(c *processors.Config) { c.Delivery = processors.AtLeastOnce }), ""},
		{"no backup, its buckets named", staged, with(config(), func(c *processors.Config) { c.FormerBuckets = []string{"backup", "stage"} }), ""},
		{"no backup, and no word of its bucket", staged, with(config(), func(c *processors.Config) { c.FormerBuckets = []string{"stage"} }), `shardmill.formerBuckets: ["backup"]`},
		{"the same, known from the index", long, with(config(), func(c *processors.Config) { c.FormerBuckets = []string{"stage"} }), `shardmill.formerBuckets: ["backup"]`},
		{"no word of where it was staged", staged, with(config(), func(c *processors.Config) { c.FormerBuckets = []string{"backup"} }), `shardmill.formerBuckets: ["stage"]`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := struck(t, "put", 1, crashBefore, row.first)
				err := w.run(t.Context(), t, []int{4}, row.second)
				if row.want == "" {
					err = errors.Join(err, w.verdict(true))
				}
				if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
					t.Errorf("got %v, want %q", err, row.want)
				}
			})
		})
	}
}

// TestSmallRecordsCount: what a log knows of its objects is memory, too, and ends the cut.
func TestSmallRecordsCount(t *testing.T) {
	t.Parallel()
	archiver, err := processors.New(with(backedUp(), func(c *processors.Config) { c.AppendDelimiterToRecord = true }), new(shelf))
	if err != nil {
		t.Fatal(err)
	}
	p := archiver.Processor(theShard())
	cp := checkpoint.New(noRow{}, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
	if err := p.Initialize(t.Context(), kcl.InitializationInput{Checkpointer: cp, Checkpoint: cp.Last(), CheckTrust: func() error { return nil }}); err != nil {
		t.Fatal(err)
	}
	records := make([]kcl.Record, 10_000)
	for i := range records {
		records[i] = record(3*i, "x")
	}
	var held int64
	cp.Processed(records[len(records)-1].Position())
	if err := p.ProcessRecords(t.Context(), kcl.ProcessRecordsInput{Records: records, Checkpointer: cp, Hold: func(n int64) { held = n }}); err != nil {
		t.Fatal(err)
	}
	if least := int64(len(records) * 16); held < least {
		t.Errorf("it says to hold %d bytes, of extents alone there are %d", held, least)
	}
	p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
}

// TestUnknownARN: of a stream whose ARN is not known nothing is swept, as it may be
// another one of that name.
func TestUnknownARN(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(numbered(9))
		shard := theShard()
		shard.StreamARN = ""
		h, p, ctx := w.take(t.Context(), t, backedUp(), shard)
		if err := h.life(ctx, p, []int{4}); err != nil || w.counts["list"] > 0 || w.counts["seal"] == 0 {
			t.Errorf("%v, operations %v", err, w.counts)
		}
	})
}
