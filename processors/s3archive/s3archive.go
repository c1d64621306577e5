// Package s3archive is the processors.ObjectStore on Amazon S3, or on a store
// that speaks its protocol and knows conditional writes.
//
// The credentials need s3:PutObject, s3:AbortMultipartUpload, s3:GetObject
// (S3 asks for it to answer HeadObject) and s3:ListBucket: without the last one
// S3 answers 403 instead of 404 for an object that does not exist, and a cut
// that an earlier holder prepared cannot be finished.
package s3archive

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/shardmill/shardmill/processors"
)

// API is what Store needs of *s3.Client.
type API interface {
	PutObject(ctx context.Context, in *s3.PutObjectInput, o ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	HeadObject(ctx context.Context, in *s3.HeadObjectInput, o ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	HeadBucket(ctx context.Context, in *s3.HeadBucketInput, o ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
	CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, o ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error)
	UploadPart(ctx context.Context, in *s3.UploadPartInput, o ...func(*s3.Options)) (*s3.UploadPartOutput, error)
	CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput, o ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error)
	AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput, o ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error)
}

// Options are the choices of a Store.
type Options struct {
	// PartBytes is the size above which an object is uploaded in parts of that
	// size. S3 wants at least 5 MiB and at most 5 GiB. Default 64 MiB: with
	// compression nearly every object is one PutObject, so that notifications
	// are ObjectCreated:Put as Firehose's are.
	PartBytes int64
}

const (
	defaultPartBytes = 64 << 20
	minPartBytes     = 5 << 20
	maxPartBytes     = 5 << 30
)

// Store puts objects with the AWS SDK. It is safe for concurrent use if its
// API is; *s3.Client is.
type Store struct {
	api  API
	part int64
}

var _ processors.ObjectStore = (*Store)(nil)

// New returns a Store on api. It does no I/O.
func New(api API, o Options) (*Store, error) {
	if o.PartBytes == 0 {
		o.PartBytes = defaultPartBytes
	}
	var errs []error
	if api == nil {
		errs = append(errs, errors.New("api: must not be nil"))
	}
	if o.PartBytes < minPartBytes || o.PartBytes > maxPartBytes {
		errs = append(errs, fmt.Errorf("PartBytes %d: must be %d-%d", o.PartBytes, minPartBytes, maxPartBytes))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("options of S3: %w", err)
	}
	return &Store{api: api, part: o.PartBytes}, nil
}

// Put implements processors.ObjectStore.
func (s *Store) Put(ctx context.Context, o processors.Object) error {
	if o.Body.Size() > s.part {
		return s.putParts(ctx, o)
	}
	_, err := s.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket:          &o.Bucket,
		Key:             &o.Key,
		Body:            o.Body,
		ContentLength:   aws.Int64(o.Body.Size()),
		ContentType:     &o.ContentType,
		ContentEncoding: optional(o.ContentEncoding),
		Metadata:        o.Metadata,
		IfNoneMatch:     condition(o.IfAbsent),
	}, once)
	return classify("PutObject", o.Bucket, o.Key, err)
}

// Head implements processors.ObjectStore.
func (s *Store) Head(ctx context.Context, bucket, key string) (map[string]string, bool, error) {
	out, err := s.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}, once)
	switch {
	case status(err) == http.StatusNotFound:
		// A bucket that is gone looks the same; the put that follows tells.
		return nil, false, nil
	case err != nil:
		return nil, false, classify("HeadObject", bucket, key, err)
	}
	return out.Metadata, true, nil
}

// Check implements processors.ObjectStore.
func (s *Store) Check(ctx context.Context, bucket string) error {
	if _, err := s.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}, once); err != nil {
		return fmt.Errorf("HeadBucket %s: %w", bucket, err)
	}
	return nil
}

// once turns the SDK's own retries off: before another try the archiver must
// ask whether it still has the lease.
func once(o *s3.Options) { o.Retryer = aws.NopRetryer{} }

// classify turns the refusal of a conditional write into ErrExists. Everything
// else may pass.
func classify(operation, bucket, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case isRefused(err):
		return fmt.Errorf("%s %s/%s: %w", operation, bucket, key, processors.ErrExists)
	default:
		return fmt.Errorf("%s %s/%s: %w", operation, bucket, key, err)
	}
}

// isRefused reports whether a condition did not hold. S3 can say so in the body
// of an answer whose status is 200.
func isRefused(err error) bool {
	var e smithy.APIError
	return status(err) == http.StatusPreconditionFailed || errors.As(err, &e) && e.ErrorCode() == "PreconditionFailed"
}

// status returns the HTTP status of the service's answer, 0 if there was none.
func status(err error) int {
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}

func condition(ifAbsent bool) *string {
	if ifAbsent {
		return aws.String("*")
	}
	return nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
