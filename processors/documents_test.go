package processors_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/transform"
)

// scripted is an index that does with the documents of each cut what it is told to.
type scripted struct {
	run     func(ctx context.Context, in processors.IndexInput, o *processors.IndexOutcome) error
	in      processors.IndexInput
	outcome *processors.IndexOutcome
}

func (s scripted) Open(in processors.IndexInput) processors.Indexing {
	s.in, s.outcome = in, new(processors.IndexOutcome)
	return s
}

func (scripted) FailedType() string                 { return documentsFailed }
func (scripted) Check(context.Context) error        { return nil }
func (scripted) Held() int64                        { return 7 }
func (s scripted) Outcome() processors.IndexOutcome { return *s.outcome }
func (s scripted) Run(ctx context.Context) error    { return s.run(ctx, s.in, s.outcome) }

// refusingIf is an index that refuses the documents that have a text in them.
func refusingIf(text string, as processors.DocumentFailure) scripted {
	return scripted{run: func(_ context.Context, in processors.IndexInput, o *processors.IndexOutcome) error {
		for i := range in.Documents.Len() {
			place, data, err := in.Documents.Read(i, nil)
			if err != nil {
				return err
			}
			if !strings.Contains(string(data), text) {
				o.Indexed++
				o.IndexedBytes += int64(len(data))
				continue
			}
			f := as
			f.Document = i
			if f.ID == "PLACE" {
				f.ID = string(place)
			}
			o.Failed = append(o.Failed, f)
		}
		o.Requests = 3
		return nil
	}}
}

