package kcl_test

import (
	"context"
	"fmt"
	"log"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// Several workers, in one process or in many, share the shards of a stream by
// sharing the lease table. Only their IDs differ.
func ExampleWorker_Run_severalWorkers() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stream, table := kcltest.NewStream(4), new(lease.Mem)
	for shard, word := range []string{"to", "be", "or", "not"} {
		stream.Put(shard, word)
	}

	var mu sync.Mutex // shards are processed at the same time
	seen := make(map[string]bool)
	handle := kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, records []kcl.Record) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range records {
			seen[string(r.Data)] = true // a record may come twice when its shard changes hands
		}
		if len(seen) == 4 {
			stop()
		}
		return nil
	})

	workers, ctx := errgroup.WithContext(ctx) // one that fails ends the others
	for _, id := range []string{"worker-1", "worker-2"} {
		w, err := kcl.New(kcl.Config{
			ApplicationName: "word-printer", StreamName: "words", WorkerID: id, Source: stream, Leases: table,
			FailoverTime: time.Second, // the same in all
		}, handle)
		if err != nil {
			log.Fatal(err)
		}
		workers.Go(func() error { return w.Run(ctx) })
	}
	if err := workers.Wait(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(slices.Sorted(maps.Keys(seen)))
	// Output: [be not or to]
}
