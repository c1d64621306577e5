package processors_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/unpack"
	"github.com/shardmill/shardmill/processors/pipeline"
)

func zipped(tb testing.TB, s string) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// logs are records as CloudWatch Logs' subscription and somebody else put them.
func logs(tb testing.TB) (records []kcl.Record) {
	tb.Helper()
	for i, data := range []string{
		zipped(tb, `{"messageType":"DATA_MESSAGE","logEvents":[{"message":"one"},{"message":"two"}]}`),
		"not gzip",
		zipped(tb, `{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"hello"}]}`),
		zipped(tb, `{"messageType":"DATA_MESSAGE","logEvents":[]}`),
		zipped(tb, "no JSON"),
		zipped(tb, `{"messageType":"DATA_MESSAGE","logEvents":[{"message":"three"}]}`),
		"not gzip either",
	} {
		records = append(records, record(3*i, data))
	}
	return records
}

// TestStages: each record is in exactly one place, or told to be nothing: messages in
// the object, failures in an object of their kind, and all of them in the backup.
func TestStages(t *testing.T) {
	t.Parallel()
	for _, delivery := range []processors.Delivery{processors.ExactlyOnce, processors.AtLeastOnce} {
		synctest.Test(t, func(t *testing.T) {
			s := new(shelf)
			var told []processors.ProcessedEvent
			cfg := with(backedUp(), func(c *processors.Config) {
				c.Delivery, c.Decompression, c.CloudWatchLogProcessing, c.AppendDelimiterToRecord = delivery, true, true, true
				c.Prefix, c.Compression, c.Backup.Compression = "logs/", processors.GZIP, processors.Uncompressed
				c.Hooks.Processed = func(e processors.ProcessedEvent) { told = append(told, e) }
			}).WithBackupSize(1 << 20)
			archiver, err := processors.New(cfg, s)
			if err != nil {
				t.Fatal(err)
			}
			records := logs(t)
			deliverAll(t, archiver, records)
			got := map[string]string{}
			for _, o := range s.objects {
				if name, _, ok := strings.Cut(o.Bucket+"/"+o.Key, "orders-1-"); ok {
					body, err := stored{body: o.body, encoding: o.ContentEncoding}.inflated()
					if err != nil || (o.ContentEncoding != "") != strings.HasSuffix(o.Key, ".gz") {
						t.Errorf("%s is encoded as %q: %v", o.Key, o.ContentEncoding, err)
					}
					got[name] += body
				}
			}
			var all strings.Builder
			size := int64(0)
			for _, r := range records {
				all.Write(r.Data)
				size += int64(len(r.Data))
			}
			line := func(i int, code, message string) string {
				return fmt.Sprintf(`{"rawData":"%s","errorCode":"%s","errorMessage":"%s","attemptsMade":1,"arrivalTimestamp":%d,"attemptEndingTimestamp":946684800000}`+"\n",
					base64.StdEncoding.EncodeToString(records[i].Data), code, message, records[i].ApproximateArrivalTimestamp.UnixMilli())
			}
			const damaged = "The record is not gzip, or is damaged: "
			want := map[string]string{
				"b/logs/2016/02/25/13/":                      "one\ntwo\nthree\n",
				"b/logs/decompression-failed/2016/02/25/13/": line(1, "Decompression.MalformedData", damaged+"unexpected EOF") + line(6, "Decompression.MalformedData", damaged+"gzip: invalid header"),
				"b/logs/processing-failed/2016/02/25/13/": line(4, "CloudWatchLogProcessing.MalformedData",
					"The record is no payload of CloudWatch Logs: it is no such JSON: invalid character 'o' in literal null (expecting 'u')"),
				"backup/raw/2016/02/25/13/": all.String(),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", delivery, diff)
			}
			inflated := int64(0)
			for _, r := range records {
				if whole, err := unpack.Body("gzip", r.Data); err == nil {
					inflated += int64(len(whole))
				}
			}
			wantTold := []processors.ProcessedEvent{{
				ShardID: theShard().ShardID, Records: 7, Bytes: size, Inflated: 5, InflatedBytes: inflated, NotInflatedBytes: 23, Nothing: 2, Objects: 1,
				Failed: map[string]int64{pipeline.DecompressionFailed: 2, pipeline.ProcessingFailed: 1},
			}}
			if diff := cmp.Diff(wantTold, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

// TestALargeRecordThatWaitedInVain: a record whose call ended before its turn came is in
// each object once, when it is given again.
func TestALargeRecordThatWaitedInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		archiver, err := processors.New(with(backedUp(), func(c *processors.Config) { c.Decompression = true }), s)
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 2<<20)
		_, _ = rand.Read(text)
		records := []kcl.Record{record(0, zipped(t, "small")), record(3, zipped(t, string(text)))}
		p := archiver.Processor(theShard())
		cp := checkpoint.New(noRow{}, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
		cp.Processed(records[1].Position())
		over, stop := context.WithCancel(t.Context())
		stop()
		in := kcl.ProcessRecordsInput{Records: records, Checkpointer: cp, Hold: func(int64) {}}
		if err := p.Initialize(t.Context(), kcl.InitializationInput{Checkpointer: cp, Checkpoint: cp.Last(), CheckTrust: func() error { return nil }}); err != nil {
			t.Fatal(err)
		}
		if err := p.ProcessRecords(over, in); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if err := errors.Join(p.ProcessRecords(t.Context(), in), p.ShutdownRequested(t.Context(), kcl.ShutdownRequestedInput{Checkpointer: cp})); err != nil {
			t.Fatal(err)
		}
		p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		places := map[string]string{}
		for _, o := range s.objects {
			if body, err := (stored{body: o.body, encoding: o.ContentEncoding}).inflated(); err == nil && !isBundle(o.Key) {
				places[o.Bucket] += body
			}
		}
		want := map[string]string{"b": "small" + string(text), "backup": string(records[0].Data) + string(records[1].Data)}
		if !maps.Equal(places, want) {
			t.Errorf("%d and %d bytes, want %d and %d", len(places["b"]), len(places["backup"]), len(want["b"]), len(want["backup"]))
		}
	})
}

// TestNothingToDeliver: a cut of which there is nothing to put is committed all the
// same, without a plan.
func TestNothingToDeliver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld([]kcl.Record{record(0, zipped(t, `{"messageType":"CONTROL_MESSAGE"}`))})
		cfg := with(config(), func(c *processors.Config) { c.Decompression, c.CloudWatchLogProcessing = true, true })
		if err := w.run(t.Context(), t, []int{1}, cfg); err != nil {
			t.Fatal(err)
		}
		if len(w.objects) > 0 || !w.row.checkpoint.IsShardEnd() || w.counts["prepare"]+w.counts["seal"] > 0 {
			t.Errorf("objects %v, row %+v, operations %v", w.keys(), w.row, w.counts)
		}
	})
}
