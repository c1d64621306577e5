package metrics_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// inWarehouseWorld is inWorld for a stream that is loaded into Redshift.
func inWarehouseWorld(t *testing.T, f func(world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &shown{show: func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now()} }}
		f(world{t, metrics.New(metrics.Options{DeliveryStreamName: "orders", Version: "v1.2.3", Warehouse: true}, w.snapshot), w})
	})
}

// loadsHappen has a worker that loads give a batch up, load another one, and try a third;
// and a cut staged.
func loadsHappen(w world) {
	w.m.LoaderChanged(true)
	h, d := w.m.LoaderHooks(), w.m.DeliveryHooks()
	h.Tried(redshiftarchive.TriedEvent{Objects: 2, Duration: time.Second, Err: errTest})
	h.GivenUp(redshiftarchive.GivenUpEvent{Objects: 2, Records: 30, Bytes: 3000, Tries: 1, Err: errTest})
	h.Tried(redshiftarchive.TriedEvent{Objects: 7, Duration: time.Minute})
	h.Loaded(redshiftarchive.LoadedEvent{Objects: 7, Records: 100, Bytes: 10_000, Known: 4, Tries: 1})
	h.Waiting(redshiftarchive.WaitingEvent{Markers: 5, Oldest: 90 * time.Second, Tries: 1, Err: errTest})
	d.Awaiting(processors.AwaitingEvent{ShardID: "shard-1", Since: time.Now()})
	d.Awaiting(processors.AwaitingEvent{ShardID: "shard-2", Since: time.Now()})
	d.Awaiting(processors.AwaitingEvent{ShardID: "shard-3", Since: time.Now()})
	d.Awaiting(processors.AwaitingEvent{ShardID: "shard-2"})
	w.m.Hooks().LeaseLost(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-3"}})
	for role, records := range map[processors.Role]int64{processors.RoleDelivery: 100, processors.RoleMarker: 1} {
		d.Delivered(processors.DeliveredEvent{Role: role, Records: records, Bytes: records * 100})
		d.PutFailed(processors.PutFailedEvent{Role: role, Err: errTest})
	}
}

// Firehose's metrics of Redshift, and ours, are those in the golden file, beside what all
// streams have.
func TestMetricsOfWarehouse(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "metrics-warehouse.txt")
	all := read(t, filepath.Join("testdata", "metrics.txt"))
	inWarehouseWorld(t, func(w world) {
		loadsHappen(w)
		_, text := get(w.t, w.m)
		var b strings.Builder
		for line := range strings.Lines(onlyOurs(text)) {
			name := part.ReplaceAllString(family.FindStringSubmatch(line)[1], "")
			if !strings.Contains(all, " "+name+" ") {
				b.WriteString(line)
			}
		}
		if *update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
				w.t.Fatal(err)
			}
		}
		if diff := cmp.Diff(read(w.t, golden), b.String()); diff != "" {
			w.t.Errorf("-golden +got:\n%s", diff)
		}
	})
}

