//go:build !race

package processors_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
	"github.com/shardmill/shardmill/processors/internal/spool"
	"github.com/shardmill/shardmill/processors/transform"
)

// objectsLoad is an archiver of some shards without end, each cut of which becomes so
// many objects, or documents of 100 MiB.
type objectsLoad struct {
	Objects  int
	By       string // what makes several: "backup", "partitions", or "transform" that gives partitions
	Cluster  string // where documents go; "" for objects
	Shards   int
	MaxBytes int64
	Extra    int64 // bytes that it may take beside
	Time     time.Duration
	Dir      string // for spool files
}

// objectsOutcome is what its process has to tell.
type objectsOutcome struct {
	PeakKiB int64
	Counted int64
	Cuts    int // of the shard with the fewest
	Objects int64
	Files   int // open at once, of all shards
}

const (
	objectsVariable = "SHARDMILL_TEST_OBJECTS"
	cutRecords      = 5 << 10 // of 1 KiB: the smallest size of Firehose's default
)

// TestResidentMemory: whatever a cut becomes, an archiver stays within its budget and
// 64 MiB, with documents 128 MiB, of which all are refused 384 MiB, and has two spool files a shard,
// with documents three. SHARDMILL_MEMORY_TIME is the time for all of
// its processes: `make memory`.
func TestResidentMemory(t *testing.T) { //nolint:paralleltest // its processes want the machine for themselves
	if in := os.Getenv(objectsVariable); in != "" {
		bearObjects(t, in)
		return
	}
	took, err := time.ParseDuration(cmp.Or(os.Getenv("SHARDMILL_MEMORY_TIME"), "3s"))
	if err != nil {
		t.Fatal(err)
	}
	const mib = 1 << 20
	loads := []objectsLoad{
		{Objects: 1},
		{Objects: 500, By: byBackup},
		{Objects: 5000, By: byBackup},
		{Objects: 5000, By: byPartitions},
		{Objects: 5000, By: byTransform},
		{By: byDocuments, Cluster: clusterOf(t, `{"index":{"status":201}}`), Shards: 8, Extra: 128 * mib},
		{By: byRefused, Cluster: clusterOf(t, refusal), Shards: 8, Extra: 384 * mib},
	}
	for _, l := range loads {
		l.MaxBytes, l.Time, l.Dir = 64*mib, took/time.Duration(len(loads)), t.TempDir()
		l.Shards, l.Extra = cmp.Or(l.Shards, 4), cmp.Or(l.Extra, 64*mib)
		n := l.Objects
		in, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestResidentMemory$", "-test.timeout=0", "-test.v")
		cmd.Env = append(os.Environ(), objectsVariable+"="+string(in))
		out, err := cmd.CombinedOutput()
		_, told, found := bytes.Cut(out, []byte("outcome "))
		var o objectsOutcome
		if err != nil || !found || json.NewDecoder(bytes.NewReader(told)).Decode(&o) != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("figure memory with %d open objects (%s) of each of %d shards, MaxBytes %d MiB = %d MiB resident, %d MiB counted, %d cuts, %d spool files",
			n, l.By, l.Shards, l.MaxBytes/mib, o.PeakKiB>>10, o.Counted/mib, o.Cuts, o.Files)
		files := 2 * l.Shards
		if l.Cluster != "" {
			files += l.Shards // the next cut fills while what failed is packed
		}
		if most := (l.MaxBytes + l.Extra) / mib; o.PeakKiB>>10 > most || o.Files > files {
			t.Errorf("%d objects by %s: %+v; want at most %d MiB and %d files", n, l.By, o, most, files)
		}
		if o.Objects < int64(o.Cuts)*int64(n) {
			t.Errorf("only %d objects in %d cuts of each shard", o.Objects, o.Cuts)
		}
	}
}

// endless is a stream without end, of records of 1 KiB.
type endless struct{ *kcltest.Stream }

func (s endless) Open(_ string, from checkpoint.Position) kcl.ShardReader {
	n, _ := strconv.Atoi(from.SequenceNumber) // 0 of TRIM_HORIZON
	return &endlessReader{next: max(n, 1_000_000)}
}

type endlessReader struct{ next int }

func (r *endlessReader) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	const n, takes = 500, 1<<10 + 300
	if err := pause.For(ctx, 5*time.Millisecond); err != nil {
		return kcl.Page{}, err
	}
	if err := room.Grow(ctx, n*takes); err != nil {
		return kcl.Page{}, err
	}
	body := bytes.Repeat([]byte{'a'}, n<<10)
	p := kcl.Page{Memory: n * takes, At: time.Now(), Records: make([]kcl.Record, n)}
	for i := range p.Records {
		r.next++
		data := body[i<<10:][:1<<10]
		copy(data, fmt.Sprintf(`{"k":"%04d","a":"`, r.next%5000))
		copy(data[len(data)-2:], `"}`)
		p.Records[i] = kcl.Record{SequenceNumber: strconv.Itoa(r.next), Data: data, ApproximateArrivalTimestamp: p.At}
	}
	return p, nil
}

func (*endlessReader) Close() {}

const (
	byBackup     = "backup"
	byPartitions = "partitions"
	byTransform  = "transform"
	byDocuments  = "documents"
	byRefused    = "documents that are refused"
)

