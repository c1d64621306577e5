// Package archiver puts the parts together: a worker that reads a stream,
// shares its shards through a lease table and archives them to S3.
package archiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// Clients are the AWS clients that an archiver uses.
type Clients struct {
	Kinesis  *kinesis.Client
	DynamoDB *dynamodb.Client
	S3       *s3.Client
}

// Options say what to archive, where to, and how. Zero values mean the
// defaults of the packages they go to.
type Options struct {
	Table      string // the lease table, and the application's name
	WorkerID   string
	StreamName string
	StreamARN  string // default: calls name the stream by its name

	Position          kcl.InitialPosition
	FailoverTime      time.Duration
	ScanInterval      time.Duration
	ShardSyncInterval time.Duration
	PollInterval      time.Duration
	ShutdownTimeout   time.Duration
	MaxLeases         int
	MaxBytes          int64
	NoRateLimit       bool // the stream has no limits

	Delivery processors.Config // but Logger
	Hooks    kcl.Hooks
	Logger   *zap.Logger

	// Health counts what the worker does; it must also run it. It takes the
	// place of Hooks and of Delivery.Hooks. Default: nobody counts.
	Health *health.Monitor

	Tally *Tally // of what is delivered; default: none
}

// callTimeout is how long a processor's call may go without a sign of life: each
// try of a delivery gives some until its own limit, and a write of the lease row
// ends with the trust in the lease.
func callTimeout(failover time.Duration) time.Duration { return 2*time.Minute + 2*failover }

// tick is how often a processor looks at its buffering interval.
const tick = time.Second

// New returns the worker. It does no I/O. The error joins all that is wrong.
func New(c Clients, o Options) (*kcl.Worker, error) {
	o.Delivery.Logger = o.Logger
	source, err1 := kinesissource.New(c.Kinesis, kinesissource.Options{
		StreamName: o.StreamName, StreamARN: o.StreamARN, PollInterval: o.PollInterval, NoRateLimit: o.NoRateLimit, Logger: o.Logger,
	})
	table, err2 := leasedynamo.New(c.DynamoDB, leasedynamo.Options{TableName: o.Table, Logger: o.Logger})
	store, err3 := s3archive.New(c.S3, s3archive.Options{})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if o.Health != nil {
		o.Delivery.Hooks = o.Health.DeliveryHooks()
	}
	if o.Tally != nil {
		o.Delivery.Hooks = o.Tally.counting(o.Delivery.Hooks)
	}
	factory, err := processors.New(o.Delivery, store)
	if err != nil {
		return nil, fmt.Errorf("delivery stream: %w", err)
	}
	if o.Health == nil {
		o.Hooks = logged(o.Hooks, o.Logger)
		return newWorker(o, source, table, factory)
	}
	o.Hooks = logged(o.Health.Hooks(), o.Logger)
	return newWorker(o, o.Health.Source(source), o.Health.Table(table), o.Health.Factory(factory))
}

func newWorker(o Options, source kcl.Source, table lease.Table, factory kcl.ProcessorFactory) (*kcl.Worker, error) {
	return kcl.New(kcl.Config{
		ApplicationName: o.Table, StreamName: o.StreamName, StreamARN: o.StreamARN,
		Source: source, Leases: table, WorkerID: o.WorkerID, InitialPosition: o.Position,
		FailoverTime: o.FailoverTime, ScanInterval: o.ScanInterval, ShardSyncInterval: o.ShardSyncInterval,
		MaxLeases: o.MaxLeases, MaxBytes: o.MaxBytes, TickInterval: tick, ShutdownTimeout: o.ShutdownTimeout,
		CallTimeout: callTimeout(o.FailoverTime), Logger: o.Logger, Hooks: o.Hooks,
	}, factory)
}
