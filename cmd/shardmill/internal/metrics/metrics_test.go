package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// world is the metrics of a worker that shows what a test says, in virtual time.
type world struct {
	t *testing.T
	m *metrics.Metrics
	w *shown
}

// shown is what the worker shows.
type shown struct {
	mu   sync.Mutex
	show func() kcl.Snapshot
}

func (s *shown) set(show func() kcl.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show = show
}

func (s *shown) snapshot() (kcl.Snapshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.show(), true
}

func inWorld(t *testing.T, f func(world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &shown{show: func() kcl.Snapshot { return kcl.Snapshot{WorkerID: "w", Now: time.Now()} }}
		f(world{t, metrics.New(metrics.Options{DeliveryStreamName: "orders", Version: "v1.2.3", Backup: true}, w.snapshot), w})
	})
}

// get is a scrape.
func get(t *testing.T, m *metrics.Metrics) (code int, body string) {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return rec.Code, rec.Body.String()
}

// rows is a lease table of which only List is called.
type rows struct{ lease.Table }

func (rows) List(context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	old := func(d time.Duration) checkpoint.Position { return checkpoint.At("7", 0, time.Now().Add(-d)) }
	list := []lease.Lease{{Key: "shard-1", Owner: "w", Checkpoint: old(time.Minute)}, {Key: "shard-2", Owner: "v", Checkpoint: old(time.Hour)}, {Key: "shard-4", Owner: "w"}}
	return list, []*lease.UnreadableError{{Key: "shard-3", Err: errTest}}, nil
}

var errTest = errors.New("test")

// slow is a lease table whose calls take 10 ms and fail every second time.
type slow struct {
	rows

	calls int
}

func (s *slow) call() error {
	time.Sleep(10 * time.Millisecond)
	if s.calls++; s.calls%2 == 0 {
		return errTest
	}
	return nil
}

func (s *slow) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	if err := s.call(); err != nil {
		return nil, nil, err
	}
	return s.rows.List(ctx)
}

func (s *slow) Take(context.Context, lease.Lease, lease.Claim) (lease.Lease, error) {
	return lease.Lease{}, s.call()
}

func (s *slow) Renew(context.Context, lease.Lease) (lease.Lease, error) {
	return lease.Lease{}, s.call()
}

func (s *slow) Checkpoint(context.Context, lease.Lease, checkpoint.Position) (lease.Lease, error) {
	return lease.Lease{}, s.call()
}

func (s *slow) Prepare(context.Context, lease.Lease, checkpoint.Prepared) (lease.Lease, error) {
	return lease.Lease{}, s.call()
}

func (s *slow) Create(context.Context, lease.Lease) error                   { return s.call() }
func (s *slow) CreateChild(context.Context, lease.Lease, lease.Lease) error { return s.call() }

// pages is a stream of one page.
type pages struct{ kcl.Source }

func (pages) Open(string, checkpoint.Position) kcl.ShardReader { return &onePage{} }

type onePage struct{ read bool }

func (p *onePage) Next(context.Context, kcl.Room) (kcl.Page, error) {
	if p.read {
		return kcl.Page{}, errTest
	}
	p.read = true
	return kcl.Page{Records: []kcl.Record{{Data: []byte("abc")}, {Data: []byte("defg")}}}, nil
}

func (*onePage) Close() {}

// sleeper is a processor whose calls take 2 ms, that of ShutdownRequested 3 s.
type sleeper struct{ kcl.RecordProcessor }

func (sleeper) Initialize(context.Context, kcl.InitializationInput) error { return nap(2) }
func (sleeper) ShardEnded(context.Context, kcl.ShardEndedInput) error     { return nap(2) }
func (sleeper) LeaseLost(context.Context, kcl.LeaseLostInput)             { _ = nap(2) }
func (sleeper) ShutdownRequested(context.Context, kcl.ShutdownRequestedInput) error {
	return nap(3000)
}

func nap(n int) error { time.Sleep(time.Duration(n) * time.Millisecond); return nil }

