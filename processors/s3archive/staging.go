package s3archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors"
)

// Get implements processors.ObjectStore.
func (s *Store) Get(ctx context.Context, bucket, key string, offset, length int64, w io.Writer) error {
	if length == 0 {
		return nil // a range has at least a byte
	}
	ctx, call := s.start(ctx, 0)
	defer call.End()
	var out *s3.GetObjectOutput
	err := s.locate(bucket, func(options func(*s3.Options)) (err error) {
		out, err = s.api.GetObject(ctx, &s3.GetObjectInput{
			Bucket: &bucket, Key: &key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)),
		}, once, options)
		return err
	})
	if err == nil {
		defer out.Body.Close() //nolint:errcheck // it was read
		err = copyAll(w, out, offset, length)
	}
	return unread(bucket, key, deadline.Explain(ctx, err))
}

// unread is the error of an object that could not be read, nil if it was.
func unread(bucket, key string, err error) error {
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return fmt.Errorf("GetObject %s/%s: %w", bucket, key, processors.ErrNotFound)
	}
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return fmt.Errorf("GetObject %s/%s: %w", bucket, key, processors.ErrRange)
	}
	return classify("GetObject", bucket+"/"+key, err)
}

// Read returns an object, which has at most so many bytes: one that is small and whose
// size is not known, as redshiftarchive.Store has it.
//
// Errors: processors.ErrNotFound if the store says that there is no such object;
// processors.ErrRange if it has more bytes. A refusal is another error.
func (s *Store) Read(ctx context.Context, bucket, key string, most int64) ([]byte, error) {
	ctx, call := s.start(ctx, 0)
	defer call.End()
	var out *s3.GetObjectOutput
	err := s.locate(bucket, func(options func(*s3.Options)) (err error) {
		out, err = s.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key}, once, options)
		return err
	})
	if err != nil {
		return nil, unread(bucket, key, deadline.Explain(ctx, err))
	}
	defer out.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(io.LimitReader(out.Body, most+1))
	switch {
	case err != nil:
		err = fmt.Errorf("after %d bytes: %w", len(body), deadline.Explain(ctx, err))
	case int64(len(body)) > most:
		err = fmt.Errorf("%w: it has more than %d bytes", processors.ErrRange, most)
	}
	if err != nil {
		return nil, unread(bucket, key, err)
	}
	return body, nil
}

// copyAll writes what was asked for to w.
func copyAll(w io.Writer, out *s3.GetObjectOutput, offset, length int64) error {
	if got, want := aws.ToString(out.ContentRange), fmt.Sprintf("bytes %d-", offset); !strings.HasPrefix(got, want) {
		return fmt.Errorf("the answer is of the range %q, want %q", got, want)
	}
	_, total, _ := strings.Cut(aws.ToString(out.ContentRange), "/")
	if n, err := strconv.ParseInt(total, 10, 64); err == nil && n < offset+length {
		return processors.ErrRange
	}
	n, err := io.CopyN(w, out.Body, length)
	if err != nil {
		return fmt.Errorf("after %d bytes of %d: %w", n, length, err)
	}
	return nil
}

// List implements processors.ObjectStore.
func (s *Store) List(ctx context.Context, bucket, prefix string) ([]string, error) {
	ctx, call := s.start(ctx, 0)
	defer call.End()
	var out *s3.ListObjectsV2Output
	err := s.locate(bucket, func(options func(*s3.Options)) (err error) {
		out, err = s.api.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix}, once, options)
		return err
	})
	if err != nil {
		return nil, classify("ListObjectsV2", bucket+"/"+prefix, deadline.Explain(ctx, err))
	}
	keys := make([]string, 0, len(out.Contents))
	for i := range out.Contents {
		keys = append(keys, aws.ToString(out.Contents[i].Key))
	}
	return keys, nil
}

// Delete implements processors.ObjectStore.
func (s *Store) Delete(ctx context.Context, bucket, key string) error {
	ctx, call := s.start(ctx, 0)
	defer call.End()
	err := s.locate(bucket, func(options func(*s3.Options)) error {
		_, err := s.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}, once, options)
		return err
	})
	return classify("DeleteObject", bucket+"/"+key, deadline.Explain(ctx, err))
}