// conformDocuments is about what becomes of documents that an index does not take.
func conformDocuments(t *testing.T) {
	t.Helper()
	ended := time.Date(2016, 2, 25, 13, 5, 0, 7e6, time.UTC)
	bad := processors.DocumentFailure{
		Code: "400", Message: `failed to parse field [id] of type [long]`, Attempts: 9, Ended: ended, ID: "PLACE", Index: "myindex-2016-02-25", Type: "log",
	}
	const place = "49590000000000000000000000000000000000000000000000000000.0"
	const line = `{"attemptsMade":9,"arrivalTimestamp":1456405200000,"errorCode":"400","errorMessage":"failed to parse field [id] of type [long]",` +
		`"attemptEndingTimestamp":1456405500007,"esDocumentId":"` + place + `","esIndexName":"myindex-2016-02-25","esTypeName":"log","rawData":"eyJpZCI6IjEiLCJtc2ciOiJ4In0="}` + "\n"
	os := func(index scripted) processors.Config {
		return with(config(), func(c *processors.Config) { c.Index, c.Prefix = index, "os/" })
	}
	statement(t, "E14", func(t *testing.T) {
		t.Helper()
		got, told := put(t, os(refusingIf(`"id"`, bad)), recordsOf(`{"id":"1","msg":"x"}`))
		if len(got) != 1 || got["os/"+documentsFailed+"/2016/02/25/13/"][0] != line || told.Failed[documentsFailed] != 1 {
			t.Errorf("got %q, want %q; told %+v", got, line, told)
		}
	})
	statement(t, "E16", func(t *testing.T) {
		t.Helper()
		older := elasticsearch{refusingIf(`"id"`, bad)}
		got, _ := put(t, with(config(), func(c *processors.Config) { c.Index, c.Prefix = older, "os/" }), recordsOf(`{"id":"1","msg":"x"}`))
		if len(got) != 1 || len(got["os/elasticsearch-failed/2016/02/25/13/"]) != 1 {
			t.Errorf("got %q", got)
		}
		got, _ = put(t, with(os(refusingIf(`"id"`, bad)), func(c *processors.Config) { c.ErrorOutputPrefix = "bad/!{firehose:error-output-type}/" }), recordsOf(`{"id":1}`))
		if len(got) != 1 || len(got["bad/"+documentsFailed+"/"]) != 1 {
			t.Errorf("got %q", got)
		}
	})
	statement(t, "E17", func(t *testing.T) {
		t.Helper()
		cfg := with(os(refusingIf(`"id"`, bad)), func(c *processors.Config) {
			c.Backup = &processors.Backup{Bucket: "b", Prefix: "os/"}
			c.Transform = &processors.Transform{Function: transform.Each("upper", func(_ context.Context, r *transform.Record) transform.Result {
				return transform.Result{Status: transform.Ok, Data: []byte(strings.ToLower(string(r.Data)))}
			})}
		})
		got, _ := put(t, cfg, recordsOf(`{"ID":"1","MSG":"X"}`, `{"A":2}`))
		if all := got["os/2016/02/25/13/"]; len(got) != 2 || len(all) != 1 || all[0] != `{"ID":"1","MSG":"X"}{"A":2}` {
			t.Errorf("got %q", got)
		}
		if failed := got["os/"+documentsFailed+"/2016/02/25/13/"]; len(failed) != 1 || failed[0] != line {
			t.Errorf("got %q, want %q", got, line)
		}
	})
	statement(t, "E22", func(t *testing.T) {
		t.Helper()
		f := bad
		f.Type, f.Serverless = "", true
		got, _ := put(t, os(refusingIf(`"id"`, f)), recordsOf(`{"id":"1","msg":"x"}`))
		want := strings.Replace(strings.Replace(strings.Replace(line, `,"esTypeName":"log"`, "", 1), "esDoc", "osDoc", 1), "esIndex", "osIndex", 1)
		if lines := got["os/"+documentsFailed+"/2016/02/25/13/"]; len(lines) != 1 || lines[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	statement(t, "W4", bothAreDown)
}

// elasticsearch is an index whose documents fail as those of older delivery streams.
type elasticsearch struct{ scripted }

func (elasticsearch) FailedType() string { return "elasticsearch-failed" }

// While index and store are down nothing more is taken in than two cuts, and when one of
// them is back, what it needs goes on: no record is lost.
func bothAreDown(t *testing.T) {
	t.Helper()
	s := begin(t, indexed().WithSize(20), numbered(23))
	begun := time.Now()
	s.downUntil = begun.Add(2 * time.Hour)
	s.put(5)
	s.put(5)
	if took := time.Since(begun); took < 2*time.Hour || took > 2*time.Hour+time.Minute {
		t.Errorf("the call with the second cut took %v", took)
	}
	for s.read < len(s.records) {
		s.put(3)
	}
	s.stop()
	if err := s.verdict(true); err != nil || len(s.delivered) == 0 {
		t.Errorf("%v; delivered %v", err, s.delivered)
	}
}

// An outcome that does not say of each document what became of it is no outcome.
func TestAnOutcomeThatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(*processors.IndexOutcome){
		"one too few":  func(o *processors.IndexOutcome) { o.Indexed = 3 },
		"one too many": func(o *processors.IndexOutcome) { o.Indexed = 5 },
		"nothing":      func(*processors.IndexOutcome) {},
		"one is counted and fails": func(o *processors.IndexOutcome) {
			o.Indexed, o.Failed = 4, []processors.DocumentFailure{{Document: 2}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				liar := scripted{run: func(_ context.Context, _ processors.IndexInput, o *processors.IndexOutcome) error { lie(o); return nil }}
				s := begin(t, with(config(), func(c *processors.Config) { c.Index = liar }), numbered(4))
				err := s.deliverAll(t.Context(), s.processor, 4)
				if !kcl.IsGiveUp(err) || !strings.Contains(err.Error(), "does not add up") {
					t.Errorf("got %v", err)
				}
				if s.processor.LeaseLost(t.Context(), kcl.LeaseLostInput{}); s.row.checkpoint.IsRecord() || len(s.objects) > 0 {
					t.Errorf("checkpoint %v, objects %v", s.row.checkpoint, s.keys())
				}
			})
		})
	}
}

// An index that panics, ends its goroutine or fails has indexed nothing; the next call
// begins where it stopped.
func TestAnIndexThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	for name, wreck := range map[string]func() error{
		"panics":             func() error { panic("index") },
		"ends its goroutine": func() error { runtime.Goexit(); return nil },
		"fails":              func() error { return errors.New("index") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				wayward := scripted{run: func(_ context.Context, in processors.IndexInput, o *processors.IndexOutcome) error {
					if calls++; calls < 3 {
						return wreck()
					}
					o.Indexed = int64(in.Documents.Len())
					return nil
				}}
				s := begin(t, with(config(), func(c *processors.Config) { c.Index = wayward }).WithSize(3), numbered(4))
				for try := range 3 {
					err := s.deliverAll(t.Context(), s.processor, 4)
					if (err == nil) != (try == 2) || kcl.IsGiveUp(err) {
						t.Fatalf("try %d: %v", try, err)
					}
					if s.readFrom(0); s.row.checkpoint.IsRecord() != (try == 2) {
						t.Fatalf("try %d: checkpoint %v", try, s.row.checkpoint)
					}
				}
				if calls != 6 { // the first cut in three calls, and three cuts of a record
					t.Errorf("%d calls", calls)
				}
			})
		})
	}
}

