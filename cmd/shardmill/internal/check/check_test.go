package check_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/check"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
)

const shard0, shard1 = "shardId-000000000000", "shardId-000000000001"

// world is local services, and what an archiver of them is to use.
type world struct {
	*testing.T

	stack   *localaws.Stack
	clients archiver.Clients // those that are checked with
	o       check.Options

	mu       sync.Mutex // guards requests
	requests []string
}

// Do implements the SDK's HTTPClient: it notes what is asked.
func (w *world) Do(r *http.Request) (*http.Response, error) {
	operation := r.Method
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, operation, _ = strings.Cut(target, ".")
	}
	w.mu.Lock()
	w.requests = append(w.requests, operation)
	w.mu.Unlock()
	return w.stack.AWSConfig().HTTPClient.Do(r)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	stack, err := localaws.New(localaws.Options{StrictBuckets: true, CreateDelay: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	w := &world{T: t, stack: stack}
	cfg := stack.AWSConfig()
	cfg.HTTPClient = deadline.Client(deadlinetest.Bounded(t, w), time.Minute)
	w.clients = archiver.Clients{Kinesis: kinesis.NewFromConfig(cfg), DynamoDB: dynamodb.NewFromConfig(cfg), S3: s3.NewFromConfig(cfg)}
	w.o = check.Options{
		Worker:   kcl.Config{ApplicationName: "app", StreamName: "orders", StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/orders"},
		Delivery: processors.Config{Bucket: "archive", Prefix: "logs/"},
		Explain:  func(err error) error { return err },

		OpenShards: func(int) {},
	}
	return w
}

// must fails the test if what prepares it does.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) stream() {
	w.Helper()
	api := kinesis.NewFromConfig(w.stack.AWSConfig())
	_, err := api.CreateStream(w.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(2)})
	w.must(err)
	time.Sleep(time.Second)
	_, err = api.PutRecord(w.Context(), &kinesis.PutRecordInput{StreamName: aws.String("orders"), PartitionKey: aws.String("a"), ExplicitHashKey: aws.String("0"), Data: []byte("x")})
	w.must(err)
}

func (w *world) bucket(name string) {
	w.Helper()
	_, err := s3.NewFromConfig(w.stack.AWSConfig()).CreateBucket(w.Context(), &s3.CreateBucketInput{Bucket: &name})
	w.must(err)
}

// table makes a lease table with rows.
func (w *world) table(rows ...lease.Lease) *leasedynamo.Table {
	w.Helper()
	t, err := leasedynamo.New(dynamodb.NewFromConfig(w.stack.AWSConfig()), leasedynamo.Options{TableName: "app"})
	w.must(err)
	w.must(t.Ensure(w.Context()))
	for _, row := range rows {
		w.must(t.Create(w.Context(), row))
	}
	return t
}

// set sets a text in a row of a table.
func (w *world) set(table, key, row, attribute, value string) {
	w.Helper()
	_, err := dynamodb.NewFromConfig(w.stack.AWSConfig()).UpdateItem(w.Context(), &dynamodb.UpdateItemInput{
		TableName: &table, Key: map[string]types.AttributeValue{key: &types.AttributeValueMemberS{Value: row}},
		UpdateExpression: aws.String("SET #a = :v"), ExpressionAttributeNames: map[string]string{"#a": attribute},
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberS{Value: value}},
	})
	w.must(err)
}

// otherTable makes a table that is none of leases.
func (w *world) otherTable(name, key string) {
	w.Helper()
	_, err := dynamodb.NewFromConfig(w.stack.AWSConfig()).CreateTable(w.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &key, AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: &key, KeyType: types.KeyTypeHash}},
	})
	w.must(err)
	time.Sleep(time.Second)
}

var volatile = regexp.MustCompile(`RequestID: [^,]*, (HostID: [^,]*, )?`)