// refusal is what a cluster says of a document whose index is read-only.
const refusal = `{"index":{"status":403,"error":{"type":"cluster_block_exception","reason":"index [i-2026-01-01] blocked by: [FORBIDDEN/5/index read-only (api)];"}}}`

// clusterOf is a cluster that says the same of all documents, and forgets them.
func clusterOf(t *testing.T, item string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines := 0
		for buf := make([]byte, 64<<10); ; {
			n, err := r.Body.Read(buf)
			if lines += bytes.Count(buf[:n], []byte("\n")); err != nil {
				break
			}
		}
		items := strings.TrimSuffix(strings.Repeat(item+",", lines/2), ",")
		_, _ = w.Write([]byte(`{"errors":false,"items":[` + items + `]}`)) // who asked may be gone
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// documents returns cfg with an index on a cluster.
func (l objectsLoad) documents(t *testing.T, cfg processors.Config) processors.Config {
	t.Helper()
	x, err := esarchive.New(esarchive.Config{Endpoints: []string{l.Cluster}, Engine: "OpenSearch_2.19", IndexName: "i", RetryDuration: new(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Index, cfg.Compression = x, ""
	cfg.Hints = processors.BufferingHints{SizeInMBs: 100, IntervalInSeconds: 900}
	return cfg
}

// several returns cfg with what makes several objects of a cut.
func (l objectsLoad) several(cfg processors.Config) processors.Config {
	switch l.By {
	case byBackup:
		cfg.Backup = &processors.Backup{Bucket: "backup"}
		return cfg.WithBackupSize(int64(cutRecords<<10) / int64(l.Objects))
	case byPartitions:
		cfg = with(cfg, byQuery("{k:.k}", "k=!{partitionKeyFromQuery:k}/"))
	case byTransform:
		cfg.Transform = &processors.Transform{Function: transform.Each("keys", func(_ context.Context, r *transform.Record) transform.Result {
			return transform.Result{Status: transform.Ok, Data: r.Data, PartitionKeys: map[string]string{"k": string(r.Data[6:10])}}
		})}
		cfg = with(cfg, byQuery("", "k=!{partitionKeyFromLambda:k}/"))
	default:
		return cfg
	}
	cfg.Hints = processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 3, BeyondFirehose: true}
	cfg.DynamicPartitioning.ActivePartitions = l.Objects
	return cfg
}

// bearObjects is the archiver, until each shard has some cuts and the time is over.
func bearObjects(t *testing.T, in string) {
	t.Helper()
	var l objectsLoad
	if err := json.Unmarshal([]byte(in), &l); err != nil {
		t.Fatal(err)
	}
	debug.SetGCPercent(50) // as the binary does
	debug.SetMemoryLimit(l.MaxBytes + 40<<20)
	var mu sync.Mutex
	var o objectsOutcome
	cuts := map[string]int{}
	cfg := with(config(), func(c *processors.Config) {
		c.Compression, c.SpoolDir, c.SpoolMemory, c.ParallelPuts = processors.GZIP, l.Dir, 1<<20, 0
		c.Hooks.Delivered = func(e processors.DeliveredEvent) {
			mu.Lock()
			defer mu.Unlock()
			o.Objects++
			if l.Objects == 1 {
				cuts[e.ShardID]++
			}
		}
		c.Hooks.Processed = func(e processors.ProcessedEvent) {
			mu.Lock()
			defer mu.Unlock()
			cuts[e.ShardID]++
		}
	})
	cfg = l.several(cfg)
	if l.Cluster != "" {
		cfg = l.documents(t, cfg)
	}
	archiver, err := processors.New(cfg, nowhere{})
	if err != nil {
		t.Fatal(err)
	}
	c := kcl.Config{ApplicationName: "a", StreamName: "s", WorkerID: "w", Source: endless{kcltest.NewStream(l.Shards)}, Leases: new(lease.Mem), MaxBytes: l.MaxBytes}
	if err := archiver.Configure(&c); err != nil {
		t.Fatal(err)
	}
	w, err := kcl.New(c, archiver.Processor)
	if err != nil {
		t.Fatal(err)
	}
	fewest := func() int {
		mu.Lock()
		defer mu.Unlock()
		if len(cuts) < l.Shards {
			return 0
		}
		n := 1 << 30
		for _, each := range cuts {
			n = min(n, each)
		}
		return n
	}
	enough := 3
	if l.Cluster != "" {
		enough = 1 // it is large
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer stop()
		for begun := time.Now(); time.Since(begun) < l.Time || fewest() < enough; time.Sleep(10 * time.Millisecond) {
			o.Files, o.Counted = max(o.Files, spoolFiles(t)), max(o.Counted, w.Snapshot().BytesInUse)
		}
		o.Cuts, o.PeakKiB = fewest(), peakKiB(t)
	})
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
	wg.Wait()
	told, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString("outcome " + string(told) + "\n")
}

// spoolFiles counts the spool files that are open.
func spoolFiles(t *testing.T) (n int) {
	t.Helper()
	prefix, _, _ := strings.Cut(spool.FilePattern, "*")
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err == nil && strings.HasPrefix(filepath.Base(to), prefix) { // one that is removed keeps its name there
			n++
		}
	}
	return n
}

func peakKiB(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib
}