// The index is asked behind the calls, which say what it holds; and what it says becomes
// lines once, however often it takes to put them.
func TestDocumentsAreIndexedBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calling context.CancelFunc
		slow := ending{refusingIf("<1>", processors.DocumentFailure{Code: "400"}), func() {
			if calling != nil {
				calling()
			}
		}}
		slow.run = func(ctx context.Context, in processors.IndexInput, o *processors.IndexOutcome) error {
			time.Sleep(20 * time.Second)
			return errors.Join(ctx.Err(), refusingIf("<1>", processors.DocumentFailure{Code: "400"}).run(ctx, in, o))
		}
		core, logs := observer.New(zap.WarnLevel)
		cfg := with(config(), func(c *processors.Config) {
			c.Index, c.SpoolMemory, c.SpoolDir, c.Logger = slow, 64<<10, t.TempDir(), zap.New(core)
		}).WithSize(200_000)
		records := recordsOf("<0>"+strings.Repeat("x", 100_000), "<1>", "<2>"+strings.Repeat("x", 100_000), "<3>")
		s := begin(t, cfg, records)
		var held int64
		call := func(from, to int) error {
			var ctx context.Context
			ctx, calling = context.WithCancel(t.Context())
			defer calling()
			s.cp.Processed(records[len(records)-1].Position())
			return s.processor.ProcessRecords(ctx, kcl.ProcessRecordsInput{Records: records[from:to], Checkpointer: s.cp, Hold: func(n int64) { held = n }, Wake: func() {}})
		}
		if err := call(0, 4); err != nil || held < 7+64<<10 || held > 200_000 {
			t.Fatalf("%v, %d bytes are held", err, held)
		}
		time.Sleep(2 * time.Minute)
		if err := call(4, 4); !errors.Is(err, context.Canceled) || kcl.IsGiveUp(err) {
			t.Fatalf("the call that ended within: %v", err)
		}
		calling = nil
		if err := s.deliverAll(t.Context(), s.processor, 0); err != nil {
			t.Fatal(err)
		}
		_, o := s.one()
		if n := strings.Count(string(o.body), "\n"); n != 1 || !s.row.checkpoint.IsRecord() {
			t.Errorf("%d lines, checkpoint %v", n, s.row.checkpoint)
		}
		if all := logs.FilterMessageSnippet("spool").All(); len(all) > 0 {
			t.Errorf("logged %+v", all)
		}
	})
}

// ending is an index that tells when it is asked for an outcome.
type ending struct {
	scripted

	asked func()
}

func (e ending) Open(in processors.IndexInput) processors.Indexing {
	e.in, e.outcome = in, new(processors.IndexOutcome)
	return e
}

func (e ending) Outcome() processors.IndexOutcome {
	e.asked()
	return *e.outcome
}

// What is told of documents is told when their cut is committed, and what they hold is
// told before.
func TestDocumentsAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []processors.IndexedEvent
		var held []processors.BufferedEvent
		cfg := with(config(), func(c *processors.Config) {
			c.Index = refusingIf("x", processors.DocumentFailure{Code: "400"})
			c.Hooks.Indexed = func(e processors.IndexedEvent) { told = append(told, e) }
			c.Hooks.Buffered = func(e processors.BufferedEvent) { held = append(held, e) }
		})
		archiver, err := processors.New(cfg, new(shelf))
		if err != nil {
			t.Fatal(err)
		}
		deliverAll(t, archiver, numbered(14)) // two without an x
		if len(told) != 1 || told[0].Documents != 2 || told[0].Failed != 12 || told[0].Requests != 3 || told[0].Bytes != 6 || told[0].ShardID == "" || told[0].Reason == "" {
			t.Errorf("told %+v", told)
		}
		if len(held) == 0 || held[0].Records != 14 || held[0].Held < 14*24+64<<10 {
			t.Errorf("held %+v", held)
		}
	})
}

func TestWhatDocumentsDoNotGoWith(t *testing.T) {
	t.Parallel()
	_, err := processors.New(with(divided(), func(c *processors.Config) {
		c.Index = index{}
		c.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.JSON}
		c.Decompression, c.CloudWatchLogProcessing = true, true
		c.Compression, c.FileExtension = processors.GZIP, ".json"
		c.Hints = processors.BufferingHints{SizeInMBs: 101, IntervalInSeconds: 60}
	}), store{})
	for _, want := range []string{
		"RecordDeAggregation", "CloudWatchLogProcessing true", "DynamicPartitioning", `Compression "GZIP"`, "Backup has its own", `FileExtension ".json"`, "Hints.SizeInMBs 101: must be 1-100",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if _, err := processors.New(with(config(), func(c *processors.Config) {
		c.Index, c.Hints = index{}, processors.BufferingHints{SizeInMBs: 100, ZeroBuffering: true}
	}), store{}); err != nil {
		t.Error(err)
	}
}
