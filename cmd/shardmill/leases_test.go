package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

const shard0, shard1, shard2, shard3 = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002", "shardId-000000000003"

// operator runs commands on a lease table of local services, from which all
// time and chance is taken out of what they print.
type operator struct {
	*testing.T

	ctx    context.Context //nolint:containedctx // of the test
	env    []string
	stack  *localaws.Stack
	client *dynamodb.Client
	table  *leasedynamo.Table
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	stack, env := serve(t)
	client := dynamodb.NewFromConfig(stack.AWSConfig())
	table, err := leasedynamo.New(client, leasedynamo.Options{TableName: "orders"})
	if err == nil {
		err = table.Ensure(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &operator{T: t, ctx: ctx, env: env, stack: stack, client: client, table: table}
}

// run runs a command; it must end with the code.
func (o *operator) run(code int, args ...string) (out, errs string) {
	o.Helper()
	cmd, stdout, stderr := program(o.ctx, o.T, o.env, args...)
	_ = cmd.Run() // the exit code is looked at
	if cmd.ProcessState.ExitCode() != code {
		o.Fatalf("%v: exit %d, want %d\n%s%s", args, cmd.ProcessState.ExitCode(), code, stdout, stderr)
	}
	return stdout.String(), stderr.String()
}

// refuses runs a command that must fail with the last line of standard error,
// and must write nothing.
func (o *operator) refuses(want string, args ...string) {
	o.Helper()
	before := o.rows()
	_, errs := o.run(1, args...)
	lines := strings.Split(strings.TrimSpace(errs), "\n")
	if last := lines[len(lines)-1]; !matches("shardmill: "+want, volatile.ReplaceAllString(last, "*")) {
		o.Errorf("%v\n got %s\nwant %s", args, last, want)
	}
	o.same(before)
}

// dryly runs a command that must write nothing, and returns what it prints, with
// one space for many.
func (o *operator) dryly(args ...string) string {
	o.Helper()
	before := o.rows()
	out, errs := o.run(0, args...)
	o.same(before)
	return squeeze(out + errs)
}

func squeeze(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return out.String()
}

// rows returns every row of the table as it is, by key.
func (o *operator) rows() map[string]map[string]types.AttributeValue {
	o.Helper()
	scan, err := o.client.Scan(o.ctx, &dynamodb.ScanInput{TableName: aws.String("orders"), ConsistentRead: aws.Bool(true)})
	if err != nil {
		o.Fatal(err)
	}
	out := make(map[string]map[string]types.AttributeValue)
	for _, row := range scan.Items {
		key, _ := row["leaseKey"].(*types.AttributeValueMemberS)
		out[key.Value] = row
	}
	return out
}

func (o *operator) same(before map[string]map[string]types.AttributeValue) {
	o.Helper()
	opt := cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberSS{}, types.AttributeValueMemberB{})
	if d := cmp.Diff(before, o.rows(), opt); d != "" {
		o.Errorf("it wrote (-before +after):\n%s", d)
	}
}

// put puts a row as it is.
func (o *operator) put(row map[string]types.AttributeValue) {
	o.Helper()
	if _, err := o.client.PutItem(o.ctx, &dynamodb.PutItemInput{TableName: aws.String("orders"), Item: row}); err != nil {
		o.Fatal(err)
	}
}

// lease makes a lease; the change of it, if any, makes it held or otherwise.
func (o *operator) lease(l lease.Lease, change func(lease.Lease) (lease.Lease, error)) {
	o.Helper()
	err := o.table.Create(o.ctx, l)
	if err == nil && change != nil {
		_, err = change(l)
	}
	if err != nil {
		o.Fatal(err)
	}
}

func (o *operator) get(key string) lease.Lease {
	o.Helper()
	l, err := o.table.Get(o.ctx, key)
	if err != nil {
		o.Fatal(err)
	}
	return l
}

func (o *operator) createStream(shards int32) {
	o.Helper()
	if _, err := kinesis.NewFromConfig(o.stack.AWSConfig()).CreateStream(o.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: &shards}); err != nil {
		o.Fatal(err)
	}
}

