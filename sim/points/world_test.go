package points_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

const (
	streamName   = "s"
	bucket       = "archive"
	copies       = "copies"          // of backups
	refuseHeader = "X-Points-Refuse" // not signed; has the stack refuse a request
)

// world is one history: a stream, workers and strikes.
type world struct {
	t        *testing.T
	begun    time.Time
	stack    *localaws.Stack
	streams  *kinesis.Client // those of the world itself, which no fault strikes
	table    *dynamodb.Client
	objects  *s3.Client
	plain    bool // the processors are no archivers
	large    bool // the cuts are uploaded in parts
	sealed   bool // the cuts have several objects
	interval int  // of the archivers, in seconds

	transformed bool // the records are, by a function
	indexed     bool // the records are documents
	loading     bool // the objects are loaded, and the checkpoints wait for that

	over chan struct{} // closed at the end: what is held is dropped
	wg   sync.WaitGroup
	held atomic.Int64 // requests that are held

	putting chan struct{} // full while records are put and not noted yet
	turn    chan struct{} // one write of the lease table at a time
	writing *written      // belongs to who has the turn

	mu         sync.Mutex // guards what follows; never held over I/O
	log        []string
	violations []string
	machines   map[string]*machine
	order      []*machine // in the order of their starts
	rows       map[string]*row
	jobs       []string // keys of the table of jobs
	shards     map[string]shard
	records    map[string][]record // by shard, in their order
	delivered  map[string]checkpoint.ExtendedSequenceNumber
	plans      map[string]planned  // by key of the object
	preparing  map[string]string   // key of the object, by shard
	inCut      map[string][]string // keys of all of that cut's objects, by shard
	unlisted   map[string]bool     // shards of which some plan had no room for its cut's objects
	commits    map[string]int      // by worker
	lastWriter map[string]string   // by shard
	armed      *pending            // the strike to come
	side       *pending            // one that prepares the world for it
	hits       map[strike]int
	refusals   map[refusal]int
}

// pending is a strike that is to come.
type pending struct {
	strike

	struck  bool
	request request
}

// refusal is whose request is to be throttled.
type refusal struct {
	machine string
	point   point
	shard   string
}

// shard is a shard as the stream lists it.
type shard struct {
	id                string
	parents, children []string
	start, end        string // hash keys
	open              bool
}

// record is a record that was put.
type record struct {
	data string
	at   checkpoint.ExtendedSequenceNumber
}

func newWorld(t *testing.T, s scenario) *world {
	t.Helper()
	w := &world{
		t: t, begun: time.Now(), plain: s.plain, large: s.large, sealed: s.sealed, transformed: s.transformed, indexed: s.indexed, loading: s.loading, interval: 4, over: make(chan struct{}),
		putting: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		machines: map[string]*machine{}, rows: map[string]*row{}, shards: map[string]shard{}, records: map[string][]record{},
		delivered: map[string]checkpoint.ExtendedSequenceNumber{}, plans: map[string]planned{}, preparing: map[string]string{}, inCut: map[string][]string{}, unlisted: map[string]bool{},
		commits: map[string]int{}, lastWriter: map[string]string{}, hits: map[strike]int{}, refusals: map[refusal]int{},
	}
	stack, err := localaws.New(localaws.Options{SkipSignatures: true, OnRowWrite: w.onRow})
	if err != nil {
		t.Fatal(err)
	}
	stack.Faults().Add(localaws.Fault{
		Kind:  localaws.Throttle(),
		Match: func(r *http.Request, _ []byte) bool { return r.Header.Get(refuseHeader) != "" },
	})
	cfg := stack.AWSConfig()
	w.stack, w.streams, w.table = stack, kinesis.NewFromConfig(cfg), dynamodb.NewFromConfig(cfg)
	w.objects = s3.NewFromConfig(cfg, stack.S3Options)
	w.must(w.streams.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(streamName), ShardCount: aws.Int32(2)}))
	w.must(w.objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}))
	if w.loading {
		w.makeWarehouse()
	}
	w.look()
	return w
}

