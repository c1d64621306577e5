package sim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/s3archive"
)

const (
	streamName = "s"
	tableName  = "app"
)

// awsParts are the local services, asked through the AWS SDK over a network
// that each machine has of its own.
type awsParts struct {
	w      *world
	stack  *localaws.Stack
	stream *kinesis.Client // the producer's
	bucket *s3.Client      // the judge's

	mu   sync.Mutex // guards what follows
	list []kcl.Shard
	held map[string][]string    // records, by shard
	row  map[string]lease.Lease // the lease table
	job  map[string]lease.Lease // the table of jobs
}

func newAWSParts(w *world) *awsParts {
	p := &awsParts{w: w, held: map[string][]string{}, row: map[string]lease.Lease{}, job: map[string]lease.Lease{}}
	var err error
	if p.stack, err = localaws.New(localaws.Options{ConsistencyLag: w.dice().upTo(2*time.Second, "lag", 0), OnRowWrite: p.onRow}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.stack.Close)
	cfg := p.stack.AWSConfig()
	p.stream, p.bucket = kinesis.NewFromConfig(cfg), s3.NewFromConfig(cfg, p.stack.S3Options)
	_, err = p.stream.CreateStream(w.t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(streamName), ShardCount: aws.Int32(int32(w.shards))})
	p.must(err)
	_, err = p.bucket.CreateBucket(w.t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")})
	p.must(err)
	p.look()
	return p
}

func (p *awsParts) must(err error) {
	if err != nil {
		p.w.violate("the services fail: %v", err)
	}
}

// look notes the shards as they are now.
func (p *awsParts) look() {
	out, err := p.stream.ListShards(p.w.t.Context(), &kinesis.ListShardsInput{StreamName: aws.String(streamName)})
	p.must(err)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = nil
	for _, s := range out.Shards {
		shard := kcl.Shard{ID: *s.ShardId, StartingSequenceNumber: *s.SequenceNumberRange.StartingSequenceNumber, EndingSequenceNumber: aws.ToString(s.SequenceNumberRange.EndingSequenceNumber)}
		shard.Range = lease.HashRange{Start: *s.HashKeyRange.StartingHashKey, End: *s.HashKeyRange.EndingHashKey}
		for _, parent := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
			if parent != nil {
				shard.ParentIDs = append(shard.ParentIDs, *parent)
			}
		}
		p.list = append(p.list, shard)
	}
}

func (p *awsParts) shards() []kcl.Shard {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]kcl.Shard(nil), p.list...)
}

func (p *awsParts) records(shardID string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.held[shardID]...)
}

func (p *awsParts) rows() (out []lease.Lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.row {
		out = append(out, l)
	}
	return out
}

func (p *awsParts) put(shard int, records ...string) {
	s := p.shards()[shard]
	for _, r := range records {
		p.mu.Lock() // so that it is known as soon as it can be read
		p.held[s.ID] = append(p.held[s.ID], r)
		p.mu.Unlock()
		out, err := p.stream.PutRecord(p.w.t.Context(), &kinesis.PutRecordInput{
			StreamName: aws.String(streamName), PartitionKey: aws.String("k"), ExplicitHashKey: aws.String(s.Range.Start), Data: []byte(r),
		})
		p.must(err)
		if err == nil && *out.ShardId != s.ID {
			p.w.violate("a record for %s came to %s", s.ID, *out.ShardId)
		}
	}
}

func (p *awsParts) split(shard int) {
	s := p.shards()[shard]
	_, err := p.stream.SplitShard(p.w.t.Context(), &kinesis.SplitShardInput{StreamName: aws.String(streamName), ShardToSplit: &s.ID, NewStartingHashKey: aws.String(middle(s.Range))})
	p.must(err)
	p.look()
}

