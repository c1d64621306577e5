package kcl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

// localTable is a lease table in a local DynamoDB that counts its requests.
type localTable struct {
	*leasedynamo.Table

	stack *localaws.Stack
	mu    sync.Mutex
	sent  map[string]int // by operation; renewals apart
}

func newLocalTable(t *testing.T) *localTable {
	t.Helper()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	l := &localTable{stack: stack, sent: map[string]int{}}
	stack.Faults().Add(localaws.Fault{Service: localaws.DynamoDB, Match: func(r *http.Request, body []byte) bool {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		var in struct{ UpdateExpression string }
		if json.Unmarshal(body, &in) == nil && in.UpdateExpression == "SET #leaseCounter = :leaseCounter" {
			operation = "renewal"
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.sent[operation]++
		return false
	}})
	if l.Table, err = leasedynamo.New(dynamodb.NewFromConfig(stack.AWSConfig()), leasedynamo.Options{TableName: "app"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// requests returns how often each operation was asked for since the last call.
func (l *localTable) requests() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := maps.Clone(l.sent)
	clear(l.sent)
	return out
}

// harlow's kinesis-consumer has every worker write every shard every 10s
// (peers' bug 33). Here an idle fleet writes nothing but its renewals.
func TestPeer33AnIdleFleetOnlyRenews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const workers, shards, idle = 3, 9, 5 * time.Minute
		s, table := kcltest.NewStream(shards), newLocalTable(t)
		s.Poll = 20 * time.Second
		var stops []func() time.Duration
		for i := range workers {
			cfg := config(s, table, fmt.Sprint("worker-", i))
			cfg.ScanInterval, cfg.ShardSyncInterval = 0, 0 // the defaults
			stops = append(stops, start(t, cfg, kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error { return nil })))
		}
		time.Sleep(2 * time.Minute)
		table.requests()
		time.Sleep(idle)
		sent := table.requests()
		// A lease is renewed after 2.7s to 3s; the table is scanned each 4.5s to
		// 5s, and at each sync, after 48s to 60s, which also asks for the
		// protocol in at most three reads.
		syncs := workers * int(idle/(48*time.Second)+1)
		for operation, bounds := range map[string][2]int{
			"renewal": {shards * int(idle/(3010*time.Millisecond)), shards * int(idle/(2690*time.Millisecond)+1)},
			"Scan":    {workers * int(idle/(6*time.Second)), workers*int(idle/(4490*time.Millisecond)+1) + syncs},
			"GetItem": {0, 3 * syncs},
		} {
			if n := sent[operation]; n < bounds[0] || n > bounds[1] {
				t.Errorf("%s was sent %d times, want %d to %d", operation, n, bounds[0], bounds[1])
			}
			delete(sent, operation)
		}
		if len(sent) > 0 {
			t.Errorf("an idle fleet also sent %v", sent)
		}
		for _, stop := range stops {
			stop()
		}
	})
}

// Its renewals also wait for each other: a slow table loses leases (peers' bug
// 33). Here each request takes a second, 200 of them twenty times what a lease has.
func TestPeer33RenewalsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const shards = 200
		s, table, log := kcltest.NewStream(shards), newLocalTable(t), new(leaseLog)
		s.Poll = 30 * time.Second
		for i := range shards {
			l := lease.Lease{Key: s.Shard(i).ID, Range: s.Shard(i).Range, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}
			if err := table.Create(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
		table.stack.Faults().Add(localaws.Fault{Service: localaws.DynamoDB, Kind: localaws.Latency(time.Second)})
		stop := start(t, log.watch(config(s, table, "me")), kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error { return nil }))
		time.Sleep(40 * time.Second)
		if taken, lost := log.since(time.Time{}, "taken"), log.since(time.Time{}, "lost"); len(taken) != shards || len(lost) > 0 {
			t.Errorf("%d leases taken, %d lost", len(taken), len(lost))
		}
		if n := table.requests()["renewal"]; n < shards*5 {
			t.Errorf("%d renewals", n)
		}
		table.stack.Faults().Clear()
		stop()
	})
}

