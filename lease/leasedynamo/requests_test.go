package leasedynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/localaws"
)

// watched is a lease table in a local DynamoDB that notes what is asked of it.
type watched struct {
	*leasedynamo.Table

	t      *testing.T
	name   string
	stack  *localaws.Stack
	client *dynamodb.Client

	mu     sync.Mutex // guards what follows
	sent   []sent
	writes []localaws.RowWrite
}

// sent is a request that reached the service.
type sent struct {
	request

	operation string
	body      string
	at        time.Time
}

func watch(t *testing.T, o localaws.Options) *watched {
	t.Helper()
	w := &watched{t: t, name: "orders"}
	o.OnRowWrite = func(r localaws.RowWrite) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.writes = append(w.writes, r)
	}
	var err error
	if w.stack, err = localaws.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stack.Close)
	w.stack.Faults().Add(localaws.Fault{Service: localaws.DynamoDB, Match: w.note})
	w.client = dynamodb.NewFromConfig(w.stack.AWSConfig())
	if w.Table, err = leasedynamo.New(w.client, leasedynamo.Options{TableName: w.name}); err != nil {
		t.Fatal(err)
	}
	return w
}

// note is the Match of a fault that strikes nothing.
func (w *watched) note(r *http.Request, body []byte) bool {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s := sent{operation: operation, body: string(body), at: time.Now()}
	if err := json.Unmarshal(body, &s.request); err != nil {
		w.t.Errorf("%s: %v", operation, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, s)
	return false
}

// requests returns what was sent since the last call.
func (w *watched) requests() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.sent
	w.sent = nil
	return out
}

// rowWrites returns the writes so far.
func (w *watched) rowWrites() []localaws.RowWrite {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.writes)
}

func (w *watched) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fill makes the table with n leases that nobody has owned.
func (w *watched) fill(n int) {
	w.t.Helper()
	w.check(w.Ensure(w.t.Context()))
	for i := range n {
		w.check(w.Create(w.t.Context(), lease.Lease{Key: fmt.Sprintf("shard-%03d", i), Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}))
	}
}

func (w *watched) row(key string) lease.Lease {
	w.t.Helper()
	l, err := w.Get(w.t.Context(), key)
	w.check(err)
	return l
}

// run runs a worker's coordinator until ctx is done.
func (w *watched) run(ctx context.Context, id, instance string, hold func(*lease.Held)) {
	w.t.Helper()
	c, err := lease.NewCoordinator(lease.Config{Table: w.Table, WorkerID: id, FailoverTime: 10 * time.Second, ScanInterval: 10 * time.Second}, instance)
	if err != nil {
		w.t.Error(err)
		return
	}
	c.Run(ctx, context.WithoutCancel(ctx), hold)
}

// take takes a lease at once, whoever holds it.
func (w *watched) take(key, id, instance string) lease.Lease {
	w.t.Helper()
	l, err := w.Take(w.t.Context(), w.row(key), lease.Claim{Owner: id, Instance: instance, FailoverTime: 10 * time.Second})
	w.check(err)
	return l
}

func record(n string) checkpoint.Position { return checkpoint.At(n, 0, time.Time{}) }

// untilLost holds a lease as a processor does that has nothing to do.
func untilLost(ctx context.Context, h *lease.Held) {
	select {
	case <-ctx.Done():
	case <-h.Context().Done():
	}
}

