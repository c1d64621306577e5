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

// A processor in one function: each batch is checkpointed when it returns nil.
func ExampleHandle() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stream := kcltest.NewStream(1)
	stream.Put(0, "to", "be", "or")

	w, err := kcl.New(kcl.Config{
		ApplicationName: "word-printer", StreamName: "words", WorkerID: "worker-1",
		Source: stream, Leases: new(lease.Mem),
	}, kcl.Handle(func(_ context.Context, _ kcl.ShardInfo, records []kcl.Record) error {
		for _, r := range records {
			fmt.Printf("%s\n", r.Data)
		}
		stop()
		return nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// to
	// be
	// or
}

// What is the same for every processor goes around it: here the calls that failed
// are counted.
func ExampleProcessorFactory() {
	counted := func(next kcl.ProcessorFactory) kcl.ProcessorFactory {
		return func(s kcl.ShardInfo) kcl.RecordProcessor {
			return &countErrors{RecordProcessor: next(s), shardID: s.ShardID}
		}
	}
	factory := counted(kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error {
		return errors.New("the database is down")
	}))

	p := factory(kcl.ShardInfo{ShardID: "shardId-000000000000"}) // the worker does
	err := p.ProcessRecords(context.Background(), kcl.ProcessRecordsInput{Records: make([]kcl.Record, 2)})
	fmt.Println(err)
	// Output:
	// shardId-000000000000: 1 failed
	// the database is down
}

// countErrors has all other methods from the processor that it is around.
type countErrors struct {
	kcl.RecordProcessor

	shardID string
	failed  int
}

func (c *countErrors) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	err := c.RecordProcessor.ProcessRecords(ctx, in)
	if err != nil {
		c.failed++
		fmt.Printf("%s: %d failed\n", c.shardID, c.failed)
	}
	return err // as it is: what GiveUp or the lease says must reach the worker
}

// Where a shard begins that the lease table knows nothing of.
func ExampleInitialPosition() {
	for _, p := range []kcl.InitialPosition{
		kcl.TrimHorizon(), // the default: all that the stream still has
		kcl.Latest(),      // Java's default: what was put before the first start is never read
		kcl.AtTimestamp(time.Date(2026, time.May, 4, 13, 30, 0, 0, time.UTC)),
	} {
		fmt.Println(p)
	}
	// Output:
	// TRIM_HORIZON
	// LATEST
	// AT_TIMESTAMP 2026-05-04T13:30:00Z
}
