package processors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/unpack"
)

func TestTheSameBatchDeliveredTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config(), numbered(10))
		for range 2 {
			s.read = 0
			s.put(6)
		}
		s.read = 3 // and once more with what followed
		s.put(7)
		s.stop()
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
		if s.delivered[0].Records != 10 {
			t.Errorf("%d records counted", s.delivered[0].Records)
		}
	})
}

func TestABatchAgainAfterItsObjectIsCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config().WithSize(1), numbered(4))
		s.put(2)
		s.read = 0
		s.put(4)
		s.stop()
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

// TestASuccessorDropsWhatIsCommitted: also when a page that was read before
// the redo brings the cut's records again.
func TestASuccessorDropsWhatIsCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(numbered(9))
		w.fault = at("put", 0, crashBefore)
		h, p, ctx := w.take(t.Context(), t, config().WithSize(1), theShard())
		if err := h.begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		if err := h.deliver(ctx, p, 1); !errors.Is(err, kcl.ErrLeaseLost) {
			t.Fatal(err)
		}
		h, p, ctx = w.take(t.Context(), t, config(), theShard())
		if err := h.begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		h.read = 0
		if err := h.deliver(ctx, p, 9); err != nil {
			t.Fatal(err)
		}
		if err := p.ShutdownRequested(ctx, kcl.ShutdownRequestedInput{Checkpointer: h.cp}); err != nil {
			t.Fatal(err)
		}
		if err := w.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

func TestPressureClosesTheCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config(), numbered(3))
		held := int64(-1)
		in := kcl.ProcessRecordsInput{Records: s.records, Checkpointer: s.cp, Hold: func(n int64) { held = n }}
		s.cp.Processed(s.records[2].Position())
		if err := s.processor.ProcessRecords(t.Context(), in); err != nil || held <= 0 || len(s.objects) > 0 {
			t.Fatalf("error %v, holds %d, objects %v", err, held, s.keys())
		}
		in.Records, in.Pressure = nil, true
		if err := s.processor.ProcessRecords(t.Context(), in); err != nil || held != 0 {
			t.Fatalf("error %v, holds %d", err, held)
		}
		s.one()
		if s.delivered[0].Reason != "pressure" {
			t.Errorf("closed for %s", s.delivered[0].Reason)
		}
	})
}

// TestShutdownWhileTheStoreIsDown: the call ends with its context, and the
// successor delivers what was prepared under the same key.
func TestShutdownWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config(), numbered(8))
		s.put(8)
		s.downUntil = time.Now().Add(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		before := time.Now()
		err := s.processor.ShutdownRequested(ctx, kcl.ShutdownRequestedInput{Checkpointer: s.cp})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != 20*time.Second {
			t.Fatalf("%v after %v", err, time.Since(before))
		}
		s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		s.downUntil = time.Now()
		if err := s.run(t.Context(), t, []int{3}, config()); err != nil {
			t.Fatal(err)
		}
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
		if name, _ := s.one(); name != s.failures[0].Key {
			t.Errorf("delivered as %s, was prepared as %s", name, s.failures[0].Key)
		}
	})
}

// TestTrustIsAskedBeforeEveryTry: when it ends during an outage, so do the
// tries, also if nobody cancels the context.
func TestTrustIsAskedBeforeEveryTry(t *testing.T) {
	t.Parallel()
	for _, delivery := range []processors.Delivery{processors.ExactlyOnce, processors.AtLeastOnce} {
		t.Run(string(delivery), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, with(config(), func(c *processors.Config) { c.Delivery = delivery }).WithSize(1), numbered(1))
				s.downUntil = time.Now().Add(time.Hour)
				s.trustedUntil = time.Now().Add(time.Minute)
				before := time.Now()
				err := s.deliverAll(t.Context(), s.processor, 1)
				if !errors.Is(err, kcl.ErrLeaseLost) || time.Since(before) > 67*time.Second {
					t.Errorf("%v after %v", err, time.Since(before))
				}
			})
		})
	}
}

func TestKeyThatIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, config().WithSize(1), numbered(5))
		s.fault = func(kind string, nth, _ int) fault {
			if kind == "put" && nth == 0 {
				for name := range s.prepared {
					s.objects[name] = stored{body: []byte("<99>")}
				}
			}
			return noFault
		}
		err := s.deliver(t.Context(), s.processor, 1)
		if !errors.Is(err, processors.ErrKeyTaken) || !kcl.IsGiveUp(err) {
			t.Fatalf("error %v", err)
		}
		name, o := s.one()
		if string(o.body) != "<99>" || s.row.checkpoint.IsRecord() || s.row.pending == nil {
			t.Errorf("object %q, row %+v", o.body, s.row)
		}
		if len(s.failures) != 1 || !errors.Is(s.failures[0].Err, processors.ErrKeyTaken) {
			t.Errorf("counted %+v", s.failures)
		}
		// The next holder does not go on either, until the object is away.
		h, p, ctx := s.take(t.Context(), t, config(), theShard())
		if err := h.initialize(ctx, p); !errors.Is(err, processors.ErrKeyTaken) || !kcl.IsGiveUp(err) {
			t.Fatalf("error %v", err)
		}
		delete(s.objects, "b/"+name)
		if err := s.run(t.Context(), t, []int{3}, config()); err != nil {
			t.Fatal(err)
		}
		if err := s.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

func TestPendingOfOthers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		pending checkpoint.Prepared
		verdict string
		refused bool
	}{
		{"another program's is left until the first checkpoint", checkpoint.Prepared{At: numbered(3)[2].Position().ExtendedSequenceNumber, State: []byte("java")}, "foreign", false},
		{"one without state", checkpoint.Prepared{At: numbered(3)[2].Position().ExtendedSequenceNumber}, "foreign", false},
		{"a newer one is never ignored", checkpoint.Prepared{At: numbered(3)[2].Position().ExtendedSequenceNumber, State: []byte("smplan\x03?")}, "newer", true},
		{"nor is a damaged one", checkpoint.Prepared{At: numbered(3)[2].Position().ExtendedSequenceNumber, State: []byte("smplan\x01?")}, "broken", true},
	} {
		for _, delivery := range []processors.Delivery{processors.ExactlyOnce, processors.AtLeastOnce} {
			t.Run(row.name+", "+string(delivery), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(numbered(8))
					w.row.pending = &row.pending
					h, p, ctx := w.take(t.Context(), t, with(config(), func(c *processors.Config) { c.Delivery = delivery }), theShard())
					err := h.initialize(ctx, p)
					if len(w.pendings) != 1 || w.pendings[0].Verdict != row.verdict {
						t.Errorf("counted %+v", w.pendings)
					}
					if w.counts["prepare"]+w.counts["commit"]+w.counts["put"] > 0 {
						t.Errorf("did %v", w.counts)
					}
					if row.refused {
						if !errors.Is(err, processors.ErrUnfinishable) || !kcl.IsGiveUp(err) {
							t.Errorf("error %v", err)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					if err := h.life(ctx, p, []int{3}); err != nil {
						t.Fatal(err)
					}
					if w.row.pending != nil {
						t.Error("still pending after a checkpoint")
					}
					if err := w.verdict(true); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// prepared returns a world whose first holder crashed after preparing records
// [0, n).
func prepared(t *testing.T, records, n int, cfg processors.Config, shard kcl.ShardInfo) *world {
	t.Helper()
	w := newWorld(numbered(records))
	w.fault = at("put", 0, crashBefore)
	h, p, ctx := w.take(t.Context(), t, cfg, shard)
	if err := h.begin(ctx, p); err != nil {
		t.Fatal(err)
	}
	if err := h.deliver(ctx, p, n); err != nil {
		t.Fatal(err)
	}
	if err := p.ShutdownRequested(ctx, kcl.ShutdownRequestedInput{Checkpointer: h.cp}); !errors.Is(err, kcl.ErrLeaseLost) || w.row.pending == nil {
		t.Fatalf("error %v, row %+v", err, w.row)
	}
	return w
}

func TestVoidPlanIsCleared(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{noFault, fails, answerLost} {
		t.Run("clearing: "+f.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := prepared(t, 9, 5, config(), theShard())
				w.row.checkpoint = checkpoint.Sentinel(checkpoint.Latest) // an operator moved it
				w.fault = at("commit", 0, f)
				h, p, ctx := w.take(t.Context(), t, config(), theShard())
				if err := h.initialize(ctx, p); err != nil {
					t.Fatal(err)
				}
				if w.row.pending != nil || w.row.checkpoint.SequenceNumber != checkpoint.Latest || len(w.objects) > 0 {
					t.Errorf("row %+v, objects %v", w.row, w.keys())
				}
				if w.pendings[0].Verdict != "void" {
					t.Errorf("counted %+v", w.pendings)
				}
			})
		})
	}
}

// TestRedoUsesThePlan: everything that shapes the object comes from the plan,
// even if the successor has another configuration.
func TestRedoUsesThePlan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := with(config(), gz)
		original := theShard()
		original.HashRangeRule = kcl.HashRangeEach
		w := prepared(t, 9, 5, first, original)
		other := processors.Config{DeliveryStreamName: "other", Bucket: "elsewhere", FormerBuckets: []string{"x", "b"}, Prefix: "x/", Version: 7, Delivery: processors.AtLeastOnce}
		shard := theShard()
		shard.Range.Start, shard.Range.End = "7", "8"
		h, p, ctx := w.take(t.Context(), t, other, shard)
		if err := h.begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		s := &shardOf{w, t}
		name, o := s.one()
		if !strings.HasPrefix(name, "b/2016/02/25/13/orders-1-") || !strings.HasSuffix(name, ".gz") || o.encoding != "gzip" || !o.condit {
			t.Errorf("redone as %s, Content-Encoding %q, if absent %v", name, o.encoding, o.condit)
		}
		if len(w.replays) != 1 || w.replays[0].HashRange != original.Range || w.replays[0].HashRangeRule != kcl.HashRangeEach {
			t.Errorf("replayed with %+v", w.replays)
		}
		if at := w.row.checkpoint; !at.Equal(w.records[4].Position()) {
			t.Errorf("checkpoint %v at %v, want that of record 4", at, at.Arrival)
		}
		if e := w.delivered[0]; e.Reason != "redo" || e.Records != 5 || e.ObjectBytes != int64(len(o.body)) || e.Found {
			t.Errorf("reported %+v", e)
		}
	})
}

