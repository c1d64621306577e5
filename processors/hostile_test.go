package processors_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/transform"
)

// No partition is where bundles are: what sweeps those would delete its objects. And a
// sweep deletes nothing but bundles, whoever put it there.
func TestPartitionsAmongBundles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := struck(t, "prepare", 0, crashBefore, transformed().WithSize(30))
		bundle := w.bundles()[0]
		folder := bundle[:strings.LastIndex(bundle, "/")]
		_, folder, _ = strings.Cut(folder, "/") // without the bucket
		stranger := objectName("b", folder+"/orders-1-2016-02-25-13-00-00-00000000-0000-4000-8000-000000000000")
		w.objects[stranger] = stored{body: []byte("somebody's")}
		if err := w.run(t.Context(), t, []int{4}, transformed().WithSize(30)); err != nil {
			t.Fatal(err)
		}
		if _, isThere := w.objects[stranger]; !isThere || len(w.bundles()) > 1 {
			t.Errorf("left are %v", w.keys())
		}
		got, _ := put(t, with(divided(), func(c *processors.Config) { c.Prefix = "!{partitionKeyFromLambda:k}/" }), recordsOf(folder+":a", "_shardmill:b", "other:c"))
		if lines := failedLines(t, got["errors/metadata-extraction-failed/"]...); len(got) != 2 || len(lines) != 2 || len(got["other/"]) != 1 {
			t.Errorf("got %q", got)
		}
	})
}

// A function may append to what it gets, as many do with a newline: the records beside it
// are not its own.
func TestAFunctionThatAppends(t *testing.T) {
	t.Parallel()
	appending := transform.Each("appending", func(_ context.Context, r *transform.Record) transform.Result {
		return transform.Result{Status: transform.Ok, Data: append(r.Data, '\n')}
	})
	for name, row := range map[string]struct{ of, data, want string }{
		"objects": {"", `{"a":1}{"b":2}{"c":3}`, "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n"},
		"between": {",", "a,b,c", "a\nb\nc\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, _ := put(t, with(by(appending), func(c *processors.Config) {
					c.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.JSON}
					if row.of != "" {
						c.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.Delimited, Delimiter: row.of}
					}
				}), recordsOf(row.data))
				if body := strings.Join(got["2016/02/25/13/"], ""); body != row.want {
					t.Errorf("got %q, want %q", got, row.want)
				}
			})
		})
	}
}

// A cut ends before it has more objects than a bundle's index can name.
func TestManyPartitionsOfACut(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ partitions, long int }{"objects": {50_050, 0}, "names": {24_000, 480}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cuts, objects := 0, int64(0)
				cfg := with(divided(func(d *processors.DynamicPartitioning) { d.ActivePartitions = 100_000 }), func(c *processors.Config) {
					c.ParallelPuts = 0
					c.Hooks.Processed = func(e processors.ProcessedEvent) { cuts, objects = cuts+1, objects+e.Objects }
				})
				archiver, err := processors.New(cfg, nowhere{})
				if err != nil {
					t.Fatal(err)
				}
				records := make([]kcl.Record, row.partitions)
				for i := range records {
					records[i] = record(3*i, fmt.Sprintf("%s%d:", strings.Repeat("k", row.long), i))
				}
				deliverAll(t, archiver, records)
				if cuts != 2 || objects != int64(row.partitions) {
					t.Errorf("%d objects in %d cuts", objects, cuts)
				}
			})
		})
	}
}

// What is held is told while calls are under way, on goroutines that are not the shard's.
func TestHeldWhileCallsEnd(t *testing.T) {
	t.Parallel() // and in real time, so that the race detector sees them end
	same := transform.Each("same", func(_ context.Context, r *transform.Record) transform.Result {
		return transform.Result{Status: transform.Ok, Data: r.Data}
	})
	archiver, err := processors.New(by(same), nowhere{})
	if err != nil {
		t.Fatal(err)
	}
	p := archiver.Processor(theShard())
	cp := checkpoint.New(noRow{}, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
	if err := p.Initialize(t.Context(), kcl.InitializationInput{Checkpointer: cp, Checkpoint: cp.Last(), CheckTrust: func() error { return nil }}); err != nil {
		t.Fatal(err)
	}
	held := int64(0)
	for _, r := range numbered(300) {
		cp.Processed(r.Position())
		if err := p.ProcessRecords(t.Context(), kcl.ProcessRecordsInput{Records: []kcl.Record{r}, Checkpointer: cp, Hold: func(n int64) { held = n }}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.ShutdownRequested(t.Context(), kcl.ShutdownRequestedInput{Checkpointer: cp}); err != nil || held == 0 {
		t.Errorf("%d held, %v", held, err)
	}
	p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
}

// What records inflate to is held, while it waits for its transform.
func TestInflatedRecordsAreHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := with(by(keyed()).WithBatchSize(100<<20), func(c *processors.Config) { c.Decompression = true })
		archiver, err := processors.New(cfg, new(shelf))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for i := range 20_000 {
			fmt.Fprint(&text, i*i%1009, " ")
		}
		p, in := calledWith(t, archiver.Processor(theShard()), recordsOf(zipped(t, text.String())))
		held := int64(0)
		in.Hold = func(n int64) { held = n }
		if err := p.ProcessRecords(t.Context(), in); err != nil || held < int64(text.Len()) {
			t.Errorf("%d bytes are held, %v", held, err)
		}
		p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
	})
}

// Records that fail before the transform do not gather until the batch's interval is over.
func TestRecordsThatFailBeforeTheTransform(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var last processors.BufferedEvent
		cfg := with(by(keyed()).WithBatchSize(100), func(c *processors.Config) {
			c.Decompression = true
			c.Hooks.Buffered = func(e processors.BufferedEvent) { last = e }
		})
		archiver, err := processors.New(cfg, new(shelf))
		if err != nil {
			t.Fatal(err)
		}
		p, in := calledWith(t, archiver.Processor(theShard()), numbered(1000))
		if err := p.ProcessRecords(t.Context(), in); err != nil || last.Held > 600<<10 {
			t.Errorf("held are %d bytes, %v", last.Held, err)
		}
		p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
	})
}