// everything happens to two shards, of which the second is given up.
func everything(w world) {
	ctx := w.t.Context()
	table := w.m.Table(&slow{})
	for range 2 {
		_, _, _ = table.List(ctx)
		_, _ = table.Take(ctx, lease.Lease{}, lease.Claim{})
		_, _ = table.Renew(ctx, lease.Lease{})
		_, _ = table.Checkpoint(ctx, lease.Lease{}, checkpoint.Position{})
		_ = table.Create(ctx, lease.Lease{})
		_, _ = table.Prepare(ctx, lease.Lease{}, checkpoint.Prepared{})
		_ = table.CreateChild(ctx, lease.Lease{}, lease.Lease{})
	}
	r := w.m.Source(pages{}).Open("shard-1", checkpoint.Position{})
	_, _ = r.Next(ctx, kcl.Room{})
	_, _ = r.Next(ctx, kcl.Room{})
	p := w.m.Factory(func(kcl.ShardInfo) kcl.RecordProcessor { return sleeper{} })(kcl.ShardInfo{})
	_ = p.Initialize(ctx, kcl.InitializationInput{})
	_ = p.ShardEnded(ctx, kcl.ShardEndedInput{})
	_ = p.ShutdownRequested(ctx, kcl.ShutdownRequestedInput{})
	p.LeaseLost(ctx, kcl.LeaseLostInput{})

	h := w.m.Hooks()
	h.LeaseTaken(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-1"}})
	h.LeaseTaken(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-2"}, Stolen: true})
	h.LeaseTaken(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-3"}})
	for _, shard := range []string{"shard-1", "shard-2", "shard-3"} {
		h.Processed(kcl.BatchEvent{
			ShardID: shard, Records: 5, Bytes: 50, Duration: 20 * time.Millisecond, Last: checkpoint.At("1", 0, time.Now().Add(-3*time.Second)),
		})
		h.Processed(kcl.BatchEvent{ShardID: shard, Last: checkpoint.At("1", 0, time.Now().Add(time.Second))}) // of a clock that is ahead
		h.Processed(kcl.BatchEvent{ShardID: shard, Records: 7, Bytes: 70, Duration: 3 * time.Millisecond, Err: errTest})
	}
	h.LeasesScanned(lease.Scan{Free: 31, Needed: 32, ToTake: 35, Taken: 2, Spillover: 34, LeftAlone: 36})
	h.DeadLettered(kcl.BatchEvent{ShardID: "shard-2", Records: 7})
	h.RecordsLost(kcl.LossEvent{ShardID: "shard-2"})
	h.AggregatesMalformed("shard-2", 4)
	h.UserRecordsDropped("shard-2", 6)

	for i, operation := range []string{"GetRecords", "GetShardIterator", "ListShards"} {
		for range 13 + i {
			w.m.Throttled(operation, "shard-1")
		}
	}

	d := w.m.DeliveryHooks()
	d.Delivered(processors.DeliveredEvent{ShardID: "shard-1", Role: processors.RoleDelivery, Records: 11, Bytes: 110, ObjectBytes: 12, Freshness: time.Hour})
	d.Delivered(processors.DeliveredEvent{ShardID: "shard-1", Role: processors.RoleBackup, Records: 12, Bytes: 120, ObjectBytes: 13, Freshness: time.Hour})
	d.Processed(processors.ProcessedEvent{ShardID: "shard-1", Records: 30, Inflated: 25, InflatedBytes: 250, NotInflatedBytes: 55, Failed: map[string]int64{"decompression-failed": 5, "processing-failed": 3}, Nothing: 2})
	d.Processed(processors.ProcessedEvent{
		ShardID: "shard-1", Failed: map[string]int64{"activePartitionExceeded": 21}, Transformed: 41, TransformedBytes: 42, Dropped: 43, PartitionsExceeded: 21, JQDuration: 45 * time.Millisecond, Objects: 46,
	})
	d.Transformed(processors.TransformedEvent{ShardID: "shard-1", Records: 2, Bytes: 20, Duration: 3 * time.Millisecond, Attempt: 1})
	for i := range 3 {
		d.Transformed(processors.TransformedEvent{ShardID: "shard-1", Records: 2, Bytes: 20, Duration: 200 * time.Second, Err: "Lambda.FunctionError", Attempt: i + 1})
	}
	d.BundleLost(processors.BundleLostEvent{ShardID: "shard-1"})
	d.PutFailed(processors.PutFailedEvent{ShardID: "shard-1", Err: kcl.ErrAccessDenied})
	for code, n := range map[string]int{
		"KMS.DisabledException": 1, "KMS.KMSInvalidStateException": 2, "KMS.NotFoundException": 3, "KMS.AccessDeniedException": 4, "AccessDenied": 5, "SlowDown": 6,
	} {
		err := fmt.Errorf("putting: %w", &smithy.GenericAPIError{Code: code, Message: "r is not authorized to perform: s3:PutObject"})
		for range n {
			d.PutFailed(processors.PutFailedEvent{ShardID: "shard-1", Role: processors.RoleBackup, Err: err})
		}
	}
	d.Buffered(processors.BufferedEvent{ShardID: "shard-1", Records: 1, Freshness: 30 * time.Second, ActivePartitions: 3, ActivePartitionsLimit: 250})
	d.Buffered(processors.BufferedEvent{ShardID: "shard-2", Records: 1, Freshness: time.Hour, ActivePartitions: 100, ActivePartitionsLimit: 1000}) // it is given up
	d.Buffered(processors.BufferedEvent{ShardID: "shard-4", ActivePartitions: 4, ActivePartitionsLimit: 250})
	d.PendingFound(processors.PendingFoundEvent{ShardID: "shard-1", Verdict: "redo"})
	d.RecordsLost(processors.RecordsLostEvent{ShardID: "shard-1", Lost: 9})

	h.LeaseLost(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-2"}})
	h.LeaseReleased(kcl.LeaseEvent{Lease: lease.Lease{Key: "shard-3"}})

	now := time.Now()
	w.w.set(func() kcl.Snapshot {
		return kcl.Snapshot{WorkerID: "w", Now: now, LastSync: now.Add(-5 * time.Second), BytesInUse: 100, MaxBytes: 1000, Shards: []kcl.ShardStatus{
			{ShardID: "shard-1", LastRead: now, BehindLatest: 1500 * time.Millisecond, TrustedUntil: now.Add(9 * time.Second)},
			{ShardID: "shard-4", TrustedUntil: now.Add(8 * time.Second)},
			{ShardID: "shard-5", LastRead: now, BehindLatest: time.Hour, TrustedUntil: now.Add(-time.Second), Lost: true},
		}, Loops: []kcl.LoopStatus{
			{Loop: "scan", Silent: 1500 * time.Millisecond, Limit: 10 * time.Second},
			{Loop: "renewal", ShardID: "shard-1", Silent: 2 * time.Second, Limit: 3 * time.Second},
			{Loop: "renewal", ShardID: "shard-4", Silent: time.Second, Limit: 3 * time.Second},
			{Loop: "shard", ShardID: "shard-4", Silent: time.Hour},
		}, Troubles: []kcl.Trouble{
			{Reason: kcl.TroubleContradiction, ShardID: "shard-6"},
			{Reason: kcl.TroubleContradiction, ShardID: "shard-7"},
			{Reason: kcl.TroubleAccess},
			{Reason: kcl.TroubleAccess, ShardID: "shard-1"},
		}}
	})
}

var update = flag.Bool("update", false, "write testdata/metrics.txt anew")

// The names, types, labels and values of all metrics are those in the golden
// file, which a dashboard may rely on.
func TestMetrics(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "metrics.txt")
	inWorld(t, func(w world) {
		everything(w)
		names := ours(w.t, w.m)
		if *update {
			_, text := get(w.t, w.m)
			if err := os.WriteFile(golden, []byte(onlyOurs(text)), 0o600); err != nil {
				w.t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := testutil.GatherAndCompare(w.m.Registry(), bytes.NewReader(want), names...); err != nil {
			w.t.Error(err)
		}
		if code, text := get(w.t, w.m); code != http.StatusOK || onlyOurs(text) != string(want) {
			w.t.Errorf("%d, and the text differs from the golden file:\n%s", code, onlyOurs(text))
		}
	})
}

func ours(t *testing.T, m *metrics.Metrics) []string {
	t.Helper()
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "shardmill_") {
			names = append(names, f.GetName())
		}
	}
	return names
}

func onlyOurs(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, "shardmill_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Of what is customary only that is not followed which the names rule out.
func TestMetricsAreCustomaryButForTheirNames(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`snake_case|should have "_total" suffix`)
	inWorld(t, func(w world) {
		everything(w)
		problems, err := testutil.GatherAndLint(w.m.Registry(), ours(w.t, w.m)...)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, p := range problems {
			if !names.MatchString(p.Text) {
				w.t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
	})
}

var (
	kind  = regexp.MustCompile(`(?m)^# TYPE shardmill_(\S+) (\S+)$`)
	inDoc = regexp.MustCompile(`(?m)^//\t([A-Za-z]\w+)((?:, \w+)*)(?:\{\w+\})?\s+(?://\t\s+)?((?:counter|gauge|histogram)(?:, histogram)?) `)

	inTable = regexp.MustCompile(`(?m)^\| (` + "`" + `[A-Za-z].*?) \| ((?:counter|gauge|histogram)(?:, histogram)?) \|`)
	quoted  = regexp.MustCompile("`(\\w+)(?:\\{\\w+\\})?`")
)

// The package comment's table and README's have each metric, with its type, and
// no other.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	golden := read(t, filepath.Join("testdata", "metrics.txt")) + read(t, filepath.Join("testdata", "metrics-documents.txt")) + read(t, filepath.Join("testdata", "metrics-warehouse.txt"))
	var exported []string
	for _, m := range kind.FindAllStringSubmatch(golden, -1) {
		exported = append(exported, m[1]+" "+m[2])
	}
	slices.Sort(exported)
	for name, documented := range map[string][]string{
		"doc.go":    documentedInComment(read(t, "doc.go")),
		"README.md": documentedInTable(read(t, filepath.Join("..", "..", "..", "..", "README.md"))),
	} {
		slices.Sort(documented)
		if !slices.Equal(exported, documented) {
			t.Errorf("%s\nexported\n%s\ndocumented\n%s", name, strings.Join(exported, "\n"), strings.Join(documented, "\n"))
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// documentedInComment returns the names and types of the package comment.
func documentedInComment(doc string) (documented []string) {
	for _, m := range inDoc.FindAllStringSubmatch(doc, -1) {
		name, kinds := m[1], strings.Split(m[3], ", ")
		documented = append(documented, name+" "+kinds[0])
		for _, other := range strings.Split(m[2], ", ")[1:] {
			if strings.HasPrefix(other, "_") {
				other = strings.TrimSuffix(name, "_Success") + other
			}
			documented = append(documented, other+" "+kinds[len(kinds)-1])
		}
	}
	return documented
}

// documentedInTable returns those of the table of Markdown. A name that begins
// with "_" stands for one that differs from the name before in its last part, and
// after "each with" for an ending of all names before.
func documentedInTable(text string) (documented []string) {
	for _, row := range inTable.FindAllStringSubmatch(text, -1) {
		kinds := strings.Split(row[2], ", ")
		bases, endings, each := strings.Cut(row[1], "each with")
		last := ""
		for _, m := range quoted.FindAllStringSubmatch(bases, -1) {
			name := m[1]
			if strings.HasPrefix(name, "_") {
				name = last[:strings.LastIndex(last, "_")] + name
			}
			last = name
			if !each {
				documented = append(documented, name+" "+kinds[0])
			}
			for i, ending := range quoted.FindAllStringSubmatch(endings, -1) {
				documented = append(documented, name+ending[1]+" "+kinds[i])
			}
		}
	}
	return documented
}

// While a delivery hangs nothing is told, and the age of what it holds grows.
func TestFreshnessGrowsWhileADeliveryHangs(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		age := func() string {
			_, text := get(w.t, w.m)
			_, value, _ := strings.Cut(text, "\nshardmill_DeliveryToS3_DataFreshness{DeliveryStreamName=\"orders\"} ")
			value, _, _ = strings.Cut(value, "\n")
			return value
		}
		if got := age(); got != "" {
			w.t.Errorf("with nothing to deliver it is %s", got)
		}
		d := w.m.DeliveryHooks()
		d.Buffered(processors.BufferedEvent{ShardID: "shard-1", Records: 3, Freshness: 30 * time.Second})
		d.Buffered(processors.BufferedEvent{ShardID: "shard-2", Records: 3, Freshness: 10 * time.Second})
		time.Sleep(5 * time.Second)
		if got := age(); got != "35" {
			w.t.Errorf("5s later it is %s, want 35", got)
		}
		d.Buffered(processors.BufferedEvent{ShardID: "shard-1"})
		if got := age(); got != "15" {
			w.t.Errorf("after a delivery it is %s, want 15", got)
		}
		d.Buffered(processors.BufferedEvent{ShardID: "shard-2"})
		if got := age(); got != "" {
			w.t.Errorf("after all deliveries it is %s", got)
		}
	})
}

// A stream without a backup has no age of one.
func TestNoBackupHasNoFreshness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := metrics.New(metrics.Options{DeliveryStreamName: "orders"}, func() (kcl.Snapshot, bool) { return kcl.Snapshot{}, true })
		m.DeliveryHooks().Buffered(processors.BufferedEvent{ShardID: "shard-1", Records: 1})
		if _, text := get(t, m); strings.Contains(text, "shardmill_BackupToS3_DataFreshness{") || !strings.Contains(text, "shardmill_DeliveryToS3_DataFreshness{") {
			t.Error(text)
		}
	})
}

// dated is a lease table of one row, which nobody holds, with that checkpoint.
type dated struct {
	lease.Table

	at checkpoint.Position
}

func (d dated) List(context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	return []lease.Lease{{Key: "shard-1", Checkpoint: d.at}}, nil, nil
}

// A fleet that stands still holds no lease, reads no page, and may not even read
// the table any more: how far it is behind shows all the same, and grows.
func TestTheOldestCheckpointShowsWhileNoLeaseIsHeld(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		at   func() checkpoint.Position
		want string // a minute after the table was read
	}{
		{"behind", func() checkpoint.Position { return checkpoint.At("7", 0, time.Now().Add(-time.Hour)) }, "3660"},
		{"a clock that is ahead", func() checkpoint.Position { return checkpoint.At("7", 0, time.Now().Add(time.Hour)) }, "0"},
		{"no timestamp", func() checkpoint.Position { return checkpoint.Sentinel(checkpoint.TrimHorizon) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				now := dated{at: checkpoint.At("7", 0, time.Unix(1, 0))}
				table := w.m.Table(&now)
				for range 2 { // what an earlier reading showed must go
					_, _, _ = table.List(w.t.Context())
					now.at = tt.at()
				}
				time.Sleep(time.Minute)
				_, text := get(w.t, w.m)
				_, value, _ := strings.Cut(text, "\nshardmill_OldestCheckpoint_Age ")
				if value, _, _ = strings.Cut(value, "\n"); value != tt.want {
					w.t.Errorf("it is %q, want %q", value, tt.want)
				}
			})
		})
	}
}