// TestRedoHasThePlansDelimiter: the object that a successor makes anew is the one
// that was planned, whether or not the successor itself puts delimiters.
func TestRedoHasThePlansDelimiter(t *testing.T) {
	t.Parallel()
	for _, delimited := range []bool{true, false} {
		t.Run(fmt.Sprintf("delimited %v", delimited), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				setting := func(on bool) processors.Config {
					return with(config(), func(c *processors.Config) { c.AppendDelimiterToRecord = on })
				}
				w := prepared(t, 9, 2, setting(delimited), theShard())
				h, p, ctx := w.take(t.Context(), t, setting(!delimited), theShard())
				if err := h.begin(ctx, p); err != nil {
					t.Fatal(err)
				}
				want := "<0><1>x"
				if delimited {
					want = "<0>\n<1>x\n"
				}
				if _, o := (&shardOf{w, t}).one(); string(o.body) != want {
					t.Errorf("redone as %q, want %q", o.body, want)
				}
			})
		})
	}
}

// TestRedoMakesThePlannedObject: of each format, byte for byte, under a
// configuration of another one.
func TestRedoMakesThePlannedObject(t *testing.T) {
	t.Parallel()
	for _, f := range formats() {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := with(config(), compression(f)).WithUUID(func() exactlyonce.UUID { return exactlyonce.NewUUID([16]byte{7}) })
				planned := begin(t, cfg, numbered(9))
				planned.put(5)
				planned.stop()
				key, want := planned.one()

				w := prepared(t, 9, 5, cfg, theShard())
				h, p, ctx := w.take(t.Context(), t, with(config(), gz), theShard())
				if err := h.begin(ctx, p); err != nil {
					t.Fatal(err)
				}
				name, got := (&shardOf{w, t}).one()
				if name != "b/"+key || got.encoding != want.encoding || !bytes.Equal(got.body, want.body) {
					t.Errorf("redone as %s, %q, %d bytes; planned as %s, %q, %d bytes", name, got.encoding, len(got.body), key, want.encoding, len(want.body))
				}
				if f != processors.ZIP {
					return
				}
				if _, entry, err := unpack.Zip(got.body); err != nil || entry.Name != got.metadata[processors.MetadataPlan] || !strings.Contains(key, entry.Name) {
					t.Errorf("the entry of %s is %+v, %v", key, entry, err)
				}
			})
		})
	}
}

type shardOf struct {
	*world
	tb testing.TB
}

func (s *shardOf) one() (string, stored) {
	s.tb.Helper()
	if len(s.objects) != 1 {
		s.tb.Fatalf("objects %v", s.keys())
	}
	return s.keys()[0], s.objects[s.keys()[0]]
}