func heldBy(o *operator, owner string, failover time.Duration) func(lease.Lease) (lease.Lease, error) {
	return func(l lease.Lease) (lease.Lease, error) {
		return o.table.Take(o.ctx, l, lease.Claim{Owner: owner, Instance: "i", FailoverTime: failover})
	}
}

// prepared leaves a lease with a prepared checkpoint, and nobody who holds it.
func prepared(o *operator) func(lease.Lease) (lease.Lease, error) {
	return func(l lease.Lease) (lease.Lease, error) {
		l, err := heldBy(o, "x", time.Second)(l)
		if err == nil {
			l, err = o.table.Prepare(o.ctx, l, checkpoint.Prepared{At: checkpoint.ExtendedSequenceNumber{SequenceNumber: "13"}, State: []byte("plan")})
		}
		if err == nil {
			l, err = o.table.Release(o.ctx, l, lease.Surplus)
		}
		return l, err
	}
}

func TestLeasesSet(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	end := checkpoint.Sentinel(checkpoint.ShardEnd)
	o.lease(lease.Lease{Key: shard0, Checkpoint: end, Identity: lease.Identity{Stream: "orders", Start: "1"}}, nil)
	o.lease(lease.Lease{Key: shard1, Checkpoint: checkpoint.At("12", 0, time.Time{})}, prepared(o))
	o.lease(lease.Lease{Key: shard2, Checkpoint: end, Parents: []string{shard0}}, heldBy(o, "gone", time.Second))

	set := func(key, at string, more ...string) []string {
		return append([]string{"leases", "set", key, "--table", "orders", "--failover", "1s", "--at", at}, more...)
	}
	got := o.dryly(set(shard0, "trim-horizon")...)
	const shown = shard0 + " BEFORE AFTER\nowner - -\ncounter 0 1\ncheckpoint SHARD_END TRIM_HORIZON\nuntil - -\npending - -\nreleased - -\nstream orders orders\nbegins 1 1\n"
	const warned = "warning: the shard has ended, and the shards that follow it have begun (" + shard2 + "): its records come again, and after theirs\n"
	if want := shown + "nothing was written: --write does it\n" + warned; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if out, errs := o.run(0, set(shard0, "trim-horizon", "--write")...); squeeze(out) != shown+"1 of 1 rows written\n" || errs != warned {
		t.Errorf("got\n%s%s", out, errs)
	}
	if l := o.get(shard0); l.Checkpoint.SequenceNumber != checkpoint.TrimHorizon || l.Counter != 1 || l.Owner != "" || l.Identity.Stream != "orders" {
		t.Errorf("it became %+v", l)
	}
	// LATEST says which instant it is.
	before := time.Now().Truncate(time.Millisecond)
	o.run(0, set(shard0, "latest", "--write")...)
	if at := o.get(shard0).Checkpoint; at.SequenceNumber != checkpoint.Latest || at.Arrival.Before(before) || at.Arrival.After(time.Now()) {
		t.Errorf("LATEST is at %v, not after %v", at.Arrival, before)
	}
	o.run(0, set(shard0, "2026-01-02T03:04:05Z", "--write")...)
	if at := o.get(shard0).Checkpoint; at.SequenceNumber != checkpoint.AtTimestamp || !at.Arrival.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("AT_TIMESTAMP is at %v", at.Arrival)
	}
	o.refuses("2126-01-02T03:04:05Z is in the future: it is *", set(shard0, "2126-01-02T03:04:05Z", "--write")...)
	// A prepared checkpoint is not thrown away unasked.
	o.refuses("lease "+shard1+" has a prepared checkpoint at 13: the records after 12 up to there may be delivered already. Start a worker: *", set(shard1, "11/2", "--write")...)
	o.dryly(set(shard1, "11/2", "--abandon")...)
	o.run(0, set(shard1, "11/2", "--abandon", "--write")...)
	if l := o.get(shard1); l.Pending != nil || l.Checkpoint != checkpoint.At("11", 2, time.Time{}) || l.Released != lease.Plain {
		t.Errorf("it became %+v", l)
	}
	// Nobody renews it: after a failover time it is nobody's.
	if out, errs := o.run(0, set(shard2, "7", "--write")...); !strings.Contains(squeeze(out), "owner gone -\n") || errs != "watching for 1s whether gone renews the lease\n" {
		t.Errorf("got\n%s%s", out, errs)
	}
	if l := o.get(shard2); l.Owner != "" || l.Checkpoint != checkpoint.At("7", 0, time.Time{}) || !slices.Equal(l.Parents, []string{shard0}) {
		t.Errorf("it became %+v", l)
	}
	o.refuses("table orders, lease k: no such lease", set("k", "7", "--write")...)
	o.refuses("lease table *", "leases", "set", shard0, "--table", "bills", "--at", "7", "--write")
	o.refuses("stream not found: *", set(shard0, "7", "--stream", "none", "--write")...)
	o.createStream(2)
	o.refuses("7 is not within shard "+shard1+", which has *", set(shard1, "7", "--stream", "orders", "--write")...)
	o.refuses("lease "+shard0+" is of a shard that begins at 1, not *", set(shard0, "latest", "--stream", "orders", "--write")...)
}

