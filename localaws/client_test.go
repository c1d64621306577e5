package localaws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
)

// TestVirtualTime runs the SDK in a bubble: latency takes virtual time only,
// deadlines end calls at their instant, and no goroutine is left behind.
func TestVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack := newStack(t, localaws.Options{})
		cfg := stack.AWSConfig()
		streams, objects := kinesis.NewFromConfig(cfg), s3.NewFromConfig(cfg)
		_, err := streams.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("words"), ShardCount: aws.Int32(1)})
		if err != nil {
			t.Fatalf("creating a stream: %v", err)
		}
		stack.Faults().Add(localaws.Fault{Operation: "PutObject", Times: 1, Kind: localaws.Latency(90 * time.Second)})
		start := time.Now()
		_, err = objects.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("bucket"), Key: aws.String("key"), Body: bytes.NewReader([]byte("content")),
		})
		if took := time.Since(start); err != nil || took != 90*time.Second {
			t.Errorf("the put took %v, %v; want 1m30s", took, err)
		}
		stack.Faults().Add(localaws.Fault{Operation: "PutRecord", Times: 1, Kind: localaws.Latency(time.Hour)})
		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		record := &kinesis.PutRecordInput{StreamName: aws.String("words"), PartitionKey: aws.String("p"), Data: []byte("data")}
		_, err = streams.PutRecord(ctx, record)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 7*time.Second {
			t.Errorf("the put of a record ended after %v with %v; want 7s and the deadline", took, err)
		}
		if _, err = streams.PutRecord(t.Context(), record); err != nil || stack.StoredBytes("words") != 4 {
			t.Errorf("after that: %v, %d bytes stored; want one record of 4", err, stack.StoredBytes("words"))
		}
		if written := stack.Writes(); len(written) != 1 || !written[0].Time.Equal(start) {
			t.Errorf("the writes are %+v, want one at %v", written, start)
		}
	})
}

// TestLargeAnswer reads an answer that is larger than what is kept for a
// reader, and leaves another unread.
func TestLargeAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack := newStack(t, localaws.Options{})
		client := s3.NewFromConfig(stack.AWSConfig())
		content := make([]byte, 40<<20)
		for i := 0; i < len(content); i += 1000 {
			content[i] = byte(i / 1000)
		}
		object := &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("large")}
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: object.Bucket, Key: object.Key, Body: bytes.NewReader(content)})
		if err != nil {
			t.Fatalf("putting: %v", err)
		}
		out, err := client.GetObject(t.Context(), object)
		if err != nil {
			t.Fatalf("getting: %v", err)
		}
		got, err := io.ReadAll(out.Body)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("read %d bytes, %v; want the %d that were put", len(got), err, len(content))
		}
		out.Body.Close()
		left, err := client.GetObject(context.WithoutCancel(t.Context()), object)
		if err != nil {
			t.Fatalf("getting again: %v", err)
		}
		left.Body.Close() // unread
		stack.Close()     // never returns if the handler stays
	})
}

// TestShortBody has a client whose body is shorter than it says.
func TestShortBody(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{SkipSignatures: true})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://localaws.internal/bucket/key", io.NopCloser(bytes.NewReader([]byte("short"))))
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = 1000
	response, err := stack.AWSConfig().HTTPClient.Do(request)
	if err != nil {
		t.Fatalf("putting: %v", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("the answer has status %d, want 400", response.StatusCode)
	}
	if exists(t, stack.AWSConfig(), "key") {
		t.Error("a body that was cut off was stored")
	}
}
