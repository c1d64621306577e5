//go:build kill

package processors_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

const (
	killRecords = 4998 // each an object of the backup; the others are what is delivered, and the errors
	killBroken  = 20   // each so manieth record is no payload
	killChild   = "SHARDMILL_KILL_CHILD"
)

// TestKillManyObjects: a cut of 5,000 objects at 30 ms a request. The archiver dies when
// half of them are there; another one, which has no backup configured, puts just the
// rest. What is where is counted in the files of the store.
func TestKillManyObjects(t *testing.T) { //nolint:paralleltest // its processes need the cores
	if os.Getenv(killChild) != "" {
		archiveUntilKilled(t, os.Getenv(killChild) == "backed up")
		return
	}
	for _, row := range []struct { //nolint:paralleltest // as above
		name  string
		after int // how many objects are there when it dies; 0 if it does not
	}{{"nobody dies", 0}, {"killed", 2500}} {
		t.Run(row.name, func(t *testing.T) {
			s := newKillStack(t)
			s.put(t)
			first := s.start(t, "backed up")
			s.await(t, 1)
			begun := time.Now()
			if row.after > 0 {
				s.await(t, row.after)
				first.kill()
				s.start(t, "not backed up")
			}
			s.await(t, killRecords+2)
			t.Logf("published in %v", time.Since(begun).Round(100*time.Millisecond))
			s.awaitEnd(t)
			s.account(t)
		})
	}
}

// killStack is the services, over connections, with the store's objects in files.
type killStack struct {
	*localaws.Stack

	dir string
	env []string
}

func newKillStack(t *testing.T) *killStack {
	t.Helper()
	s := &killStack{dir: t.TempDir()}
	var err error
	if s.Stack, err = localaws.New(localaws.Options{Dir: s.dir, WriteLog: 3 * killRecords}); err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(ctx, l) })
	t.Cleanup(func() {
		s.Close()
		stop()
		serving.Wait()
	})
	s.env = s.Environ("http://" + l.Addr().String())
	return s
}

// put makes the stream and its records.
func (s *killStack) put(t *testing.T) {
	t.Helper()
	client := kinesis.NewFromConfig(s.AWSConfig())
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("logs"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < killRecords; i += 500 {
		in := &kinesis.PutRecordsInput{StreamName: aws.String("logs")}
		for n := i; n < min(i+500, killRecords); n++ {
			in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: []byte(killRecord(t, n))})
		}
		if out, err := client.PutRecords(t.Context(), in); err != nil || aws.ToInt32(out.FailedRecordCount) > 0 {
			t.Fatalf("%v, %v", out, err)
		}
	}
	s.Faults().Add(localaws.Fault{Service: localaws.S3, Kind: localaws.Latency(30 * time.Millisecond)})
}

// killRecord is the nth record: a payload with one message, or none.
func killRecord(t *testing.T, n int) string {
	t.Helper()
	if n%killBroken == 0 {
		return fmt.Sprintf("<%d>", n)
	}
	return zipped(t, fmt.Sprintf(`{"messageType":"DATA_MESSAGE","logEvents":[{"message":"<%d>"}]}`, n))
}

// killed is an archiver in a process of its own.
type killed struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (s *killStack) start(t *testing.T, how string) *killed {
	t.Helper()
	p := &killed{cmd: exec.CommandContext(context.Background(), os.Args[0], "-test.run=^TestKillManyObjects$", "-test.timeout=0"), done: make(chan struct{})}
	var out bytes.Buffer
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(append(os.Environ(), s.env...), killChild+"="+how), &out, &out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s:\n%.20000s", how, out.String())
		}
	})
	return p
}

func (p *killed) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// objects are the store's, by bucket and key, without bundles.
func (s *killStack) objects(t *testing.T) (names []string, bundles int) {
	t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(s.dir, path)
		switch {
		case err != nil && os.IsNotExist(err): // a bundle, or what was being written
		case err != nil:
			return err
		case d.IsDir():
		case strings.HasPrefix(name, "."): // the imitation's own
		case strings.Contains(name, "_shardmill"):
			bundles++
		default:
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names, bundles
}

// await returns when so many puts of objects were answered.
func (s *killStack) await(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if put, _ := s.puts(); put >= n {
			return
		}
		if time.Now().After(end) {
			put, _ := s.puts()
			t.Fatalf("%d objects were put, want %d", put, n)
		}
	}
}

