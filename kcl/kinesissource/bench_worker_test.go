package kinesissource_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"golang.org/x/sync/errgroup"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
)

// counter is a processor that does nothing but count.
type counter struct {
	kcl.Defaults

	records chan int
}

func (c counter) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	c.records <- len(in.Records)
	return nil
}

// wait returns once n records have come.
func (c counter) wait(n int) {
	for n > 0 {
		n -= <-c.records
	}
}

// newWorker makes a worker that reads all shards of a canned stream. maxBytes may
// be 0, for the default.
func newWorker(api kinesissource.API, stream string, maxBytes int64, f kcl.ProcessorFactory) (*kcl.Worker, error) {
	source, err := kinesissource.New(api, kinesissource.Options{StreamName: stream, NoRateLimit: true})
	if err != nil {
		return nil, err
	}
	kinesissource.KeepReleased(source)
	return kcl.New(kcl.Config{
		ApplicationName: "a", StreamName: stream, WorkerID: "w", Source: source, Leases: new(lease.Mem), MaxBytes: maxBytes,
	}, f)
}

// gate lets as many calls of GetRecords pass as it is told. The source does not
// see through it, so HTTP/2 is spoken where it is offered.
type gate struct {
	aws.HTTPClient

	permits chan struct{}
}

// Do implements aws.HTTPClient.
func (g gate) Do(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
		select {
		case <-g.permits:
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		}
	}
	return g.HTTPClient.Do(r)
}

// BenchmarkWorker is a whole worker with four shards that are behind, from the
// socket to a processor that counts, beside the SDK's client in a loop for each
// shard. The server has a process of its own, which is not counted.
func BenchmarkWorker(b *testing.B) {
	ways := startCanned(b)
	all := shapes()
	for _, tt := range []struct {
		shape shape
		way   transport
	}{
		{all[0], ways[0]},
		{all[0], ways[1]},
		{all[0], ways[2]},
		{all[1], ways[0]},
		{all[2], ways[0]},
		{all[3], ways[0]},
	} {
		b.Run(tt.shape.name+"/"+tt.way.Name, func(b *testing.B) { benchmarkWorker(b, tt.shape, tt.way) })
	}
}

func benchmarkWorker(b *testing.B, s shape, way transport) {
	b.Helper()
	pages := cannedShards * s.pages
	permits := make(chan struct{})
	processor := counter{records: make(chan int)}
	w, err := newWorker(kinesis.New(way.options(), func(o *kinesis.Options) {
		o.HTTPClient = gate{o.HTTPClient, permits}
	}), s.name, 0, func(kcl.ShardInfo) kcl.RecordProcessor { return processor })
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	bySDK := kinesis.New(way.options())
	compare(b, s, pages, func() {
		go func() {
			for range pages {
				permits <- struct{}{}
			}
		}()
		processor.wait(pages * s.count)
	}, func() {
		if err := loopBySDK(b.Context(), bySDK, s); err != nil {
			b.Fatal(err)
		}
	})
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// loopBySDK reads some pages of each shard at once, and lets go of them.
func loopBySDK(ctx context.Context, c *kinesis.Client, s shape) error {
	loops, ctx := errgroup.WithContext(ctx)
	for i := range cannedShards {
		loops.Go(func() error {
			out, err := c.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
				StreamName: aws.String(s.name), ShardId: aws.String(cannedShard(i)), ShardIteratorType: "TRIM_HORIZON",
			})
			if err != nil {
				return err
			}
			iterator := aws.ToString(out.ShardIterator)
			for range s.pages {
				if iterator, err = nextBySDK(ctx, c, s, iterator); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return loops.Wait()
}
