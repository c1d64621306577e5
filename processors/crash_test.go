package processors_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors"
)

// at is a script with one fault: of the nth operation of a kind.
func at(kind string, n int, f fault) func(string, int, int) fault {
	return func(k string, nth, _ int) fault {
		if k == kind && nth == n {
			return f
		}
		return noFault
	}
}

// TestEveryStepEveryFault lets each kind of fault strike each step of the
// second cut, with successors that are configured in other ways.
func TestEveryStepEveryFault(t *testing.T) {
	t.Parallel()
	small := with(config(), func(c *processors.Config) { c.Compression = processors.GZIP }).WithSize(20)
	successors := map[string]processors.Config{
		"same": small,
		"uncompressed": with(small, func(c *processors.Config) {
			c.Compression = processors.Uncompressed
			c.Prefix = "p/"
			c.Bucket, c.FormerBuckets = "c", []string{"b"}
		}).WithSize(35),
		"at least once": with(small, func(c *processors.Config) { c.Delivery = processors.AtLeastOnce }),
	}
	for step, most := range map[string]int{"prepare": 2, "put": 2, "commit": 2, "check": 1} { // also the holder's first operation of all
		for n := range most {
			for name, successor := range successors {
				everyFault(t, step, n, name, small, successor)
			}
		}
	}
}

// everyFault lets each kind of fault strike the nth step of its kind, of a holder or of
// his successor.
func everyFault(t *testing.T, step string, n int, name string, first, successor processors.Config) {
	t.Helper()
	for f := fails; f < faults; f++ {
		t.Run(fmt.Sprintf("%s %d %v, successor %s", step, n, f, name), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(numbered(23))
				w.fault, w.loader.every = at(step, n, f), 5
				if err := w.run(t.Context(), t, []int{4, -3, 1}, first, successor); err != nil {
					t.Fatal(err)
				}
				if err := w.verdict(true); err != nil {
					t.Error(err)
				}
				if w.counts[step] <= n {
					t.Errorf("there were only %v", w.counts)
				}
			})
		})
	}
}

// TestEveryStepEveryFaultOfSealedCuts is the same for cuts of several objects: five
// and more, of which the bundle is the first.
func TestEveryStepEveryFaultOfSealedCuts(t *testing.T) {
	t.Parallel()
	sealed := backedUp().WithSize(30)
	successors := map[string]processors.Config{
		"same": sealed,
		"no backup, elsewhere": with(config(), func(c *processors.Config) {
			c.Prefix = "p/"
			c.Bucket, c.FormerBuckets = "c", []string{"b", "backup"}
		}).WithSize(35),
		"at least once": with(sealed, func(c *processors.Config) { c.Delivery = processors.AtLeastOnce }),
	}
	for step, most := range map[string]int{"seal": 2, "prepare": 2, "put": 8, "commit": 2, "delete": 2, "list": 1, "check": 2} {
		for n := range most {
			for name, successor := range successors {
				everyFault(t, step, n, name, sealed, successor)
			}
		}
	}
}

// TestEveryStepEveryFaultOfTransforms is the same for records that are transformed, in
// batches that say something else each time.
func TestEveryStepEveryFaultOfTransforms(t *testing.T) {
	t.Parallel()
	first := transformed().WithSize(30)
	successors := map[string]processors.Config{
		"same":           first,
		"no transform":   config().WithSize(35),
		"larger batches": first.WithBatchSize(40),
		"with a backup":  with(first, func(c *processors.Config) { c.Backup = backedUp().Backup }),
		"calls in a row": first.WithBatchSize(1),
		"at least once":  with(first, func(c *processors.Config) { c.Delivery = processors.AtLeastOnce }),
	}
	for step, most := range map[string]int{"transform": 5, "seal": 2, "prepare": 2, "put": 2, "commit": 2, "delete": 2, "list": 1, "check": 1} {
		for n := range most {
			for name, successor := range successors {
				everyFault(t, step, n, name, first, successor)
			}
		}
	}
}