// vmware-go-kcl's checkpoint puts the whole row on no condition: a worker that
// had lost its lease took checkpoint and lease back (peers' bug 1).
func TestPeer1AWorkerThatLostItsLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	for _, thief := range []string{"thief", "me"} { // the worker ID alone is no fence
		t.Run("to "+thief, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := watch(t, localaws.Options{})
				w.fill(1)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				w.run(ctx, "me", "me-1", func(h *lease.Held) {
					w.check(h.Checkpoint(ctx, record("100")))
					stale := h.Lease()
					now, err := w.Checkpoint(ctx, w.take(stale.Key, thief, "thief-1"), record("200"))
					w.check(err)
					_, err = w.Prepare(ctx, now, checkpoint.Prepared{At: record("300").ExtendedSequenceNumber, State: []byte("plan")})
					w.check(err)
					before := getRow(t, w.client, w.name, stale.Key)

					writes := map[string]func() error{
						"Checkpoint": func() error { _, err := w.Checkpoint(ctx, stale, record("150")); return err },
						"Prepare": func() error {
							_, err := w.Prepare(ctx, stale, checkpoint.Prepared{At: record("150").ExtendedSequenceNumber})
							return err
						},
						"Renew":             func() error { _, err := w.Renew(ctx, stale); return err },
						"Release":           func() error { _, err := w.Release(ctx, stale, lease.Plain); return err },
						"Held's Checkpoint": func() error { return h.Checkpoint(ctx, record("150")) },
					}
					for name, write := range writes {
						if err := write(); !errors.Is(err, lease.ErrLost) {
							t.Errorf("%s = %v, want ErrLost", name, err)
						}
					}
					if err := h.CheckTrust(); !errors.Is(err, lease.ErrLost) {
						t.Errorf("after the refusal CheckTrust = %v", err)
					}
					if diff := cmp.Diff(wire(before), wire(getRow(t, w.client, w.name, stale.Key))); diff != "" {
						t.Errorf("the thief's row changed (-was +is):\n%s", diff)
					}
					cancel()
				})
			})
		})
	}
}

// vmware-go-kcl's renewal puts the checkpoint back that it has cached, and so
// undid one that was written meanwhile (peers' bug 2).
func TestPeer2ARenewalLeavesTheCheckpointAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, localaws.Options{})
		w.fill(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		// The first renewal takes its time: it comes to the table after the
		// holder has gone on without it.
		late := w.stack.Faults().Add(localaws.Fault{Operation: "UpdateItem", After: 2, Times: 1, Kind: localaws.Stall(0)})
		w.run(ctx, "me", "me-1", func(h *lease.Held) {
			w.check(h.Checkpoint(ctx, record("100")))
			<-late.Struck()
			w.check(h.Checkpoint(ctx, record("500")))
			late.Release()
			time.Sleep(20 * time.Second)
			if l := w.row(h.Lease().Key); l.Checkpoint.SequenceNumber != "500" || h.CheckTrust() != nil {
				t.Errorf("row %+v, CheckTrust %v", l, h.CheckTrust())
			}
			cached := h.Lease()
			cached.Checkpoint = record("100")
			l, err := w.Renew(ctx, cached)
			if err != nil || l.Checkpoint.SequenceNumber != "500" {
				t.Errorf("a renewal with an old checkpoint in its cache left %+v, %v", l, err)
			}
			cancel()
		})
		for _, r := range w.requests() {
			if r.operation == "UpdateItem" && r.UpdateExpression == "SET #leaseCounter = :leaseCounter" {
				return
			}
		}
		t.Error("no renewal was made that sets nothing but the counter")
	})
}

// big puts n leases of 16 KB into the table, so that 64 of them fill a page.
func (w *watched) big(n int, owner string) {
	w.t.Helper()
	w.check(w.Ensure(w.t.Context()))
	state := []byte(strings.Repeat("x", checkpoint.MaxStateBytes))
	for i := range n {
		putRow(w.t, w.client, w.name, leasedynamo.Encode(lease.Lease{
			Key: fmt.Sprintf("shard-%03d", i), Owner: owner, Counter: 7, Checkpoint: record("100"),
			Pending: &checkpoint.Prepared{At: record("200").ExtendedSequenceNumber, State: state},
		}))
	}
}