// looks returns what is found, a look a line.
func (w *world) looks(ctx context.Context) ([]string, error) {
	w.Helper()
	w.requests = nil
	var found []string
	err := check.Run(ctx, w.clients, w.o, func(l check.Look) {
		found = append(found, volatile.ReplaceAllString(string(l.Status)+" "+l.What+": "+l.Text, ""))
	})
	return found, err
}

func row(key string, change func(*lease.Lease)) lease.Lease {
	l := lease.Lease{
		Key: key, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon),
		Identity: lease.Identity{Stream: "orders", ARN: "arn:aws:kinesis:us-east-1:000000000000:stream/orders"},
	}
	if change != nil {
		change(&l)
	}
	return l
}

// What a look finds, by what it was at, where all else is well.
func TestLooks(t *testing.T) {
	t.Parallel()
	const stream, records, table, leases, bucket, objects = "stream orders", "records of stream orders", "table app", "leases in table app", "bucket archive", "objects of bucket archive"
	const onTable, noTable = "not checked writes to table app: dynamodb:PutItem, UpdateItem, DeleteItem and ConditionCheckItem: needs a write",
		"not checked writes to table app: dynamodb:CreateTable, PutItem, UpdateItem, DeleteItem and ConditionCheckItem: needs a write"
	good := []string{
		"ok stream orders: 2 shards, 2 of them open; kinesis:ListShards is permitted; ACTIVE, keeps records for 24 h, not encrypted",
		"ok records of stream orders: kinesis:GetShardIterator and GetRecords are permitted; a record of " + shard0 + " was read",
		"ok table app: ACTIVE, with the key of a lease table, on demand, of the KCL 1.x and 2.x; dynamodb:DescribeTable and GetItem are permitted",
		"ok leases in table app: 2, none of which contradicts the stream; dynamodb:Scan is permitted",
		"ok bucket archive: exists, in region us-east-1; s3:ListBucket is permitted",
		"ok objects of bucket archive: s3:GetObject is permitted on archive/logs/*",
		onTable,
		"not checked writes to bucket archive: s3:PutObject and AbortMultipartUpload on archive/logs/*: needs a write",
	}
	const noStream, noUse = "not checked records of stream orders: kinesis:GetShardIterator and GetRecords were not tried, as the stream cannot be used",
		"not checked leases in table app: dynamodb:Scan was not tried, as the table cannot be used"
	const unjudged = "not checked leases in table app: 2, and whether they are of the stream is not known, as it cannot be used; dynamodb:Scan is permitted"
	fault := func(operation string, status int, code string) func(*world) {
		return func(w *world) {
			w.stack.Faults().Add(localaws.Fault{Operation: operation, Kind: localaws.Error(status, code)})
		}
	}
	all := func(w *world) {
		w.stream()
		w.table(row(shard0, nil), row(shard1, nil))
		w.bucket("archive")
	}
	rows := func(leases ...lease.Lease) func(*world) {
		return func(w *world) {
			w.stream()
			w.table(leases...)
			w.bucket("archive")
		}
	}
	for name, tt := range map[string]struct {
		prepare func(*world) // default: all is there
		change  func(*world)
		want    map[string]string // other lines than of good, "" for none
	}{
		"all is well": {},
		"no stream": {
			func(w *world) { w.table(row(shard0, nil), row(shard1, nil)); w.bucket("archive") }, nil,
			map[string]string{
				stream:  "wrong stream orders: stream not found: listing the shards of stream orders: operation error Kinesis: ListShards, https response error StatusCode: 400, ResourceNotFoundException: Stream orders under account 000000000000 not found.",
				records: noStream,
				leases:  unjudged,
			},
		},
		"shards may not be listed": {
			all, fault("ListShards", 400, "AccessDeniedException"),
			map[string]string{
				stream:  "wrong stream orders: listing the shards of stream orders: access denied: permit kinesis:ListShards: operation error Kinesis: ListShards, https response error StatusCode: 400, AccessDeniedException: The request was refused.",
				records: noStream,
				leases:  unjudged,
			},
		},
		"the stream may not be described": {
			all, fault("DescribeStreamSummary", 400, "AccessDeniedException"),
			map[string]string{stream: "ok stream orders: 2 shards, 2 of them open; kinesis:ListShards is permitted; its status and encryption are not known, and archiving does not need kinesis:DescribeStreamSummary: operation error Kinesis: DescribeStreamSummary, https response error StatusCode: 400, AccessDeniedException: The request was refused."},
		},
		"the stream is being deleted": {
			all, func(w *world) {
				_, err := kinesis.NewFromConfig(w.stack.AWSConfig()).DeleteStream(w.Context(), &kinesis.DeleteStreamInput{StreamName: aws.String("orders")})
				w.must(err)
			},
			map[string]string{
				stream:  "wrong stream orders: listing the shards of stream orders: operation error Kinesis: ListShards, https response error StatusCode: 400, ResourceInUseException: Stream orders under account 000000000000 not ACTIVE, instead in state DELETING",
				records: noStream, leases: unjudged,
			},
		},
		"the stream has another ARN": {
			all, func(w *world) {
				w.o.Worker.StreamARN = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
				w.clients.Kinesis = kinesis.New(w.clients.Kinesis.Options(), func(o *kinesis.Options) { o.BaseEndpoint = nil })
			},
			map[string]string{
				stream:  "wrong stream orders: stream orders has the ARN arn:aws:kinesis:us-east-1:000000000000:stream/orders, not arn:aws:kinesis:us-east-1:123456789012:stream/orders: correct KinesisStreamARN",
				records: noStream,
				leases:  unjudged,
			},
		},
		"the stream is encrypted, and its first record has expired": {
			all, func(w *world) {
				w.stack.Trim("orders", shard0, "")
				w.clients.Kinesis = kinesis.New(w.clients.Kinesis.Options(), func(o *kinesis.Options) {
					o.HTTPClient = otherAnswers{o.HTTPClient, "DescribeStreamSummary", `"EncryptionType":"NONE"`, `"EncryptionType":"KMS","KeyId":"alias/k"`}
				})
			},
			map[string]string{
				stream:  "ok stream orders: 2 shards, 2 of them open; kinesis:ListShards is permitted; ACTIVE, keeps records for 24 h, encrypted with alias/k, on which kms:Decrypt is needed",
				records: "ok records of stream orders: kinesis:GetShardIterator and GetRecords are permitted; " + shard0 + " begins without one, so that kms:Decrypt was not tried",
			},
		},
		"iterators may not be got": {
			all, fault("GetShardIterator", 400, "AccessDeniedException"),
			map[string]string{records: "wrong records of stream orders: opening shard " + shard0 + " of stream orders: access denied: permit kinesis:GetShardIterator: operation error Kinesis: GetShardIterator, https response error StatusCode: 400, AccessDeniedException: The request was refused."},
		},
		"records may not be decrypted": {
			all, fault("GetRecords", 400, "KMSAccessDeniedException"),
			map[string]string{records: "wrong records of stream orders: reading shard " + shard0 + " of stream orders: access denied: kinesis:GetRecords needs kms:Decrypt on the key: operation error Kinesis: GetRecords, https response error StatusCode: 400, KMSAccessDeniedException: The request was refused."},
		},
		"no table": {
			func(w *world) { w.stream(); w.bucket("archive") }, nil,
			map[string]string{
				table:  "ok table app: there is none in region us-east-1; the first worker creates it, on demand; dynamodb:DescribeTable is permitted",
				leases: "", "writes to table app": noTable,
			},
		},
		"a table that is provisioned": {
			func(w *world) {
				w.stream()
				w.bucket("archive")
				table, err := leasedynamo.New(dynamodb.NewFromConfig(w.stack.AWSConfig()), leasedynamo.Options{TableName: "app", ReadCapacity: 5, WriteCapacity: 6})
				w.must(err)
				w.must(table.Ensure(w.Context()))
			}, nil,
			map[string]string{
				table:  "ok table app: ACTIVE, with the key of a lease table, provisioned with 5 read and 6 write units, of the KCL 1.x and 2.x; dynamodb:DescribeTable and GetItem are permitted",
				leases: "ok leases in table app: none yet; dynamodb:Scan is permitted",
			},
		},
		"a table of another shape": {
			func(w *world) { w.stream(); w.otherTable("app", "id"); w.bucket("archive") }, nil,
			map[string]string{
				table:  "wrong table app: lease table unusable: table app has the keys HASH key id (S), so it is not a lease table, which has HASH key leaseKey (S): use the name of another table",
				leases: noUse,
			},
		},
		"a table of a 3.x fleet": {
			all, func(w *world) {
				w.otherTable("app-CoordinatorState", "key")
				w.set("app-CoordinatorState", "key", "Migration3.0", "cv", "CLIENT_VERSION_3X")
			},
			map[string]string{
				table: "wrong table app: lease table unusable: lease table app is used by a KCL 3.x fleet (Migration3.0 says CLIENT_VERSION_3X): this version speaks the protocol of KCL 1.x and 2.x only; " +
					"roll the fleet back with KclMigrationTool, which is possible up to CLIENT_VERSION_3X_WITH_ROLLBACK, or use another lease table",
				leases: noUse,
			},
		},
		"a table of another stream": {
			rows(row(shard0, func(l *lease.Lease) { l.Identity = lease.Identity{Stream: "bills"} })), nil,
			map[string]string{leases: "wrong leases in table app: lease table unusable: table app belongs to another application or stream: lease " + shard0 + " is of stream bills, not orders; give each application a name of its own, or see `shardmill leases`"},
		},
		"rows that are doubtful, and one that cannot be read": {
			rows(row(shard0, nil), row(shard1, func(l *lease.Lease) { l.Checkpoint = checkpoint.Sentinel(checkpoint.ShardEnd) })),
			func(w *world) { w.set("app", "leaseKey", shard0, "checkpoint", "?") },
			map[string]string{leases: "wrong leases in table app: lease " + shard0 + ` cannot be read: attribute checkpoint is the string "?"; *; its shard waits until the row is mended: see ` + "`shardmill leases`; " +
				"lease " + shard1 + " says SHARD_END, and its shard is open; if that is so in a minute its shard is not processed: see `shardmill leases`"},
		},
		"rows that are odd": {
			rows(row(shard0, nil), row("a", nil), row("b", nil), row("c", nil), row("d", nil)), nil,
			map[string]string{leases: "ok leases in table app: 5, none of which contradicts the stream; dynamodb:Scan is permitted; odd: lease a is of no shard; lease b is of no shard; lease c is of no shard; and 1 more"},
		},
		"the table may not be described": {
			all, fault("DescribeTable", 400, "AccessDeniedException"),
			map[string]string{
				table:  "wrong table app: access denied: table app: permit dynamodb:DescribeTable: operation error DynamoDB: DescribeTable, https response error StatusCode: 400, api error AccessDeniedException: The request was refused.",
				leases: noUse,
			},
		},
		"its rows may not be read": {
			all, fault("Scan", 400, "AccessDeniedException"),
			map[string]string{leases: "wrong leases in table app: access denied: table app: permit dynamodb:Scan: operation error DynamoDB: Scan, https response error StatusCode: 400, api error AccessDeniedException: The request was refused."},
		},
		"no bucket": {
			func(w *world) { w.stream(); w.table(row(shard0, nil), row(shard1, nil)) }, nil,
			map[string]string{
				bucket:  "wrong bucket archive: HeadBucket archive: there is no such bucket: create it, or correct its name: operation error S3: HeadBucket, https response error StatusCode: 404, NotFound: ",
				objects: "not checked objects of bucket archive: s3:GetObject was not tried, as the bucket cannot be used",
			},
		},
		"a bucket that is somebody else's": {
			all, fault("HeadBucket", 403, "AccessDenied"),
			map[string]string{
				bucket:  "wrong bucket archive: HeadBucket archive: access denied: permit s3:ListBucket; or correct the bucket's name if it is somebody else's: operation error S3: HeadBucket, https response error StatusCode: 403, api error Forbidden: Forbidden",
				objects: "not checked objects of bucket archive: s3:GetObject was not tried, as the bucket cannot be used",
			},
		},
		"a bucket that is elsewhere": {
			all, func(w *world) {
				w.clients.S3 = s3.New(w.clients.S3.Options(), func(o *s3.Options) { o.HTTPClient = elsewhere{} })
			},
			map[string]string{
				bucket:  "wrong bucket archive: HeadBucket archive: the bucket is in region eu-west-1, and the client's endpoint is of another: use an endpoint of that region, or none of your own; or name a bucket of the client's: operation error S3: HeadBucket, https response error StatusCode: 301, api error MovedPermanently: Moved Permanently",
				objects: "not checked objects of bucket archive: s3:GetObject was not tried, as the bucket cannot be used",
			},
		},
		"objects may not be read": {
			all, fault("HeadObject", 403, "AccessDenied"),
			map[string]string{objects: "wrong objects of bucket archive: HeadObject archive/logs/shardmill-check: access denied: permit s3:GetObject and s3:ListBucket; or correct the bucket's name if it is somebody else's: operation error S3: HeadObject, https response error StatusCode: 403, api error Forbidden: Forbidden"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if tt.prepare == nil {
					tt.prepare = all
				}
				tt.prepare(w)
				if tt.change != nil {
					tt.change(w)
				}
				got, err := w.looks(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for _, line := range good {
					status := "ok "
					if strings.HasPrefix(line, "not checked ") {
						status = "not checked "
					}
					what, _, _ := strings.Cut(strings.TrimPrefix(line, status), ": ")
					if other, is := tt.want[what]; is {
						line = other
					}
					if line != "" {
						want = append(want, line)
					}
				}
				if diff := cmp.Diff(want, got, cmp.Comparer(matches)); diff != "" {
					t.Errorf("looks (-want +got):\n%s", diff)
				}
				w.wroteNothing()
			})
		})
	}
}

