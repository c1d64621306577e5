package localrun

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/verify"
	"github.com/shardmill/shardmill/internal/pause"
)

// ErrNotArchived means that the objects do not hold each record exactly once.
var ErrNotArchived = errors.New("the objects do not hold each record exactly once")

// verify reads this run's objects back and compares them with what was put.
func (j *job) verify(ctx context.Context) (Summary, error) {
	var got verify.Multiset
	var objects, bytes int64
	err := j.eachRecord(ctx, func(size int64) { objects++; bytes += size }, got.Add)
	if err != nil {
		return Summary{}, fmt.Errorf("reading the objects back: %w", err)
	}
	sum := j.summary(objects, bytes)
	if j.put.Equal(&got) {
		return sum, nil
	}
	sum.Verified = false
	return sum, j.explain(ctx, &got)
}

// eachObject calls f with each object of the bucket.
func (j *job) eachObject(ctx context.Context, f func(key string, size int64) error) error {
	pages := s3.NewListObjectsV2Paginator(j.clients.S3, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing bucket %s: %w", bucket, err)
		}
		for _, o := range page.Contents {
			if err := f(aws.ToString(o.Key), aws.ToInt64(o.Size)); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachRecord calls object with the size of each object of this run, and record
// with each of its records.
func (j *job) eachRecord(ctx context.Context, object func(size int64), record func([]byte)) error {
	buf := bufio.NewReaderSize(nil, lines.MaxBytes)
	return j.eachObject(ctx, func(key string, size int64) error {
		if j.before[key] {
			return nil
		}
		object(size)
		return j.readRecords(ctx, key, buf, record)
	})
}

// eachRecordOf calls record with each record of an object.
func (j *job) eachRecordOf(ctx context.Context, key string, record func([]byte)) error {
	return j.readRecords(ctx, key, bufio.NewReaderSize(nil, lines.MaxBytes), record)
}

func (j *job) readRecords(ctx context.Context, key string, buf *bufio.Reader, record func([]byte)) error {
	data, err := j.object(ctx, key)
	if err != nil {
		return fmt.Errorf("getting %s: %w", key, err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	buf.Reset(unzipped)
	if err := eachLine(buf, record); err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	return nil
}

// maxGets is how often an object is asked for.
const maxGets = 3

// object returns an object, which is as large as the buffering hint at most. It
// is read whole before anyone looks at it, so that what takes long is the
// service; and again if the answer stopped coming, as it does when the machine
// sleeps.
func (j *job) object(ctx context.Context, key string) (data []byte, err error) {
	for range maxGets {
		if data, err = j.get(ctx, key); err == nil || ctx.Err() != nil {
			break
		}
	}
	return data, err
}

func (j *job) get(ctx context.Context, key string) ([]byte, error) {
	out, err := j.clients.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key})
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(out.Body)
	return data, errors.Join(err, out.Body.Close())
}

func eachLine(r *bufio.Reader, record func([]byte)) error {
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			record(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// maxNamed is how many missing records are named one by one.
const maxNamed = 20

// explain goes through the objects and the input once more and names what is
// missing. Its error is ErrNotArchived.
func (j *job) explain(ctx context.Context, got *verify.Multiset) error {
	return j.explainBy(got, search{
		holds: "the objects", broken: ErrNotArchived, as: func(record []byte) []byte { return record },
		again: func(d *verify.Difference) error { return j.eachRecord(ctx, func(int64) {}, d.Got) },
	})
}

// search is for what is missing.
type search struct {
	holds  string // where records are to be
	broken error
	as     func(record []byte) []byte       // a record as it is there
	again  func(d *verify.Difference) error // goes through what is there
}

// explainBy goes through what is there and the input once more, and names what is missing.
func (j *job) explainBy(got *verify.Multiset, s search) error {
	counts := fmt.Errorf("%w: %d records were put and %s hold %d", s.broken, j.put.Records, s.holds, got.Records)
	if !j.o.Input.Again() {
		return fmt.Errorf("%w; which ones cannot be told, since standard input cannot be read again", counts)
	}
	d := verify.NewDifference(&j.put, got)
	if err := s.again(d); err != nil {
		return errors.Join(counts, err)
	}
	n, missing := int64(0), 0
	for r, err := range j.o.Input.Records() {
		if n++; err != nil || n > j.put.Records {
			break
		}
		if !d.Put(s.as(r.Data)) {
			continue
		}
		if missing++; missing <= maxNamed {
			_, _ = fmt.Fprintf(j.o.Notes, "missing: %s:%d\n", r.File, r.Line)
		}
	}
	if missing > maxNamed {
		_, _ = fmt.Fprintf(j.o.Notes, "missing: %d more\n", missing-maxNamed)
	}
	if d.Full() {
		return fmt.Errorf("%w; there are too many to compare them all", counts)
	}
	return fmt.Errorf("%w; %d are missing and %d are there too often", counts, missing, d.Extra())
}

// noteProgress writes a line every two seconds.
func (j *job) noteProgress(ctx context.Context) {
	for pause.For(ctx, 2*time.Second) == nil {
		records, bytes := j.feeder.Progress()
		waits := ""
		if j.noRoom.Load() {
			waits = "; putting waits for the archive"
		}
		j.mu.Lock()
		done := fmt.Sprintf("archived %d records in %d objects, %.1f MB", j.archived, j.objects, float64(j.zipped)/1e6)
		switch {
		case j.loading != nil:
			done = fmt.Sprintf("staged %d records in %d objects, %.1f MB", j.archived, j.objects, float64(j.zipped)/1e6)
		case j.index != nil:
			done = fmt.Sprintf("indexed, or put into error objects, %d records", j.archived)
		}
		_, _ = fmt.Fprintf(j.o.Notes, "%5.0fs  put %d records, %.1f MB  %s%s\n", time.Since(j.began).Seconds(), records, float64(bytes)/1e6, done, waits)
		j.mu.Unlock()
	}
}
