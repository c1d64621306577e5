// Package s3archive is the processors.ObjectStore on Amazon S3, or on a store
// that speaks its protocol and knows conditional writes.
//
// A bucket may be in another region than the client: that is found by the answer,
// and remembered. Its owner, if that is another account, gets all rights to what is
// put (the ACL bucket-owner-full-control, as Firehose gives it): that needs
// s3:PutObjectAcl. Where a bucket takes no ACLs, or none may be given, the put is
// repeated at once without one, and for an hour puts go without; S3 does not
// always say what it was that it refused, so that the put that goes shows it.
//
// The credentials need s3:PutObject, s3:AbortMultipartUpload, s3:GetObject
// (S3 asks for it to answer HeadObject) and s3:ListBucket: without the last one
// S3 answers 403 instead of 404 for an object that does not exist, and a cut
// that an earlier holder prepared cannot be finished. For sealed cuts they need
// s3:DeleteObject where bundles are; without it those stay.
package s3archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors"
)

// API is what Store needs of *s3.Client. Another one must return when its
// context is done.
type API interface { //nolint:interfacebloat // it is what S3 is asked
	PutObject(ctx context.Context, in *s3.PutObjectInput, o ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	HeadObject(ctx context.Context, in *s3.HeadObjectInput, o ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	GetObject(ctx context.Context, in *s3.GetObjectInput, o ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, o ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	DeleteObject(ctx context.Context, in *s3.DeleteObjectInput, o ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
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
	// are ObjectCreated:Put as Firehose's are. Where Firehose uploads in parts,
	// processors.Object.Multipart says so.
	PartBytes int64

	// RequestTimeout bounds each call, with the SDK's retries, until its answer
	// begins, and a second more for each MiB that the call sends. From then on
	// the answer must progress, by 64 KiB in 10 s. Default 50 s, somewhat less
	// than an archiver gives to one try, so that the error tells what it was.
	RequestTimeout time.Duration

	// Logger is told once what answers tell of a bucket: that it is in another
	// region, that it takes no ACLs, or that parts of failed uploads stay. Default
	// none.
	Logger *zap.Logger
}

// DefaultPartBytes is the default of Options.PartBytes, 64 MiB.
const DefaultPartBytes = 64 << 20

const (
	minPartBytes = 5 << 20

	maxPartBytes int64 = 5 << 30

	defaultRequestTimeout = 50 * time.Second
	bytesPerSecond        = 1 << 20 // that a call may be allowed to send no slower
)

// Store puts objects with the AWS SDK. It is safe for concurrent use if its
// API is; *s3.Client is.
type Store struct {
	api     API
	part    int64
	timeout time.Duration
	log     *zap.Logger
	buckets buckets
}

var _ processors.ObjectStore = (*Store)(nil)

// New returns a Store on api. It does no I/O.
func New(api API, o Options) (*Store, error) {
	if o.PartBytes == 0 {
		o.PartBytes = DefaultPartBytes
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = defaultRequestTimeout
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	var errs []error
	if api == nil {
		errs = append(errs, errors.New("api: must not be nil"))
	}
	if o.PartBytes < minPartBytes || o.PartBytes > maxPartBytes {
		errs = append(errs, fmt.Errorf("PartBytes %d: must be %d-%d", o.PartBytes, minPartBytes, maxPartBytes))
	}
	if o.RequestTimeout < 0 {
		errs = append(errs, fmt.Errorf("RequestTimeout %v: must be positive", o.RequestTimeout))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("options of S3: %w", err)
	}
	return &Store{api: api, part: o.PartBytes, timeout: o.RequestTimeout, log: o.Logger}, nil
}

// Put implements processors.ObjectStore.
func (s *Store) Put(ctx context.Context, o processors.Object) error {
	if o.Multipart || o.Body.Size() > s.part {
		return s.putParts(ctx, o)
	}
	err := s.share(o.Bucket, func(acl types.ObjectCannedACL) error {
		return s.locate(o.Bucket, func(options func(*s3.Options)) error { return s.putWhole(ctx, o, acl, options) })
	})
	return classify("PutObject", o.Bucket+"/"+o.Key, err)
}

func (s *Store) putWhole(ctx context.Context, o processors.Object, acl types.ObjectCannedACL, options func(*s3.Options)) error {
	ctx, call := s.start(ctx, o.Body.Size())
	defer call.End()
	encrypted, key := encryption(o.AWSKMSKeyARN)
	_, err := s.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket:               &o.Bucket,
		Key:                  &o.Key,
		Body:                 io.NewSectionReader(o.Body, 0, o.Body.Size()), // from its start, whoever has read it
		ContentLength:        aws.Int64(o.Body.Size()),
		ContentType:          &o.ContentType,
		ContentEncoding:      optional(o.ContentEncoding),
		Metadata:             o.Metadata,
		IfNoneMatch:          condition(o.IfAbsent),
		ACL:                  acl,
		ServerSideEncryption: encrypted,
		SSEKMSKeyId:          key,
	}, once, options)
	return deadline.Explain(ctx, err)
}

// start begins a call that sends so many bytes.
func (s *Store) start(ctx context.Context, bytes int64) (context.Context, *deadline.Call) {
	return deadline.Start(ctx, s.limit(bytes))
}

// limit returns how long a call that sends so many bytes, or has the service
// handle them, may take until its answer begins.
func (s *Store) limit(bytes int64) time.Duration {
	return s.timeout + time.Duration(bytes/bytesPerSecond)*time.Second
}

// Head implements processors.ObjectStore.
func (s *Store) Head(ctx context.Context, bucket, key string) (map[string]string, bool, error) {
	ctx, call := s.start(ctx, 0)
	defer call.End()
	var out *s3.HeadObjectOutput
	err := s.locate(bucket, func(options func(*s3.Options)) (err error) {
		out, err = s.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}, once, options)
		return err
	})
	switch {
	case status(err) == http.StatusNotFound:
		// A bucket that is gone looks the same; the put that follows tells.
		return nil, false, nil
	case err != nil:
		return nil, false, classify("HeadObject", bucket+"/"+key, deadline.Explain(ctx, err))
	}
	return out.Metadata, true, nil
}

// Check implements processors.ObjectStore.
func (s *Store) Check(ctx context.Context, bucket string) error {
	ctx, call := s.start(ctx, 0)
	defer call.End()
	err := s.locate(bucket, func(options func(*s3.Options)) error {
		_, err := s.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}, once, options)
		return err
	})
	return classify("HeadBucket", bucket, deadline.Explain(ctx, err))
}

