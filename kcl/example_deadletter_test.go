package kcl_test

import (
	"context"
	"fmt"
	"log"
	"strconv"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// A record that nobody can process would stop its shard for ever. The processor
// says with GiveUp that trying again is no use, with FailedAt which one it is, and
// DeadLetter puts that one aside. HandleEach says both by itself.
func ExampleConfig_deadLetter() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stream := kcltest.NewStream(1)
	stream.Put(0, "1", "x", "3", "4") // in pages of three

	w, err := kcl.New(kcl.Config{
		ApplicationName: "adder", StreamName: "numbers", WorkerID: "worker-1",
		Source: stream, Leases: new(lease.Mem),
		DeadLetter: func(_ context.Context, in kcl.DeadLetterInput) error {
			// Store them durably before returning nil: it counts as accepted.
			// Without FailedAt all records of the call would be here.
			for _, r := range in.Records {
				fmt.Printf("put aside %s (%v)\n", r.Data, in.Err)
			}
			return nil
		},
	}, func(kcl.ShardInfo) kcl.RecordProcessor { return &adder{stop: stop} })
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// added 1
	// put aside x (record 1003: no number: "x")
	// added 3
	// added 4
}

type adder struct {
	kcl.Defaults

	stop func()
}

func (a *adder) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	for _, r := range in.Records {
		n, err := strconv.Atoi(string(r.Data))
		if err != nil {
			return kcl.FailedAt(r, kcl.GiveUp(fmt.Errorf("no number: %q", r.Data)))
		}
		fmt.Println("added", n)
		if n == 4 {
			a.stop()
		}
	}
	return in.Checkpointer.Checkpoint(ctx)
}
