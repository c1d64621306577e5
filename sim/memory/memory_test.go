package memory_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime/debug"
	"runtime/metrics"
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
)

// load is a worker on many shards that are all behind.
type load struct {
	Shards   int
	MaxBytes int64
	Time     time.Duration
	Stubborn bool // the service brings 10 MiB in each answer, whatever was asked for
}

// outcome is what a process with a load has to tell.
type outcome struct {
	Peak        int64 // of what it had of the machine's memory
	Counted     int64 // the most bytes in use that the worker told of
	Pages       int   // processed
	Least, Most int64 // bytes of a shard that were, of those that are like most others
}

const loadVariable = "SHARDMILL_TEST_LOAD"

// TestMemoryBound has processes of their own work off 200 shards that are all behind,
// with slow processors, and answers of up to 10 MiB, until each shard has had some and
// the time is over. What a process takes of the machine is bounded.
// SHARDMILL_MEMORY_TIME is the time for all of them: `make memory`.
func TestMemoryBound(t *testing.T) { //nolint:paralleltest // its processes want the machine for themselves
	if l := os.Getenv(loadVariable); l != "" {
		bear(t, l)
		return
	}
	took, err := time.ParseDuration(cmp.Or(os.Getenv("SHARDMILL_MEMORY_TIME"), "6s"))
	if err != nil {
		t.Fatal(err)
	}
	const mib = 1 << 20
	for _, l := range []load{
		{Shards: 200, MaxBytes: 64 * mib, Time: took / 3},
		{Shards: 200, MaxBytes: 256 * mib, Time: took / 3},
		{Shards: 60, MaxBytes: 256 * mib, Time: took / 3, Stubborn: true},
	} {
		o := inAProcess(t, l)
		t.Logf("figure memory, %d shards behind, MaxBytes %d MiB, 10 MiB in each answer %v = %d MiB at most, %d MiB counted, %d pages, %d to %d MiB of a shard",
			l.Shards, l.MaxBytes/mib, l.Stubborn, o.Peak/mib, o.Counted/mib, o.Pages, o.Least/mib, o.Most/mib)
		if bound := l.MaxBytes + 128*mib; o.Peak > bound {
			t.Errorf("%+v takes %d MiB; want at most %d", l, o.Peak/mib, bound/mib)
		}
		if bound := l.MaxBytes + 16*mib; o.Counted > bound {
			t.Errorf("%+v: %d MiB are counted; want at most %d", l, o.Counted/mib, bound/mib)
		}
	}
}

func inAProcess(t *testing.T, l load) (o outcome) {
	t.Helper()
	in, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemoryBound$", "-test.timeout=0", "-test.v")
	cmd.Env = append(os.Environ(), loadVariable+"="+string(in))
	out, err := cmd.CombinedOutput()
	_, told, found := bytes.Cut(out, []byte("outcome "))
	if err != nil || !found {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := json.NewDecoder(bytes.NewReader(told)).Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// bear bears a load, and tells what came of it.
func bear(t *testing.T, in string) {
	t.Helper()
	var l load
	if err := json.Unmarshal([]byte(in), &l); err != nil {
		t.Fatal(err)
	}
	debug.SetMemoryLimit(l.MaxBytes + 96<<20) // as Config.MaxBytes asks for
	s := &canned{Stream: kcltest.NewStream(l.Shards), load: l, done: map[string]int64{}}
	w, err := kcl.New(kcl.Config{
		ApplicationName: "a", StreamName: "s", WorkerID: "w", Source: s, Leases: new(lease.Mem), MaxBytes: l.MaxBytes,
	}, func(i kcl.ShardInfo) kcl.RecordProcessor { return &slowly{s: s, shard: i.ShardID} })
	if err != nil {
		t.Fatal(err)
	}
	var o outcome
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer stop()
		for begun := time.Now(); time.Since(begun) < l.Time || !s.all(); time.Sleep(20 * time.Millisecond) {
			o.Peak, o.Counted = max(o.Peak, resident(t)), max(o.Counted, w.Snapshot().BytesInUse)
		}
	})
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
	wg.Wait()
	s.tell(&o)
	told, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("outcome %s\n", told)
}

// resident returns what the process has of the machine's memory: on Linux the most
// that it ever had, as the system tells, else what it has now, as the runtime does.
func resident(t *testing.T) int64 {
	t.Helper()
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
				kib, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					t.Error(err)
				}
				return kib << 10
			}
		}
	}
	m := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(m)
	return int64(m[0].Value.Uint64() - m[1].Value.Uint64())
}

// canned is a stream without end that takes memory as an answer of the service
// does: its body, in which the records' data is. One shard in ten has records of
// 100 KiB, one in fifty of 10 MiB, the others of 1 KiB. The answer has 10 MiB at most,
// or one record.
type canned struct {
	*kcltest.Stream

	load load

	mu    sync.Mutex // guards what follows
	done  map[string]int64
	pages int
}

func number(shardID string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(shardID, "shardId-"))
	return n
}

func sizeOfRecords(shardID string) int {
	switch n := number(shardID); {
	case n%50 == 7:
		return 10 << 20
	case n%10 == 3:
		return 100 << 10
	}
	return 1 << 10
}

func (s *canned) Open(shardID string, _ checkpoint.Position) kcl.ShardReader {
	size := sizeOfRecords(shardID)
	return &cannedReader{s: s, size: size, takes: int64(size + size/3 + 300)}
}

type cannedReader struct {
	s     *canned
	size  int
	takes int64 // of a record
	next  int
}

func (r *cannedReader) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	if err := pause.For(ctx, 20*time.Millisecond); err != nil {
		return kcl.Page{}, err
	}
	n := 100
	if r.next > 0 {
		n = int(max(1, room.Bytes/r.takes))
	}
	if r.s.load.Stubborn {
		n = 10_000
	}
	n = min(n, 10_000, max(1, 10<<20/r.size))
	if err := room.Grow(ctx, int64(n)*r.takes); err != nil {
		r.next = 1
		return kcl.Page{}, err
	}
	body := make([]byte, int64(n)*(r.takes-128))
	for i := 0; i < len(body); i += 1 << 10 {
		body[i] = 1
	}
	p := kcl.Page{Memory: int64(n) * r.takes, BehindLatest: time.Minute, At: time.Now(), Records: make([]kcl.Record, n)}
	for i := range p.Records {
		r.next++
		p.Records[i] = kcl.Record{SequenceNumber: strconv.Itoa(1_000_000 + r.next), Data: body[i*r.size:][:r.size], ApproximateArrivalTimestamp: p.At}
	}
	return p, nil
}

func (*cannedReader) Close() {}

func isSlow(shardID string) bool { return number(shardID)%25 == 5 }

// slowly is a processor that takes its time, one in twenty five a long time.
type slowly struct {
	kcl.Defaults

	s     *canned
	shard string
}

func (p *slowly) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	d := 100 * time.Millisecond
	if isSlow(p.shard) {
		d = 2 * time.Second
	}
	if err := pause.For(ctx, d); err != nil {
		return err
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.pages++
	for _, r := range in.Records {
		p.s.done[p.shard] += int64(len(r.Data))
	}
	return nil
}

// all reports whether each shard has had a page.
func (s *canned) all() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.done) == s.load.Shards
}

// tell tells what was processed.
func (s *canned) tell(o *outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.Pages, o.Least = s.pages, math.MaxInt64
	for id, n := range s.done {
		if sizeOfRecords(id) == 1<<10 && !isSlow(id) {
			o.Least, o.Most = min(o.Least, n), max(o.Most, n)
		}
	}
}