func (p *awsParts) merge(a, b int) {
	all := p.shards()
	_, err := p.stream.MergeShards(p.w.t.Context(), &kinesis.MergeShardsInput{StreamName: aws.String(streamName), ShardToMerge: &all[a].ID, AdjacentShardToMerge: &all[b].ID})
	p.must(err)
	p.look()
}

// onRow is told of each write of the lease table.
func (p *awsParts) onRow(write localaws.RowWrite) {
	rows, told := p.row, p.w.wrote
	if write.Table == jobsTable {
		rows, told = p.job, p.w.wroteJob
	}
	if write.New == nil {
		key := write.Old["leaseKey"].Text
		p.mu.Lock()
		delete(rows, key)
		p.mu.Unlock()
		p.w.note("%s is deleted", short(key))
		return
	}
	counter, err := strconv.ParseInt(write.New["leaseCounter"].Text, 10, 64)
	p.must(err)
	l := lease.Lease{Key: write.New["leaseKey"].Text, Owner: write.New["leaseOwner"].Text, Counter: counter, Parents: write.New["parentShardId"].Set}
	l.Checkpoint.SequenceNumber = write.New["checkpoint"].Text
	if l.Checkpoint.SubSequenceNumber, err = strconv.ParseInt(write.New["checkpointSubSequenceNumber"].Text, 10, 64); err != nil {
		p.must(err)
	}
	p.mu.Lock()
	old := rows[l.Key]
	rows[l.Key] = l
	p.mu.Unlock()
	told(write.Operation, old, l)
}

// stored returns an object.
func (p *awsParts) stored(bucket, key string) (string, bool) {
	got, err := p.bucket.GetObject(p.w.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", false
	}
	body, err := io.ReadAll(got.Body)
	p.must(errors.Join(err, got.Body.Close()))
	return string(body), err == nil
}

func (p *awsParts) below(bucket, prefix string) map[string]string {
	out := map[string]string{}
	ctx := p.w.t.Context()
	pages := s3.NewListObjectsV2Paginator(p.bucket, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return out // nothing was put yet
		}
		for _, o := range page.Contents {
			if !isBelow(*o.Key, prefix) {
				continue
			}
			body, ok := p.stored(bucket, *o.Key)
			if !ok && isDelivery(*o.Key) {
				p.w.violate("%s cannot be read", *o.Key)
			}
			if ok { // a marker may be deleted meanwhile
				out[*o.Key] = body
			}
		}
	}
	return out
}

func (p *awsParts) done(string) map[string]bool {
	out := map[string]bool{}
	if p.w.awaits() {
		return p.w.loaded()
	}
	for record := range placesIn(p.below("bucket", "")) {
		out[record] = true
	}
	maps.Copy(out, p.w.droppedRecords())
	for record := range p.w.cluster.records() {
		out[record] = true
	}
	return out
}

func (p *awsParts) judge() { p.w.judgeArchive() }

func (p *awsParts) jobs(m *machine) lease.Table { return p.tableOf(m, jobsTable) }

func (p *awsParts) jobRows() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.job))
}

func (p *awsParts) loaderStore(m *machine) redshiftarchive.Store { return p.store(m) }

// config is the SDK's configuration for a machine.
func (p *awsParts) config(m *machine) aws.Config {
	cfg := p.stack.AWSConfig()
	cfg.HTTPClient = &network{m, cfg.HTTPClient}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
				return m.upTo(time.Duration(attempt+1)*time.Second, "the SDK's pause"), nil
			})
		})
	}
	return cfg
}

func (p *awsParts) source(m *machine) kcl.Source {
	s, err := kinesissource.New(kinesis.NewFromConfig(p.config(m)), kinesissource.Options{StreamName: streamName})
	p.must(err)
	return s
}

func (p *awsParts) table(m *machine) lease.Table { return p.tableOf(m, tableName) }

func (p *awsParts) tableOf(m *machine, name string) lease.Table {
	t, err := leasedynamo.New(dynamodb.NewFromConfig(p.config(m)), leasedynamo.Options{TableName: name})
	p.must(err)
	return &trustWatch{t, m}
}

