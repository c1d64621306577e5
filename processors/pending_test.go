package processors_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"strings"
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
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// edited returns a pending checkpoint as somebody who can write to the table
// would leave it.
func edited(tb testing.TB, p *checkpoint.Prepared, change func(*exactlyonce.Plan)) *checkpoint.Prepared {
	tb.Helper()
	pl, err := exactlyonce.Decode(p.State)
	if err != nil {
		tb.Fatal(err)
	}
	change(&pl)
	return &checkpoint.Prepared{At: p.At, State: pl.Encode()}
}

// untouched fails unless nothing was asked of the store or written to the row
// since a world was prepared.
func (w *world) untouched(tb testing.TB, pending *checkpoint.Prepared) {
	tb.Helper()
	if w.row.pending != pending || w.row.checkpoint.SequenceNumber != checkpoint.TrimHorizon {
		tb.Errorf("the row became %+v", w.row)
	}
	if len(w.objects)+len(w.lost)+len(w.delivered) > 0 || w.counts["commit"] > 0 || w.counts["put"] > 1 {
		tb.Errorf("objects %v, lost %v, delivered %v, operations %v", w.keys(), w.lost, w.delivered, w.counts)
	}
}

// TestAPlanIsNotBelieved: what is in the row does not say where objects go.
func TestAPlanIsNotBelieved(t *testing.T) {
	t.Parallel()
	abandon := []string{"restore the row, or abandon the plan", "pendingCheckpoint"}
	for _, row := range []struct {
		name    string
		change  func(*exactlyonce.Plan)
		verdict string
		want    []string // parts of the error
	}{
		{
			"another bucket", func(p *exactlyonce.Plan) { p.Bucket = "evil" }, "forbidden",
			[]string{`"evil"`, `["b" "former"]`, `shardmill.formerBuckets: ["evil"]`, abandon[0], abandon[1]},
		},
		{"a bucket that is one of ours at its beginning", func(p *exactlyonce.Plan) { p.Bucket = "b/x" }, "forbidden", []string{`"b/x"`}},
		{"a bucket in capitals", func(p *exactlyonce.Plan) { p.Bucket = "B" }, "forbidden", []string{`"B"`}},
		{"a bucket that breaks lines", func(p *exactlyonce.Plan) { p.Bucket = "b\nERROR" }, "forbidden", []string{`"b\nERROR"`}},
		{"a key that leads elsewhere", func(p *exactlyonce.Plan) { p.Key = "logs/../../secret" }, "forbidden", []string{`"logs/../../secret"`, `".."`, abandon[0], abandon[1]}},
		{"a key that begins elsewhere", func(p *exactlyonce.Plan) { p.Key = "../secret" }, "forbidden", []string{`"../secret"`}},
		{"a key with a control character", func(p *exactlyonce.Plan) { p.Key = "a\x00b" }, "forbidden", []string{`"a\x00b"`, "control character"}},
		{"a key with a line break", func(p *exactlyonce.Plan) { p.Key = "a\u0085b" }, "forbidden", []string{"control character"}},
		{"a key that is not UTF-8", func(p *exactlyonce.Plan) { p.Key = "a\xffb" }, "forbidden", []string{`"a\xffb"`, "UTF-8"}},
		{"a key that is too long", func(p *exactlyonce.Plan) { p.Key = strings.Repeat("k", 1025) }, "forbidden", []string{"1025 bytes"}},
		{"no key", func(p *exactlyonce.Plan) { p.Key = "" }, "broken", []string{`key ""`}},
		{"no bucket", func(p *exactlyonce.Plan) { p.Bucket = "" }, "broken", []string{`bucket ""`}},
		{"a codec that is none", func(p *exactlyonce.Plan) { p.Codec = 9 }, "newer", []string{"codec 9"}},
		{"text between the records", func(p *exactlyonce.Plan) { p.Delimiter = "<77>" }, "newer", []string{`delimiter "<77>"`}},
	} {
		for _, delivery := range []processors.Delivery{processors.ExactlyOnce, processors.AtLeastOnce} {
			t.Run(row.name+", "+string(delivery), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cfg := with(config(), func(c *processors.Config) { c.FormerBuckets = []string{"former"} })
					w := prepared(t, 9, 5, cfg, theShard())
					good := w.row.pending
					bad := edited(t, good, row.change)
					w.row.pending = bad
					core, logs := observer.New(zapcore.ErrorLevel)
					for range 2 { // nor does the next one
						h, p, ctx := w.take(t.Context(), t, with(cfg, func(c *processors.Config) { c.Delivery, c.Logger = delivery, zap.New(core) }), theShard())
						err := h.initialize(ctx, p)
						if !errors.Is(err, processors.ErrUnfinishable) || !kcl.IsGiveUp(err) {
							t.Fatalf("error %v", err)
						}
						for _, part := range row.want {
							if !strings.Contains(err.Error(), part) {
								t.Errorf("error %q does not say %s", err, part)
							}
						}
						if strings.Contains(err.Error(), "\n") {
							t.Errorf("%q has several lines", err)
						}
					}
					w.untouched(t, bad)
					if w.counts["head"] > 0 || len(w.replays) > 0 {
						t.Errorf("looked for the object, or read: %v", w.counts)
					}
					if w.pendings[0].Verdict != row.verdict || logs.FilterMessage("prepared checkpoint cannot be finished").Len() != 2 {
						t.Errorf("counted %+v, logged %v", w.pendings, logs.All())
					}
					w.row.pending = good // restored
					if err := w.run(t.Context(), t, []int{3}, cfg); err != nil {
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

// TestARuleThatPlansDoNotKnow: a plan that no successor would carry out does not
// get into the row.
func TestARuleThatPlansDoNotKnow(t *testing.T) {
	t.Parallel()
	for rule := range kcl.HashRangeRule(6) {
		synctest.Test(t, func(t *testing.T) {
			shard := theShard()
			shard.HashRangeRule = rule
			w := newWorld(numbered(3))
			h, p, ctx := w.take(t.Context(), t, config().WithSize(1), shard)
			if err := h.begin(ctx, p); err != nil {
				t.Fatal(err)
			}
			err := h.deliver(ctx, p, 1)
			if known := rule <= 3; (err == nil) != known || kcl.IsGiveUp(err) == known || (w.counts["prepare"] > 0) != known {
				t.Errorf("rule %d: error %v, did %v", rule, err, w.counts)
			}
		})
	}
}

// TestABucketThatWasChanged: what was prepared before goes where it was
// promised, and what comes after into the new one.
func TestABucketThatWasChanged(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := prepared(t, 9, 5, config(), theShard())
			if landed {
				w.late, w.now.landIn = w.puts, 1
			}
			cfg := with(config(), func(c *processors.Config) { c.Bucket = "new" })
			h, p, ctx := w.take(t.Context(), t, cfg, theShard())
			if err := h.initialize(ctx, p); !errors.Is(err, processors.ErrUnfinishable) || !strings.Contains(err.Error(), `shardmill.formerBuckets: ["b"]`) {
				t.Fatalf("error %v", err)
			}
			cfg.FormerBuckets = []string{"a", "b"}
			if err := w.run(t.Context(), t, []int{2}, cfg); err != nil {
				t.Fatal(err)
			}
			if err := w.verdict(true); err != nil {
				t.Error(err)
			}
			if names := w.keys(); len(names) != 2 || !strings.HasPrefix(names[0], "b/") || !strings.HasPrefix(names[1], "new/") {
				t.Errorf("objects %v", names)
			}
		})
	}
}

// TestOtherRecordsThanThePlans: no expiry explains them, so nothing is put and
// the checkpoint does not pass the plan's.
func TestOtherRecordsThanThePlans(t *testing.T) {
	t.Parallel()
	data := func(i int, s string) func([]kcl.Record) []kcl.Record {
		return func(r []kcl.Record) []kcl.Record {
			r[i].Data = []byte(s)
			return r
		}
	}
	without := func(i, j int) func([]kcl.Record) []kcl.Record {
		return func(r []kcl.Record) []kcl.Record { return append(r[:i:i], r[j:]...) }
	}
	same := func(r []kcl.Record) []kcl.Record { return r }
	for _, row := range []struct {
		name   string
		replay func([]kcl.Record) []kcl.Record // records 0 to 4: <0>, <1>x, <2>xx, <3>xxx, <4>xxxx
		change func(*exactlyonce.Plan)
	}{
		{"another digest", same, func(p *exactlyonce.Plan) { p.Digest.Sum[15]++ }},
		{"another number of bytes", same, func(p *exactlyonce.Plan) { p.Bytes++ }},
		{"more records than planned", same, func(p *exactlyonce.Plan) { p.Records-- }},
		{"fewer records, the first of them there", same, func(p *exactlyonce.Plan) { p.Records++ }},
		{"other data of the same length", data(2, "<9>xx"), nil},
		{"other data of another length", data(2, ""), nil},
		{"a hole", without(2, 3), nil},
		{"one of an aggregated record's is missing, the first", without(0, 1), nil},
		{"fewer records of more bytes", func(r []kcl.Record) []kcl.Record { return data(2, strings.Repeat("x", 99))(r[2:]) }, nil},
		{"a plan that begins late, and nothing else edited", without(0, 2), func(p *exactlyonce.Plan) {
			p.First = numbered(3)[2].Position().ExtendedSequenceNumber
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := prepared(t, 9, 5, config(), theShard())
				good := w.row.pending
				if row.change != nil {
					w.row.pending = edited(t, good, row.change)
				}
				bad := w.row.pending
				h, p, ctx := w.take(t.Context(), t, config(), theShard())
				err := p.Initialize(ctx, kcl.InitializationInput{
					Shard: h.shard, Checkpoint: w.row.checkpoint, Pending: bad, Checkpointer: h.cp, CheckTrust: h.CheckTrust,
					Replay: func(context.Context, checkpoint.ExtendedSequenceNumber, checkpoint.ExtendedSequenceNumber, kcl.ReplayOptions) iter.Seq2[kcl.Record, error] {
						return func(yield func(kcl.Record, error) bool) {
							for _, r := range row.replay(numbered(5)) {
								if !yield(r, nil) {
									return
								}
							}
						}
					},
				})
				if !errors.Is(err, processors.ErrUnfinishable) || !kcl.IsGiveUp(err) || !strings.Contains(err.Error(), "other records") {
					t.Errorf("error %v", err)
				}
				w.untouched(t, bad)
				w.row.pending = good // restored, and the stream answers as before
				if err := w.run(t.Context(), t, []int{3}, config()); err != nil {
					t.Fatal(err)
				}
				if err := w.verdict(true); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestAForeignPlanStopsItsShardAlone: under a worker, for as long as the plan
// is there; and the shard goes on when it is gone, or is one that the worker knows.
func TestAForeignPlanStopsItsShardAlone(t *testing.T) {
	t.Parallel()
	abandoned := func(*checkpoint.Prepared) *checkpoint.Prepared { return nil }
	asItWas := func(p *checkpoint.Prepared) *checkpoint.Prepared { return p }
	for _, row := range []struct {
		name string
		bad  func(testing.TB, *checkpoint.Prepared) *checkpoint.Prepared
		told string
		then func(*checkpoint.Prepared) *checkpoint.Prepared // of the good one
	}{
		{"another bucket, and the plan is abandoned", func(tb testing.TB, p *checkpoint.Prepared) *checkpoint.Prepared {
			tb.Helper()
			return edited(tb, p, func(p *exactlyonce.Plan) { p.Bucket = "evil" })
		}, `shardmill.formerBuckets: ["evil"]`, abandoned},
		{"a newer version's, and one that knows it comes", func(_ testing.TB, p *checkpoint.Prepared) *checkpoint.Prepared {
			state := bytes.Clone(p.State)
			state[len("smplan")]++
			return &checkpoint.Prepared{At: p.At, State: state}
		}, "plan of a newer version: format 3, known up to 2", asItWas},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stream, table := kcltest.NewStream(2), new(lease.Mem)
				stream.Put(0, numbers(0, 20)...)
				stream.Put(1, numbers(20, 40)...)
				key := stream.Shard(0).ID
				down := &shelf{fail: func() error { return errFault }}
				archiveFor(t, time.Minute, "one", stream, table, config(), down)
				before, err := table.Get(t.Context(), key)
				if err != nil || before.Pending == nil {
					t.Fatalf("nothing was prepared: %+v, %v", before, err)
				}
				good := before.Pending
				before.Pending = row.bad(t, good)
				table.Put(before)
				up := new(shelf)
				core, logs := observer.New(zap.ErrorLevel)
				archiveFor(t, time.Hour, "two", stream, table, config(), up, func(c *kcl.Config) { c.Logger = zap.New(core) })
				after, err := table.Get(t.Context(), key)
				if err != nil || after.Checkpoint != before.Checkpoint || string(after.Pending.State) != string(before.Pending.State) {
					t.Errorf("the row became %+v, %v; it was %+v", after, err, before)
				}
				if got, want := strings.Join(up.words(), " "), strings.TrimSpace(strings.Join(numbers(20, 40), "")); got != want {
					t.Errorf("delivered %q, want shard 1's", got)
				}
				told := 0
				for _, e := range logs.FilterMessage("shard given up").All() {
					if strings.Contains(e.ContextMap()["error"].(string), row.told) {
						told++
					}
				}
				if told < 5 {
					t.Errorf("told %d times in an hour: %v", told, logs.All())
				}
				after.Pending = row.then(good)
				table.Put(after)
				archiveFor(t, time.Hour, "three", stream, table, config(), up)
				if got := up.words(); len(got) != 40 {
					t.Errorf("delivered %q", got)
				}
			})
		})
	}
}
