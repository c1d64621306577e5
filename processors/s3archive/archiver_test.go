package s3archive_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// firehoses are the actions of the policy that Firehose's guide gives its role.
// What a bucket of another account needs, s3:PutObjectAcl, is not among them.
func firehoses() []string {
	return []string{"s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject"}
}

// archive is an archiver of one shard whose role may be limited, while others see
// what it does.
type archive struct {
	local

	ctx       context.Context //nolint:containedctx // of the holding
	processor kcl.RecordProcessor
	cp        *checkpoint.Checkpointer
	row       *writer
	again     func() kcl.RecordProcessor // another holder's
	read      []kcl.Record
	at        int // records so far

	bucket, backup string // "" for none

	mu        sync.Mutex
	denied    []string       // puts that were refused, by role
	delivered map[string]int // objects, by role
	logs      *observer.ObservedLogs
	all       *s3.Client // of somebody who may do everything
}

const limited, unlimited = "limited", "unlimited"

// patience bounds, in virtual time, what may be repeated for ever.
const patience = 10 * time.Minute

// archiving returns one of a bucket, with a backup in another one if that is so.
func archiving(t *testing.T, bucket localaws.Bucket, isBackedUp bool, change func(*processors.Config)) *archive {
	t.Helper()
	l := open(t, localaws.Options{Credentials: map[string]string{limited: "l", unlimited: "u"}, StrictBuckets: true})
	a := &archive{local: l, bucket: "bucket", all: l.as(unlimited, "u")}
	if isBackedUp {
		a.backup = "backup"
	}
	for _, name := range []string{"bucket", "backup"} {
		if err := l.SetBucket(name, bucket); err != nil {
			t.Fatal(err)
		}
	}
	a.archiveAs(t, l.as(limited, "l"), change)
	return a
}

// archiveAs makes the archiver, with a client's rights.
func (a *archive) archiveAs(t *testing.T, client *s3.Client, change func(*processors.Config)) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	a.row, a.logs, a.delivered = &writer{at: checkpoint.Sentinel(checkpoint.TrimHorizon)}, logs, map[string]int{}
	cfg := processors.Config{DeliveryStreamName: "orders", Bucket: a.bucket, Prefix: "logs/", RetryInterval: time.Second, Logger: zap.New(core)}
	if a.backup != "" {
		cfg.Backup = &processors.Backup{Bucket: a.backup, Prefix: "raw/"}
	}
	cfg.Hooks.Delivered = func(e processors.DeliveredEvent) { a.delivered[string(e.Role)]++ }
	cfg.Hooks.PutFailed = func(e processors.PutFailedEvent) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if errors.Is(e.Err, processors.ErrAccessDenied) {
			a.denied = append(a.denied, string(e.Role))
		}
	}
	change(&cfg)
	store, err := s3archive.New(client, s3archive.Options{PartBytes: partBytes, Logger: cfg.Logger})
	if err != nil {
		t.Fatal(err)
	}
	archiver, err := processors.New(cfg, store)
	if err != nil {
		t.Fatal(err)
	}
	a.again = func() kcl.RecordProcessor {
		return archiver.Processor(kcl.ShardInfo{StreamName: "clicks", StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks", Table: "app", ShardID: "shardId-000000000000"})
	}
	a.processor = a.again()
	a.cp = checkpoint.New(a.row, a.row.at, false)
	var cancel context.CancelFunc
	a.ctx, cancel = context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
}

// as returns a client like l's with other credentials.
func (l local) as(key, secret string) *s3.Client {
	cfg := l.AWSConfig()
	return s3.NewFromConfig(cfg, l.S3Options, func(o *s3.Options) {
		o.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
		}))
	})
}

func (a *archive) begin(t *testing.T) {
	t.Helper()
	in := kcl.InitializationInput{Checkpoint: a.row.at, Checkpointer: a.cp, CheckTrust: func() error { return nil }}
	if err := a.processor.Initialize(a.ctx, in); err != nil {
		t.Fatal(err)
	}
}

// deliver delivers a few records more: when it returns, all are in the store.
func (a *archive) deliver(t *testing.T) {
	t.Helper()
	if err := a.process(3); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // what comes next is younger
}

