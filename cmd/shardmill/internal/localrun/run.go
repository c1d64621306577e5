// Package localrun runs the archiver's whole job in one process: it serves
// Kinesis, DynamoDB and S3, puts records, archives them with several workers,
// and verifies that each record is in exactly one object.
package localrun

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/feed"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/verify"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
)

// What a local run is called and how it buffers.
const (
	stream   = "local"
	bucket   = "archive"
	hintMB   = 5
	hintSecs = 60
	failover = 2 * time.Second
	scan     = 500 * time.Millisecond
	shutdown = 15 * time.Second

	// requestTimeout bounds each call that has no limit of its own, until its
	// answer begins.
	requestTimeout = time.Minute

	// aheadBytes is how far the producer may be ahead of the archive, at least:
	// what is ahead is in memory.
	aheadBytes = 64 << 20
)

// Options say what to run.
type Options struct {
	Input   lines.Input
	Shards  int
	Workers int
	Reshard bool   // split one shard and merge two others half way
	Limits  bool   // Kinesis throttles as the service does
	Dir     string // objects are files below Dir/archive, and documents of an index Dir/indices/NAME.ndjson

	// Destination is where records go; default ToS3. Of documents what fails becomes
	// objects.
	Destination Destination

	Logger *zap.Logger
	Notes  io.Writer // progress lines

	prepared  func(*localaws.Stack) // for tests: called before anything is put
	verifying func(*s3.Client)      // for tests: called before the objects are read
	shutdown  time.Duration         // of a worker
	client    deadline.Doer         // for tests: what sends the requests
}

// Validate reports every fault.
func (o Options) Validate() error {
	var errs []error
	if o.Shards < 1 || o.Shards > 500 {
		errs = append(errs, fmt.Errorf("--shards is %d; it must be between 1 and 500", o.Shards))
	}
	if o.Workers < 1 || o.Workers > 64 {
		errs = append(errs, fmt.Errorf("--workers is %d; it must be between 1 and 64", o.Workers))
	}
	if o.Reshard && o.Shards < 3 {
		errs = append(errs, fmt.Errorf("--reshard needs at least 3 shards, one to split and two to merge; --shards is %d", o.Shards))
	}
	if o.Destination != "" && !slices.Contains(Destinations(), string(o.Destination)) {
		errs = append(errs, fmt.Errorf("--destination is %q; it must be %s", o.Destination, strings.Join(Destinations(), " or ")))
	}
	if o.Dir == "" {
		errs = append(errs, errors.New("--dir is empty; it must name a directory"))
	}
	return errors.Join(errs...)
}

// job is one run.
type job struct {
	o       Options
	stack   *localaws.Stack
	clients archiver.Clients
	feeder  *feed.Feeder
	began   time.Time
	before  map[string]bool          // keys of objects that other runs left
	index   processors.DocumentIndex // nil if records go into objects
	loading *archiver.Loading        // nil unless what is put is loaded
	arn     string                   // of the stream

	noRoom atomic.Bool // the producer waits for the archive

	put      verify.Multiset // belongs to the producer until it has ended, as the next
	putBytes int64
	reshards int

	mu        sync.Mutex // guards what follows
	delivered map[string]string
	workers   []WorkerShare
	objects   int64
	archived  int64 // records in them
	zipped    int64 // bytes of the objects
	requests  int64 // for documents
	failure   error // why no object can be written
	stopRound context.CancelFunc
}

// Run runs the job. The summary is of what was put, also when the context
// ended the putting early or an input could not be read further; the error then
// says so. An error that is ErrNotArchived means that records are missing.
func Run(ctx context.Context, o Options) (Summary, error) {
	if err := o.Input.Check(); err != nil {
		return Summary{}, err
	}
	j := &job{o: o, began: time.Now(), delivered: make(map[string]string), workers: make([]WorkerShare, o.Workers)}
	var err error
	options := localaws.Options{Dir: o.Dir, Limits: o.Limits, MaxPageBytes: 2 << 20, WriteLog: -1, Logger: o.Logger}
	if o.Destination.isDocuments() {
		options.Cluster.Engine = o.Destination.engine()
	}
	j.stack, err = localaws.New(options)
	if err != nil {
		return Summary{}, DirError(o.Dir, err)
	}
	defer j.stack.Close()
	if o.prepared != nil {
		o.prepared(j.stack)
	}

	// Serving, verifying and flushing go on after ctx is done.
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var serving sync.WaitGroup
	defer serving.Wait()
	defer cancel()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return Summary{}, err
	}
	serving.Go(func() {
		if err := j.stack.Serve(hard, l); err != nil {
			o.Logger.Error("local services ended", zap.Error(err))
		}
	})
	j.clients = clientsOf("http://"+l.Addr().String(), o.client, o.Logger)
	if o.Destination.isDocuments() {
		index, err := j.startCluster(hard, &serving)
		if err != nil {
			return Summary{}, err
		}
		j.index = index
	}
	if o.Destination == ToRedshift {
		if j.loading, err = j.startWarehouse(hard); err != nil {
			return Summary{}, err
		}
	}
	return j.run(ctx, hard)
}

