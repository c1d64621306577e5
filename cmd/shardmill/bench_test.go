package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/klauspost/compress/gzip"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/internal/cputime"
	"github.com/shardmill/shardmill/internal/pause"
)

const (
	benchShards   = 4
	linesInRecord = 5  // of the test data, which makes it 1 KB
	benchRepeats  = 16 // of the test data: 63 MB
	benchMiB      = 5  // in an object
	benchConfig   = `DeliveryStreamName: clicks
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"}
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::archive
  BufferingHints: {SizeInMBs: %d, IntervalInSeconds: 900}
  CompressionFormat: GZIP
shardmill: {applicationName: bench-%d, healthAddress: off}
`
)

// BenchmarkEndToEnd is `shardmill archive --config`, as it is built, from a stream
// to the end of its four shards: records of 1 KB into gzip objects, each in exactly
// one. Kinesis, DynamoDB and S3 are localaws in another process, over HTTP without
// TLS. What the archiver's process computes from its start to its end, on as many
// cores as -test.cpu says, is compared with the bare compressor, which has the same
// records in objects of the same size. They take turns; the best turn of each counts.
func BenchmarkEndToEnd(b *testing.B) {
	program := filepath.Join(b.TempDir(), "shardmill")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("building the program: %v\n%s", err, out)
	}
	_, printed, _ := local(b, "--listen", "127.0.0.1:0", "--dir", b.TempDir(), "--buckets", "archive")
	for line := range strings.Lines(printed) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "="); ok {
			b.Setenv(name, strings.TrimSpace(value))
		}
	}
	clients, err := loadAWS(b.Context(), "", zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	records, size := benchRecords(b)
	fillShards(b, clients.Kinesis, records)
	z, err := gzip.NewWriterLevel(io.Discard, 5)
	if err != nil {
		b.Fatal(err)
	}
	var whole, alone time.Duration
	for turn := 0; b.Loop(); turn++ {
		if took := archiveShards(b, program, clients, turn, len(records)); whole == 0 || took < whole {
			whole = took
		}
		begin := cputime.Used()
		compressAll(b, z, records)
		if took := cputime.Used() - begin; alone == 0 || took < alone {
			alone = took
		}
	}
	b.ReportMetric(float64(size)/1e6/whole.Seconds(), "MB/CPU-s")
	b.ReportMetric(alone.Seconds()/whole.Seconds(), "of-gzip-alone")
	b.ReportMetric(float64((whole-alone).Nanoseconds())/float64(len(records)), "other-ns/record")
}

// benchRecords makes records of the test data, several times over.
func benchRecords(b *testing.B) (records [][]byte, size int64) {
	b.Helper()
	data, err := os.ReadFile("../../testdata/clickstream.ndjson")
	if err != nil {
		b.Fatal(err)
	}
	for lines := range slices.Chunk(bytes.SplitAfter(data, []byte("\n")), linesInRecord) {
		if record := bytes.Join(lines, nil); len(record) > 0 {
			records = append(records, record)
			size += int64(len(record))
		}
	}
	return slices.Repeat(records, benchRepeats), benchRepeats * size
}

// fillShards makes a stream, puts the records, and merges its shards, so that those
// that have the records end.
func fillShards(b *testing.B, client *kinesis.Client, records [][]byte) {
	b.Helper()
	stream := aws.String("clicks")
	if _, err := client.CreateStream(b.Context(), &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(benchShards)}); err != nil {
		b.Fatal(err)
	}
	for part := range slices.Chunk(records, 500) {
		entries := make([]types.PutRecordsRequestEntry, len(part))
		for i, data := range part {
			entries[i] = types.PutRecordsRequestEntry{Data: data, PartitionKey: aws.String(fmt.Sprintf("customer-%d", i))}
		}
		out, err := client.PutRecords(b.Context(), &kinesis.PutRecordsInput{StreamName: stream, Records: entries})
		if err != nil || aws.ToInt32(out.FailedRecordCount) > 0 {
			b.Fatalf("putting records: %+v, %v", out, err)
		}
	}
	if _, err := client.UpdateShardCount(b.Context(), &kinesis.UpdateShardCountInput{
		StreamName: stream, TargetShardCount: aws.Int32(benchShards / 2), ScalingType: types.ScalingTypeUniformScaling,
	}); err != nil {
		b.Fatal(err)
	}
}

// archiveShards runs the program, on a lease table of its own, until the shards are
// archived, and returns what it computed.
func archiveShards(b *testing.B, program string, c archiver.Clients, turn, records int) time.Duration {
	b.Helper()
	configuration := filepath.Join(b.TempDir(), "bench.yaml")
	if err := os.WriteFile(configuration, fmt.Appendf(nil, benchConfig, benchMiB, turn), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "archive", "--config", configuration)
	cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", runtime.GOMAXPROCS(0)))
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for ended(ctx, c.DynamoDB, fmt.Sprintf("bench-%d", turn)) < benchShards {
		if err := pause.For(ctx, 50*time.Millisecond); err != nil {
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	_ = cmd.Wait() // its log tells
	if want := fmt.Sprintf("stopped: %d records, ", records); !strings.Contains(log.String(), want) {
		b.Fatalf("it did not say %q:\n%s", want, &log)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// ended returns how many leases of a table are at their shard's end.
func ended(ctx context.Context, client *dynamodb.Client, table string) int32 {
	out, err := client.Scan(ctx, &dynamodb.ScanInput{
		TableName: &table, FilterExpression: aws.String("checkpoint = :end"),
		ExpressionAttributeValues: map[string]dynamotypes.AttributeValue{":end": &dynamotypes.AttributeValueMemberS{Value: "SHARD_END"}},
	})
	if err != nil {
		return 0 // the table is not there yet
	}
	return out.Count
}

// compressAll is what any archiver has to do.
func compressAll(b *testing.B, z *gzip.Writer, records [][]byte) {
	b.Helper()
	n := 0
	z.Reset(io.Discard)
	for _, data := range records {
		if _, err := z.Write(data); err != nil {
			b.Fatal(err)
		}
		if n += len(data); n >= benchMiB<<20 {
			_ = z.Close()
			z.Reset(io.Discard)
			n = 0
		}
	}
	_ = z.Close()
}