// awaitEnd returns when the lease row has no plan and no bundle is left.
func (s *killStack) awaitEnd(t *testing.T) {
	t.Helper()
	client := dynamodb.NewFromConfig(s.AWSConfig())
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		out, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("archiver"), ConsistentRead: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		_, bundles := s.objects(t)
		isPending := false
		for _, row := range out.Items {
			_, has := row["pendingCheckpointState"]
			isPending = isPending || has
		}
		if !isPending && bundles == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("a plan is pending: %v, %d bundles are left", isPending, bundles)
		}
	}
}

// puts counts the answers to puts of objects that are no bundles: those that stored
// one, and the others.
func (s *killStack) puts() (stored, refused int) {
	for _, w := range s.Writes() {
		switch {
		case w.Op != "PutObject" || strings.Contains(w.Key, "_shardmill"):
		case w.Status == 200:
			stored++
		default:
			refused++
		}
	}
	return stored, refused
}

// account checks that each record is in one place, and each object was put once.
func (s *killStack) account(t *testing.T) {
	t.Helper()
	stored, refused := s.puts()
	if stored != killRecords+2 || refused > 32 { // what was under way when it was killed may be tried again
		t.Errorf("%d puts stored an object, %d were refused; want %d and at most 32", stored, refused, killRecords+2)
	}
	names, _ := s.objects(t)
	if len(names) != killRecords+2 {
		t.Errorf("%d objects, want %d", len(names), killRecords+2)
	}
	delivered, failed, backups := map[string]int{}, map[string]int{}, map[string]int{}
	for _, name := range names {
		body, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(name, "backup/"):
			backups[string(body)]++
		case strings.Contains(name, "failed"):
			for line := range bytes.Lines(body) {
				var e struct{ RawData string }
				if err := json.Unmarshal(line, &e); err != nil {
					t.Fatal(err)
				}
				raw, err := base64.StdEncoding.DecodeString(e.RawData)
				if err != nil {
					t.Fatal(err)
				}
				failed[string(raw)]++
			}
		default:
			for word := range strings.SplitAfterSeq(string(unzipped(t, body)), ">") {
				delivered[strings.TrimSpace(word)]++
			}
		}
	}
	for n := range killRecords {
		name, isBroken := fmt.Sprintf("<%d>", n), 0
		if n%killBroken == 0 {
			isBroken = 1
		}
		if delivered[name] != 1-isBroken || failed[name] != isBroken || backups[killRecord(t, n)] != 1 {
			t.Fatalf("record %d is delivered %d times, failed %d times, backed up %d times", n, delivered[name], failed[name], backups[killRecord(t, n)])
		}
	}
}

func unzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// archiveUntilKilled is the archiver. Its backup has an object for each record.
func archiveUntilKilled(t *testing.T, isBackedUp bool) {
	t.Helper()
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	log, err := zap.NewProduction()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		t.Fatal(err)
	}
	store, err := s3archive.New(s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), s3archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := processors.Config{
		DeliveryStreamName: "orders", Bucket: "archive", Compression: processors.GZIP, Decompression: true, CloudWatchLogProcessing: true,
		Hints: processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 3, BeyondFirehose: true}, FormerBuckets: []string{"backup"},
		Logger: log.WithOptions(zap.IncreaseLevel(zap.WarnLevel)),
	}
	if isBackedUp {
		c.FormerBuckets, c.Backup = nil, &processors.Backup{Bucket: "backup", Hints: processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 60}}
		c = c.WithBackupSize(1)
	}
	archiver, err := processors.New(c, store)
	if err != nil {
		t.Fatal(err)
	}
	source, err := kinesissource.New(kinesis.NewFromConfig(cfg), kinesissource.Options{StreamName: "logs"})
	if err != nil {
		t.Fatal(err)
	}
	table, err := leasedynamo.New(dynamodb.NewFromConfig(cfg), leasedynamo.Options{TableName: "archiver"})
	if err != nil {
		t.Fatal(err)
	}
	k := kcl.Config{
		ApplicationName: "archiver", StreamName: "logs", StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/logs",
		WorkerID: strconv.Itoa(os.Getpid()), Source: source, Leases: table, FailoverTime: 3 * time.Second, Logger: c.Logger,
	}
	if err := archiver.Configure(&k); err != nil {
		t.Fatal(err)
	}
	w, err := kcl.New(k, archiver.Processor)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
}
