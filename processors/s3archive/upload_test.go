package s3archive_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// TestCompleteWithoutAnAnswer: an answer to CompleteMultipartUpload that ends behind its blanks (200, no document)
// says nothing of the object; it is no success.
func TestCompleteWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"blanks": "   \n  ", "declaration and blanks": `<?xml version="1.0" encoding="UTF-8"?>` + "\n    ", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				switch {
				case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
					fmt.Fprint(w, `<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>`)
				case r.Method == http.MethodPut:
					w.Header().Set("ETag", `"e"`)
				case r.Method == http.MethodPost: // complete: the server gives up behind the blanks, or a proxy makes a clean end of it
					w.Header().Set("Connection", "close")
					fmt.Fprint(w, answer)
				default:
					w.WriteHeader(http.StatusNoContent)
				}
			}))
			defer server.Close()
			client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
			store, err := s3archive.New(client, s3archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			o := object("k", "plan", []byte("records"))
			o.Bucket, o.Multipart, o.IfAbsent = "b", true, true
			if err := store.Put(t.Context(), o); err == nil {
				t.Error("Put = nil, and nobody has said that there is an object")
			}
		})
	}
}

// hanging is an S3 that is cut off once an upload has begun.
type hanging struct{ s3archive.API }

func (hanging) HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error) {
	return &s3.HeadBucketOutput{}, nil
}

func (hanging) CreateMultipartUpload(context.Context, *s3.CreateMultipartUploadInput, ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	return &s3.CreateMultipartUploadOutput{UploadId: aws.String("u")}, nil
}

func (hanging) UploadPart(ctx context.Context, _ *s3.UploadPartInput, _ ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hanging) AbortMultipartUpload(ctx context.Context, _ *s3.AbortMultipartUploadInput, _ ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hanging) HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	return nil, io.ErrUnexpectedEOF
}

// TestAShutdownDuringAnUpload ends in time, with the lease given back, although the
// upload is still to be aborted.
func TestAShutdownDuringAnUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, err := s3archive.New(hanging{}, s3archive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		archiver, err := processors.New(processors.Config{DeliveryStreamName: "orders", Bucket: "b", Hints: processors.BufferingHints{SizeInMBs: 1, IntervalInSeconds: 10}}, store)
		if err != nil {
			t.Fatal(err)
		}
		stream, table := kcltest.NewStream(1), new(lease.Mem)
		stream.Put(0, "a", "b")
		cfg := kcl.Config{ApplicationName: "app", StreamName: "x", Source: stream, Leases: table, WorkerID: "one", FailoverTime: 10 * time.Second}
		if err := archiver.Configure(&cfg); err != nil {
			t.Fatal(err)
		}
		w, err := kcl.New(cfg, archiver.Processor)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 65*time.Second)
		defer cancel()
		err = w.Run(ctx)
		l, _ := table.Get(t.Context(), stream.Shard(0).ID)
		if err != nil || l.Owner != "" {
			t.Errorf("Run = %v; the owner is %q", err, l.Owner)
		}
	})
}