// TestEveryStepEveryFaultOfPartitions is the same for cuts with an object for each
// partition, and more of those that reach the size.
func TestEveryStepEveryFaultOfPartitions(t *testing.T) {
	t.Parallel()
	first := with(partitioned(), func(c *processors.Config) {
		c.Hints = processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 1, BeyondFirehose: true}
	}).WithSize(15)
	successors := map[string]processors.Config{
		"same":          first,
		"no partitions": config().WithSize(35),
		"other partitions, a backup": with(first, func(c *processors.Config) {
			c.Prefix, c.Backup = "k=!{partitionKeyFromLambda:k}/!{timestamp:SSS}/", backedUp().Backup
		}),
		"two at once": with(first, func(c *processors.Config) {
			c.DynamicPartitioning = &processors.DynamicPartitioning{ActivePartitions: 2, Overflow: processors.OverflowFinish}
		}),
	}
	for step, most := range map[string]int{"transform": 3, "seal": 2, "prepare": 2, "put": 8, "commit": 2, "delete": 2} {
		for n := range most {
			for name, successor := range successors {
				everyFault(t, step, n, name, first, successor)
			}
		}
	}
}

// TestEveryStepEveryFaultOfDocuments is the same for documents, of which some fail, others
// each time: each is in the index, or in one error object.
func TestEveryStepEveryFaultOfDocuments(t *testing.T) {
	t.Parallel()
	first := indexed().WithSize(30)
	successors := map[string]processors.Config{
		"same":          first,
		"no index":      config().WithSize(35),
		"a backup":      with(first, func(c *processors.Config) { c.Backup = backedUp().Backup }),
		"a transform":   with(first, func(c *processors.Config) { c.Transform = transformed().Transform }).WithBatchSize(12),
		"at least once": with(first, func(c *processors.Config) { c.Delivery = processors.AtLeastOnce }),
	}
	for step, most := range map[string]int{"bulk": 5, "seal": 2, "prepare": 2, "put": 2, "commit": 2, "delete": 2, "list": 1, "check": 2} {
		for n := range most {
			for name, successor := range successors {
				everyFault(t, step, n, name, first, successor)
			}
		}
	}
}

// TestEveryStepEveryFaultOfLoads is the same for cuts that a loader loads, which the
// checkpoint may wait for: each record is in one object that is loaded.
func TestEveryStepEveryFaultOfLoads(t *testing.T) {
	t.Parallel()
	for _, on := range []processors.CommitOn{processors.CommitOnStage, processors.CommitOnLoad} {
		first := with(loading(on), func(c *processors.Config) { c.Backup = backedUp().Backup }).WithSize(30)
		other := map[processors.CommitOn]processors.CommitOn{processors.CommitOnStage: processors.CommitOnLoad, processors.CommitOnLoad: processors.CommitOnStage}[on]
		successors := map[string]processors.Config{
			"same":          first,
			"other":         with(loading(other), func(c *processors.Config) { c.FormerBuckets = []string{"backup"} }).WithSize(35),
			"no load":       with(config(), func(c *processors.Config) { c.FormerBuckets = []string{"backup"} }).WithSize(35),
			"a transform":   with(first, func(c *processors.Config) { c.Transform = transformed().Transform }).WithBatchSize(12),
			"at least once": with(first, func(c *processors.Config) { c.Delivery = processors.AtLeastOnce }),
		}
		steps := map[string]int{"seal": 2, "prepare": 2, "put": 3, "mark": 2, "commit": 2, "delete": 2, "list": 1, "check": 2}
		if on == processors.CommitOnLoad {
			steps["announce"], steps["head"] = 2, 4
		}
		for step, most := range steps {
			for n := range most {
				for name, successor := range successors {
					everyFault(t, step, n, string(on)+", "+name, first, successor)
				}
			}
		}
	}
}