// process delivers n records more. The data of each ends with pad.
func (a *archive) process(n int, pad ...byte) error {
	in := kcl.ProcessRecordsInput{Checkpointer: a.cp, Pressure: true}
	for range n {
		a.at++
		r := kcl.Record{SequenceNumber: strconv.Itoa(a.at), Data: append(fmt.Appendf(nil, "<%d>", a.at), pad...), ApproximateArrivalTimestamp: time.Now()}
		in.Records, a.read = append(in.Records, r), append(a.read, r)
		a.cp.Processed(r.Position())
	}
	return a.processor.ProcessRecords(a.ctx, in)
}

// inRegion signs for the bucket's region.
func inRegion(region string) func(*s3.Options) {
	return func(o *s3.Options) { o.Region = region }
}

// whole checks that each record is in exactly one object of each bucket, which is
// encrypted with that key.
func (a *archive) whole(t *testing.T, region, keyARN string) {
	t.Helper()
	var want strings.Builder
	for i := range a.at {
		fmt.Fprintf(&want, "<%d>", i+1)
	}
	for bucket, prefix := range map[string]string{a.bucket: "logs/", a.backup: "raw/"} {
		if bucket == "" {
			continue
		}
		var got strings.Builder
		for _, v := range a.versions(t, bucket, prefix, region) {
			out, err := a.all.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: v.Key}, inRegion(region))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(out.Body)
			if err != nil || aws.ToString(out.SSEKMSKeyId) != keyARN {
				t.Errorf("%s/%s is encrypted with %q, %v", bucket, *v.Key, aws.ToString(out.SSEKMSKeyId), err)
			}
			got.Write(body)
		}
		if got.String() != want.String() {
			t.Errorf("bucket %s has %s, want %s", bucket, got.String(), want.String())
		}
	}
	if a.row.at.SequenceNumber != strconv.Itoa(a.at) || a.row.pending != nil {
		t.Errorf("row %+v", a.row)
	}
}

// versions returns those below a prefix, in the order in which they came.
func (a *archive) versions(t *testing.T, bucket, prefix, region string) []types.ObjectVersion {
	t.Helper()
	out, err := a.all.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &prefix}, inRegion(region))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(out.Versions, func(v, w types.ObjectVersion) int { return v.LastModified.Compare(*w.LastModified) })
	return out.Versions
}

// TestArchiverOf: an archiver delivers to buckets as people have them, with the roles
// that they have: each record is in exactly one object.
func TestArchiverOf(t *testing.T) {
	t.Parallel()
	const inWest = "arn:aws:kms:eu-west-1:123456789012:key/1"
	withKey := func(c *processors.Config) {
		c.AWSKMSKeyARN = key
		if c.Backup != nil {
			c.Backup.AWSKMSKeyARN = key
		}
	}
	as := func(*processors.Config) {}
	for _, row := range []struct {
		name    string
		bucket  localaws.Bucket
		actions []string
		change  func(*processors.Config)
		key     string
	}{
		{"a role of Firehose's actions", localaws.Bucket{}, firehoses(), as, ""},
		{"a versioned bucket", localaws.Bucket{Versioned: true}, firehoses(), as, ""},
		{"a bucket that takes no ACLs", localaws.Bucket{RefuseACLs: true}, append(firehoses(), "s3:PutObjectAcl"), as, ""},
		{"a bucket in another region", localaws.Bucket{Region: "eu-west-1"}, firehoses(), as, ""},
		{"a policy that denies what is not encrypted", localaws.Bucket{RequireKMS: true}, append(firehoses(), "kms:GenerateDataKey"), withKey, key},
		{"all of it", localaws.Bucket{RequireKMS: true, Region: "eu-west-1", RefuseACLs: true, Versioned: true}, append(firehoses(), "kms:GenerateDataKey"), func(c *processors.Config) {
			c.AWSKMSKeyARN = inWest
			if c.Backup != nil {
				c.Backup.AWSKMSKeyARN = inWest
			}
		}, inWest},
	} {
		for _, isBackedUp := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, backup %v", row.name, isBackedUp), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := archiving(t, row.bucket, isBackedUp, row.change)
					a.Permit(limited, row.actions...)
					a.begin(t)
					for range 3 {
						a.deliver(t)
					}
					region := cmp.Or(row.bucket.Region, "us-east-1")
					a.whole(t, region, row.key)
					want := map[string]int{string(processors.RoleDelivery): 3}
					bundles := 0
					if isBackedUp {
						want[string(processors.RoleBackup)], bundles = 3, 3
					}
					if len(a.denied) > 0 || !maps.Equal(a.delivered, want) {
						t.Errorf("refused %v, delivered %v", a.denied, a.delivered)
					}
					if left := len(a.versions(t, "bucket", "_shardmill/", region)); left != bundles {
						t.Errorf("%d bundles are left of %d", left, bundles)
					}
					if told := a.logs.FilterMessageSnippet("bundles may be left behind").Len(); told != min(bundles, 1) {
						t.Errorf("that bundles are left is told %d times", told)
					}
				})
			})
		}
	}
}