// Told to end while it watches, it ends, and has written nothing.
func TestLeasesSetIsInterrupted(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.lease(lease.Lease{Key: shard0, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd)}, heldBy(o, "gone", time.Hour))
	before := o.rows()
	cmd, _, _ := program(o.ctx, t, o.env, "leases", "set", shard0, "--table", "orders", "--at", "trim-horizon", "--write")
	cmd.Stderr = nil
	errs, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(errs).ReadString('\n'); line != "watching for 1h0m0s whether gone renews the lease\n" {
		t.Errorf("%q, %v", line, err)
	}
	o.stop(cmd)
	o.same(before)
}

// A worker that lives keeps its leases, whatever an operator wants; one that was
// killed is told from it.
func TestLeasesOfAWorkerThatLives(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.run(0, "put", "--stream", "orders", "--create-shards", "2", write(t, "in", strings.Repeat("some line\n", 100)))
	w := o.archiver("me", "failoverTimeSeconds: 5") // long enough for a machine that is busy
	o.until(func(list string) bool {
		return strings.Count(list, " me ") == 2 && !strings.Contains(list, "TRIM_HORIZON")
	})
	const held = " is held by me, which renewed it less than 1s ago: stop that worker first\n"
	for _, args := range [][]string{
		{"leases", "set", shard0, "--table", "orders", "--failover", "1s", "--at", "trim-horizon", "--write"},
		{"leases", "release", shard0, "--table", "orders", "--failover", "1s", "--write"},
		{"leases", "adopt", "--table", "orders", "--failover", "1s", "--stream", "orders", "--write"},
	} {
		if out, errs := o.run(1, args...); out != "" || !strings.HasPrefix(errs, "watching for 5s whether ") || !strings.HasSuffix(errs, held) {
			t.Errorf("%v: %s%s", args, out, errs)
		}
	}
	if list, _ := o.run(0, "leases", "list", "--table", "orders"); strings.Count(list, " me ") != 2 || strings.Contains(list, "TRIM_HORIZON") {
		t.Errorf("its leases are now\n%s", list)
	}
	_ = w.Process.Kill()
	_ = w.Wait()
	out, errs := o.run(0, "leases", "release", shard0, "--table", "orders", "--failover", "1s", "--write")
	if !strings.Contains(squeeze(out), "owner me -\n") || errs != "watching for 5s whether me renews the lease\n" {
		t.Errorf("%s%s", out, errs)
	}
	// What it was is what the command showed: a request of the dead one may have been on its way.
	l := o.get(shard0)
	if shown := fmt.Sprintf("counter %d %d\ncheckpoint %v %v\n", l.Counter-1, l.Counter, l.Checkpoint, l.Checkpoint); !strings.Contains(squeeze(out), shown) {
		t.Errorf("it became %+v, and was shown as\n%s", l, out)
	}
	if l.Owner != "" || o.get(shard1).Owner != "me" {
		t.Errorf("it became %+v", l)
	}
	if got := o.dryly("leases", "release", shard0, "--table", "orders", "--write"); !strings.HasSuffix(got, "there is nothing to do\n") {
		t.Errorf("again: %s", got)
	}
}

