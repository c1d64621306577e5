package processors_test

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/transform"
)

// calls are a transform whose calls take a time that is told in advance, and then say
// that all is as it was.
type calls struct {
	times []time.Duration // of the call with a numbered record first; of later ones the last one

	mu    sync.Mutex
	under int // calls under way
	most  int
	sizes map[int]int // records of each call, by the number of its first one
}

func (*calls) ARN() string { return "urn:calls" }

func (c *calls) Transform(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
	var n int
	_, _ = fmt.Sscanf(string(b.Records[0].Data), "<%d>", &n)
	c.begin(n, len(b.Records))
	defer c.end()
	select {
	case <-time.After(c.times[min(n, len(c.times)-1)]):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	results := make([]transform.Result, 0, len(b.Records))
	for _, r := range b.Records {
		results = append(results, transform.Result{ID: r.ID, Status: transform.Ok, Data: r.Data})
	}
	return results, nil
}

func (c *calls) begin(first, records int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sizes == nil {
		c.sizes = map[int]int{}
	}
	c.sizes[first] += records
	c.under++
	c.most = max(c.most, c.under)
}

func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under--
}

// inOrder returns how many records each call had.
func (c *calls) inOrder() (sizes []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, first := range slices.Sorted(maps.Keys(c.sizes)) {
		sizes = append(sizes, c.sizes[first])
	}
	return sizes
}

func (c *calls) underWay() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.under
}

// by returns a configuration with a transform and its batches of one record.
func by(f transform.Function) processors.Config {
	return with(config(), func(c *processors.Config) { c.Transform = &processors.Transform{Function: f} }).WithBatchSize(1)
}

// Up to five calls are under way, what they say enters in the order of the records, and a
// sixth batch keeps its call until the first one is done.
func TestTransformsSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &calls{times: []time.Duration{50 * time.Second, 40 * time.Second, 30 * time.Second, 20 * time.Second, 10 * time.Second, time.Second}}
		s := begin(t, by(c), numbered(9))
		begun := time.Now()
		if err := s.pass(t.Context(), s.processor, 5); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if took := time.Since(begun); took > 0 || c.underWay() != 5 {
			t.Fatalf("after %v %d calls are under way", took, c.underWay())
		}
		if err := s.pass(t.Context(), s.processor, 1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 50*time.Second {
			t.Errorf("the sixth batch began after %v", took)
		}
		s.put(3)
		s.stop()
		if c.most != 5 {
			t.Errorf("%d calls were under way", c.most)
		}
		if _, o := s.one(); string(o.body) != "<0><1>x<2>xx<3>xxx<4>xxxx<5>xxxxx<6>xxxxxx<7><8>x" {
			t.Errorf("the object is %q", o.body)
		}
	})
}

// With a budget that has no room one batch at a time is transformed.
func TestTransformsWithoutRoom(t *testing.T) {
	t.Parallel()
	for _, hasRoom := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := &calls{times: []time.Duration{time.Second}}
			s := begin(t, by(c), numbered(6))
			var asked []int64
			in := kcl.ProcessRecordsInput{Records: s.records, Checkpointer: s.cp, Hold: func(int64) {}, TryHold: func(n int64) bool {
				asked = append(asked, n)
				return hasRoom
			}}
			s.cp.Processed(s.records[5].Position())
			if err := s.processor.ProcessRecords(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			s.stop()
			if want := map[bool]int{false: 1, true: 5}[hasRoom]; c.most != want {
				t.Errorf("with room %v %d calls were under way", hasRoom, c.most)
			}
			if !slices.IsSorted(asked[:1]) || asked[0] < 1000 {
				t.Errorf("asked for %v", asked)
			}
			s.one()
		})
	}
}