// Checkpoints of remind101's kinesumer go backwards (peers' bug 58). Here
// processors fail and panic, and leases are taken away all the time.
func TestPeer58TheCheckpointInATableNeverGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(2), new(lease.Mem), new(journal)
		var mu sync.Mutex
		last, written := map[string]checkpoint.Position{}, 0
		table.Fault = func(ctx context.Context, op, key string, applied bool) error {
			l, err := table.Get(ctx, key)
			mu.Lock()
			defer mu.Unlock()
			if op == "checkpoint" && applied && err == nil {
				if was, ok := last[key]; ok && l.Checkpoint.Compare(was.ExtendedSequenceNumber) < 0 {
					t.Errorf("%s went from %v to %v", key, was, l.Checkpoint)
				}
				last[key] = l.Checkpoint
				written++
			}
			return nil
		}
		calls := 0
		fail := func(string, int) error {
			mu.Lock()
			calls++
			n := calls
			mu.Unlock()
			switch {
			case n%7 == 0:
				return errors.New("boom")
			case n%31 == 0:
				panic("boom")
			case n%17 == 0:
				time.Sleep(5 * time.Second) // so long that it may be the victim of a theft
			}
			return nil
		}
		processors := func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j, fail: fail} }
		stopOne := start(t, config(s, table, "one"), processors)
		stopTwo := start(t, config(s, table, "two"), processors)
		for n := range 900 {
			s.Put(n%2, strconv.Itoa(n))
			time.Sleep(200 * time.Millisecond)
			if n%100 == 50 { // somebody takes a lease away, and gives it back to whoever wants it
				l, err := table.Take(t.Context(), row(t, table, n/100%2), lease.Claim{Owner: "passer-by", Instance: strconv.Itoa(n)})
				if err == nil {
					_, err = table.Release(t.Context(), l, lease.Plain)
				}
				if err != nil {
					t.Error(err)
				}
			}
		}
		stopOne()
		stopTwo()
		if written < 100 {
			t.Errorf("only %d checkpoints", written)
		}
	})
}

// twoPhase is a processor that prepares each checkpoint, and commits it unless
// it is to fail before.
type twoPhase struct {
	kcl.Defaults

	j     *journal
	crash string // the record before whose commit it gives up
}

func (p *twoPhase) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	if in.Pending == nil {
		return nil
	}
	p.j.note("found:%s", in.Pending.State)
	c, err := in.Checkpointer.Resume(*in.Pending)
	if err != nil {
		return err
	}
	return c.Checkpoint(ctx)
}

func (p *twoPhase) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	for _, r := range in.Records {
		c, err := in.Checkpointer.PrepareAt(ctx, r.Position(), r.Data)
		if err != nil {
			return err
		}
		p.j.note("prepared:%s", r.Data)
		if string(r.Data) == p.crash {
			return kcl.GiveUp(errors.New("crash"))
		}
		if err := c.Checkpoint(ctx); err != nil {
			return err
		}
		p.j.note("committed:%s", r.Data)
	}
	return nil
}

// vmware-go-kcl's prepared checkpoint is empty: committing it dereferences nil
// (peers' bug 3).
func TestPeer3APreparedCheckpointCanBeCommittedByItsWorkerAndByTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), newLocalTable(t), new(journal)
		s.Put(0, "a", "b", "c")
		crash := "b"
		if err := run(t, time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
			p := &twoPhase{j: j, crash: crash}
			crash = ""
			return p
		}); err != nil {
			t.Error(err)
		}
		if got, want := j.String(), "prepared:a committed:a prepared:b found:b prepared:c committed:c"; got != want {
			t.Errorf("calls\n got %s\nwant %s", got, want)
		}
		l, recs := row(t, table, 0), s.Records(0)
		if l.Checkpoint.SequenceNumber != recs[2].SequenceNumber || l.Pending != nil {
			t.Errorf("row %+v", l)
		}
	})
}
