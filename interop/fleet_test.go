//go:build interop

package interop_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

const failover = 4 * time.Second

// TestJavaAndGoShareALeaseTable runs both on four shards: they share the
// leases; Java is killed and we take over; Java comes back; we stop and Java
// takes over. Every record must be delivered, and whoever takes a lease must
// begin at or after what the other checkpointed.
func TestJavaAndGoShareALeaseTable(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	javaOptions := []string{fmt.Sprint("--failover-ms=", failover.Milliseconds()), "--checkpoint-every=1"}

	first := startJava(t, "java-a", f.table, f.stream.name, javaOptions...)
	f.javas = append(f.javas, first)
	f.putAndWait("before we join")

	stop := f.startGo()
	f.waitFor("our worker to hold two leases", func() bool { return len(f.starts) >= 2 })
	f.putAndWait("shared by Java and us")

	first.kill()
	f.waitFor("our worker to hold all leases", func() bool { return len(f.starts) == len(f.stream.shards) })
	f.putAndWait("after Java was killed")

	second := startJava(t, "java-b", f.table, f.stream.name, javaOptions...)
	f.javas = append(f.javas, second)
	second.wait(t, "initialize", 2)
	f.putAndWait("shared by us and Java")

	stop()
	second.wait(t, "initialize", len(f.stream.shards))
	f.putAndWait("after we stopped")
	f.checkBothWorked()
}

// fleet is what the test knows of both kinds of workers.
type fleet struct {
	t      *testing.T
	table  string
	stream *stream
	put    []string // the data of all records
	javas  []*java
	judged map[*java]int // of what each told, so much

	mu     sync.Mutex
	floor  map[string]checkpoint.ExtendedSequenceNumber // by shard: what was checkpointed when the last phase ended
	starts map[string]checkpoint.ExtendedSequenceNumber // by shard: where our worker last began
	acked  map[string]checkpoint.ExtendedSequenceNumber // by shard: what our worker last checkpointed
	seen   map[string]int                               // by data: our worker's deliveries
	more   chan struct{}                                // closed when one of those changed, and replaced
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	type positions = map[string]checkpoint.ExtendedSequenceNumber
	return &fleet{
		t: t, table: "leases-" + rand.Text(), stream: newStream(t, 4), judged: map[*java]int{},
		floor: positions{}, starts: positions{}, acked: positions{}, seen: map[string]int{}, more: make(chan struct{}),
	}
}

// putAndWait puts ten records in each shard and waits until all of them are
// checkpointed, by whichever worker.
func (f *fleet) putAndWait(phase string) {
	f.t.Helper()
	last := map[string]checkpoint.ExtendedSequenceNumber{}
	for i := range f.stream.shards {
		for n := range 10 {
			data := fmt.Sprintf("%s: record %d of shard %d", phase, n, i)
			f.put = append(f.put, data)
			last[*f.stream.shards[i].ShardId] = checkpoint.ExtendedSequenceNumber{SequenceNumber: f.stream.put(f.t, i, []byte(data))}
		}
	}
	f.waitFor("the checkpoints "+phase, func() bool {
		for shard, at := range last {
			if f.acked[shard] != at && !f.javaCheckpointed(shard, at) {
				return false
			}
		}
		return true
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checkJavaStarts() // before the floor rises: Java tells a start before a checkpoint that came after it
	f.floor = last
	f.t.Logf("%s: all %d records are checkpointed", phase, len(f.put))
}

func (f *fleet) javaCheckpointed(shard string, at checkpoint.ExtendedSequenceNumber) bool {
	for _, j := range f.javas {
		events, _ := j.told()
		if last(events, "checkpoint")[shard].at() == at {
			return true
		}
	}
	return false
}

// waitFor waits until ok, which is called with the lock held.
func (f *fleet) waitFor(what string, ok func() bool) {
	f.t.Helper()
	timeout := time.After(patience)
	for {
		f.mu.Lock()
		more, done := f.more, ok()
		f.mu.Unlock()
		if done {
			return
		}
		// Java's output wakes nobody here; a look each second is enough.
		select {
		case <-more:
		case <-time.After(time.Second):
		case <-timeout:
			f.t.Fatalf("waited %v for %s; our worker began at %v and checkpointed %v", patience, what, f.starts, f.acked)
		}
	}
}

func (f *fleet) changed(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.more)
	f.more = make(chan struct{})
}

// startGo runs our worker until the function that it returns is called, which
// stops it gracefully.
func (f *fleet) startGo() (stop func()) {
	f.t.Helper()
	source, err := kinesissource.New(kinesisClient(f.t), kinesissource.Options{StreamName: f.stream.name, PollInterval: 500 * time.Millisecond})
	if err != nil {
		f.t.Fatal(err)
	}
	w, err := kcl.New(kcl.Config{
		ApplicationName: f.table, StreamName: f.stream.name, Source: source, Leases: openTable(f.t, f.table),
		WorkerID: "go-1", FailoverTime: failover, Logger: zap.NewNop(),
	}, func(shard kcl.ShardInfo) kcl.RecordProcessor { return &processor{f: f, shard: shard.ShardID} })
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	f.t.Cleanup(cancel)
	return func() {
		f.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			f.t.Fatalf("our worker ended with %v", err)
		}
	}
}