// What a batch takes is held: the records, and while a call is under way its request and
// answer; then what it answered.
func TestWhatTransformsHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 100_000
		c := &calls{times: []time.Duration{time.Minute}}
		archiver, err := processors.New(with(by(c).WithBatchSize(3*size)), new(shelf))
		if err != nil {
			t.Fatal(err)
		}
		p := archiver.Processor(theShard())
		var records []kcl.Record
		for i := range 3 {
			records = append(records, record(i, strings.Repeat("x", size)))
		}
		cp := checkpoint.New(noRow{}, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
		if err := p.Initialize(t.Context(), kcl.InitializationInput{Checkpointer: cp, Checkpoint: cp.Last(), CheckTrust: func() error { return nil }}); err != nil {
			t.Fatal(err)
		}
		var held int64
		call := func(records ...kcl.Record) int64 {
			if len(records) > 0 {
				cp.Processed(records[len(records)-1].Position())
			}
			if err := p.ProcessRecords(t.Context(), kcl.ProcessRecordsInput{Records: records, Checkpointer: cp, Hold: func(n int64) { held = n }}); err != nil {
				t.Fatal(err)
			}
			return held / size
		}
		gathered := call(records[:2]...)
		under := call(records[2])
		time.Sleep(2 * time.Minute)
		entered := call()
		p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		if gathered != 2 || under != 11 || entered != 3 { // 3 and twice 4 for base64; a log of 3
			t.Errorf("held of batches that are gathered %d, under way %d, in the cut %d", gathered, under, entered)
		}
	})
}

// A batch is complete by size, by the bytes of its request, by its interval, and when
// nothing more is to come.
func TestWhenABatchIsComplete(t *testing.T) {
	t.Parallel()
	every := func(seconds int) func(*processors.Config) {
		return func(c *processors.Config) {
			t := *c.Transform
			t.Hints = processors.TransformHints{SizeInMBs: 3, IntervalInSeconds: seconds}
			c.Transform = &t
		}
	}
	many := make([]kcl.Record, 30_000) // of 10 bytes each, so that what is beside the data counts
	for i := range many {
		many[i] = record(3*i, fmt.Sprintf("<%d>", i))
	}
	for name, row := range map[string]struct {
		cfg     func(processors.Config) processors.Config
		records []kcl.Record
		act     func(s *shard)
		want    []int // records of each call; without an end: of each but the last ones
	}{
		"size":      {func(c processors.Config) processors.Config { return c.WithBatchSize(10) }, numbered(7), func(s *shard) { s.put(7) }, []int{3, 2, 2}},
		"interval":  {func(c processors.Config) processors.Config { return with(c, every(60)).WithBatchSize(0) }, numbered(2), func(s *shard) { s.put(1); s.tick(59 * time.Second); s.put(1); s.tick(time.Second) }, []int{2}},
		"no time":   {func(c processors.Config) processors.Config { return with(c, every(0)).WithBatchSize(0) }, numbered(5), func(s *shard) { s.put(2); s.put(3) }, []int{2, 3}},
		"too early": {func(c processors.Config) processors.Config { return with(c, every(60)).WithBatchSize(0) }, numbered(5), func(s *shard) { s.put(5); s.tick(58 * time.Second) }, nil},
		"shutdown":  {func(c processors.Config) processors.Config { return with(c, every(900)).WithBatchSize(0) }, numbered(5), func(s *shard) { s.put(5); s.stop() }, []int{5}},
		"pressure": {func(c processors.Config) processors.Config { return with(c, every(900)).WithBatchSize(0) }, numbered(5), func(s *shard) {
			if err := s.deliverAll(s.tb.Context(), s.processor, 5); err != nil {
				s.tb.Error(err)
			}
		}, []int{5}},
		"request": {func(c processors.Config) processors.Config { return with(c, every(900)).WithBatchSize(0) }, many, func(s *shard) { s.put(30_000) }, []int{-1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &calls{times: []time.Duration{time.Millisecond}}
				s := begin(t, row.cfg(by(c)), row.records)
				row.act(s)
				synctest.Wait()
				got := c.inOrder()
				if slices.Equal(row.want, []int{-1}) {
					if len(got) == 0 || slices.Max(got) < 10_000 || slices.Max(got) > 20_000 {
						t.Errorf("batches of %v records", got)
					}
				} else if !slices.Equal(got, row.want) {
					t.Errorf("batches of %v records, want %v", got, row.want)
				}
				s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
			})
		})
	}
}

// Whatever ends a processor ends its calls, at once.
func TestNoCallIsLeftBehind(t *testing.T) {
	t.Parallel()
	for name, end := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &calls{times: []time.Duration{time.Hour}}
				p, in := underWay(t, by(c), &busy{})
				if n := c.underWay(); n != 5 {
					t.Fatalf("%d calls are under way", n)
				}
				begun := time.Now()
				end(t, p, in)
				if n, took := c.underWay(), time.Since(begun); n != 0 || took > 0 {
					t.Errorf("after %v %d calls are under way", took, n)
				}
			})
		})
	}
}

