package leasedynamo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

func benchLease() lease.Lease {
	return lease.Lease{
		Key: "shardId-000000000042", Owner: "ip-10-0-0-17.ec2.internal:4711:af02", Counter: 123_456,
		Checkpoint: checkpoint.At("49590338271490256608559692538361571095921575989136588898", 3, time.UnixMilli(1_700_000_000_123)),
		Parents:    []string{"shardId-000000000007"}, OwnerSwitches: 1,
		Range:    lease.HashRange{Start: "170141183460469231731687303715884105728", End: "340282366920938463463374607431768211455"},
		Instance: "0d3c1c8a-5f0e-4b1e-9d4f-1f6a5f0e4b1e", FailoverTime: 10 * time.Second,
	}
}

// BenchmarkEncodeRow makes the attributes of a lease.
func BenchmarkEncodeRow(b *testing.B) {
	l := benchLease()
	b.ReportAllocs()
	for b.Loop() {
		leasedynamo.Encode(l)
	}
}

// BenchmarkDecodeRow makes a lease of its attributes, as each scan does for
// each row.
func BenchmarkDecodeRow(b *testing.B) {
	row := leasedynamo.Encode(benchLease())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := leasedynamo.Decode(row); err != nil {
			b.Fatal(err)
		}
	}
}

// answering is an HTTP client that gets the same answer to everything.
type answering struct{ body []byte }

func (a answering) Do(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		ContentLength: int64(len(a.body)), Body: io.NopCloser(bytes.NewReader(a.body)), Request: r,
	}, nil
}

// BenchmarkRenew is all that a worker computes for a renewal, the SDK's part,
// signing and HTTP messages with it: run with -cpu 1 its inverse is how many
// renewals a second one core makes. The second form has the table in the same
// process, too.
func BenchmarkRenew(b *testing.B) {
	b.Run("worker", func(b *testing.B) {
		l := benchLease()
		b.ReportAllocs()
		table, err := leasedynamo.New(dynamodb.New(dynamodb.Options{
			Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
			BaseEndpoint: aws.String("https://dynamodb.internal"), HTTPClient: answering{renewed(b, l)},
		}), leasedynamo.Options{TableName: "leases"})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := table.Renew(b.Context(), l); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "renewals/s")
	})
	b.Run("worker and table", func(b *testing.B) {
		const leases = 5000
		table := open(b, inProcess(b))
		held := make([]lease.Lease, leases)
		for i := range held {
			l := benchLease()
			l.Key = fmt.Sprintf("shardId-%012d", i)
			if err := table.Create(b.Context(), l); err != nil {
				b.Fatal(err)
			}
			var err error
			if held[i], err = table.Take(b.Context(), lease.Lease{Key: l.Key}, lease.Claim{Owner: l.Owner, Instance: l.Instance, FailoverTime: l.FailoverTime}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			var err error
			if held[i%leases], err = table.Renew(b.Context(), held[i%leases]); err != nil {
				b.Fatal(err)
			}
			i++
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "renewals/s")
	})
}

// renewed is DynamoDB's answer to an update that returns the row.
func renewed(b *testing.B, l lease.Lease) []byte {
	b.Helper()
	attributes := map[string]map[string]any{}
	for name, value := range leasedynamo.Encode(l) {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			attributes[name] = map[string]any{"S": v.Value}
		case *types.AttributeValueMemberN:
			attributes[name] = map[string]any{"N": v.Value}
		case *types.AttributeValueMemberSS:
			attributes[name] = map[string]any{"SS": v.Value}
		}
	}
	body, err := json.Marshal(map[string]any{"Attributes": attributes})
	if err != nil {
		b.Fatal(err)
	}
	return body
}
