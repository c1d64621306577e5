// Package archiver puts the parts together: a worker that reads a stream,
// shares its shards through a lease table and archives them to S3.
package archiver

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/health"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// Clients are the AWS clients that an archiver uses.
type Clients struct {
	Kinesis  *kinesis.Client
	DynamoDB *dynamodb.Client
	S3       *s3.Client
	Lambda   *lambda.Client // for transforms that are functions; else it may be nil

	Config aws.Config // what these are of; for clusters whose requests are signed, and domains
}

// Options say what to archive, where to, and how. Zero values mean the
// defaults of the packages they go to. What several parts need is said once, in
// Worker: the names of application and stream, and the logger.
type Options struct {
	Worker   kcl.Config            // but Source and Leases
	Source   kinesissource.Options // but StreamName, StreamARN and Logger
	Delivery processors.Config     // but Logger

	// Health counts what the worker does; it must also run it. It takes the
	// place of the Hooks of Worker and of Delivery, and of Source.Throttled.
	// Default: nobody counts.
	Health *health.Monitor

	Tally *Tally // of what is delivered; default: none
}

// New returns the worker. It does no I/O. The error joins all that is wrong.
func New(c Clients, o Options) (*kcl.Worker, error) {
	o.Source.StreamName, o.Source.StreamARN = o.Worker.StreamName, o.Worker.StreamARN
	o.Source.FallBackToName = c.Kinesis.Options().BaseEndpoint != nil // an endpoint of the user's own
	o.Source.Logger, o.Delivery.Logger = o.Worker.Logger, o.Worker.Logger
	if o.Health != nil {
		o.Delivery.Hooks, o.Worker.Hooks = o.Health.DeliveryHooks(), o.Health.Hooks()
		o.Source.Throttled = o.Health.Throttled
	}
	source, err1 := kinesissource.New(c.Kinesis, o.Source)
	table, err2 := leasedynamo.New(c.DynamoDB, leasedynamo.Options{TableName: o.Worker.ApplicationName, Logger: o.Worker.Logger})
	store, err3 := s3archive.New(c.S3, s3archive.Options{Logger: o.Worker.Logger})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if o.Tally != nil {
		o.Delivery.Hooks = o.Tally.counting(o.Delivery.Hooks)
	}
	archiver, err := processors.New(o.Delivery, store)
	if err != nil {
		return nil, fmt.Errorf("delivery stream: %w", err)
	}
	if err := archiver.Configure(&o.Worker); err != nil {
		return nil, err
	}
	o.Worker.Source, o.Worker.Leases = source, table
	o.Worker.Hooks = logged(o.Worker.Hooks, o.Worker.Logger)
	if o.Health == nil {
		return kcl.New(o.Worker, archiver.Processor)
	}
	o.Worker.Source, o.Worker.Leases = o.Health.Source(source), o.Health.Table(table)
	return kcl.New(o.Worker, o.Health.Factory(archiver.Processor))
}