// TestShardEndIsFoundAgain: a cut that was prepared as the shard's last is
// committed at its last record, so that the worker sees the end itself and makes
// the children.
func TestShardEndIsFoundAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(numbered(5))
		w.fault = at("put", 0, crashAfter)
		h, p, ctx := w.take(t.Context(), t, config(), theShard())
		if err := h.life(ctx, p, []int{5}); !errors.Is(err, kcl.ErrLeaseLost) {
			t.Fatal(err)
		}
		if w.row.pending == nil || !w.row.pending.At.IsShardEnd() {
			t.Fatalf("row %+v, want a pending SHARD_END", w.row)
		}
		h, p, ctx = w.take(t.Context(), t, config(), theShard())
		if err := h.begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		if got, want := w.row.checkpoint.ExtendedSequenceNumber, w.records[4].Position().ExtendedSequenceNumber; got != want {
			t.Errorf("checkpoint %v, want %v", got, want)
		}
		if err := h.life(ctx, p, []int{5}); err != nil || !w.row.checkpoint.IsShardEnd() {
			t.Errorf("error %v, checkpoint %v", err, w.row.checkpoint)
		}
		if err := w.verdict(true); err != nil {
			t.Error(err)
		}
	})
}

func TestLossIsReported(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		expired int
		lost    int64
		to      int // record, or -1
		objects int
		late    bool // the first holder's put arrives before the redo's
	}{
		{"the first two have expired", 2, 2, 2, 1, false},
		{"all of the cut have expired", 6, 5, -1, 0, false},
		{"the first two have expired, but the whole object arrives first", 2, 2, 2, 1, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := prepared(t, 9, 5, config(), theShard())
				w.horizon = row.expired
				if row.late {
					w.late, w.now.landIn = w.puts, 2 // after the HEAD, before the put
				}
				h, p, ctx := w.take(t.Context(), t, config(), theShard())
				if err := h.begin(ctx, p); err != nil {
					t.Fatal(err)
				}
				if len(w.lost) != 1 || len(w.objects) != row.objects || w.row.pending != nil {
					t.Fatalf("lost %+v, objects %v, row %+v", w.lost, w.keys(), w.row)
				}
				var to checkpoint.ExtendedSequenceNumber
				if row.to >= 0 {
					to = w.records[row.to].Position().ExtendedSequenceNumber
				}
				e := w.lost[0]
				if e.Lost != row.lost || e.From != w.records[0].Position().ExtendedSequenceNumber || e.To != to ||
					e.Last != w.records[4].Position().ExtendedSequenceNumber ||
					!e.FromArrival.Equal(start()) || !e.LastArrival.Equal(start().Add(4*time.Millisecond)) {
					t.Errorf("reported %+v", e)
				}
				n, err := w.places(false)
				if err != nil {
					t.Fatal(err)
				}
				want := 5 - row.expired
				if row.late {
					want = 5
				}
				if len(n) != max(want, 0) {
					t.Errorf("%d records delivered, want %d", len(n), want)
				}
				if want <= 0 {
					if len(w.delivered) > 0 {
						t.Errorf("told as delivered: %+v", w.delivered)
					}
				} else if len(w.delivered) != 1 || w.delivered[0].Records != int64(want) {
					t.Errorf("told %+v, want %d records", w.delivered, want)
				}
			})
		})
	}
}

// TestReplayThatStopsShort: it is no loss, and nothing is published.
func TestReplayThatStopsShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := prepared(t, 9, 5, config(), theShard())
		h, p, ctx := w.take(t.Context(), t, config(), theShard())
		for name, change := range map[string]func([]kcl.Record) []kcl.Record{
			"the end is missing":  func(r []kcl.Record) []kcl.Record { return r[:4] },
			"out of order":        func(r []kcl.Record) []kcl.Record { return []kcl.Record{r[1], r[0], r[4]} },
			"one comes twice":     func(r []kcl.Record) []kcl.Record { return []kcl.Record{r[0], r[0], r[4]} },
			"one is beyond":       func(r []kcl.Record) []kcl.Record { return append(r[:5:5], w.records[5]) },
			"one before the cut?": func(r []kcl.Record) []kcl.Record { return []kcl.Record{{SequenceNumber: "1"}, r[4]} },
		} {
			err := p.Initialize(ctx, kcl.InitializationInput{
				Shard: h.shard, Checkpoint: w.row.checkpoint, Pending: w.row.pending, Checkpointer: h.cp, CheckTrust: h.CheckTrust,
				Replay: func(context.Context, checkpoint.ExtendedSequenceNumber, checkpoint.ExtendedSequenceNumber, kcl.ReplayOptions) iter.Seq2[kcl.Record, error] {
					return func(yield func(kcl.Record, error) bool) {
						for _, r := range change(w.records[:5]) {
							if !yield(r, nil) {
								return
							}
						}
					}
				},
			})
			if err == nil || kcl.IsGiveUp(err) {
				t.Errorf("%s: error %v", name, err)
			}
			if len(w.objects) > 0 || len(w.lost) > 0 || w.row.pending == nil {
				t.Fatalf("%s: objects %v, lost %v, row %+v", name, w.keys(), w.lost, w.row)
			}
		}
	})
}