// archiver starts an archiver of the stream and table orders in a process of its
// own.
func (o *operator) archiver(id, failover string) *exec.Cmd {
	o.Helper()
	file := write(o.T, "archiver.yaml", strings.NewReplacer("IntervalInSeconds: 60", "IntervalInSeconds: 1", "failoverTimeSeconds: 2", failover).Replace(goodConfig))
	cmd, _, errs := program(o.ctx, o.T, o.env, "archive", "--config", file, "--worker-id", id)
	if err := cmd.Start(); err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() {
		if o.Failed() {
			o.Logf("%s:\n%s", id, errs)
		}
	})
	return cmd
}

// stop ends a command that runs; an archiver delivers what it has.
func (o *operator) stop(cmd *exec.Cmd) {
	o.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		o.Error(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 143 {
		o.Errorf("it ended with %d", cmd.ProcessState.ExitCode())
	}
}

func (o *operator) until(good func(list string) bool) {
	o.Helper()
	for {
		list, _ := o.run(0, "leases", "list", "--table", "orders")
		if good(list) {
			return
		}
		if o.ctx.Err() != nil {
			o.Fatalf("the leases never came to be so:\n%s", list)
		}
		time.Sleep(50 * time.Millisecond) // between two looks at another process
	}
}

func TestLeasesAdopt(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.createStream(2)
	adopt := func(more ...string) []string {
		return append([]string{"leases", "adopt", "--table", "orders", "--stream", "orders", "--failover", "500ms"}, more...)
	}
	o.lease(lease.Lease{Key: shard0, Checkpoint: checkpoint.At("12", 0, time.Time{}), Identity: lease.Identity{Stream: "orders", Start: "11"}}, prepared(o))
	o.lease(lease.Lease{Key: shard1, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd), Children: []string{shard2}, Range: lease.HashRange{Start: "0", End: "5"}}, heldBy(o, "gone", time.Second))
	o.lease(lease.Lease{Key: shard2, Checkpoint: checkpoint.At("14", 0, time.Time{}), Parents: []string{shard1}}, heldBy(o, "gone", time.Second))
	o.lease(lease.Lease{Key: shard3, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd)}, nil)
	const many = "123456789012:orders:1700000000:" + shard0
	o.lease(lease.Lease{Key: many, Checkpoint: checkpoint.At("15", 0, time.Time{})}, prepared(o))
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	o.put(map[string]types.AttributeValue{"leaseKey": text("leader"), "entityType": text("LEADER")})
	o.put(map[string]types.AttributeValue{"leaseKey": text("shardId-000000000004"), "checkpoint": text("?")})

	o.refuses("lease "+shard0+" has a prepared checkpoint at 13: *", adopt("--write")...)
	o.refuses("stream not found: *", "leases", "adopt", "--table", "orders", "--stream", "none")
	plan := o.dryly(adopt("--abandon")...)
	for _, want := range []string{
		"LEASE ACTION STREAM BEGINS CHECKPOINT BECOMES WHY\n" + many + " leave - - 15 - it is of a fleet that reads several streams\n",
		"\n" + shard0 + " rewrite orders 11 12 TRIM_HORIZON it is of a shard that begins at 11, not ",
		"\n" + shard1 + " rewrite - - SHARD_END TRIM_HORIZON its hash range is 0 to 5, not 1701",
		"; it is at SHARD_END, but the shard is open\n",
		"\n" + shard2 + " delete - - 14 - the stream has no such shard\n" + shard3 + " delete - - SHARD_END - the stream has no such shard\n",
		"\nshardId-000000000004 leave - - - - lease shardId-000000000004 cannot be read: ",
		"\nnothing was written: --write does it\nwatching for 1s whether a worker runs\nwarning: lease " + shard0 + ": the prepared checkpoint at 13 is abandoned: ",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("there is no %q in\n%s", want, plan)
		}
	}
	before := o.rows()
	if out, _ := o.run(0, adopt("--abandon", "--write")...); !strings.HasSuffix(out, "\n4 of 4 rows written\n") {
		t.Errorf("it printed\n%s", out)
	}
	after := o.rows()
	if got, want := slices.Sorted(maps.Keys(after)), []string{many, "leader", shard0, shard1, "shardId-000000000004"}; !slices.Equal(got, want) {
		t.Errorf("the rows are now %v", got)
	}
	for _, key := range []string{shard0, shard1} {
		delete(before, key)
	}
	delete(before, shard2)
	delete(before, shard3)
	for _, key := range []string{shard0, shard1} {
		l := o.get(key)
		if l.Checkpoint.SequenceNumber != checkpoint.TrimHorizon || l.Owner != "" || l.Pending != nil || l.Children != nil || l.Identity.Stream != "orders" || len(l.Identity.Start) < 50 || l.Range.IsZero() {
			t.Errorf("it became %+v", l)
		}
		before[key] = after[key]
	}
	o.same(before) // and nothing else was
	if out := o.dryly(adopt("--write")...); !strings.Contains(out, "\nthere is nothing to do\n") {
		t.Errorf("again: %s", out)
	}
}