// vmware-go-kcl scans the table without its later pages, and keeps owners in
// memory that the table no longer names (peers' bug 12).
func TestPeer12EveryPageOfTheTableIsReadAndStaleOwnersAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, localaws.Options{})
		const rows = 70 // two pages
		w.big(rows, "dead")
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		var mu sync.Mutex
		held := 0
		expect := func(what string, want int) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if held != want {
				t.Errorf("%s %d leases are held, want %d", what, held, want)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			w.run(ctx, "me", "me-1", func(h *lease.Held) {
				mu.Lock()
				held++
				mu.Unlock()
				untilLost(ctx, h)
			})
		})
		time.Sleep(5 * time.Second)
		expect("one is stolen, and while their owner may live", 1)
		for i := range rows / 2 { // the owner gives half of them up, the last ones among them
			if l := w.row(fmt.Sprintf("shard-%03d", rows-1-i)); l.Owner == "dead" {
				_, err := w.Release(ctx, l, lease.Plain)
				w.check(err)
			}
			if l := w.row(fmt.Sprintf("shard-%03d", i)); l.Owner == "dead" { // and is alive with the others
				_, err := w.Renew(ctx, l)
				w.check(err)
			}
		}
		time.Sleep(6 * time.Second)
		expect("once half of them have no owner", rows/2)
		time.Sleep(15 * time.Second)
		expect("once the owner of the others has expired", rows)
		cancel()
		wg.Wait()
	})
}

// vmware-go-kcl creates the table upon any error of DescribeTable, and does
// not wait until it can be used (peers' bug 13).
func TestPeer13ATableIsCreatedOnlyIfThereIsNoneAndThenWaitedFor(t *testing.T) {
	t.Parallel()
	t.Run("a new table is used when it is active", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, start := watch(t, localaws.Options{CreateDelay: 20 * time.Second}), time.Now()
			w.check(w.Ensure(t.Context()))
			if took := time.Since(start); took < 20*time.Second || took > 22*time.Second {
				t.Errorf("Ensure took %v, want the 20s that the table needs", took)
			}
			w.check(w.Create(t.Context(), lease.Lease{Key: "a", Checkpoint: record("1")}))
		})
	})
	stranger := func(o *dynamodb.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("stranger", "x", "")
	}
	for name, refuse := range map[string]struct {
		kind   localaws.Kind
		client func(*dynamodb.Options)
	}{
		"throttling creates nothing":       {kind: localaws.Throttle()},
		"a server error creates nothing":   {kind: localaws.ServerError(http.StatusInternalServerError)},
		"a cut connection creates nothing": {kind: localaws.Refuse()},
		"bad credentials create nothing":   {client: stranger},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := watch(t, localaws.Options{})
				client := w.client
				if refuse.client != nil {
					client = dynamodb.NewFromConfig(w.stack.AWSConfig(), refuse.client)
				} else {
					w.stack.Faults().Add(localaws.Fault{Operation: "DescribeTable", Kind: refuse.kind})
				}
				table, err := leasedynamo.New(client, leasedynamo.Options{TableName: w.name})
				w.check(err)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := table.Ensure(ctx); err == nil {
					t.Error("Ensure returned no error")
				}
				w.stack.Faults().Clear()
				tables, err := w.client.ListTables(t.Context(), &dynamodb.ListTablesInput{})
				w.check(err)
				if len(tables.TableNames) != 0 {
					t.Errorf("it created %q", tables.TableNames)
				}
			})
		})
	}
}

// idleFleet runs workers that share leases for d and have nothing to do, and
// returns what they sent in the second half of it.
func (w *watched) idleFleet(workers, leases int, d time.Duration) []sent {
	w.t.Helper()
	w.fill(leases)
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * time.Second)
			w.run(ctx, fmt.Sprint("worker-", i), fmt.Sprint("instance-", i), func(h *lease.Held) {
				select {
				case <-h.Surplus():
					_ = h.Release(ctx, lease.Plain) // if it is not released it runs out
				case <-h.Context().Done():
				case <-ctx.Done():
				}
			})
		})
	}
	time.Sleep(d / 2)
	w.requests()
	wg.Wait()
	return w.requests()
}