// matches compares texts in one of which a "*" may stand for anything.
func matches(a, b string) bool {
	before, after, open := strings.Cut(a, "; *; ")
	if !open {
		a, b = b, a
		before, after, open = strings.Cut(a, "; *; ")
	}
	return a == b || open && strings.HasPrefix(b, before) && strings.HasSuffix(b, after)
}

// reads are the operations that change nothing.
func reads() []string {
	return []string{"ListShards", "DescribeStreamSummary", "GetShardIterator", "GetRecords", "DescribeTable", "GetItem", "Scan", http.MethodHead}
}

// wroteNothing fails the test for each request that is no read.
func (w *world) wroteNothing() {
	w.Helper()
	for _, operation := range w.requests {
		if !slices.Contains(reads(), operation) {
			w.Errorf("%s was sent", operation)
		}
	}
	if len(w.requests) == 0 {
		w.Error("nothing was sent")
	}
}

// elsewhere is the S3 of a region that the bucket is not in.
type elsewhere struct{}

// Do implements the SDK's HTTPClient.
func (elsewhere) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusMovedPermanently, Request: r, Body: http.NoBody, Header: http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}}}, nil
}

// Reading takes one record of a shard's readers, however many there are.
func TestOneRecordIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stream()
		one := w.stack.Faults().Add(localaws.Fault{Operation: "GetRecords", Body: `"Limit":1,`, Kind: localaws.Latency(0)})
		all := w.stack.Faults().Add(localaws.Fault{Operation: "GetRecords", Kind: localaws.Latency(0)})
		if _, err := w.looks(t.Context()); err != nil || one.Hits() != 1 || all.Hits() != 1 {
			t.Errorf("%d requests for one record, of %d: %v", one.Hits(), all.Hits(), err)
		}
	})
}