// must fails the test if a call of the world's own failed.
func (w *world) must(_ any, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

// violate notes a broken promise. w.mu is held.
func (w *world) violate(format string, a ...any) {
	s := fmt.Sprintf(format, a...)
	w.violations = append(w.violations, w.stamp()+s)
	w.log = append(w.log, w.stamp()+"!!! "+s)
}

// fail is violate for who does not hold w.mu.
func (w *world) fail(format string, a ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violate(format, a...)
}

func (w *world) stamp() string { return fmt.Sprintf("%8.3fs  ", time.Since(w.begun).Seconds()) }

// say adds a line to the timeline.
func (w *world) say(format string, a ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, w.stamp()+fmt.Sprintf(format, a...))
}

// note adds a request to the timeline, but for those that come all the time.
func (w *world) note(m *machine, q request, what string) {
	if what = strings.TrimSpace(what); what == "done" && (q.point == scan || q.point == getRecords || q.point == listShards || q.point == "") {
		return
	}
	shard := strings.TrimLeft(strings.TrimPrefix(q.shard, "shardId-"), "0")
	if q.shard != "" && shard == "" {
		shard = "0"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if shard == "" && q.object != "" {
		shard = q.object
	}
	w.log = append(w.log, fmt.Sprintf("%s%s  %-15s %-3s %s", w.stamp(), m.name, q.point, shard, what))
}

// timeline is the history for a person to read.
func (w *world) timeline() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.log, "\n")
}

// start starts a worker on a machine of its own.
func (w *world) start() *machine {
	w.mu.Lock()
	name := string(rune('A' + len(w.order)))
	ctx, cancel := context.WithCancel(w.t.Context())
	core, told := observer.New(zapcore.WarnLevel)
	m := &machine{w: w, name: name, stop: cancel, told: told, log: zap.New(core), trust: map[string]func() error{}, handing: map[string]bool{}}
	w.machines[name], w.order = m, append(w.order, m)
	w.mu.Unlock()
	w.say("%s starts", name)
	worker, load, err := w.worker(m)
	if err != nil {
		w.t.Error(err)
		return m
	}
	w.wg.Go(func() {
		err := load.while(ctx, func() error { return worker.Run(ctx) })
		m.set(func() { m.stopping = true })
		if err != nil && !m.isDead() && !errors.Is(err, kcl.ErrShutdownTimeout) {
			w.fail("%s ends: %v", name, err)
		}
		w.say("%s has ended: %v", name, err)
	})
	return m
}

func (w *world) worker(m *machine) (*kcl.Worker, *loader, error) {
	cfg := w.stack.AWSConfig()
	cfg.HTTPClient = m
	source, err := kinesissource.New(kinesis.NewFromConfig(cfg), kinesissource.Options{StreamName: streamName, PollInterval: 3 * time.Second, Logger: m.log})
	if err != nil {
		return nil, nil, err
	}
	table, err := leasedynamo.New(dynamodb.NewFromConfig(cfg), leasedynamo.Options{TableName: leaseTable, Logger: m.log})
	if err != nil {
		return nil, nil, err
	}
	factory, load, err := w.factory(m, cfg, s3.NewFromConfig(cfg, w.stack.S3Options), lambda.NewFromConfig(cfg))
	if err != nil {
		return nil, nil, err
	}
	worker, err := kcl.New(kcl.Config{
		ApplicationName: leaseTable, StreamName: streamName, StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/" + streamName, Source: source, Leases: table, WorkerID: m.name,
		FailoverTime: failover, ScanInterval: 2 * time.Second, ShardSyncInterval: 8 * time.Second, KeepFinishedLeases: time.Second,
		TickInterval: time.Second, ShutdownTimeout: 8 * time.Second,
		Hooks: kcl.Hooks{LeaseLost: m.lost}, Logger: m.log,
	}, factory)
	return worker, load, err
}

// live returns the machines whose workers work.
func (w *world) live() []*machine {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*machine
	for _, m := range w.order {
		if m.isLive() {
			out = append(out, m)
		}
	}
	return out
}
