package metrics_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// written are the lines of EMF that a test's writer got.
type written struct {
	t     *testing.T
	mu    sync.Mutex // a write that hangs goes on beside the test
	lines []map[string]any
	write func([]byte) error // instead of nil
	end   func()
	logs  *observer.ObservedLogs
}

// emits has the metrics written.
func (w world) emits() *written {
	core, logs := observer.New(zapcore.WarnLevel)
	out := &written{t: w.t, write: func([]byte) error { return nil }, logs: logs}
	out.end = w.m.EmitEMF(w.t.Context(), "Archive/Orders", func(text []byte) error {
		begun := time.Now()
		if err := out.write(text); err != nil {
			return err
		}
		out.mu.Lock()
		defer out.mu.Unlock()
		for l := range strings.Lines(string(text)) {
			out.lines = append(out.lines, checkedLine(w.t, l, begun))
		}
		return nil
	}, zap.New(core))
	return out
}

func (o *written) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.lines)
}

// numbers returns the metrics of a line.
func (o *written) numbers(i int) map[string]any {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if i >= len(o.lines) {
		o.t.Fatalf("%d lines, want one more", len(o.lines))
	}
	n := maps.Clone(o.lines[i])
	for _, name := range []string{"_aws", "DeliveryStreamName", "Version"} {
		delete(n, name)
	}
	return n
}

// units are those of CloudWatch.
var units = regexp.MustCompile(`^(Seconds|Microseconds|Milliseconds|(Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Kilobits|Megabits|Gigabits|Terabits|Count)(/Second)?|Percent|None)$`)

// checkedLine returns a line's members. It must be as the schema of the embedded
// metric format has it.
// Source: "Specification: Embedded metric format" of the CloudWatch user guide.
func checkedLine(t *testing.T, l string, made time.Time) (members map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(l), &members); err != nil || !strings.HasSuffix(l, "}\n") || len(l) > 256<<10 {
		t.Fatalf("no line of JSON: %v, %q", err, l)
	}
	var head struct {
		AWS *struct {
			Timestamp         *int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal([]byte(l), &head); err != nil || head.AWS == nil || head.AWS.Timestamp == nil || len(head.AWS.CloudWatchMetrics) == 0 {
		t.Fatalf("no metadata: %v, %s", err, l)
	}
	if at := time.UnixMilli(*head.AWS.Timestamp); !at.Equal(made.Truncate(time.Millisecond)) {
		t.Errorf("its time is %v", at)
	}
	for _, d := range head.AWS.CloudWatchMetrics {
		if d.Namespace != "Archive/Orders" || len(d.Dimensions) != 1 || len(d.Metrics) > 100 {
			t.Errorf("directive %+v", d)
		}
		for _, name := range slices.Concat(d.Dimensions...) {
			if v, ok := members[name].(string); !ok || v == "" || len(v) > 1024 {
				t.Errorf("dimension %s is %v", name, members[name])
			}
		}
		for _, m := range d.Metrics {
			if !units.MatchString(m.Unit) || !areNumbers(members[m.Name]) {
				t.Errorf("metric %+v is %v", m, members[m.Name])
			}
		}
	}
	return members
}

func areNumbers(v any) bool {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	return len(list) > 0 && len(list) <= 100 && !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(float64); return !ok })
}

// none is a line in which nothing happened.
func none() map[string]any {
	n := map[string]any{}
	for _, name := range []string{
		"DataReadFromKinesisStream.Records", "DataReadFromKinesisStream.Bytes", "ThrottledGetRecords", "ThrottledGetShardIterator",
		"DeliveryToS3.Records", "DeliveryToS3.Bytes", "BackupToS3.Records", "BackupToS3.Bytes",
		"OutputDecompressedRecords.Success", "OutputDecompressedRecords.Failed", "OutputDecompressedBytes.Success", "OutputDecompressedBytes.Failed",
		"KMSKeyAccessDenied", "KMSKeyDisabled", "KMSKeyInvalidState", "KMSKeyNotFound",
		"SucceedProcessing.Records", "SucceedProcessing.Bytes", "DeliveryToS3.ObjectCount", "RecordsDropped",
		"ThrottledListShards", "RecordsFailed", "BundlesLost", "RecordsLost", "RecordsLost.Gaps", "PutFailed",
	} {
		n[name] = 0.0
	}
	return n
}

func with(n, more map[string]any) map[string]any {
	maps.Copy(n, more)
	return n
}