func (p *awsParts) store(m *machine) *s3archive.Store {
	s, err := s3archive.New(s3.NewFromConfig(p.config(m), p.stack.S3Options), s3archive.Options{})
	p.must(err)
	return s
}

func (p *awsParts) factory(m *machine) kcl.ProcessorFactory {
	f, err := processors.New(p.w.archiveConfig(m), p.store(m))
	p.must(err)
	return watched(m, f.Processor)
}

// trustWatch checks that a machine writes to no lease that it cannot trust, and
// gives times as its clock shows them.
type trustWatch struct {
	lease.Table

	m *machine
}

func (t *trustWatch) List(ctx context.Context) ([]lease.Lease, []*lease.UnreadableError, error) {
	list, unreadable, err := t.Table.List(ctx)
	for i, l := range list {
		list[i] = t.m.in(l)
	}
	return list, unreadable, err
}

func (t *trustWatch) Take(ctx context.Context, seen lease.Lease, by lease.Claim) (lease.Lease, error) {
	l, err := t.Table.Take(ctx, seen, t.m.claim(by))
	return t.m.in(l), err
}

func (t *trustWatch) Renew(ctx context.Context, held lease.Lease) (lease.Lease, error) {
	t.m.w.mayAct(t.m, held.Key, "renews")
	return t.Table.Renew(ctx, held)
}

func (t *trustWatch) Checkpoint(ctx context.Context, held lease.Lease, at checkpoint.Position) (lease.Lease, error) {
	t.m.w.mayAct(t.m, held.Key, "checkpoints")
	return t.Table.Checkpoint(ctx, held, at)
}

func (t *trustWatch) Prepare(ctx context.Context, held lease.Lease, at checkpoint.Prepared) (lease.Lease, error) {
	t.m.w.mayAct(t.m, held.Key, "prepares")
	return t.Table.Prepare(ctx, held, at)
}

func (t *trustWatch) Release(ctx context.Context, held lease.Lease, why lease.ReleaseReason) (lease.Lease, error) {
	t.m.releases(held.Key)
	return t.Table.Release(ctx, held, why)
}

// network is what lies between a machine and the services.
type network struct {
	m    *machine
	next aws.HTTPClient
}

// Do implements aws.HTTPClient.
func (n *network) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	op, isS3 := operation(r)
	if isS3 && n.m.meets(sinkDown, op) {
		return nil, errNet
	}
	response, err := fetched(func(apply func(context.Context) error) error { return n.m.send(r.Context(), op, apply) }, func(ctx context.Context) (*http.Response, error) {
		again := r.Clone(ctx)
		again.Body = http.NoBody
		if len(body) > 0 {
			again.Body = io.NopCloser(bytes.NewReader(body))
		}
		got, err := n.next.Do(again)
		if err != nil {
			return nil, err
		}
		if r.Method == http.MethodHead {
			return got, nil // it announces a body that does not come
		}
		answer, err := io.ReadAll(got.Body) // the whole answer comes, or none
		_ = got.Body.Close()
		got.Body = io.NopCloser(bytes.NewReader(answer))
		return got, err
	})
	if errors.Is(err, lease.ErrThrottled) {
		return refusal(r, isS3), nil
	}
	return response, err
}

func operation(r *http.Request) (op string, isS3 bool) {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndex(target, ".")+1:], false
	}
	return r.Method, true
}

// refusal is the answer of a service that is asked too often.
func refusal(r *http.Request, isS3 bool) *http.Response {
	status, text := http.StatusBadRequest, `{"__type":"ProvisionedThroughputExceededException","message":"slower"}`
	if isS3 {
		status, text = http.StatusServiceUnavailable, `<Error><Code>SlowDown</Code><Message>slower</Message></Error>`
	}
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r,
	}
}