// What becomes of a table is decided from the rows and the shards that there are
// after it was watched: a stream may be resharded meanwhile, a row come to be.
func TestLeasesAdoptLooksAgain(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.createStream(1)
	o.lease(lease.Lease{Key: shard0, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}, nil)
	var scans atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".Scan") && scans.Add(1) == 2 { // the first look of the watch
			_, err := kinesis.NewFromConfig(o.stack.AWSConfig()).SplitShard(o.ctx, &kinesis.SplitShardInput{
				StreamName: aws.String("orders"), ShardToSplit: aws.String(shard0), NewStartingHashKey: aws.String("1000"),
			})
			text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
			row := map[string]types.AttributeValue{"leaseKey": text(shard3), "checkpoint": text("?")}
			if err == nil {
				_, err = o.client.PutItem(o.ctx, &dynamodb.PutItemInput{TableName: aws.String("orders"), Item: row})
			}
			if err != nil {
				t.Error(err)
			}
		}
		o.stack.ServeHTTP(w, r)
	}))
	defer server.Close()
	o.env = o.stack.Environ(server.URL)
	out, errs := o.run(0, "leases", "adopt", "--table", "orders", "--stream", "orders", "--failover", "500ms")
	for _, want := range []string{"\n" + shard1 + " none ", "\n" + shard2 + " none ", "\n" + shard3 + " leave "} {
		if !strings.Contains(squeeze(out), want) {
			t.Errorf("there is no %q in\n%s%s", want, squeeze(out), errs)
		}
	}
}