// TestOutageIsLoggedAtASaneRate: a warning at first, then one a minute, and a
// note when it is over.
func TestOutageIsLoggedAtASaneRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		s := begin(t, with(config(), func(c *processors.Config) { c.Logger = zap.New(core) }).WithSize(1), numbered(1))
		s.downUntil = time.Now().Add(10 * time.Minute)
		if err := s.deliverAll(t.Context(), s.processor, 1); err != nil {
			t.Fatal(err)
		}
		warnings := logs.FilterLevelExact(zapcore.WarnLevel).Len()
		if infos := logs.FilterMessage("succeeded after failures").Len(); warnings < 9 || warnings > 11 || infos != 1 {
			t.Errorf("%d warnings, %d notes of success", warnings, infos)
		}
	})
}

func TestBucketIsLookedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(numbered(3))
		w.fault = at("check", 0, fails)
		h, p, ctx := w.take(t.Context(), t, config(), theShard())
		for range 3 {
			if err := h.initialize(ctx, p); err != nil {
				t.Fatal(err)
			}
		}
		if w.counts["check"] != 1 {
			t.Errorf("%d looks", w.counts["check"])
		}
	})
}

// TestLongObjectGoesToAFile, which is gone afterwards on every path.
func TestLongObjectGoesToAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		records := numbered(60)
		for i := range records {
			records[i].Data = fmt.Appendf(nil, "<%d>%s", i, strings.Repeat("y", 10_000))
		}
		var held []int64
		cfg := with(config(), func(c *processors.Config) { c.SpoolMemory, c.SpoolDir = 64<<10, dir })
		w := newWorld(records)
		h, p, ctx := w.take(t.Context(), t, cfg, theShard())
		if err := h.begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		h.cp.Processed(records[59].Position())
		for i := range records {
			in := kcl.ProcessRecordsInput{Records: records[i : i+1], Checkpointer: h.cp, Hold: func(n int64) { held = append(held, n) }}
			if err := p.ProcessRecords(ctx, in); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range held {
			if n > 128<<10 {
				t.Fatalf("holds %d bytes", n)
			}
		}
		if err := p.ShutdownRequested(ctx, kcl.ShutdownRequestedInput{Checkpointer: h.cp}); err != nil {
			t.Fatal(err)
		}
		if err := w.verdict(true); err != nil {
			t.Error(err)
		}
	})
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestNoPlaceForAFile: then the object is delivered early.
func TestNoPlaceForAFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		records := arrived([]string{strings.Repeat("x", 100_000), strings.Repeat("y", 100_000), strings.Repeat("z", 100_000)})
		s := begin(t, with(config(), func(c *processors.Config) { c.SpoolMemory, c.SpoolDir = 64<<10, dir }), records)
		s.put(1)
		if _, o := s.one(); len(o.body) != 100_000 || s.delivered[0].Reason != "spool" {
			t.Errorf("object of %d bytes, %+v", len(o.body), s.delivered)
		}
	})
}

// TestAfterAFailureTheCutGoesOn: a processor whose call failed without a lost
// lease finishes that cut before anything else.
func TestAfterAFailureTheCutGoesOn(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"prepare", "put", "commit"} {
		t.Run("stopped at "+step, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, config().WithSize(20), numbered(30))
				s.put(2)
				ctx, cancel := context.WithCancel(t.Context())
				s.fault = func(kind string, _, _ int) fault {
					if kind == step && ctx.Err() == nil {
						cancel()
						return answerLost
					}
					return noFault
				}
				if err := s.deliver(ctx, s.processor, 28); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				s.read = max(2, s.firstUndone())
				s.put(30)
				s.stop()
				if err := s.verdict(true); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