// Former buckets are looked at too, each once; the directory is only if the file
// names one.
func TestFormerBucketsAndTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for place, want := range map[string]string{
		dir:                          "ok directory " + dir + ": exists; whether it can be written to is not checked",
		filepath.Join(dir, "absent"): "wrong directory " + dir + "/absent: shardmill.spoolDirectory: stat " + dir + "/absent: no such file or directory: create it, or name another one",
		"/dev/null":                  "wrong directory /dev/null: shardmill.spoolDirectory: /dev/null is no directory: name one",
		"":                           "",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.stream()
			w.bucket("archive")
			w.bucket("old")
			w.o.Delivery.FormerBuckets, w.o.Delivery.SpoolDir = []string{"archive", "old", "older"}, place
			got, err := w.looks(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			wanted := []string{
				"ok former bucket old: exists, in region us-east-1; s3:ListBucket is permitted",
				"ok objects of bucket old: s3:GetObject is permitted on old/logs/*",
				"wrong former bucket older: HeadBucket older: there is no such bucket: create it, or correct its name: operation error S3: HeadBucket, https response error StatusCode: 404, NotFound: ",
				"not checked objects of bucket older: s3:GetObject was not tried, as the bucket cannot be used",
				want,
			}
			got = slices.DeleteFunc(got, func(s string) bool {
				return !strings.Contains(s, " old") && !strings.Contains(s, "former") && !strings.Contains(s, "directory") || strings.Contains(s, "needs a write")
			})
			if diff := cmp.Diff(slices.DeleteFunc(wanted, func(s string) bool { return s == "" }), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			w.wroteNothing()
		})
	}
}

