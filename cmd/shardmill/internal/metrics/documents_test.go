package metrics_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// inDocumentWorld is inWorld for a stream of documents.
func inDocumentWorld(t *testing.T, to metrics.Destination, backup bool, f func(world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &shown{show: func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now()} }}
		f(world{t, metrics.New(metrics.Options{DeliveryStreamName: "orders", Version: "v1.2.3", Backup: backup, Documents: to}, w.snapshot), w})
	})
}

// documentsHappen has a cut indexed by two requests after two that failed, and an object of
// each role put.
func documentsHappen(w world) {
	h := w.m.DeliveryHooks()
	h.Bulked(processors.BulkEvent{ShardID: "shard-1", Documents: 10, Failed: 10, Status: 403, Err: errTest, AuthFailure: true})
	h.Bulked(processors.BulkEvent{ShardID: "shard-1", Documents: 10, Failed: 10, Status: 429, Err: errTest, Rejected: true})
	h.Bulked(processors.BulkEvent{ShardID: "shard-1", Documents: 10, Indexed: 5, Superseded: 3, Failed: 2, Status: 200, Rejected: true})
	h.Bulked(processors.BulkEvent{ShardID: "shard-1", Documents: 2, Failed: 2, Status: 200})
	h.Indexed(processors.IndexedEvent{ShardID: "shard-1", Documents: 7, Bytes: 700, Superseded: 1, Failed: 2, Requests: 4})
	h.Processed(processors.ProcessedEvent{ShardID: "shard-1", Failed: map[string]int64{"AmazonOpenSearchService-failed": 2}, Objects: 2})
	h.Delivered(processors.DeliveredEvent{Role: processors.RoleFailed, Records: 2, Bytes: 200})
	h.Delivered(processors.DeliveredEvent{Role: processors.RoleBackup, Records: 10, Bytes: 1000})
	h.PutFailed(processors.PutFailedEvent{Role: processors.RoleBundle, Err: errTest})
	h.Buffered(processors.BufferedEvent{ShardID: "shard-1", Records: 1, Freshness: 90 * time.Second})
}

var part = regexp.MustCompile(`_(count|sum|bucket)$`) // of a histogram

var family = regexp.MustCompile(`^(?:# HELP |# TYPE )?(shardmill_\w+)`)

// Firehose's metrics of each destination of documents, and ours, are those in the golden
// file, of a stream with AllDocuments; beside what all streams have.
func TestMetricsOfDocuments(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "metrics-documents.txt")
	all := read(t, filepath.Join("testdata", "metrics.txt"))
	var b strings.Builder
	seen := map[string]bool{}
	for _, to := range []metrics.Destination{metrics.ToOpenSearchService, metrics.ToServerless, metrics.ToElasticsearch} {
		inDocumentWorld(t, to, true, func(w world) {
			documentsHappen(w)
			_, text := get(w.t, w.m)
			now := map[string]bool{}
			for line := range strings.Lines(onlyOurs(text)) {
				name := part.ReplaceAllString(family.FindStringSubmatch(line)[1], "")
				if !strings.Contains(all, " "+name+" ") && !seen[name] {
					b.WriteString(line)
					now[name] = true
				}
			}
			maps.Copy(seen, now)
		})
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, golden), b.String()); diff != "" {
		t.Errorf("-golden +got:\n%s", diff)
	}
}

// What a stream of documents tells of S3 is told with AllDocuments alone, but for Success:
// records in the bucket are then those of all documents, and not those that failed.
func TestS3OfDocuments(t *testing.T) {
	t.Parallel()
	for _, backup := range []bool{false, true} {
		inDocumentWorld(t, metrics.ToServerless, backup, func(w world) {
			out := w.emits()
			documentsHappen(w)
			time.Sleep(time.Minute)
			synctest.Wait()
			_, text := get(w.t, w.m)
			n := out.numbers(0)
			out.end()
			want := map[string]any{
				"DeliveryToS3.Success": []any{1.0, 1.0, 0.0}, "PutFailed": 1.0, "RecordsFailed": 2.0,
				"DeliveryToAmazonOpenSearchServerless.Records": 7.0, "DeliveryToAmazonOpenSearchServerless.Bytes": 700.0,
				"DeliveryToAmazonOpenSearchServerless.Success":       []any{0.0, 0.0, 0.8, 0.0},
				"DeliveryToAmazonOpenSearchServerless.DataFreshness": 150.0,
				"DeliveryToAmazonOpenSearchServerless.AuthFailure":   1.0, "DeliveryToAmazonOpenSearchServerless.DeliveryRejected": 1.0,
				"IndexRequests": 4.0, "DocumentsSuperseded": 1.0, "DocumentsFailed": 2.0,
			}
			if backup {
				want["DeliveryToS3.Records"], want["DeliveryToS3.Bytes"], want["DeliveryToS3.DataFreshness"] = 10.0, 1000.0, 150.0
			}
			for name, value := range n {
				if value == 0.0 && !strings.Contains(name, "S3") {
					delete(n, name)
				}
			}
			if diff := cmp.Diff(want, n); diff != "" {
				w.t.Errorf("backup %v, -want +got:\n%s", backup, diff)
			}
			for _, name := range []string{"DeliveryToS3_Records", "DeliveryToS3_Bytes", "DeliveryToS3_DataFreshness"} {
				if strings.Contains(text, name) != backup {
					w.t.Errorf("backup %v: %s", backup, name)
				}
			}
			for _, name := range []string{"BackupToS3", "DeliveryToS3_ObjectCount", "PartitionCount", "JQProcessing", "DeliveryTo_", "AmazonOpenSearchService"} {
				if strings.Contains(text, name) || slices.ContainsFunc(slices.Collect(maps.Keys(n)), func(s string) bool { return strings.Contains(s, name) }) {
					w.t.Errorf("backup %v: there is %s", backup, name)
				}
			}
		})
	}
}

// The flags are 0 or 1, told each minute.
func TestFlagsOfDocuments(t *testing.T) {
	t.Parallel()
	inDocumentWorld(t, metrics.ToOpenSearchService, false, func(w world) {
		out := w.emits()
		for range 3 {
			w.m.DeliveryHooks().Bulked(processors.BulkEvent{Documents: 1, Failed: 1, AuthFailure: true})
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for i, want := range []float64{1, 0} {
			n := out.numbers(i)
			if n["DeliveryToAmazonOpenSearchService.AuthFailure"] != want || n["DeliveryToAmazonOpenSearchService.DeliveryRejected"] != 0.0 {
				w.t.Errorf("minute %d: %v", i, n)
			}
		}
		out.end()
	})
}
