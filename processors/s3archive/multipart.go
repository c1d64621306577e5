package s3archive

import (
	"context"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shardmill/shardmill/processors"
)

// abortTimeout bounds the clean-up of an upload that failed.
const abortTimeout = 10 * time.Second

// putParts uploads an object in parts, which nobody sees before the last call.
// An upload that fails is aborted, best effort: a bucket's life cycle rule
// (AbortIncompleteMultipartUpload) removes what is left.
func (s *Store) putParts(ctx context.Context, o processors.Object) error {
	out, err := s.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:            &o.Bucket,
		Key:               &o.Key,
		ContentType:       &o.ContentType,
		ContentEncoding:   optional(o.ContentEncoding),
		Metadata:          o.Metadata,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return classify("CreateMultipartUpload", o.Bucket, o.Key, err)
	}
	u := upload{api: s.api, object: o, id: out.UploadId}
	if err := u.run(ctx, s.part); err != nil {
		u.abort(ctx)
		return err
	}
	return nil
}

// upload is a multipart upload that was begun.
type upload struct {
	api    API
	object processors.Object
	id     *string
}

func (u upload) run(ctx context.Context, partBytes int64) error {
	parts, err := u.parts(ctx, partBytes)
	if err != nil {
		return err
	}
	_, err = u.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket:          &u.object.Bucket,
		Key:             &u.object.Key,
		UploadId:        u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		IfNoneMatch:     condition(u.object.IfAbsent),
	}, once)
	return classify("CompleteMultipartUpload", u.object.Bucket, u.object.Key, err)
}

// parts uploads the parts one after the other. The SDK may repeat each: they
// have no effect that anyone sees.
func (u upload) parts(ctx context.Context, partBytes int64) ([]types.CompletedPart, error) {
	var parts []types.CompletedPart
	size := u.object.Body.Size()
	for off := int64(0); off < size; off += partBytes {
		number := aws.Int32(int32(len(parts) + 1))
		n := min(partBytes, size-off)
		out, err := u.api.UploadPart(ctx, &s3.UploadPartInput{
			Bucket:            &u.object.Bucket,
			Key:               &u.object.Key,
			UploadId:          u.id,
			PartNumber:        number,
			Body:              io.NewSectionReader(u.object.Body, off, n),
			ContentLength:     &n,
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		if err != nil {
			return nil, classify("UploadPart", u.object.Bucket, u.object.Key, err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	}
	return parts, nil
}

// abort gives the upload's parts up, also when ctx is done.
func (u upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	// That it fails costs storage until the bucket's life cycle ends it.
	_, _ = u.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.object.Bucket, Key: &u.object.Key, UploadId: u.id}, once)
}