// A line has what was added in its period, what is now, and each try.
func TestEMF(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		out := w.emits()
		everything(w) // in less than a minute
		d := w.m.DeliveryHooks()
		time.Sleep(time.Minute)
		synctest.Wait()
		first := out.numbers(0)
		for _, name := range []string{"DeliveryToS3.DataFreshness", "BackupToS3.DataFreshness"} {
			if age, _ := first[name].(float64); age < 50 || age > 100 { // of shard-1
				t.Errorf("%s is %v", name, first[name])
			}
			delete(first, name)
		}
		want := with(none(), map[string]any{
			"DataReadFromKinesisStream.Records": 2.0, "DataReadFromKinesisStream.Bytes": 7.0, "KinesisMillisBehindLatest": 1500.0,
			"ThrottledGetRecords": 13.0, "ThrottledGetShardIterator": 14.0, "ThrottledListShards": 15.0,
			"DeliveryToS3.Records": 11.0, "DeliveryToS3.Bytes": 110.0, "DeliveryToS3.Success": []any{1.0, 0.0},
			"BackupToS3.Records": 12.0, "BackupToS3.Bytes": 120.0, "BackupToS3.Success": append([]any{1.0}, slices.Repeat([]any{0.0}, 21)...),
			"OutputDecompressedRecords.Success": 25.0, "OutputDecompressedRecords.Failed": 5.0,
			"OutputDecompressedBytes.Success": 250.0, "OutputDecompressedBytes.Failed": 55.0,
			"ExecuteProcessing.Success": []any{1.0, 0.0, 0.0, 0.0}, "ExecuteProcessing.Duration": []any{3.0, 2e5, 2e5, 2e5},
			"SucceedProcessing.Records": 41.0, "SucceedProcessing.Bytes": 42.0, "RecordsDropped": 43.0,
			"DeliveryToS3.ObjectCount": 46.0, "JQProcessing.Duration": []any{45.0},
			"PartitionCount": 7.0, "ActivePartitionsLimit": 500.0, "PartitionCountExceeded": 1.0,
			"RecordsFailed": 29.0, "BundlesLost": 1.0, "RecordsLost": 9.0, "RecordsLost.Gaps": 1.0, "PutFailed": 22.0,
			"KMSKeyAccessDenied": 4.0, "KMSKeyDisabled": 1.0, "KMSKeyInvalidState": 2.0, "KMSKeyNotFound": 3.0,
		})
		if diff := cmp.Diff(want, first); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		d.Buffered(processors.BufferedEvent{ShardID: "shard-1"})
		d.Delivered(processors.DeliveredEvent{Role: processors.RoleDelivery, Records: 3, Bytes: 30})
		time.Sleep(time.Minute)
		synctest.Wait()
		want = with(none(), map[string]any{
			"KinesisMillisBehindLatest": 1500.0, "DeliveryToS3.Records": 3.0, "DeliveryToS3.Bytes": 30.0, "DeliveryToS3.Success": []any{1.0},
			"PartitionCount": 7.0, "ActivePartitionsLimit": 500.0, "PartitionCountExceeded": 0.0,
		})
		if diff := cmp.Diff(want, out.numbers(1)); diff != "" {
			t.Errorf("a minute later (-want +got):\n%s", diff)
		}
		out.end()
		if n := len(out.lines); n != 3 {
			t.Errorf("%d lines, want that of the end too", n)
		}
	})
}

// However many tries there are in a period, each is a value.
func TestEMFOfManyTries(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		out := w.emits()
		d := w.m.DeliveryHooks()
		for range 230 {
			d.Delivered(processors.DeliveredEvent{Role: processors.RoleDelivery, Records: 1})
			d.Delivered(processors.DeliveredEvent{Role: processors.RoleBackup, Records: 1})
		}
		for range 30 {
			d.PutFailed(processors.PutFailedEvent{Role: processors.RoleBundle})
		}
		out.end()
		count, sum, records := map[string]int{}, map[string]float64{}, 0.0
		for i := range out.lines {
			for name, v := range out.numbers(i) {
				if list, ok := v.([]any); ok {
					for _, one := range list {
						sum[name] += one.(float64) // checkedLine has looked
						count[name]++
					}
				}
			}
			r, _ := out.numbers(i)["DeliveryToS3.Records"].(float64)
			records += r
		}
		if got, want := fmt.Sprint(count, sum, records), "map[BackupToS3.Success:230 DeliveryToS3.Success:260] map[BackupToS3.Success:230 DeliveryToS3.Success:230] 230"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// Each duration is a value, until there are more than 10,000 that could not be written;
// then the oldest are left out.
func TestEMFOfManyDurations(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ calls, fails, want int }{
		"some":                     {230, 0, 230},
		"some, after a failure":    {230, 1, 230},
		"more than are remembered": {10_230, 0, 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.m.DeliveryHooks().Transformed(processors.TransformedEvent{Duration: time.Hour}) // before somebody takes it
				out := w.emits()
				out.write = func([]byte) error {
					if row.fails--; row.fails >= 0 {
						return errTest
					}
					return nil
				}
				for i := range row.calls {
					w.m.DeliveryHooks().Transformed(processors.TransformedEvent{Duration: time.Duration(i) * time.Millisecond})
				}
				time.Sleep(3 * time.Minute)
				out.end()
				var got []any
				for i := range out.lines {
					if n := out.numbers(i); n["ExecuteProcessing.Duration"] != nil {
						got = append(got, n["ExecuteProcessing.Duration"].([]any)...) // checkedLine has looked
					}
				}
				if len(got) != row.want {
					t.Fatalf("%d values, want %d", len(got), row.want)
				}
				for i, v := range got {
					if v != float64(row.calls-row.want+i) {
						t.Fatalf("value %d is %v", i, v)
					}
				}
			})
		})
	}
}