// perCall makes a client of the SDK keep the limits of its calls.
func perCall(o *s3.Options) { o.HTTPClient = deadline.Client(o.HTTPClient, 0) }

// once also turns the SDK's own retries off: before another try the archiver
// must ask whether it still has the lease. A request that was refused for its ACL or its
// region, so that nothing was stored, is made again at once, as a part of the same try.
func once(o *s3.Options) {
	perCall(o)
	o.Retryer = aws.NopRetryer{}
}

// classify gives an error its class: ErrExists if a conditional write was
// refused, ErrAccessDenied if somebody was, or the key that encrypts the object.
// Everything else may pass.
func classify(operation, object string, err error) error {
	switch {
	case err == nil:
		return nil
	case isRefused(err):
		return fmt.Errorf("%s %s: %w", operation, object, processors.ErrExists)
	}
	if remedy := keyRemedy(err); remedy != "" {
		return fmt.Errorf("%s %s: %w: %s: %w", operation, object, processors.ErrAccessDenied, remedy, err)
	}
	if kind := denied(err); kind != access.None {
		remedy := kind.Remedy(permission(operation)) + "; or correct the bucket's name if it is somebody else's"
		return fmt.Errorf("%s %s: %w: %s: %w", operation, object, processors.ErrAccessDenied, remedy, err)
	}
	if isNoBucket(operation, err) {
		return fmt.Errorf("%s %s: there is no such bucket: create it, or correct its name: %w", operation, object, err)
	}
	return fmt.Errorf("%s %s: %w", operation, object, err)
}

// isNoBucket reports whether there is no bucket. The answer to a HEAD has no
// code.
func isNoBucket(operation string, err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && e.ErrorCode() == "NoSuchBucket" || operation == "HeadBucket" && status(err) == http.StatusNotFound
}

// denied tells whether and how access was refused. The answer to a HEAD has no
// body, and so no code but that of its status.
func denied(err error) access.Kind {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		if kind := access.Judge(e.ErrorCode()); kind != access.None {
			return kind
		}
	}
	if s := status(err); s == http.StatusForbidden || s == http.StatusUnauthorized {
		return access.NotAllowed
	}
	if access.Missing(err) {
		return access.NotAccepted // nothing was sent
	}
	return access.None
}

// permission returns what a policy must permit for an operation.
func permission(operation string) string {
	switch operation {
	case "HeadObject", "GetObject":
		return "s3:GetObject and s3:ListBucket"
	case "HeadBucket", "ListObjectsV2":
		return "s3:ListBucket"
	case "DeleteObject":
		return "s3:DeleteObject"
	default:
		return "s3:PutObject"
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
