package estimate_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/estimate"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
)

const mib = 1 << 20

// delivery returns a configuration with its defaults.
func delivery(size, interval int, change func(*processors.Config)) processors.Config {
	c := processors.Config{DeliveryStreamName: "orders", Bucket: "archive"}
	c.Hints = processors.BufferingHints{SizeInMBs: size, IntervalInSeconds: interval, ZeroBuffering: interval == 0}
	if change != nil {
		change(&c)
	}
	return c.WithDefaults()
}

func gzip(c *processors.Config) { c.Compression = processors.GZIP }

func atLeastOnce(c *processors.Config) { c.Delivery = processors.AtLeastOnce }

func backup(size, interval int) func(*processors.Config) {
	return func(c *processors.Config) {
		c.Backup = &processors.Backup{Bucket: "backup", Hints: processors.BufferingHints{SizeInMBs: size, IntervalInSeconds: interval}}
	}
}

func loaded(on processors.CommitOn) func(*processors.Config) {
	return func(c *processors.Config) { c.Load = &processors.Load{CommitOn: on} }
}

func TestOf(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		of   processors.Config
		load estimate.Load
		want estimate.Estimate
	}{
		{
			"by size: 5 MiB at 1 MiB/s", delivery(5, 300, nil),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 5, CutBytes: 5 * mib, Objects: 720, Puts: 720, TableWrites: 1440},
		},
		{
			"to be loaded: a marker, and a bundle", delivery(5, 300, loaded(processors.CommitOnStage)),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 5, CutBytes: 5 * mib, Objects: 720, Puts: 2160, Deletes: 1440, TableWrites: 1440},
		},
		{
			"committed on a load", delivery(5, 300, loaded(processors.CommitOnLoad)),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 5, CutBytes: 5 * mib, Objects: 720, Puts: 2160, Deletes: 1440, TableWrites: 2160},
		},
		{
			"to be loaded, at least once", delivery(5, 300, func(c *processors.Config) { loaded(processors.CommitOnLoad)(c); atLeastOnce(c) }),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 5, CutBytes: 5 * mib, Objects: 720, Puts: 1440, Deletes: 720, TableWrites: 720},
		},
		{
			"documents, in requests of 2 MiB", delivery(5, 300, nil),
			estimate.Load{BytesPerSecond: mib, Shards: 1, RequestBytes: 2 * mib},
			estimate.Estimate{CutSeconds: 5, CutBytes: 5 * mib, BulkRequests: 2160, TableWrites: 720},
		},
		{
			"documents, and a backup of all", delivery(5, 300, backup(5, 60)),
			estimate.Load{BytesPerSecond: mib, Shards: 1, RequestBytes: 5 * mib},
			estimate.Estimate{CutSeconds: 5, CutBytes: 5 * mib, BulkRequests: 720, BackupObjects: 720, Puts: 1440, Deletes: 720, TableWrites: 1440},
		},
		{
			"in more shards there are as many, until the interval is shorter", delivery(5, 300, nil),
			estimate.Load{BytesPerSecond: mib, Shards: 4},
			estimate.Estimate{CutSeconds: 20, CutBytes: 5 * mib, Objects: 720, Puts: 720, TableWrites: 1440},
		},
		{
			"by interval", delivery(5, 300, gzip),
			estimate.Load{BytesPerSecond: mib, Shards: 100},
			estimate.Estimate{CutSeconds: 300, CutBytes: 3 * mib, Objects: 1200, Puts: 1200, TableWrites: 2400},
		},
		{
			"at least once", delivery(5, 300, atLeastOnce),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 5, CutBytes: 5 * mib, Objects: 720, Puts: 720, TableWrites: 720},
		},
		{
			"of two parts", delivery(128, 900, nil),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 128, CutBytes: 128 * mib, Objects: 28, Puts: 113, TableWrites: 56},
		},
		{
			"what is compressed counts as one put", delivery(128, 900, gzip),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 128, CutBytes: 128 * mib, Objects: 28, Puts: 28, TableWrites: 56},
		},
		{
			"an interval of 30 s", delivery(128, 30, nil),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 30, CutBytes: 30 * mib, Objects: 120, Puts: 360, TableWrites: 240},
		},
		{
			"zero buffering", delivery(128, 0, gzip),
			estimate.Load{BytesPerSecond: mib, Shards: 2},
			estimate.Estimate{CutSeconds: 0.25, CutBytes: mib / 8, Objects: 28_800, Puts: 86_400, TableWrites: 57_600},
		},
		{
			"a backup of smaller objects, and bundles of three parts", delivery(64, 900, backup(10, 900)),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 64, CutBytes: 64 * mib, Objects: 56, BackupObjects: 394, Puts: 675, Deletes: 56, TableWrites: 113},
		},
		{
			"a backup with a shorter interval", delivery(64, 900, backup(64, 60)),
			estimate.Load{BytesPerSecond: 60 * 1024, Shards: 1},
			estimate.Estimate{CutSeconds: 60, CutBytes: 60 * 60 * 1024, Objects: 60, BackupObjects: 60, Puts: 180, Deletes: 60, TableWrites: 120},
		},
		{
			"what may fail is staged", delivery(5, 300, func(c *processors.Config) { c.Decompression = true }),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 5, CutBytes: 5 * mib, Objects: 720, Puts: 1440, Deletes: 720, TableWrites: 1440},
		},
		{
			"at least once nothing is staged", delivery(5, 300, func(c *processors.Config) { c.Decompression = true; atLeastOnce(c) }),
			estimate.Load{BytesPerSecond: mib, Shards: 1},
			estimate.Estimate{CutSeconds: 5, CutBytes: 5 * mib, Objects: 720, Puts: 720, TableWrites: 720},
		},
	} {
		row.want.BytesPerSecond, row.want.Shards = row.load.BytesPerSecond, row.load.Shards
		if diff := cmp.Diff(row.want, estimate.Of(row.of, row.load)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

// counted is what was asked of the services.
type counted struct {
	mu     sync.Mutex // guards what follows
	writes int64      // of checkpoints
}

// note counts writes that prepare, or move, a checkpoint of a row.
func (c *counted) note(w localaws.RowWrite) {
	if w.Old == nil || w.New == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range []string{"pendingCheckpoint", "pendingCheckpointState", "checkpoint"} {
		if before, after := fmt.Sprint(w.Old[name]), fmt.Sprint(w.New[name]); before != after && (name == "checkpoint" || w.New[name].Text != "") {
			c.writes++
			return
		}
	}
}

func (c *counted) taken() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// TestOfARun: an archiver on AWS's imitations makes as many objects and requests as is
// said of it, but for one cut of each shard at either end of what is counted.
func TestOfARun(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		of   processors.Config
		rate int // bytes a second of each shard
		span time.Duration
	}{
		{"by size", delivery(1, 300, nil), 64 << 10, 4 * time.Minute},
		{"by interval, at least once", delivery(1, 60, atLeastOnce), 1 << 10, 6 * time.Minute},
		{"by a short interval", delivery(1, 30, gzip), 1 << 10, 4 * time.Minute},
		{"zero buffering", delivery(1, 0, nil), 10 << 10, 20 * time.Second},
		{"a backup", delivery(2, 900, backup(1, 900)), 64 << 10, 4 * time.Minute},
		{"to be loaded", delivery(1, 60, loaded(processors.CommitOnStage)), 1 << 10, 6 * time.Minute},
		{"committed on a load", delivery(1, 60, loaded(processors.CommitOnLoad)), 1 << 10, 6 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { compare(t, row.of, row.rate, row.span) })
		})
	}
}