// The buckets of a backup and of bundles are looked at, each for its own.
func TestBackupAndStaging(t *testing.T) {
	t.Parallel()
	const rule = `{"Rules":[{"ID":"shardmill bundles","Status":"Enabled","Filter":{"Prefix":"x/app/"},"Expiration":{"Days":8},"NoncurrentVersionExpiration":{"NoncurrentDays":1},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":8}}]}`
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stream()
		w.bucket("archive")
		w.bucket("copies")
		w.o.Delivery.AWSKMSKeyARN = "arn:aws:kms:us-east-1:000000000000:key/1"
		w.o.Delivery.Backup, w.o.Delivery.Staging = &processors.Backup{Bucket: "copies", Prefix: "raw/"}, "s3://staged/x/"
		got, err := w.looks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = slices.DeleteFunc(got, func(s string) bool { return !strings.Contains(s, "copies") && !strings.Contains(s, "staged") })
		want := []string{
			"ok backup bucket copies: exists, in region us-east-1; s3:ListBucket is permitted",
			"ok objects of bucket copies: s3:GetObject is permitted on copies/raw/*",
			"wrong bucket for bundles staged: HeadBucket staged: there is no such bucket: create it, or correct its name: operation error S3: HeadBucket, https response error StatusCode: 404, NotFound: ",
			"not checked objects of bucket staged: s3:GetObject was not tried, as the bucket cannot be used",
			"not checked writes to bucket copies: s3:PutObject and AbortMultipartUpload on copies/raw/*: needs a write",
			"not checked writes to bucket staged: s3:PutObject and AbortMultipartUpload on staged/x/*, kms:GenerateDataKey and Decrypt on arn:aws:kms:us-east-1:000000000000:key/1: needs a write",
			"not checked bundles in bucket staged: s3:PutObject, GetObject and DeleteObject on staged/x/*, kms:GenerateDataKey and Decrypt on arn:aws:kms:us-east-1:000000000000:key/1: needs a write; " +
				"without s3:DeleteObject, or if the bucket is versioned, add this rule to those of its lifecycle: " + rule,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.wroteNothing()
	})
}