// TestRedoIsStruckToo adds a second fault, to a step of the successor.
func TestRedoIsStruckToo(t *testing.T) {
	t.Parallel()
	cfg := config().WithSize(20)
	for _, first := range []fault{lands1, lands2, lands3, lands4, crashBefore, crashAfter} {
		for _, step := range []string{"head", "replay", "put", "commit"} {
			for f := fails; f < faults; f++ {
				t.Run(fmt.Sprintf("put %v, then %s %v", first, step, f), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(numbered(23))
						struck := false
						w.fault = func(kind string, nth, _ int) fault {
							switch {
							case w.holders == 1 && kind == "put" && nth == 1:
								return first
							case w.holders == 2 && kind == step && !struck:
								struck = true
								return f
							}
							return noFault
						}
						if err := w.run(t.Context(), t, []int{4}, cfg); err != nil {
							t.Fatal(err)
						}
						if err := w.verdict(true); err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	}
}

// scenario is a random history.
type scenario struct {
	records int
	batches []int
	faults  map[int]fault // by operation
	configs []processors.Config
	load    int // the loader acts each so manieth operation
}

func drawScenario(t *rapid.T, delivery ...processors.Delivery) scenario {
	s := scenario{
		records: rapid.IntRange(1, 40).Draw(t, "records"),
		batches: rapid.SliceOfN(rapid.IntRange(-9, 9), 1, 6).Draw(t, "batches"),
		faults: rapid.MapOfN(rapid.IntRange(0, 60), rapid.Custom(func(t *rapid.T) fault {
			return fault(rapid.IntRange(1, int(faults)-1).Draw(t, "fault"))
		}), 0, 14).Draw(t, "faults"),
		load: rapid.IntRange(1, 9).Draw(t, "the loader's turn"),
	}
	for range rapid.IntRange(1, 3).Draw(t, "configurations") {
		s.configs = append(s.configs, with(config(), func(c *processors.Config) {
			c.Compression = rapid.SampledFrom([]processors.Compression{processors.GZIP, processors.Uncompressed}).Draw(t, "compression")
			c.Prefix = rapid.SampledFrom([]string{"", "p/"}).Draw(t, "prefix")
			c.Hints = processors.BufferingHints{SizeInMBs: 1, IntervalInSeconds: rapid.SampledFrom([]int{1, 3, 60}).Draw(t, "interval")}
			c.Delivery = rapid.SampledFrom(delivery).Draw(t, "delivery")
			if c.FormerBuckets = []string{"backup"}; rapid.Bool().Draw(t, "backed up") {
				c.Backup = backedUp().Backup
			}
			isIndexed := rapid.Bool().Draw(t, "indexed")
			if isIndexed {
				c.Index, c.Compression = index{}, ""
			}
			if rapid.Bool().Draw(t, "transformed") {
				c.Transform = transformed().Transform
				if !isIndexed && rapid.Bool().Draw(t, "partitioned") {
					c.Prefix, c.ErrorOutputPrefix, c.Hints.BeyondFirehose = partitioned().Prefix, "errors/", true
					c.Hints.SizeInMBs = 64
					c.DynamicPartitioning = &processors.DynamicPartitioning{
						ActivePartitions: rapid.IntRange(2, 3).Draw(t, "active"), Overflow: processors.OverflowFinish,
					}
				}
				c.Transform.Hints = processors.TransformHints{SizeInMBs: 1, IntervalInSeconds: rapid.SampledFrom([]int{0, 1, 60}).Draw(t, "batch interval")}
			}
			if !isIndexed && c.DynamicPartitioning == nil && rapid.Bool().Draw(t, "loaded") {
				c.Load = &processors.Load{CommitOn: rapid.SampledFrom([]processors.CommitOn{processors.CommitOnStage, processors.CommitOnLoad}).Draw(t, "commit on")}
			}
		}).WithSize(rapid.Int64Range(1, 200).Draw(t, "size")).WithBatchSize(rapid.Int64Range(1, 60).Draw(t, "batch size")))
	}
	return s
}

// play runs a scenario. It returns what went wrong, since nothing may be
// drawn or failed inside a bubble.
func (s scenario) play(t *testing.T, exactly bool) (failed error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(numbered(s.records))
		w.fault, w.loader.every = func(_ string, _, all int) fault { return s.faults[all] }, s.load
		if err := w.run(t.Context(), t, s.batches, s.configs...); err != nil {
			failed = err
			return
		}
		failed = w.verdict(exactly)
	})
	return failed
}

func TestAnyHistoryIsExactlyOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		if err := drawScenario(rt, processors.ExactlyOnce).play(t, true); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestAnyHistoryIsAtLeastOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		if err := drawScenario(rt, processors.ExactlyOnce, processors.AtLeastOnce).play(t, false); err != nil {
			rt.Fatal(err)
		}
	})
}

// TestDownForAnHour: while the store is down nothing is skipped, and then the
// same object is put under the same key.
func TestDownForAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(numbered(30))
		w.downUntil = time.Now().Add(time.Hour)
		begin := time.Now()
		if err := w.run(t.Context(), t, []int{5}, config().WithSize(20)); err != nil {
			t.Fatal(err)
		}
		if err := w.verdict(true); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took < time.Hour || took > time.Hour+time.Minute {
			t.Errorf("took %v, want an hour and a little", took)
		}
		if n := len(w.failures); n < 600 || n > 900 {
			t.Errorf("%d puts failed in an hour of tries each 5s", n)
		}
		for _, e := range w.failures {
			if e.Key != w.failures[0].Key {
				t.Fatalf("the key changed from %s to %s", w.failures[0].Key, e.Key)
			}
		}
	})
}