// vmware-go-kcl compares timestamps in the table with its own clock, so that a
// skew takes leases too early, and reads each lease at every tick (peers' bug 17).
func TestPeer17NoClockInTheTableIsBelievedAndNoLeaseIsReadByItself(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-24 * time.Hour, -6 * time.Second, 6 * time.Second, 24 * time.Hour} {
		t.Run(fmt.Sprint("clocks differ by ", skew), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, start := watch(t, localaws.Options{}), time.Now()
				w.fill(1)
				other := w.take("shard-000", "other", "other-1")
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				var died time.Time
				var wg sync.WaitGroup
				wg.Go(func() { // the other worker lives for a minute, by its own clock
					for n := 1; time.Since(start) < time.Minute; n++ {
						time.Sleep(3 * time.Second)
						var err error
						died = time.Now()
						other, err = w.Checkpoint(ctx, other, checkpoint.At(strconv.Itoa(n), 0, died.Add(skew)))
						if err != nil {
							t.Errorf("after %v: %v", time.Since(start), err)
							return
						}
					}
				})
				w.run(ctx, "me", "me-1", func(*lease.Held) {
					if idle := time.Since(died); idle < 10*time.Second || idle > 31*time.Second {
						t.Errorf("taken %v after its last renewal", idle)
					}
					cancel()
				})
				wg.Wait()
				if !errors.Is(ctx.Err(), context.Canceled) {
					t.Error("the lease was not taken")
				}
			})
		})
	}
	t.Run("a tick reads no lease by itself", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			for _, s := range watch(t, localaws.Options{}).idleFleet(3, 9, 10*time.Minute) {
				if s.operation != "Scan" && s.operation != "UpdateItem" {
					t.Fatalf("%s: %s", s.operation, s.body)
				}
			}
		})
	})
}

// kinsumer has every client scan a table of clients consistently at every tick
// (peers' bug 25). Here the lease table itself is read, which costs half.
func TestPeer25ATickIsOneEventuallyConsistentScan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const workers, leases, d = 4, 4, 10 * time.Minute
		w := watch(t, localaws.Options{})
		scans := 0
		for _, s := range w.idleFleet(workers, leases, d) {
			if s.ConsistentRead || s.TableName != w.name {
				t.Fatalf("%s: %s", s.operation, s.body)
			}
			if s.operation == "Scan" {
				scans++
			}
		}
		// Each worker scans once in each failover time, less a tenth at most.
		if most := workers * int(d/2/(9*time.Second)); scans > most+workers || scans < workers*int(d/2/(10*time.Second))-workers {
			t.Errorf("%d scans, want at most %d", scans, most)
		}
	})
}

// harlow's kinesis-consumer keeps checkpoints in a table of their own, which
// the lease does not fence: of two saves the older may come last (peers' bug 31).
func TestPeer31TheLeaseFencesItsCheckpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, localaws.Options{})
		w.fill(1)
		held := w.take("shard-000", "me", "me-1")
		var saves sync.WaitGroup
		results := make([]error, 2)
		for i, n := range []string{"100", "200"} {
			saves.Go(func() { _, results[i] = w.Checkpoint(t.Context(), held, record(n)) })
		}
		saves.Wait()
		saved := map[bool]string{true: "100", false: "200"}[results[0] == nil]
		if (results[0] == nil) == (results[1] == nil) || !errors.Is(errors.Join(results...), lease.ErrLost) {
			t.Errorf("two saves at once: %v; want one of them lost", results)
		}
		if l := w.row("shard-000"); l.Checkpoint.SequenceNumber != saved || l.Owner != "me" {
			t.Errorf("row %+v, want the checkpoint %s", l, saved)
		}
		for _, r := range w.rowWrites()[1:] {
			if r.Table != w.name || r.New["leaseCounter"].Text == r.Old["leaseCounter"].Text {
				t.Errorf("%s of table %s left the counter at %s", r.Operation, r.Table, r.New["leaseCounter"].Text)
			}
		}
	})
}

