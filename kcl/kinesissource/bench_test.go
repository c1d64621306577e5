package kinesissource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/shardmill/shardmill/internal/cputime"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// turn is what some pages took.
type turn struct {
	time   time.Duration // of computing
	allocs uint64
}

func measure(f func()) turn {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := cputime.Used()
	f()
	took := cputime.Used() - begin
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

// compare measures what our way to read some pages takes beside the SDK's: the best
// of each, taken in turns, as others may use the machine, too.
func compare(b *testing.B, s shape, pages int, ours, bySDK func()) {
	b.Helper()
	ours() // what is done once only is not measured
	bySDK()
	var our, sdk turn
	for b.Loop() {
		our = better(our, measure(ours))
		b.StopTimer()
		sdk = better(sdk, measure(bySDK))
		b.StartTimer()
	}
	b.ReportMetric(float64(sdk.time)/float64(our.time), "x-less-than-SDK")
	const mega = 1 << 20
	n := float64(pages * s.count)
	data := n * float64(s.size) / mega
	b.ReportMetric(data/our.time.Seconds(), "MB/CPU-s")
	b.ReportMetric(data/sdk.time.Seconds(), "SDK-MB/CPU-s")
	b.ReportMetric(float64(our.time.Nanoseconds())/n, "CPU-ns/record")
	b.ReportMetric(float64(sdk.time.Nanoseconds())/n, "SDK-CPU-ns/record")
	b.ReportMetric(float64(our.allocs)/n, "heap-allocs/record")
	b.ReportMetric(float64(sdk.allocs)/n, "SDK-heap-allocs/record")
}

// memory answers from memory, GetRecords always with the same page.
type memory struct {
	page []byte
	cbor []byte // for who asks in CBOR
}

// Do implements aws.HTTPClient.
func (m memory) Do(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	body, content := []byte(`{"ShardIterator":"iterator"}`), r.Header.Get("Content-Type")
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetRecords") {
		body = m.page
		if strings.Contains(content, "cbor") {
			body = m.cbor
		}
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {content}},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}, nil
}

// onePage returns a page of a shape.
func onePage(s shape) []byte {
	var b bytes.Buffer
	_ = newCannedPage(s).write(&b, s.name+" "+cannedShard(0), 1, s.count) // a buffer takes it
	return b.Bytes()
}

// BenchmarkDecode is what a source's reader makes of the service's answers, beside
// the SDK's client alone. Both get them from memory: there is no network. For
// answers without records see BenchmarkEmptyCall. In CBOR the SDK does not speak:
// it gets the same records in JSON.
func BenchmarkDecode(b *testing.B) {
	for _, s := range shapes() {
		b.Run(s.name, func(b *testing.B) { benchmarkDecode(b, s, false) })
		b.Run(s.name+"-CBOR", func(b *testing.B) { benchmarkDecode(b, s, true) })
	}
}

func benchmarkDecode(b *testing.B, s shape, inCBOR bool) {
	b.Helper()
	m := memory{page: onePage(s)}
	m.cbor = cborPage(b, m.page)
	client := kinesis.New(cannedOptions("https://kinesis.internal", m))
	source, err := kinesissource.New(client, kinesissource.Options{StreamName: s.name, NoRateLimit: true, CBOR: inCBOR})
	if err != nil {
		b.Fatal(err)
	}
	kinesissource.KeepReleased(source)
	reader := source.Open(cannedShard(0), trimHorizon())
	defer reader.Close()
	compare(b, s, s.pages, func() {
		for range s.pages {
			p, err := reader.Next(b.Context(), kcl.Room{})
			if err := came(len(p.Records), s.count, err); err != nil {
				b.Fatal(err)
			}
			if p.Release != nil {
				p.Release()
			}
		}
	}, func() {
		for range s.pages {
			if _, err := nextBySDK(b.Context(), client, s, "iterator"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// cborPage returns a page in CBOR.
func cborPage(b *testing.B, page []byte) []byte {
	b.Helper()
	var in struct {
		NextShardIterator  string
		MillisBehindLatest uint64
		Records            []struct {
			SequenceNumber, PartitionKey string
			Data                         []byte
			ApproximateArrivalTimestamp  float64
		}
	}
	if err := json.Unmarshal(page, &in); err != nil {
		b.Fatal(err)
	}
	list := make(cbor.List, len(in.Records))
	for i, r := range in.Records {
		list[i] = cbor.Map{
			"SequenceNumber": cbor.String(r.SequenceNumber), "PartitionKey": cbor.String(r.PartitionKey), "Data": cbor.Slice(r.Data),
			"ApproximateArrivalTimestamp": &cbor.Tag{ID: 1, Value: cbor.Uint(math.Round(1000 * r.ApproximateArrivalTimestamp))},
		}
	}
	return cbor.Encode(cbor.Map{"NextShardIterator": cbor.String(in.NextShardIterator), "MillisBehindLatest": cbor.Uint(in.MillisBehindLatest), "Records": list})
}

// nextBySDK reads one page as any client of the SDK does, and returns the iterator
// of the next one.
func nextBySDK(ctx context.Context, c *kinesis.Client, s shape, iterator string) (next string, err error) {
	out, err := c.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String(iterator), Limit: aws.Int32(10_000)})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.NextShardIterator), came(len(out.Records), s.count, nil)
}

// came returns err, or one if there were not as many records as there should be.
func came(got, want int, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("a page of %d records came, want %d", got, want)
	}
	return err
}
