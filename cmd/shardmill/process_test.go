package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shardmill/shardmill/localaws"
)

// asProgram makes this test binary the program: its environment is a process's
// own, and signals are real.
const asProgram = "SHARDMILL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asTransform) != "" {
		if os.Getenv("PATH") == "" {
			os.Exit(1) // the archiver's variables are a command's too
		}
		transformLines(os.Stdin, os.Stdout)
		return
	}
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is a command in a process of its own.
func program(ctx context.Context, tb testing.TB, env []string, args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append([]string{asProgram + "=1", "HOME=" + tb.TempDir(), "PATH=" + os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true"}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return cmd, &out, &errs
}

// serve runs the local services on a port, and returns the environment for
// their clients.
func serve(t *testing.T) (*localaws.Stack, []string) {
	t.Helper()
	stack, err := localaws.New(localaws.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(stack)
	t.Cleanup(func() { server.Close(); stack.Close() })
	return stack, stack.Environ(server.URL)
}

const goodConfig = `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::archive
  BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 60}
  CompressionFormat: GZIP
shardmill: {failoverTimeSeconds: 2, healthAddress: off}
`

var volatile = regexp.MustCompile(`RequestID: [^,]*,|"ts":"[^"]*"|127\.0\.0\.1:\d+`)

// TestArchiveRefuses: what a first try meets ends the archiver, with one
// sentence that says what was found and what to do.
func TestArchiveRefuses(t *testing.T) {
	t.Parallel()
	without := func(env []string, names ...string) []string {
		var out []string
		for _, e := range env {
			name, _, _ := strings.Cut(e, "=")
			if !strings.Contains(strings.Join(names, " ")+" ", name+" ") {
				out = append(out, e)
			}
		}
		return out
	}
	stream := func(t *testing.T, s *localaws.Stack) {
		t.Helper()
		if _, err := kinesis.NewFromConfig(s.AWSConfig()).CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(1)}); err != nil {
			t.Fatal(err)
		}
	}
	table := func(t *testing.T, s *localaws.Stack, key string) *dynamodb.Client {
		t.Helper()
		client := dynamodb.NewFromConfig(s.AWSConfig())
		if _, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
			TableName: aws.String("orders"), BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &key, AttributeType: types.ScalarAttributeTypeS}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: &key, KeyType: types.KeyTypeHash}},
		}); err != nil {
			t.Fatal(err)
		}
		return client
	}
	tests := []struct {
		name    string
		prepare func(*testing.T, *localaws.Stack)
		env     func([]string) []string
		code    int
		want    string // the last line of standard error
	}{
		{
			name: "a stream that does not exist", code: 1,
			want: "shardmill: stream not found: listing the shards of stream orders: operation error Kinesis: ListShards, https response error StatusCode: 400, * " +
				"ResourceNotFoundException: Stream orders under account 000000000000 not found.; " +
				"KinesisStreamARN names arn:aws:kinesis:us-east-1:123456789012:stream/orders: create it, or correct the name, the region and the account",
		},
		{
			name: "a table of another shape", code: 1,
			prepare: func(t *testing.T, s *localaws.Stack) { t.Helper(); stream(t, s); table(t, s, "id") },
			want: "shardmill: lease table unusable: table orders has the keys HASH key id (S), so it is not a lease table, which has HASH key leaseKey (S): " +
				"use the name of another table",
		},
		{
			name: "a table of another application", code: 1,
			prepare: func(t *testing.T, s *localaws.Stack) {
				t.Helper()
				stream(t, s)
				row := map[string]types.AttributeValue{
					"leaseKey": &types.AttributeValueMemberS{Value: "shardId-000000000000"}, "leaseCounter": &types.AttributeValueMemberN{Value: "3"},
					"shardIdentity": &types.AttributeValueMemberS{Value: "bills/100/"},
					"checkpoint":    &types.AttributeValueMemberS{Value: "TRIM_HORIZON"}, "checkpointSubSequenceNumber": &types.AttributeValueMemberN{Value: "0"},
					"ownerSwitchesSinceCheckpoint": &types.AttributeValueMemberN{Value: "0"},
				}
				if _, err := table(t, s, "leaseKey").PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("orders"), Item: row}); err != nil {
					t.Fatal(err)
				}
			},
			want: "shardmill: lease table unusable: table orders belongs to another application or stream: " +
				"lease shardId-000000000000 is of stream bills, not orders; give each application a name of its own, or see `shardmill leases`",
		},
		{
			name: "a secret that is wrong", code: 1,
			env: func(env []string) []string {
				return append(without(env, "AWS_SECRET_ACCESS_KEY"), "AWS_SECRET_ACCESS_KEY=wrong")
			},
			want: "shardmill: listing the shards of stream orders: access denied: kinesis:ListShards was called with credentials that the service does not accept: " +
				"check them, the region and the clock: operation error Kinesis: ListShards, https response error StatusCode: 400, * api error InvalidSignatureException: *",
		},
		{
			name: "no credentials", code: 2,
			env:  func(env []string) []string { return without(env, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") },
			want: "shardmill: no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role: *",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stack, env := serve(t)
			if tt.prepare != nil {
				tt.prepare(t, stack)
			}
			if tt.env != nil {
				env = tt.env(env)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd, out, errs := program(ctx, t, env, "archive", "--config", write(t, "archiver.yaml", goodConfig))
			_ = cmd.Run() // the exit code is looked at
			lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
			last := volatile.ReplaceAllString(lines[len(lines)-1], "*")
			if cmd.ProcessState.ExitCode() != tt.code || out.Len() > 0 || !matches(tt.want, last) {
				t.Errorf("exit %d, stdout %q\n got %s\nwant %s", cmd.ProcessState.ExitCode(), out, last, tt.want)
			}
		})
	}
}