// A request that is never answered, or refused for ever, ends, is told, and keeps
// nothing else from being looked at.
func TestNeverAnswered(t *testing.T) {
	t.Parallel()
	const late, long = "no answer within 10s", "not done within 30s: the service throttles, or is not ready; try again"
	for name, tt := range map[string]struct {
		operation string
		kind      localaws.Kind
		what      string
		took      time.Duration
		want      string
	}{
		"ListShards":                         {"ListShards", localaws.Stall(0), "stream orders", 10 * time.Second, late},
		"DescribeStreamSummary":              {"DescribeStreamSummary", localaws.Stall(0), "stream orders", 10 * time.Second, late},
		"GetShardIterator":                   {"GetShardIterator", localaws.Swallow(), "records of stream orders", 10 * time.Second, late},
		"GetRecords":                         {"GetRecords", localaws.Stall(0), "records of stream orders", 10 * time.Second, late},
		"DescribeTable":                      {"DescribeTable", localaws.Stall(0), "table app", 10 * time.Second, late},
		"GetItem":                            {"GetItem", localaws.Stall(0), "table app", 10 * time.Second, late},
		"Scan":                               {"Scan", localaws.Stall(0), "leases in table app", 10 * time.Second, late},
		"HeadBucket":                         {"HeadBucket", localaws.Stall(0), "bucket archive", 10 * time.Second, late},
		"HeadObject":                         {"HeadObject", localaws.Stall(0), "objects of bucket archive", 10 * time.Second, late},
		"a table that is out of reach":       {"DescribeTable", localaws.Refuse(), "wrong table app", 0, "the connection was cut: unexpected EOF; is the network up, and are the region and the endpoint right?"},
		"a bucket that is out of reach":      {"HeadBucket", localaws.Stall(0), "wrong bucket archive", 10 * time.Second, "context canceled; is the network up, and are the region and the endpoint right?"},
		"a throttled listing":                {"ListShards", localaws.Throttle(), "stream orders", 30 * time.Second, long},
		"a page that comes a byte at a time": {"GetRecords", localaws.Drip(9 * time.Second), "records of stream orders", 10 * time.Second, "the answer stopped coming"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.stream()
				w.table(row(shard0, nil), row(shard1, nil))
				w.bucket("archive")
				w.stack.Faults().Add(localaws.Fault{Operation: tt.operation, Kind: tt.kind})
				begun := time.Now()
				got, err := w.looks(t.Context())
				if took := time.Since(begun); err != nil || took < tt.took || took > tt.took+5*time.Second {
					t.Errorf("after %v: %v", took, err)
				}
				if !slices.ContainsFunc(got, func(line string) bool {
					return strings.Contains(line, tt.what+": ") && strings.Contains(line, tt.want)
				}) {
					t.Errorf("it does not say %q of %s:\n%s", tt.want, tt.what, strings.Join(got, "\n"))
				}
				if last := got[len(got)-1]; !strings.HasPrefix(last, "not checked writes to bucket archive") {
					t.Errorf("the last look is %q", last)
				}
			})
		})
	}
}