// A shutdown delivers what is transformed in half of its time, and leaves the rest to the
// next holder.
func TestAShutdownDuringTransforms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &calls{times: []time.Duration{time.Second, time.Hour, time.Second}}
		s := begin(t, by(c), numbered(5))
		if err := s.pass(t.Context(), s.processor, 3); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(time.Minute)
		ctx, cancel := context.WithDeadline(t.Context(), deadline)
		defer cancel()
		begun := time.Now()
		err := s.processor.ShutdownRequested(ctx, kcl.ShutdownRequestedInput{Checkpointer: s.cp, Deadline: deadline})
		if took := time.Since(begun); err == nil || took < 20*time.Second || took > 55*time.Second {
			t.Errorf("it took %v: %v", took, err)
		}
		s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		if at := s.index(s.row.checkpoint.ExtendedSequenceNumber); at != 0 || s.row.checkpoint.IsSentinel() {
			t.Errorf("the checkpoint is %v", s.row.checkpoint)
		}
		if err := s.run(t.Context(), t, []int{3}, transformed()); err != nil {
			t.Fatal(err)
		}
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

// A call that fails after records entered the cut, and one that is made again with all of
// its records, has them there once.
func TestTransformsAfterACallThatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &calls{times: []time.Duration{2300 * time.Millisecond}}
		s := begin(t, by(c).WithSize(8), numbered(23))
		failed := 0
		for try := 0; s.firstUndone() < 20 && try < 100; try++ {
			s.readFrom(s.firstUndone())
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := s.pass(ctx, s.processor, 20-s.firstUndone()); err != nil {
				failed++
			}
			cancel()
		}
		if failed < 3 {
			t.Errorf("%d calls failed", failed)
		}
		s.readFrom(20)
		s.put(3)
		s.stop()
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
		if sizes := c.inOrder(); len(sizes) != 23 || slices.Max(sizes) > 1 {
			t.Errorf("calls with %v records", sizes)
		}
	})
}

// endings are what ends a processor.
func endings() map[string]func(t *testing.T, p kcl.RecordProcessor, in kcl.ProcessRecordsInput) {
	return map[string]func(t *testing.T, p kcl.RecordProcessor, in kcl.ProcessRecordsInput){
		"the lease is lost": func(t *testing.T, p kcl.RecordProcessor, _ kcl.ProcessRecordsInput) {
			t.Helper()
			p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		},
		"it begins anew": func(t *testing.T, p kcl.RecordProcessor, in kcl.ProcessRecordsInput) {
			t.Helper()
			if err := p.Initialize(t.Context(), kcl.InitializationInput{Checkpointer: in.Checkpointer}); err != nil {
				t.Error(err)
			}
		},
		"a hook panics": func(t *testing.T, p kcl.RecordProcessor, in kcl.ProcessRecordsInput) {
			t.Helper()
			defer func() { _ = recover() }()
			in.Hold = func(int64) { panic("hook") }
			_ = p.ProcessRecords(t.Context(), in)
		},
		"a hook ends the goroutine": func(t *testing.T, p kcl.RecordProcessor, in kcl.ProcessRecordsInput) {
			t.Helper()
			done := make(chan struct{})
			go func() {
				defer close(done)
				in.Hold = func(int64) { runtime.Goexit() }
				_ = p.ProcessRecords(t.Context(), in)
			}()
			<-done
		},
	}
}