// clientsOf returns clients of a local endpoint with the local credentials. d, if
// not nil, sends their requests.
func clientsOf(endpoint string, d deadline.Doer, logger *zap.Logger) archiver.Clients {
	if d == nil {
		d = awshttp.NewBuildableClient()
	}
	cfg := aws.Config{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider(localaws.DefaultAccessKeyID, localaws.DefaultSecretAccessKey, ""),
		BaseEndpoint: aws.String(endpoint),
		HTTPClient:   deadline.Client(d, requestTimeout),
		APIOptions:   archiver.LogRequests(logger),
		// What the SDK's own loader would set.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
	return archiver.Clients{
		Kinesis: kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
			// A put whose answer was lost must not be repeated: the record
			// would be in the stream twice, and then rightly in two objects.
			o.Retryer = aws.NopRetryer{}
		}),
		DynamoDB: dynamodb.NewFromConfig(cfg),
		S3:       s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

func (j *job) run(ctx, hard context.Context) (Summary, error) {
	if err := j.prepare(hard); err != nil {
		return Summary{}, err
	}
	j.feeder = feed.New(j.clients.Kinesis, stream, j.waitForRoom)

	var progress sync.WaitGroup
	noting, stopNoting := context.WithCancel(hard)
	progress.Go(func() { j.noteProgress(noting) })
	putErr, workErr := j.putAndArchive(ctx, hard)
	stopNoting()
	progress.Wait()
	if workErr != nil {
		return Summary{}, workErr
	}
	if j.o.verifying != nil {
		j.o.verifying(j.clients.S3)
	}
	verify := j.verify
	switch {
	case j.index != nil:
		verify = j.verifyDocuments
	case j.loading != nil:
		verify = j.verifyLoads
	}
	sum, err := verify(hard)
	if ctx.Err() != nil {
		putErr = nil // the exit code tells
	}
	return sum, errors.Join(putErr, err)
}

// prepare makes stream and bucket, and notes what the bucket holds.
func (j *job) prepare(ctx context.Context) error {
	shards := int32(min(j.o.Shards, 500))
	if _, err := j.clients.Kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String(stream), ShardCount: &shards}); err != nil {
		return fmt.Errorf("creating stream %s: %w", stream, err)
	}
	described, err := j.clients.Kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(stream)})
	if err != nil {
		return fmt.Errorf("describing stream %s: %w", stream, err)
	}
	j.arn = aws.ToString(described.StreamDescriptionSummary.StreamARN)
	_, err = j.clients.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	if _, isThere := errors.AsType[*types.BucketAlreadyOwnedByYou](err); err != nil && !isThere {
		return fmt.Errorf("creating bucket %s: %w", bucket, err)
	}
	j.before = make(map[string]bool)
	err = j.eachObject(ctx, func(key string, _ int64) error { j.before[key] = true; return nil })
	if err == nil && j.loading != nil {
		err = j.forgetMarkers(ctx)
	}
	return err
}