// A table that is being created is waited for, not for long, and not created.
func TestATableThatIsBeingCreated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stream()
		w.bucket("archive")
		w.clients.DynamoDB = dynamodb.New(w.clients.DynamoDB.Options(), func(o *dynamodb.Options) {
			o.HTTPClient = otherAnswers{o.HTTPClient, "DescribeTable", "ACTIVE", "CREATING"}
		})
		w.table()
		got, err := w.looks(t.Context())
		if err != nil || !strings.HasPrefix(got[2], "wrong table app: ") || !strings.HasSuffix(got[2], ": not done within 30s: the service throttles, or is not ready; try again") {
			t.Errorf("%v\n%s", err, strings.Join(got, "\n"))
		}
		w.wroteNothing()
	})
}

// A look that a signal ends finds nothing wrong.
func TestASignal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stream()
		w.bucket("archive")
		w.stack.Faults().Add(localaws.Fault{Operation: "DescribeTable", Kind: localaws.Stall(0)})
		ctx, cancel := context.WithCancelCause(t.Context())
		signal := errors.New("a signal")
		time.AfterFunc(3*time.Second, func() { cancel(signal) })
		begun := time.Now()
		got, err := w.looks(ctx)
		if !errors.Is(err, signal) || len(got) != 2 || time.Since(begun) != 3*time.Second {
			t.Errorf("after %v: %v\n%s", time.Since(begun), err, strings.Join(got, "\n"))
		}
	})
}