const shards = 2

func compare(t *testing.T, c processors.Config, rate int, span time.Duration) {
	t.Helper()
	var table counted
	stack, err := localaws.New(localaws.Options{OnRowWrite: table.note, WriteLog: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	defer stack.Close()
	clients := archiver.Clients{
		Kinesis: kinesis.NewFromConfig(stack.AWSConfig()), DynamoDB: dynamodb.NewFromConfig(stack.AWSConfig()), S3: s3.NewFromConfig(stack.AWSConfig(), stack.S3Options),
	}
	if _, err := clients.Kinesis.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(shards)}); err != nil {
		t.Fatal(err)
	}
	w, err := archiver.New(clients, archiver.Options{Delivery: c, Worker: kcl.Config{
		ApplicationName: "orders", StreamName: "orders", StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/orders", WorkerID: "w",
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	if c.Load != nil {
		running.Go(func() { unmark(ctx, t, stack, clients.S3) })
	}
	running.Go(func() { produce(ctx, t, clients.Kinesis, rate, c.Hints.ZeroBuffering) })
	defer running.Wait()
	defer stop()

	time.Sleep(30 * time.Second) // to start
	requests, written := count(stack), table.taken()
	time.Sleep(span)
	got := count(stack)
	for op := range got {
		got[op] -= requests[op]
	}
	want := estimate.Of(c, estimate.Load{BytesPerSecond: int64(shards * rate), Shards: shards})
	perCut := func(n int64) float64 { return float64(n) / float64(want.Objects) }
	for _, each := range []struct {
		what      string
		got, want int64
	}{
		{"puts", got["PutObject"] + got["CreateMultipartUpload"] + got["UploadPart"] + got["CompleteMultipartUpload"], want.Puts},
		{"deletes", got["DeleteObject"], want.Deletes},
		{"objects", got["objects"], want.Objects + want.BackupObjects},
		{"writes", table.taken() - written, want.TableWrites},
	} {
		wanted := float64(each.want) * span.Hours()
		if off := math.Abs(float64(each.got) - wanted); off > 0.02*wanted+shards*perCut(each.want) || each.want > 0 && each.got == 0 {
			t.Errorf("%s: %d, want %.0f: %v", each.what, each.got, wanted, got)
		}
	}
}

// unmark deletes markers, as a loader does.
func unmark(ctx context.Context, t *testing.T, stack *localaws.Stack, client *s3.Client) {
	t.Helper()
	done := map[string]bool{}
	for ctx.Err() == nil {
		for _, w := range stack.Writes() {
			if w.Op != "PutObject" || !strings.HasPrefix(w.Key, "_shardmill/load/orders/") || done[w.Key] {
				continue
			}
			done[w.Key] = true
			if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("archive"), Key: aws.String(w.Key)}); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// produce puts a record a second into each shard, or ten, so that each read finds one.
func produce(ctx context.Context, t *testing.T, client *kinesis.Client, rate int, often bool) {
	t.Helper()
	each := time.Second
	if often {
		each = 100 * time.Millisecond
	}
	data := []byte(strings.Repeat("x", rate*int(each/time.Millisecond)/1000))
	for {
		var records []types.PutRecordsRequestEntry
		for _, hash := range []string{"0", "340282366920938463463374607431768211455"} {
			records = append(records, types.PutRecordsRequestEntry{Data: data, PartitionKey: aws.String("k"), ExplicitHashKey: &hash})
		}
		if _, err := client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: aws.String("orders"), Records: records}); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(each):
		}
	}
}

// count returns how many requests changed a bucket, by operation, and of how many
// objects but bundles.
func count(stack *localaws.Stack) map[string]int64 {
	n := map[string]int64{}
	for _, w := range stack.Writes() {
		n[w.Op]++
		if (w.Op == "PutObject" || w.Op == "CompleteMultipartUpload") && !strings.HasPrefix(w.Key, "_shardmill/") {
			n["objects"]++
		}
	}
	return n
}