// matches compares a text with one that ends in "*", which stands for anything.
func matches(want, got string) bool {
	if prefix, ok := strings.CutSuffix(want, "*"); ok {
		return strings.HasPrefix(got, prefix)
	}
	return got == want
}

// Two archivers share a stream and deliver each record once; leases list shows
// them; a SIGTERM ends them.
func TestArchiveConfig(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	file := write(t, "archiver.yaml", strings.ReplaceAll(goodConfig, "IntervalInSeconds: 60", "IntervalInSeconds: 1"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	in := write(t, "in", strings.Repeat("some line\n", 5000))
	put, out, errs := program(ctx, t, env, "put", "--stream", "orders", "--create-shards", "4", in)
	if err := put.Run(); err != nil || out.String() != "put 5000 records, 50000 bytes\n" {
		t.Fatalf("put: %v, %s%s", err, out, errs)
	}
	var wg sync.WaitGroup
	archivers := make([]*exec.Cmd, 2)
	for i := range archivers {
		cmd, _, errs := program(ctx, t, env, "archive", "--config", file, "--worker-id", fmt.Sprint("worker-", i))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		archivers[i] = cmd
		wg.Go(func() {
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 143 {
				t.Errorf("worker-%d: exit %d\n%s", i, code, errs)
			}
		})
	}
	leases := func(good func(list string) bool) {
		t.Helper()
		for {
			list, out, errs := program(ctx, t, env, "leases", "list", "--table", "orders")
			if err := list.Run(); err == nil && good(out.String()) {
				return
			} else if ctx.Err() != nil {
				t.Fatalf("the leases never came to be so: %s%s", out, errs)
			}
			time.Sleep(50 * time.Millisecond) // between two looks at other processes
		}
	}
	leases(func(list string) bool {
		return strings.Count(list, " worker-0 ") == 2 && strings.Count(list, " worker-1 ") == 2 && !strings.Contains(list, "TRIM_HORIZON")
	})
	for _, a := range archivers {
		if err := a.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if n := countLines(t, stack); n != 5000 {
		t.Errorf("%d records in the objects, want 5000", n)
	}
}

// Lines that are packed together are few records, and an archive of them is that
// of the lines.
func TestPutAggregated(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	file := write(t, "archiver.yaml", strings.ReplaceAll(goodConfig, "IntervalInSeconds: 60", "IntervalInSeconds: 1"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	put, out, errs := program(ctx, t, env, "put", "--stream", "orders", "--create-shards", "4", "--aggregate", write(t, "in", strings.Repeat("some line\n", 5000)))
	if err := put.Run(); err != nil || out.String() != "put 5000 lines in 4 records, 50000 bytes\n" {
		t.Fatalf("put: %v, %s%s", err, out, errs)
	}
	archive, _, errs := program(ctx, t, env, "archive", "--config", file)
	if err := archive.Start(); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 5000 && ctx.Err() == nil; n = countLines(t, stack) {
		time.Sleep(50 * time.Millisecond) // between two looks at another process
	}
	if err := archive.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	_ = archive.Wait()
	if n := countLines(t, stack); n != 5000 || archive.ProcessState.ExitCode() != 143 {
		t.Errorf("exit %d with %d records in the objects\n%s", archive.ProcessState.ExitCode(), n, errs)
	}
}

// A quiet log's lines are put though it does not end, and larger records than
// usual into a stream that takes them.
func TestPutOfALogThatIsQuiet(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := kinesis.NewFromConfig(stack.AWSConfig())
	if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String("logs"), ShardCount: aws.Int32(1), MaxRecordSizeInKiB: aws.Int32(2048)}); err != nil {
		t.Fatal(err)
	}
	cmd, out, errs := program(ctx, t, env, "put", "--stream", "logs", "-")
	log, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 1500<<10) + "\n"
	for _, text := range []string{"one\n", large} {
		before := stack.StoredBytes("logs")
		if _, err := io.WriteString(log, text); err != nil {
			t.Fatal(err)
		}
		for stack.StoredBytes("logs") < before+int64(len(text)) && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond) // between two looks at another process
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if want := fmt.Sprintf("put 2 records, %d bytes\n", 4+len(large)); cmd.ProcessState.ExitCode() != 143 || out.String() != want {
		t.Errorf("exit %d, stdout %s, stderr %s", cmd.ProcessState.ExitCode(), out, errs)
	}
}

// Who put records is told how many more may be in the stream: each of two tries may
// have put both.
func TestPutWhoseAnswersAreLost(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stack.Faults().Add(localaws.Fault{Operation: "PutRecords", Kind: localaws.LostAnswer()})
	cmd, out, errs := program(ctx, t, append(env, "AWS_MAX_ATTEMPTS=2"), "put", "--stream", "logs", "--create-shards", "1", write(t, "in", "one\ntwo\n"))
	_ = cmd.Run() // the exit code is looked at
	if want := "put 0 records, 0 bytes\nup to 4 more may be in the stream: it was not answered whether they were put\n"; cmd.ProcessState.ExitCode() != 1 || out.String() != want {
		t.Errorf("exit %d, stdout %s, stderr %s", cmd.ProcessState.ExitCode(), out, errs)
	}
}

// countLines returns the lines in all objects.
func countLines(t *testing.T, stack *localaws.Stack) (n int) {
	t.Helper()
	client := s3.NewFromConfig(stack.AWSConfig(), stack.S3Options)
	list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("archive")})
	if _, none := errors.AsType[*s3types.NoSuchBucket](err); none {
		return 0 // the first put makes it
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("archive"), Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		unzipped, err := gzip.NewReader(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(unzipped)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(data, []byte("\n"))
		_ = got.Body.Close()
	}
	return n
}

// At the level debug requests, batches and checkpoints are told, and nothing of
// what is in them.
func TestDebugShowsWhatIsDone(t *testing.T) {
	t.Parallel()
	r := shardmill(t, t.Context(), "secret\n", "archive", "--local", "--log-level", "debug", "--dir", t.TempDir(), "-")
	if r.code != 0 {
		t.Fatal(r.err)
	}
	for _, want := range []string{
		`debug	request	{"service": "Kinesis", "operation": "PutRecords", "duration": "`, `"operation": "UpdateItem"`, `"operation": "PutObject"`,
		`"operation": "CreateTable", `, `, "status": 400, "request_id": "`, // there was no table
		`debug	batch processed	{"shard_id": "shardId-00000000000`, `"records": 1, "bytes": 7, "last": "`, `debug	checkpoint written	{"shard_id": "`,
	} {
		if !strings.Contains(r.err, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(r.err, "secret") || strings.Contains(r.err, "c2VjcmV0") {
		t.Errorf("it tells of the data:\n%s", r.err)
	}
	_, env := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, _, errs := program(ctx, t, env, "archive", "--log-level", "debug", "--config", write(t, "archiver.yaml", goodConfig))
	_ = cmd.Run() // there is no stream
	if got := errs.String(); !strings.Contains(got, `"msg":"request","service":"Kinesis","operation":"ListShards","duration":"`) {
		t.Errorf("with --config it tells\n%s", got)
	}
}

// local serves until it is stopped and prints what to set.
func TestLocal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, _, errs := program(ctx, t, nil, "local", "--listen", "127.0.0.1:0", "--dir", filepath.Join(t.TempDir(), "objects"))
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	address := ""
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		printed.WriteString(lines.Text() + "\n")
		_, address, _ = strings.Cut(lines.Text(), "export AWS_ENDPOINT_URL_S3=http://")
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatalf("it cannot be called at %q: %v; stdout\n%s", address, err, &printed)
	}
	_ = c.Close()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit %d, stdout\n%sstderr\n%s", code, &printed, errs)
	}
}
