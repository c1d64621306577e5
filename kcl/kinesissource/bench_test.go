package kinesissource_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
)

const (
	pageRecords  = 2000
	recordBytes  = 600
	pagesPerTurn = 5
)

// service answers as Kinesis does, from memory: a shard that never ends, and of
// which there is always a whole page to be read.
type service struct {
	body   []byte   // of an answer to GetRecords
	spots  [][]byte // the places in body where the page's number stands
	page   int
	permit chan struct{} // one for each page, if not nil
}

// newService makes the answer. The digits of a sequence number are 56, of which
// the page's number is 12.
func newService() *service {
	var b bytes.Buffer
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("0123456789"), recordBytes/10))
	arrived := time.Now().Unix()
	b.WriteString(`{"MillisBehindLatest":60000,"NextShardIterator":"iterator","Records":[`)
	for i := range pageRecords {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"ApproximateArrivalTimestamp":%d.123,"Data":%q,"PartitionKey":"customer-%d","SequenceNumber":"4959033827149025660855969253836157PAGEPAGEPAGE%010d"}`, arrived, data, i, i)
	}
	b.WriteString(`]}`)
	s := &service{body: b.Bytes()}
	for rest := s.body; ; {
		i := bytes.Index(rest, []byte("PAGEPAGEPAGE"))
		if i < 0 {
			return s
		}
		s.spots = append(s.spots, rest[i:i+12])
		rest = rest[i+12:]
	}
}

// Do implements aws.HTTPClient.
func (s *service) Do(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	var body []byte
	switch _, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); op {
	case "ListShards":
		body = []byte(`{"Shards":[{"ShardId":"shardId-000000000000","HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"340282366920938463463374607431768211455"},"SequenceNumberRange":{"StartingSequenceNumber":"1"}}]}`)
	case "GetShardIterator":
		body = []byte(`{"ShardIterator":"iterator"}`)
	default:
		var err error
		if body, err = s.records(r.Context()); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}, nil
}

func (s *service) records(ctx context.Context) ([]byte, error) {
	if s.permit != nil {
		select {
		case <-s.permit:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.page++
	number := fmt.Appendf(nil, "%012d", s.page)
	for _, spot := range s.spots {
		copy(spot, number)
	}
	return s.body, nil
}

func (s *service) client() *kinesis.Client {
	return kinesis.New(kinesis.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		BaseEndpoint: aws.String("https://kinesis.internal"), HTTPClient: s,
	})
}

// turn is what some pages took.
type turn struct {
	time   time.Duration // of computing
	allocs uint64
}

func measure(f func()) turn {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := cpuTime()
	f()
	took := cpuTime() - begin
	runtime.ReadMemStats(&after)
	return turn{took, after.Mallocs - before.Mallocs}
}

// better returns the turn that took less.
func better(a, b turn) turn {
	if a.time == 0 || b.time < a.time {
		return b
	}
	return a
}

// counter is a processor that does nothing but count.
type counter struct {
	kcl.Defaults

	records chan int
}

func (c counter) ProcessRecords(_ context.Context, in kcl.ProcessRecordsInput) error {
	c.records <- len(in.Records)
	return nil
}

// BenchmarkRead is the way of records from the service's answer to a processor,
// through the SDK, the source and a worker. Its work is compared with that of
// the SDK's client alone, which decodes the same answers: the best of each, taken
// in turns.
func BenchmarkRead(b *testing.B) {
	alone := newService().client()
	service := newService()
	service.permit = make(chan struct{})
	source, err := kinesissource.New(service.client(), kinesissource.Options{StreamName: "s", NoRateLimit: true})
	if err != nil {
		b.Fatal(err)
	}
	kinesissource.KeepReleased(source)
	processor := counter{records: make(chan int, pagesPerTurn)}
	w, err := kcl.New(kcl.Config{
		ApplicationName: "a", StreamName: "s", WorkerID: "w", Source: source, Leases: new(lease.Mem),
	}, func(kcl.ShardInfo) kcl.RecordProcessor { return processor })
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()

	throughWorker := func() {
		for range pagesPerTurn {
			service.permit <- struct{}{}
		}
		for n := 0; n < pagesPerTurn*pageRecords; {
			n += <-processor.records
		}
	}
	bySDK := func() {
		for range pagesPerTurn {
			if _, err := alone.GetRecords(b.Context(), &kinesis.GetRecordsInput{ShardIterator: aws.String("iterator")}); err != nil {
				b.Fatal(err)
			}
		}
	}
	throughWorker() // it has to take the lease first
	var ours, sdk turn
	for b.Loop() {
		ours = better(ours, measure(throughWorker))
		b.StopTimer()
		sdk = better(sdk, measure(bySDK))
		b.StartTimer()
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	const n = pagesPerTurn * pageRecords
	b.ReportMetric(float64(ours.time)/float64(sdk.time), "x-of-SDK-alone")
	b.ReportMetric(float64(ours.time.Nanoseconds())/n, "best-ns/record")
	b.ReportMetric(float64(sdk.time.Nanoseconds())/n, "SDK-ns/record")
	b.ReportMetric(float64(ours.allocs)/n, "allocs/record")
	b.ReportMetric(float64(sdk.allocs)/n, "SDK-allocs/record")
}
