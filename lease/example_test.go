package lease_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// The fence: a worker that was overtaken cannot move the checkpoint, whatever it
// believes.
func ExampleStore() {
	ctx := context.Background()
	var store lease.Mem // in production leasedynamo.New
	if err := store.Create(ctx, lease.Lease{Key: "shardId-000000000000", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}); err != nil {
		log.Fatal(err)
	}
	seen, err := store.Get(ctx, "shardId-000000000000")
	if err != nil {
		log.Fatal(err)
	}
	first, err := store.Take(ctx, seen, lease.Claim{Owner: "worker-1", Instance: "a", FailoverTime: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Take(ctx, first, lease.Claim{Owner: "worker-2", Instance: "b", FailoverTime: 10 * time.Second}); err != nil {
		log.Fatal(err)
	}

	_, err = store.Checkpoint(ctx, first, checkpoint.At("1001", 0, time.Time{}))
	fmt.Println(errors.Is(err, lease.ErrLost), err)
	if lost, ok := errors.AsType[*lease.LostError](err); ok {
		fmt.Println("now it is", lost.Now.Owner+"'s")
	}
	// Output:
	// true lease shardId-000000000000 lost: now owner "worker-2", counter 2
	// now it is worker-2's
}

// A table whose answer is lost: the write has happened, and its repeat succeeds
// without a second one.
func ExampleMem() {
	ctx := context.Background()
	lose := true
	table := &lease.Mem{Fault: func(_ context.Context, op, _ string, applied bool) error {
		if op == "take" && applied && lose {
			lose = false
			return errors.New("connection reset")
		}
		return nil
	}}
	table.Put(lease.Lease{Key: "job", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)})
	seen, err := table.Get(ctx, "job")
	if err != nil {
		log.Fatal(err)
	}
	by := lease.Claim{Owner: "worker-1", Instance: "a", FailoverTime: 10 * time.Second}
	_, err = table.Take(ctx, seen, by)
	fmt.Println(err)
	taken, err := table.Take(ctx, seen, by)
	fmt.Println(taken.Owner, taken.Counter, err)
	// Output:
	// connection reset
	// worker-1 1 <nil>
}

// Leases share other work than shards, too: here jobs, each done by one worker of
// many at a time, and by another one if that dies.
func ExampleCoordinator() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	table := new(lease.Mem)
	// Every worker does so: whoever comes first makes the row.
	start := lease.Lease{Key: "nightly-report", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}
	if err := table.Create(ctx, start); err != nil && !errors.Is(err, lease.ErrExists) {
		log.Fatal(err)
	}
	c, err := lease.NewCoordinator(lease.Config{Table: table, WorkerID: "worker-1"}, rand.Text()) // no process may ever use that text again
	if err != nil {
		log.Fatal(err)
	}

	// What holds a lease ends when ctx does, in its own time; hard would end it.
	hard := context.WithoutCancel(ctx)
	c.Run(ctx, hard, func(h *lease.Held) {
		ctx := h.Context() // done once the lease is another's
		if err := h.CheckTrust(); err != nil {
			return // ask right before each side effect
		}
		fmt.Println("doing", h.Lease().Key)
		if err := h.Checkpoint(ctx, checkpoint.Sentinel(checkpoint.ShardEnd)); err != nil {
			log.Println(err) // it will be done again
			return
		}
		if err := h.Release(ctx, lease.Plain); err != nil {
			log.Println(err) // it runs out by itself
		}
		stop()
	})
	done, err := table.Get(hard, "nightly-report")
	fmt.Println(done.Finished(), err)
	// Output:
	// doing nightly-report
	// true <nil>
}