// Each record that goes into a transform is in one place, whatever that says: an object, a
// line of an error object, or declared dropped.
func TestEveryRecordHasOnePlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		says := []func(r transform.Record) []transform.Result{
			func(r transform.Record) []transform.Result {
				return []transform.Result{{ID: r.ID, Status: transform.Ok, Data: r.Data}}
			},
			func(r transform.Record) []transform.Result {
				return []transform.Result{{ID: r.ID, Status: transform.Dropped}}
			},
			func(r transform.Record) []transform.Result {
				return []transform.Result{{ID: r.ID, Status: transform.ProcessingFailed}}
			},
			func(transform.Record) []transform.Result { return nil },
			func(r transform.Record) []transform.Result {
				return []transform.Result{{ID: r.ID, Status: transform.Ok}}
			},
			func(r transform.Record) []transform.Result {
				return slices.Repeat([]transform.Result{{ID: r.ID, Status: transform.Ok, Data: r.Data}}, 2)
			},
			func(r transform.Record) []transform.Result {
				return []transform.Result{{ID: r.ID, Status: "?"}, {ID: "another", Status: transform.Ok, Data: r.Data}}
			},
		}
		n := 0
		liar := transform.Func("liar", func(_ context.Context, b *transform.Batch) (results []transform.Result, err error) {
			for _, r := range b.Records {
				results = append(results, says[n%len(says)](r)...)
				n++
			}
			return results, nil
		})
		var told []processors.ProcessedEvent
		var calls []processors.TransformedEvent
		s := new(shelf)
		cfg := with(by(liar).WithBatchSize(1<<20), func(c *processors.Config) {
			c.Hooks.Processed = func(e processors.ProcessedEvent) { told = append(told, e) }
			c.Hooks.Transformed = func(e processors.TransformedEvent) { calls = append(calls, e) }
		})
		archiver, err := processors.New(cfg, s)
		if err != nil {
			t.Fatal(err)
		}
		records := numbered(35)
		deliverAll(t, archiver, records)
		var object, failed int
		for _, o := range s.objects {
			switch {
			case isBundle(o.Key):
			case strings.Contains(o.Key, "processing-failed"):
				failed = strings.Count(string(o.body), "\n")
			default:
				object = strings.Count(string(o.body), "<")
			}
		}
		if object != 5 || failed != 25 || len(told) != 1 || told[0].Dropped != 5 || told[0].Transformed != 10 || told[0].Failed["processing-failed"] != 25 {
			t.Errorf("%d in the object, %d lines, told %s", object, failed, fmt.Sprintf("%+v", told))
		}
		if len(calls) != 1 || calls[0].Records != 35 || calls[0].Succeeded != 10 || calls[0].Err != "" || calls[0].Attempt != 1 {
			t.Errorf("told of the calls %+v", calls)
		}
	})
}

// stubborn is a transform whose calls do not hear that their time is over.
type stubborn struct{ over chan struct{} }

func (stubborn) ARN() string { return "urn:stubborn" }

func (s stubborn) Transform(context.Context, *transform.Batch) ([]transform.Result, error) {
	<-s.over
	return nil, nil
}

// Calls that do not return hold up the end of a processor once, not one after the other.
func TestCallsThatDoNotReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := stubborn{make(chan struct{})}
		p, _ := underWay(t, by(f), &busy{})
		begun := time.Now()
		p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		if took := time.Since(begun); took == 0 || took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
		close(f.over)
	})
}

// unsteady is a transform that panics where nobody calls it a fault of the batch.
type unsteady struct {
	calls

	entered int
}

func (u *unsteady) Enter(ctx context.Context) (context.Context, func(), error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.entered++; u.entered == 2 {
		panic("not entered")
	}
	return ctx, func() {}, nil
}

// A batch of which nothing is known, as what runs it has failed, is transformed again.
func TestABatchThatCameToNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &unsteady{calls: calls{times: []time.Duration{time.Second}}}
		s := begin(t, by(u), numbered(5))
		failed := 0
		for range 20 {
			if err := s.pass(t.Context(), s.processor, 5-s.read); err != nil {
				failed++
				s.readFrom(0)
			}
			time.Sleep(time.Second)
		}
		s.stop()
		if _, o := s.one(); failed != 1 || string(o.body) != "<0><1>x<2>xx<3>xxx<4>xxxx" {
			t.Errorf("%d calls failed, the object is %q", failed, o.body)
		}
	})
}

// What Decompression and de-aggregation make of records is the transform's, also when
// other records were inflated meanwhile.
func TestTransformsOfInflatedRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &calls{times: []time.Duration{time.Second}}
		cfg := with(by(c).WithBatchSize(1<<20), func(c *processors.Config) {
			c.Decompression = true
			c.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.Delimited, Delimiter: ","}
		})
		var data []string
		var want strings.Builder
		for i := range 20 {
			text := strings.Repeat(strconv.Itoa(i%10), 100+i)
			data = append(data, zipped(t, text+","+text+"!"))
			want.WriteString(text + text + "!")
		}
		got, told := put(t, cfg, recordsOf(data...))
		if body := strings.Join(got["2016/02/25/13/"], ""); len(got) != 1 || body != want.String() || told.Transformed != 40 || told.Inflated != 20 {
			t.Errorf("got %.300q, told %+v", got, told)
		}
	})
}
