package check

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// probe ends the key of the object that is asked for. None has it.
const probe = "shardmill-check"

// buckets returns those that are used, the present one first, each once.
func (l *looker) buckets() []string {
	all := []string{l.Delivery.Bucket}
	for _, former := range l.Delivery.FormerBuckets {
		if !slices.Contains(all, former) {
			all = append(all, former)
		}
	}
	return all
}

// lookAtBuckets looks whether the buckets are there and may be read.
func (l *looker) lookAtBuckets(ctx context.Context) {
	for i, bucket := range l.buckets() {
		what := "bucket " + bucket
		if i > 0 {
			what = "former bucket " + bucket
		}
		there := l.look(ctx, what, func(ctx context.Context) (string, error) {
			err := l.store.Check(ctx, bucket)
			return fmt.Sprintf("exists, in region %s; s3:ListBucket is permitted", l.clients.S3.Options().Region), err
		})
		objects := "objects of bucket " + bucket
		if !there {
			l.skip(ctx, objects, "s3:GetObject was not tried, as the bucket cannot be used")
			continue
		}
		l.look(ctx, objects, func(ctx context.Context) (string, error) {
			_, _, err := l.store.Head(ctx, bucket, l.Delivery.Prefix+probe)
			return "s3:GetObject is permitted on " + bucket + "/" + l.Delivery.Prefix + "*", err
		})
	}
}

// lookAtDirectory looks whether what outgrows memory can go where the
// configuration says. The system's directory is the system's matter.
func (l *looker) lookAtDirectory(ctx context.Context) {
	dir := l.Delivery.SpoolDir
	if dir == "" {
		return
	}
	l.look(ctx, "directory "+dir, func(context.Context) (string, error) {
		info, err := os.Stat(dir)
		switch {
		case err != nil:
			return "", fmt.Errorf("shardmill.spoolDirectory: %w: create it, or name another one", err)
		case !info.IsDir():
			return "", fmt.Errorf("shardmill.spoolDirectory: %s is no directory: name one", dir)
		}
		return "exists; whether it can be written to is not checked", nil
	})
}
