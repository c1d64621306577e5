package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// A function for each record. Here the first order of ann fails once: bob's is
// taken meanwhile, and ann's second one waits, so that ann's come in order.
func ExampleHandleEach() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stream := kcltest.NewStream(1)
	stream.PutAs(0, "ann", "ann 1")
	stream.PutAs(0, "bob", "bob 1")
	stream.PutAs(0, "ann", "ann 2")

	down := true
	w, err := kcl.New(kcl.Config{
		ApplicationName: "orders", StreamName: "orders", WorkerID: "worker-1",
		Source: stream, Leases: new(lease.Mem),
		DeadLetter: func(_ context.Context, in kcl.DeadLetterInput) error {
			// in.Records is one record that failed Config.MaxAttempts times, by
			// itself. Store it durably before returning nil.
			return errors.New("not needed here")
		},
	}, kcl.HandleEach(func(_ context.Context, _ kcl.ShardInfo, r kcl.Record) error {
		if down {
			down = false
			return errors.New("the database is down")
		}
		fmt.Printf("%s\n", r.Data)
		if string(r.Data) == "ann 2" {
			stop()
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
	// bob 1
	// ann 1
	// ann 2
}