// Nothing is told of partitions where there are none, nor of those of a shard that is
// given up.
func TestNoPartitions(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		out := w.emits()
		d := w.m.DeliveryHooks()
		d.Buffered(processors.BufferedEvent{ShardID: "shard-1", Records: 1})
		time.Sleep(time.Minute)
		synctest.Wait()
		d.Buffered(processors.BufferedEvent{ShardID: "shard-1", ActivePartitionsLimit: 5})
		time.Sleep(time.Minute)
		synctest.Wait()
		w.m.Hooks().LeaseLost(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-1"}})
		out.end()
		for i, told := range []bool{false, true, false} {
			n := out.numbers(i)
			for _, name := range []string{"PartitionCount", "ActivePartitionsLimit", "PartitionCountExceeded"} {
				if _, there := n[name]; there != told {
					t.Errorf("line %d has %s: %v, want %v", i, name, there, told)
				}
			}
		}
		if _, text := get(t, w.m); strings.Contains(text, "shardmill_PartitionCount{") {
			t.Error("Prometheus is told of partitions")
		}
	})
}

// What could not be written is in the next line, and told.
func TestEMFAfterAFailure(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		out := w.emits()
		out.write = func([]byte) error { return errTest }
		deliver := func() {
			w.m.DeliveryHooks().Delivered(processors.DeliveredEvent{Role: processors.RoleDelivery, Records: 5})
		}
		deliver()
		time.Sleep(2*time.Minute + time.Second)
		deliver()
		synctest.Wait()
		if n := out.logs.FilterMessageSnippet("could not be written").Len(); n != 2 || len(out.lines) > 0 {
			t.Errorf("told %d times, %d lines", n, len(out.lines))
		}
		out.write = func([]byte) error { return nil }
		out.end()
		if got := out.numbers(0)["DeliveryToS3.Records"]; got != 10.0 {
			t.Errorf("%v records, want 10", got)
		}
	})
}

// A writer that hangs holds nobody up, not even the end, and is told. When it goes on
// nothing is missing.
func TestEMFOfAWriterThatHangs(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]time.Duration{"for a while": 5 * time.Minute, "for ever": 100 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				out := w.emits()
				release := make(chan struct{})
				out.write = func([]byte) error { <-release; return nil }
				go func() {
					time.Sleep(outage)
					close(release)
				}()
				for range 4 {
					w.m.DeliveryHooks().Delivered(processors.DeliveredEvent{Role: processors.RoleDelivery, Records: 5})
					time.Sleep(time.Minute)
				}
				synctest.Wait()
				if n := out.logs.FilterMessageSnippet("are not taken").Len(); n != 3 {
					t.Errorf("told %d times", n)
				}
				if outage < time.Hour {
					time.Sleep(outage)
				}
				begun := time.Now()
				out.end()
				if took := time.Since(begun); took > 10*time.Second {
					t.Errorf("the end took %v", took)
				}
				records := 0.0
				for i := range out.count() {
					n, _ := out.numbers(i)["DeliveryToS3.Records"].(float64)
					records += n
				}
				if lost := out.logs.FilterMessageSnippet("the last ones are lost").Len(); lost == 0 && records != 20 || outage > time.Hour && lost != 1 {
					t.Errorf("%v records, a loss told %d times", records, lost)
				}
				<-release
			})
		})
	}
}

// docs/metrics.md has each metric that is written, and what it is in Prometheus.
func TestEMFIsDocumented(t *testing.T) {
	t.Parallel()
	page := read(t, filepath.Join("..", "..", "..", "..", "docs", "metrics.md"))
	golden := read(t, filepath.Join("testdata", "metrics.txt")) + read(t, filepath.Join("testdata", "metrics-documents.txt")) + read(t, filepath.Join("testdata", "metrics-warehouse.txt"))
	documented := func(w world, happen func(world)) {
		out := w.emits()
		happen(w)
		out.end()
		for name := range out.numbers(0) {
			prometheus := "shardmill_" + strings.ReplaceAll(name, ".", "_")
			if !strings.Contains(page, "`"+name+"`") || !strings.Contains(page, "`"+prometheus+"`") || !strings.Contains(golden, "# TYPE "+prometheus+" ") {
				t.Errorf("%s, or %s, is not documented, or is no metric", name, prometheus)
			}
		}
	}
	inWorld(t, func(w world) { documented(w, everything) })
	for _, to := range []metrics.Destination{metrics.ToOpenSearchService, metrics.ToServerless, metrics.ToElasticsearch} {
		inDocumentWorld(t, to, true, func(w world) { documented(w, documentsHappen) })
	}
	inWarehouseWorld(t, func(w world) { documented(w, loadsHappen) })
	for _, name := range regexp.MustCompile(`shardmill_\w+`).FindAllString(page, -1) {
		name = part.ReplaceAllString(name, "")
		if !strings.Contains(golden, "# TYPE "+name+" ") {
			t.Errorf("%s is no metric", name)
		}
	}
}