// waitForRoom keeps the producer from running too far ahead of the archive.
func (j *job) waitForRoom(ctx context.Context, _ int) error {
	limit := max(int64(aheadBytes), 4*int64(j.o.Shards)*hintMB<<20)
	defer j.noRoom.Store(false)
	for j.stack.StoredBytes(stream) > limit {
		j.noRoom.Store(true)
		if err := pause.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// share is the most leases of one worker: the workers start at one moment, and
// without it the first would take all and the others steal from it. The one to
// spare is for the shards that a reshard adds.
func (j *job) share() int {
	n := (j.o.Shards + j.o.Workers - 1) / j.o.Workers
	if j.o.Reshard {
		n++
	}
	return n
}

func (j *job) options(worker int) archiver.Options {
	o := j.objectOptions(worker)
	if d := &o.Delivery; j.index != nil {
		o.Worker.StreamARN = j.arn // bundles of a stream that has one are looked after
		d.Index, d.Compression = j.index, processors.Uncompressed
		d.Hooks.Delivered = nil
		d.Hooks.Indexed = func(e processors.IndexedEvent) { j.noteIndexed(worker, e) }
	}
	if j.o.Destination == ToRedshift {
		o.Worker.StreamARN = j.arn // as above
		o.Delivery.Load = &processors.Load{}
	}
	return o
}

func (j *job) objectOptions(worker int) archiver.Options {
	return archiver.Options{
		Worker: kcl.Config{
			ApplicationName:   stream,
			StreamName:        stream,
			WorkerID:          fmt.Sprintf("worker-%d", worker+1),
			FailoverTime:      failover,
			ScanInterval:      scan,
			ShardSyncInterval: 5 * time.Second,
			ShutdownTimeout:   cmp.Or(j.o.shutdown, shutdown),
			MaxLeases:         j.share(),
			MaxBytes:          32 << 20,
			Hooks:             j.hooks(),
			Logger:            j.o.Logger,
		},
		Source: kinesissource.Options{PollInterval: 200 * time.Millisecond, NoRateLimit: !j.o.Limits},
		Delivery: processors.Config{
			DeliveryStreamName: stream,
			Bucket:             bucket,
			Hints:              processors.BufferingHints{SizeInMBs: hintMB, IntervalInSeconds: hintSecs},
			Compression:        processors.GZIP,
			RetryInterval:      time.Second,
			Hooks: processors.Hooks{
				Delivered: func(e processors.DeliveredEvent) { j.noteObject(worker, e) },
				PutFailed: j.putFailed,
			},
		},
	}
}

// putAndArchive runs producer and workers until everything that was put is
// archived. workErr is why that could not be.
func (j *job) putAndArchive(ctx, hard context.Context) (putErr, workErr error) {
	feeding, abort := context.WithCancelCause(hard)
	var producer sync.WaitGroup
	put := make(chan struct{})
	producer.Go(func() {
		defer close(put)
		putErr = j.produce(ctx, feeding)
	})
	if j.loading == nil {
		workErr = j.archive(hard, put)
	} else {
		workErr = j.loading.While(hard, func() error {
			if err := j.archive(hard, put); err != nil {
				return err
			}
			return j.awaitLoads(hard)
		})
	}
	abort(workErr) // it may wait for room that nobody makes any more
	producer.Wait()
	return putErr, workErr
}

// archive runs workers until everything that was put is checkpointed. A round
// of them ends when they have been delivered everything; what one of them lost
// together with a lease, before it was archived, is left to the next round.
func (j *job) archive(ctx context.Context, put <-chan struct{}) error {
	for {
		if err := j.round(ctx, put); err != nil {
			return err
		}
		left, err := j.behind(ctx)
		if err != nil || left == 0 {
			return err
		}
		j.o.Logger.Info("another round", zap.Int("shards", left))
	}
}

// round runs the workers once.
func (j *job) round(ctx context.Context, put <-chan struct{}) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	j.mu.Lock()
	j.stopRound = stop
	j.mu.Unlock()
	var wg sync.WaitGroup
	errs := make([]error, j.o.Workers)
	for i := range j.o.Workers {
		w, err := archiver.New(j.clients, j.options(i))
		if err != nil {
			return err
		}
		wg.Go(func() {
			if errs[i] = w.Run(working); errs[i] != nil {
				stop() // nobody would finish
			}
		})
	}
	select {
	case <-put:
	case <-working.Done():
	}
	j.awaitDelivery(working)
	stop()
	wg.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	return cmp.Or(j.failure, errors.Join(errs...))
}

// readTable is how often the lease table is read while the processors have not
// had everything.
const readTable = time.Second

// awaitDelivery returns when the processors have had everything that was put, or
// ctx ends. What a worker of an earlier round began, and another one finished as
// it took the lease, comes to no processor: the table says that it is done.
func (j *job) awaitDelivery(ctx context.Context) {
	read := time.Now()
	for ctx.Err() == nil && !j.allDelivered() {
		_ = pause.For(ctx, 20*time.Millisecond) // the loop's condition sees its error
		if time.Since(read) < readTable {
			continue
		}
		read = time.Now()
		if err := j.noteCheckpoints(ctx); err != nil && ctx.Err() == nil {
			j.o.Logger.Info("lease table not read; it is read again", zap.Error(err))
		}
	}
}