// Rules on troubles need series that are there before the first trouble.
func TestTroublesAreZeroFromTheStart(t *testing.T) {
	t.Parallel()
	_, text := get(t, metrics.New(metrics.Options{}, func() (kcl.Snapshot, bool) { return kcl.Snapshot{}, false }))
	for _, reason := range []kcl.TroubleReason{
		kcl.TroubleAccess, kcl.TroubleStreamNotFound, kcl.TroubleTableNotFound,
		kcl.TroubleForeignTable, kcl.TroubleContradiction, kcl.TroubleUnreadable,
	} {
		if line := "\nshardmill_Trouble{Reason=\"" + string(reason) + "\"} 0\n"; !strings.Contains(text, line) {
			t.Errorf("there is no line %q", line)
		}
	}
}

// Shards come and go for ever; their series must not stay.
func TestSeriesOfAShardGoWithIt(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		h := w.m.Hooks()
		d := w.m.DeliveryHooks()
		var sizes []int
		for i := range 100 {
			key := "shard-" + strings.Repeat("x", i)
			h.LeaseTaken(kcl.LeaseEvent{Lease: lease.Lease{Key: key}})
			h.Processed(kcl.BatchEvent{ShardID: key, Records: 1})
			h.Processed(kcl.BatchEvent{ShardID: key, Records: 1, Err: errTest})
			h.DeadLettered(kcl.BatchEvent{ShardID: key, Records: 1})
			h.RecordsLost(kcl.LossEvent{ShardID: key})
			h.AggregatesMalformed(key, 1)
			h.UserRecordsDropped(key, 1)
			d.Delivered(processors.DeliveredEvent{ShardID: key, Key: key})
			d.Buffered(processors.BufferedEvent{ShardID: key, Records: 1})
			d.PendingFound(processors.PendingFoundEvent{ShardID: key, Verdict: "redo"})
			if i%2 == 0 {
				h.LeaseLost(kcl.LeaseEvent{Lease: lease.Lease{Key: key}, Reason: key})
			} else {
				h.LeaseReleased(kcl.LeaseEvent{Lease: lease.Lease{Key: key}})
			}
			_, text := get(w.t, w.m)
			if strings.Contains(text, "shard-") || strings.Contains(text, "_DataFreshness{") {
				w.t.Fatalf("after shard %d:\n%s", i, onlyOurs(text))
			}
			sizes = append(sizes, strings.Count(onlyOurs(text), "\n"))
		}
		if slices.Min(sizes) != slices.Max(sizes) {
			w.t.Errorf("the number of lines grows: %v", sizes)
		}
	})
}