// TestBundlesOfAVersionedBucket: a bundle that was deleted stays as a version that is
// not current, below its prefix, which a lifecycle rule for such versions removes.
func TestBundlesOfAVersionedBucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := archiving(t, localaws.Bucket{Versioned: true}, true, func(*processors.Config) {})
		a.Permit(limited, append(firehoses(), "s3:DeleteObject")...)
		a.begin(t)
		for range 3 {
			a.deliver(t)
		}
		a.whole(t, "us-east-1", "")
		bundles := a.versions(t, "bucket", "_shardmill/app/shardId-000000000000-", "us-east-1")
		for _, v := range bundles {
			if *v.IsLatest {
				t.Errorf("%s is current", *v.Key)
			}
		}
		if all := a.versions(t, "bucket", "", "us-east-1"); len(bundles) != 3 || len(all) != 6 {
			t.Errorf("%d bundles among %d versions", len(bundles), len(all))
		}
	})
}

// TestMended: what is denied is said, by role, and delivered when it is permitted.
// Nothing is lost or skipped meanwhile.
func TestMended(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		bucket  localaws.Bucket
		actions []string
		mend    func(*archive) error
		roles   []string // whose puts are refused, without and with a backup
		says    string
	}{
		{
			"a policy that denies what is not encrypted",
			localaws.Bucket{RequireKMS: true},
			firehoses(),
			func(a *archive) error {
				return errors.Join(a.SetBucket("bucket", localaws.Bucket{}), a.SetBucket("backup", localaws.Bucket{}))
			},
			[]string{"delivery", "bundle"},
			"explicit deny in a resource-based policy",
		},
		{
			"nothing may be put",
			localaws.Bucket{},
			firehoses()[:5],
			func(a *archive) error { a.Permit(limited, firehoses()...); return nil },
			[]string{"delivery", "bundle"},
			"permit s3:PutObject",
		},
		{
			"a key that is disabled",
			localaws.Bucket{},
			firehoses(),
			func(a *archive) error { a.Faults().Clear(); return nil },
			[]string{"delivery", "bundle"},
			"the key that encrypts the object is disabled: enable it",
		},
	} {
		for i, role := range row.roles {
			t.Run(row.name+", "+role, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := archiving(t, row.bucket, i == 1, func(*processors.Config) {})
					a.Permit(limited, row.actions...)
					if strings.Contains(row.name, "disabled") {
						a.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "PutObject", Kind: localaws.Error(400, "KMS.DisabledException")})
					}
					a.begin(t)
					time.AfterFunc(time.Minute, func() {
						if err := row.mend(a); err != nil {
							t.Error(err)
						}
					})
					begun := time.Now()
					a.deliver(t)
					if time.Since(begun) < time.Minute || len(a.denied) < 30 || slices.ContainsFunc(a.denied, func(r string) bool { return r != role }) {
						t.Errorf("after %v refused were %v", time.Since(begun), a.denied)
					}
					told := a.logs.FilterMessage("failed, will be repeated").All()
					if len(told) != 1 || !strings.Contains(fmt.Sprint(told[0].ContextMap()["error"]), row.says) {
						t.Errorf("told %v, want %q", told, row.says)
					}
					a.deliver(t)
					a.whole(t, "us-east-1", "")
				})
			})
		}
	}
}
