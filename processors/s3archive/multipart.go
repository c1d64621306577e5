package s3archive

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors"
)

// abortTimeout bounds the clean-up of an upload that failed. Whoever stops waits for it
// in the seconds that are left.
const abortTimeout = 2 * time.Second

// errNoAnswer means that a call was answered with success, and without a word of what
// was stored: it may be, or not.
var errNoAnswer = errors.New("the answer says nothing of an object; it may be stored")

// putParts uploads an object in parts, which nobody sees before the last call.
// An upload that fails is aborted, best effort: a bucket's life cycle rule
// (AbortIncompleteMultipartUpload) removes what is left.
func (s *Store) putParts(ctx context.Context, o processors.Object) error {
	id, err := s.createUpload(ctx, o)
	if err != nil {
		return err
	}
	u := upload{Store: s, object: o, id: id}
	if err := u.run(ctx); err != nil {
		u.abort(ctx)
		return err
	}
	return nil
}

func (s *Store) createUpload(ctx context.Context, o processors.Object) (id *string, err error) {
	ctx, call := s.start(ctx, 0)
	defer call.End()
	encrypted, key := encryption(o.AWSKMSKeyARN)
	var out *s3.CreateMultipartUploadOutput
	err = s.share(o.Bucket, func(acl types.ObjectCannedACL) error {
		return s.locate(o.Bucket, func(options func(*s3.Options)) (err error) {
			out, err = s.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
				Bucket:               &o.Bucket,
				Key:                  &o.Key,
				ContentType:          &o.ContentType,
				ContentEncoding:      optional(o.ContentEncoding),
				Metadata:             o.Metadata,
				ChecksumAlgorithm:    types.ChecksumAlgorithmCrc32,
				ACL:                  acl,
				ServerSideEncryption: encrypted,
				SSEKMSKeyId:          key,
			}, perCall, options)
			return err
		})
	})
	if err != nil {
		return nil, classify("CreateMultipartUpload", o.Bucket+"/"+o.Key, deadline.Explain(ctx, err))
	}
	return out.UploadId, nil
}

// upload is a multipart upload that was begun.
type upload struct {
	*Store

	object processors.Object
	id     *string
}

func (u upload) run(ctx context.Context) error {
	parts, err := u.parts(ctx)
	if err != nil {
		return err
	}
	// S3 sends blanks while it puts the object together.
	ctx, call := deadline.StartWhole(ctx, u.limit(u.object.Body.Size()))
	defer call.End()
	err = u.locate(u.object.Bucket, func(options func(*s3.Options)) error {
		out, err := u.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket:          &u.object.Bucket,
			Key:             &u.object.Key,
			UploadId:        u.id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
			IfNoneMatch:     condition(u.object.IfAbsent),
		}, once, options)
		if err == nil && out.ETag == nil { // S3 answers 200 before it is done
			err = errNoAnswer
		}
		return err
	})
	return u.classify("CompleteMultipartUpload", deadline.Explain(ctx, err))
}

func (u upload) classify(operation string, err error) error {
	return classify(operation, u.object.Bucket+"/"+u.object.Key, err)
}

// parts uploads the parts one after the other. The SDK may repeat each: they
// have no effect that anyone sees.
func (u upload) parts(ctx context.Context) ([]types.CompletedPart, error) {
	var parts []types.CompletedPart
	size := u.object.Body.Size()
	for off := int64(0); off < size || len(parts) == 0; off += u.part { // an empty object has one, which is empty
		part, err := u.putPart(ctx, int32(len(parts)+1), io.NewSectionReader(u.object.Body, off, min(u.part, size-off)))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func (u upload) putPart(ctx context.Context, number int32, body *io.SectionReader) (types.CompletedPart, error) {
	ctx, call := u.start(ctx, body.Size())
	defer call.End()
	var out *s3.UploadPartOutput
	err := u.locate(u.object.Bucket, func(options func(*s3.Options)) (err error) {
		out, err = u.api.UploadPart(ctx, &s3.UploadPartInput{
			Bucket:            &u.object.Bucket,
			Key:               &u.object.Key,
			UploadId:          u.id,
			PartNumber:        &number,
			Body:              io.NewSectionReader(body, 0, body.Size()),
			ContentLength:     aws.Int64(body.Size()),
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		}, perCall, options)
		return err
	})
	if err != nil {
		return types.CompletedPart{}, u.classify("UploadPart", deadline.Explain(ctx, err))
	}
	return types.CompletedPart{PartNumber: &number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}, nil
}

// abort gives the upload's parts up, also when ctx is done.
func (u upload) abort(ctx context.Context) {
	ctx, call := deadline.Start(context.WithoutCancel(ctx), abortTimeout)
	defer call.End()
	// That it fails costs storage until the bucket's life cycle ends it.
	err := u.locate(u.object.Bucket, func(options func(*s3.Options)) error {
		_, err := u.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.object.Bucket, Key: &u.object.Key, UploadId: u.id}, once, options)
		return err
	})
	if denied(err) == access.NotAllowed && u.buckets.change(u.object.Bucket, func(f *facts) { f.left = true }) {
		u.log.Warn("parts of uploads that failed are left behind; permit s3:AbortMultipartUpload, or have a lifecycle rule remove them (AbortIncompleteMultipartUpload)",
			zap.String("bucket", u.object.Bucket), zap.Error(err))
	}
}
