package kcltest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// A shard is split after its records were put: those of its children come after
// them.
func ExampleStream_Split() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stream := kcltest.NewStream(1)
	stream.Put(0, "parent 1", "parent 2")
	stream.Split(0) // shard 0 is closed; 1 and 2 follow it
	stream.Put(1, "child")

	w, err := kcl.New(kcl.Config{
		ApplicationName: "test", StreamName: "words", WorkerID: "worker-1",
		Source: stream, Leases: new(lease.Mem),
	}, kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, records []kcl.Record) error {
		for _, r := range records {
			fmt.Printf("%s\n", r.Data)
			if string(r.Data) == "child" {
				stop()
			}
		}
		return nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// parent 1
	// parent 2
	// child
}