// A stream that is created anew under its name is archived from its beginning,
// after its table was adopted: all of it, and nothing of the old one again. A
// lease of it that was set to SHARD_END, as some Java workers do, is set back.
func TestAdoptedStreamIsArchived(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	in := func(lines int) string { return write(t, "in", strings.Repeat("some line\n", lines)) }
	archived := func(lines, leases int, id string) {
		t.Helper()
		w := o.archiver(id, "failoverTimeSeconds: 2")
		o.until(func(list string) bool {
			return strings.Count(list, " "+id+" ") == leases && !strings.Contains(list, " TRIM_HORIZON ")
		})
		for o.ctx.Err() == nil && countLines(t, o.stack) < lines {
			time.Sleep(50 * time.Millisecond) // between two looks at another process
		}
		o.stop(w)
		if n := countLines(t, o.stack); n != lines {
			t.Fatalf("%s: %d records in the objects, want %d", id, n, lines)
		}
	}
	o.run(0, "put", "--stream", "orders", "--create-shards", "4", in(4000))
	archived(4000, 4, "first")

	if _, err := kinesis.NewFromConfig(o.stack.AWSConfig()).DeleteStream(o.ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("orders")}); err != nil {
		t.Fatal(err)
	}
	o.run(0, "put", "--stream", "orders", "--create-shards", "2", in(500))
	if list := o.dryly("leases", "list", "--table", "orders", "--stream", "orders"); strings.Count(list, " open contradicts the stream: ") != 2 || strings.Count(list, " not listed -\n") != 2 {
		t.Errorf("the list beside the stream is\n%s", list)
	}
	o.run(0, "leases", "adopt", "--table", "orders", "--stream", "orders", "--failover", "500ms", "--write")
	archived(4500, 2, "second")

	was := o.get(shard0).Checkpoint
	setCheckpoint(t, o.stack, shard0, "SHARD_END")
	o.run(0, "put", "--stream", "orders", in(500))
	list := o.dryly("leases", "list", "--table", "orders", "--stream", "orders", "--json")
	if !strings.Contains(list, `"shard":"open","contradictions":["it is at SHARD_END, but the shard is open"]}`) || !strings.Contains(list, `"stream":"orders","shard_start":"`) {
		t.Errorf("the list beside the stream is\n%s", list)
	}
	o.run(0, "leases", "set", shard0, "--table", "orders", "--stream", "orders", "--at", fmt.Sprint(was), "--write")
	archived(5000, 2, "third")
}

// A list shows what is not of a single stream, why leases were left, and shards
// without one.
func TestLeasesList(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.createStream(2)
	o.lease(lease.Lease{Key: shard0, Checkpoint: checkpoint.At("12", 0, time.Time{}), Identity: lease.Identity{Stream: "orders", Start: "11", ARN: "arn"}}, prepared(o))
	o.lease(lease.Lease{Key: "1:orders:2:" + shard0, Checkpoint: checkpoint.At("15", 0, time.Time{})}, nil)
	if got, want := o.dryly("leases", "list", "--table", "orders"), "LEASE OWNER COUNTER CHECKPOINT UNTIL PENDING RELEASED STREAM BEGINS NOTE\n"+
		"1:orders:2:"+shard0+" - 0 15 - - - - - of a fleet that reads several streams\n"+
		shard0+" - 3 12 - 13 surplus orders 11 -\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	got := o.dryly("leases", "list", "--table", "orders", "--stream", "orders")
	for _, want := range []string{
		" BEGINS SHARD NOTE\n", shard0 + " - 3 12 - 13 surplus orders 11 open contradicts the stream: it is of a shard that begins at 11, not ",
		"\n" + shard1 + " - - - - - - - - open no lease\n", " not listed of a fleet that reads several streams\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
	got = o.dryly("leases", "list", "--table", "orders", "--json")
	want := `{"key":"1:orders:2:` + shard0 + `","counter":0,"owner_switches":0,"checkpoint":"15","sub_sequence_number":0,"multi_stream":true}` + "\n" +
		`{"key":"` + shard0 + `","counter":3,"owner_switches":0,"checkpoint":"12","sub_sequence_number":0,"pending":"13","stream":"orders","shard_start":"11","stream_arn":"arn","released":"surplus"}` + "\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := o.dryly("leases", "list", "--table", "orders", "--json", "--stream", "orders"); !strings.Contains(got, `{"key":"`+shard1+`","counter":0,"owner_switches":0,"checkpoint":"","sub_sequence_number":0,"shard":"open","no_lease":true}`) {
		t.Errorf("got\n%s", got)
	}
}
