package check

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// probe ends the key of the object that is asked for. None has it.
const probe = "shardmill-check"

// bucket is one that is used, and for what.
type bucket struct{ name, what, prefix, key string }

// buckets returns those that are used, the present one first, each once.
func (l *looker) buckets() []bucket {
	d := l.Delivery
	all := []bucket{{d.Bucket, "bucket", d.Prefix, d.AWSKMSKeyARN}}
	add := func(b bucket) {
		if !slices.ContainsFunc(all, func(o bucket) bool { return o.name == b.name }) {
			all = append(all, b)
		}
	}
	if d.Backup != nil {
		add(bucket{d.Backup.Bucket, "backup bucket", d.Backup.Prefix, d.Backup.AWSKMSKeyARN})
	}
	if name, prefix, ok := l.staging(); ok {
		add(bucket{name, "bucket for bundles", prefix, d.AWSKMSKeyARN})
	}
	for _, former := range d.FormerBuckets {
		add(bucket{former, "former bucket", d.Prefix, d.AWSKMSKeyARN})
	}
	return all
}

// lookAtBuckets looks whether the buckets are there and may be read.
func (l *looker) lookAtBuckets(ctx context.Context) {
	for _, b := range l.buckets() {
		there := l.look(ctx, b.what+" "+b.name, func(ctx context.Context) (string, error) {
			if err := l.store.Check(ctx, b.name); err != nil {
				return "", err
			}
			region := cmp.Or(l.store.Region(b.name), l.clients.S3.Options().Region)
			return fmt.Sprintf("exists, in region %s; s3:ListBucket is permitted", region), l.checkKey(b, region)
		})
		objects := "objects of bucket " + b.name
		if !there {
			l.skip(ctx, objects, "s3:GetObject was not tried, as the bucket cannot be used")
			continue
		}
		l.look(ctx, objects, func(ctx context.Context) (string, error) {
			_, _, err := l.store.Head(ctx, b.name, b.prefix+probe)
			return "s3:GetObject is permitted on " + b.name + "/" + b.prefix + "*", err
		})
	}
}

// checkKey judges whether a key can encrypt what is put into a bucket. What an
// endpoint of the user's own takes for a region is not known.
func (l *looker) checkKey(b bucket, region string) error {
	parts := strings.SplitN(b.key, ":", 5)
	if len(parts) < 5 || parts[3] == region || l.clients.S3.Options().BaseEndpoint != nil && l.store.Region(b.name) == "" {
		return nil
	}
	return fmt.Errorf("exists, in region %s, and AWSKMSKeyARN is of region %s: name a key of the bucket's region. Firehose says: KMS Key %s does not exist in the same region as the S3 bucket",
		region, parts[3], b.key)
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