// Consumers in other languages keep one number of a checkpoint, or a table of
// their own, and lose the rest of an aggregated record or its user records that are
// done (peers' bug 62). Both numbers are in the row, by the names that the KCL has
// for them, and each is the checkpoint's.
func TestPeer62ACheckpointWithinAnAggregatedRecordIsInTheRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, localaws.Options{})
		w.fill(1)
		held := w.take("shard-000", "me", "me-1")
		for _, sub := range []int64{3, 0, 7} {
			at := record("200")
			at.SubSequenceNumber = sub
			var err error
			if held, err = w.Checkpoint(t.Context(), held, at); err != nil {
				t.Fatal(err)
			}
			if got := w.row("shard-000").Checkpoint; got.ExtendedSequenceNumber != at.ExtendedSequenceNumber {
				t.Errorf("the checkpoint is %v, want %v", got, at)
			}
			writes := w.rowWrites()
			row := writes[len(writes)-1].New
			if row["checkpoint"].Text != "200" || row["checkpointSubSequenceNumber"].Text != strconv.FormatInt(sub, 10) {
				t.Errorf("the row has %+v and %+v, want 200 and %d", row["checkpoint"], row["checkpointSubSequenceNumber"], sub)
			}
		}
	})
}

// The input of Redpanda Connect filters a scan whose later pages it does not
// read, in a table of all streams (peers' bug 40). Here an application has a
// table of its own, and every row that is paid for is wanted.
func TestPeer40AListIsAWholeScanWithoutAFilter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, localaws.Options{})
		const rows = 70 // two pages
		w.big(rows, "")
		w.requests()
		list, _, err := w.List(t.Context())
		w.check(err)
		slices.SortFunc(list, func(a, b lease.Lease) int { return strings.Compare(a.Key, b.Key) })
		if list = slices.CompactFunc(list, func(a, b lease.Lease) bool { return a.Key == b.Key }); len(list) != rows {
			t.Errorf("%d leases are listed, want %d", len(list), rows)
		}
		all := w.requests()
		for i, s := range all {
			if s.operation != "Scan" || (len(s.ExclusiveStartKey) > 0) != (i > 0) {
				t.Errorf("request %d: %s %s", i, s.operation, s.body)
			}
			for _, costly := range []string{"Filter", "Limit", "Conditional", "Segment"} {
				if strings.Contains(s.body, costly) {
					t.Errorf("request %d has a %s: %s", i, costly, s.body)
				}
			}
		}
		if len(all) != 2 {
			t.Errorf("%d requests, want 2", len(all))
		}
	})
}

// Redpanda Connect's Yield writes its sequence number on no condition: a slow
// victim took the thief's newer checkpoint back (peers' bug 41).
func TestPeer41ASlowVictimDoesNotUndoTheThiefsCheckpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, localaws.Options{})
		w.fill(1)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		// What the victim sends from now on arrives a minute late, and is
		// carried out although the victim has stopped waiting.
		slow := localaws.Fault{
			Operation: "UpdateItem", Body: `"victim"`, Kind: localaws.Stall(time.Minute),
			Match: func(_ *http.Request, body []byte) bool { return strings.Contains(string(body), "if_leaseOwner") },
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			w.run(ctx, "victim", "victim-1", func(h *lease.Held) {
				w.stack.Faults().Add(slow)
				if err := h.Checkpoint(ctx, record("100")); err == nil {
					t.Error("the victim's checkpoint succeeded")
				}
				if err := h.Release(ctx, lease.Plain); err == nil {
					t.Error("the victim's release succeeded")
				}
				<-ctx.Done()
			})
		})
		time.Sleep(time.Second)
		wg.Go(func() {
			w.run(ctx, "thief", "thief-1", func(h *lease.Held) {
				w.check(h.Checkpoint(ctx, record("200")))
				untilLost(ctx, h)
				if ctx.Err() == nil {
					t.Errorf("the thief lost the lease: %v", h.CheckTrust())
				}
			})
		})
		wg.Wait()
		if l := w.row("shard-000"); l.Checkpoint.SequenceNumber != "200" || l.Owner != "thief" {
			t.Errorf("row %+v, want the thief's", l)
		}
		late := 0
		for _, s := range w.requests() {
			if s.operation == "UpdateItem" && slow.Match(nil, []byte(s.body)) && strings.Contains(s.body, `"victim"`) {
				late++
			}
		}
		if late == 0 {
			t.Error("nothing of the victim's came late")
		}
	})
}