// S3's four are told of what is staged, without the markers; of Redshift each try of COPY is
// 1 or 0.
func TestEMFOfWarehouse(t *testing.T) {
	t.Parallel()
	inWarehouseWorld(t, func(w world) {
		out := w.emits()
		loadsHappen(w)
		time.Sleep(time.Minute)
		synctest.Wait()
		n := out.numbers(0)
		out.end()
		want := map[string]any{
			"DeliveryToS3.Records": 100.0, "DeliveryToS3.Bytes": 10_000.0, "DeliveryToS3.Success": []any{1.0, 0.0}, "PutFailed": 2.0,
			"DeliveryToRedshift.Records": 100.0, "DeliveryToRedshift.Bytes": 10_000.0, "DeliveryToRedshift.Success": []any{1.0, 0.0}, "DeliveryToRedshift.DataFreshness": 150.0,
			"Loads": 1.0, "ObjectsLoaded": 7.0, "ObjectsKnown": 4.0, "LoadsGivenUp": 1.0, "ObjectsNotLoaded": 2.0, "RecordsNotLoaded": 30.0, "LoadTries": 2.0, "MarkersWaiting": 5.0, "Loader": 1.0, "ShardsAwaitingLoad": 1.0,
		}
		for name, value := range n {
			if value == 0.0 {
				delete(n, name)
			}
		}
		if diff := cmp.Diff(want, n); diff != "" {
			w.t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// A stream of another kind tells nothing of Redshift.
func TestNothingOfWarehouseElsewhere(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		_, text := get(w.t, w.m)
		for _, name := range []string{"Redshift", "shardmill_Load", "MarkersWaiting", "NotLoaded"} {
			if strings.Contains(text, name) {
				w.t.Errorf("there is %s", name)
			}
		}
	})
}

// The age of what is not loaded is the greater one of what is staged and what is not, and
// grows while COPY is not answered; of what another worker loads this one knows nothing.
func TestFreshnessOfWarehouse(t *testing.T) {
	t.Parallel()
	inWarehouseWorld(t, func(w world) {
		value := regexp.MustCompile(`(?m)^shardmill_(DeliveryToRedshift_DataFreshness|MarkersWaiting|Loader)\S* (\S+)$`)
		is := func(when, freshness, markers, loader string) {
			w.t.Helper()
			_, text := get(w.t, w.m)
			got := map[string]string{}
			for _, m := range value.FindAllStringSubmatch(text, -1) {
				got[m[1]] = m[2]
			}
			if got["DeliveryToRedshift_DataFreshness"] != freshness || got["MarkersWaiting"] != markers || got["Loader"] != loader {
				w.t.Errorf("%s: %v", when, got)
			}
		}
		h, d := w.m.LoaderHooks(), w.m.DeliveryHooks()
		is("nothing waits, and another one loads", "", "", "0")
		d.Buffered(processors.BufferedEvent{ShardID: "shard-1", Records: 1, Freshness: 10 * time.Second})
		is("what is not staged", "10", "", "0")
		w.m.LoaderChanged(true)
		h.Waiting(redshiftarchive.WaitingEvent{Markers: 2, Oldest: 40 * time.Second})
		time.Sleep(5 * time.Second)
		is("what is staged is older", "45", "2", "1")
		d.Buffered(processors.BufferedEvent{ShardID: "shard-1", Records: 1, Freshness: time.Minute})
		is("what is not staged is older", "60", "2", "1")
		d.Buffered(processors.BufferedEvent{ShardID: "shard-1"})
		time.Sleep(time.Hour)
		is("COPY is not answered", "3645", "2", "1")
		h.Waiting(redshiftarchive.WaitingEvent{})
		is("all is loaded", "", "0", "1")
		h.Waiting(redshiftarchive.WaitingEvent{Markers: 1, Oldest: time.Second})
		w.m.LoaderChanged(false)
		is("another one loads", "", "", "0")
		w.m.LoaderChanged(true)
		is("this one again, which has not looked yet", "", "0", "1")
	})
}

// What this worker has staged grows old while nobody is known to load, or markers cannot be
// looked for; and so does what a checkpoint waits for.
func TestFreshnessWhileNobodyLoads(t *testing.T) {
	t.Parallel()
	inWarehouseWorld(t, func(w world) {
		value := regexp.MustCompile(`(?m)^shardmill_DeliveryToRedshift_DataFreshness\S* (\S+)$`)
		is := func(when, want string) {
			w.t.Helper()
			_, text := get(w.t, w.m)
			got := ""
			if m := value.FindStringSubmatch(text); m != nil {
				got = m[1]
			}
			if got != want {
				w.t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		var status elected.Status
		w.m.WatchRole(func() elected.Status { return status })
		h, d := w.m.LoaderHooks(), w.m.DeliveryHooks()
		staged := func(role processors.Role, age time.Duration) {
			d.Delivered(processors.DeliveredEvent{Role: role, Freshness: age})
		}
		staged(processors.RoleMarker, time.Hour)
		is("nothing is staged", "")
		staged(processors.RoleDelivery, time.Minute)
		time.Sleep(time.Hour)
		staged(processors.RoleDelivery, time.Minute)
		is("nobody loads", "3660")
		status = elected.Status{Holder: "another"}
		is("another one loads", "")
		status = elected.Status{}
		is("nobody again", "")
		staged(processors.RoleDelivery, 2*time.Minute)
		status = elected.Status{Has: true}
		w.m.LoaderChanged(true)
		h.Waiting(redshiftarchive.WaitingEvent{StoreErr: errTest})
		time.Sleep(time.Minute)
		is("this one, which cannot look for markers", "180")
		h.Waiting(redshiftarchive.WaitingEvent{})
		is("it can", "")
		d.Awaiting(processors.AwaitingEvent{ShardID: "shard-1", Since: time.Now()})
		time.Sleep(time.Minute)
		is("a checkpoint waits", "60")
		d.Awaiting(processors.AwaitingEvent{ShardID: "shard-1", Since: time.Now(), Oldest: time.Now().Add(-time.Hour)})
		is("for a cut of an earlier holder", "3600")
	})
}