// processor checkpoints each batch.
type processor struct {
	kcl.Defaults
	f     *fleet
	shard string
}

func (p *processor) Initialize(_ context.Context, in kcl.InitializationInput) error {
	p.f.changed(func() {
		at := in.Checkpoint.ExtendedSequenceNumber
		p.f.starts[p.shard] = at
		p.f.checkStart("ours", p.shard, at)
	})
	return nil
}

func (p *processor) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	err := in.Checkpointer.Checkpoint(ctx)
	p.f.changed(func() {
		for _, r := range in.Records {
			p.f.seen[string(r.Data)]++
		}
		if err == nil {
			p.f.acked[p.shard] = in.Checkpointer.Last().ExtendedSequenceNumber
		}
	})
	return err
}

// checkStart checks that a worker began no earlier than what was checkpointed.
// The caller holds the lock.
func (f *fleet) checkStart(whose, shard string, at checkpoint.ExtendedSequenceNumber) {
	f.t.Helper()
	if floor, ok := f.floor[shard]; !ok || at.Compare(floor) < 0 {
		f.t.Errorf("%s began %s at %v; %v was checkpointed", whose, shard, at, floor)
	}
}

// checkJavaStarts checks where Java began since the last check, after the floor
// was known. The caller holds the lock.
func (f *fleet) checkJavaStarts() {
	f.t.Helper()
	for _, j := range f.javas {
		events, _ := j.told()
		for _, e := range events[f.judged[j]:] {
			if e.Event == "initialize" && len(f.floor) > 0 {
				f.checkStart("Java", e.Shard, e.at())
			}
		}
		f.judged[j] = len(events)
	}
}

// checkBothWorked checks that nothing was lost and that both did some of it.
func (f *fleet) checkBothWorked() {
	f.t.Helper()
	java := map[string]int{}
	for _, j := range f.javas {
		events, _ := j.told()
		for _, e := range events {
			if data, err := base64.StdEncoding.DecodeString(e.Record); e.Event == "record" && err == nil {
				java[string(data)]++
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	twice := 0
	for _, data := range f.put {
		switch n := java[data] + f.seen[data]; {
		case n == 0:
			f.t.Errorf("nobody was given %q", data)
		case n > 1:
			twice++
		}
	}
	f.t.Logf("of %d records Java was given %d and we %d; %d came twice", len(f.put), len(java), len(f.seen), twice)
	if len(java) == 0 || len(f.seen) == 0 {
		f.t.Errorf("Java was given %d records and we %d, want both some", len(java), len(f.seen))
	}
}
