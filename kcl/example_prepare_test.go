package kcl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// Each batch becomes one file, also if a worker dies between file and checkpoint:
// what it is about to write stands in the lease row before, and whoever has the
// shard next finishes that, under the same name and with the same records.
func ExampleCheckpointer_prepareAndResume() {
	stream, table := kcltest.NewStream(1), new(lease.Mem)
	stream.Page = 10 // records in one batch, at most

	work := func(workerID string, write func(stop func(), name, content string) error) {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		w, err := kcl.New(kcl.Config{
			ApplicationName: "exporter", StreamName: "words", WorkerID: workerID, Source: stream, Leases: table,
		}, func(kcl.ShardInfo) kcl.RecordProcessor {
			return &exporter{write: func(name, content string) error { return write(stop, name, content) }}
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := w.Run(ctx); err != nil {
			log.Fatal(err)
		}
	}
	stream.Put(0, "to", "be", "or")
	work("worker-1", func(stop func(), name, _ string) error {
		stop()
		return errors.New("no space left for " + name)
	})
	stream.Put(0, "not")
	work("worker-2", func(stop func(), name, content string) error {
		fmt.Printf("%s: %s\n", name, content)
		if content == "not" {
			stop()
		}
		return nil
	})
	row, err := table.Get(context.Background(), "shardId-000000000000")
	fmt.Println("checkpoint", row.Checkpoint, err)
	// Output:
	// words-1002: to be or
	// words-1005: not
	// checkpoint 1005 <nil>
}

// exporter writes each batch to a file. write replaces a file that is there.
type exporter struct {
	kcl.Defaults

	write func(name, content string) error
}

// plan is the state of a prepared checkpoint: all that it takes to write the file
// anew. That the file ends with the prepared place is known.
type plan struct {
	Name  string
	First checkpoint.ExtendedSequenceNumber
}

func (e *exporter) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	if in.Pending == nil {
		return nil
	}
	var p plan
	if err := json.Unmarshal(in.Pending.State, &p); err != nil {
		return fmt.Errorf("plan of an earlier holder: %w", err)
	}
	var words []string
	var last checkpoint.Position
	shard := in.Shard // all workers here have one configuration: else these go into the plan
	same := kcl.ReplayOptions{HashRange: shard.Range, HashRangeRule: shard.HashRangeRule, KPLFaults: shard.KPLFaults}
	for r, err := range in.Replay(ctx, p.First, in.Pending.At, same) {
		if err != nil {
			return fmt.Errorf("reading %s again: %w", p.Name, err)
		}
		words, last = append(words, string(r.Data)), r.Position()
	}
	// Fewer than planned may come if some have expired; here that is accepted.
	if err := e.write(p.Name, strings.Join(words, " ")); err != nil {
		return err
	}
	prepared, err := in.Checkpointer.Resume(*in.Pending)
	if err != nil {
		return err
	}
	prepared.SetArrival(last.Arrival)
	return prepared.Checkpoint(ctx) // reading begins after it
}

func (e *exporter) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	if len(in.Records) == 0 {
		return nil
	}
	first := in.Records[0].Position().ExtendedSequenceNumber
	p := plan{Name: "words-" + first.SequenceNumber, First: first}
	state, err := json.Marshal(p)
	if err != nil {
		return err
	}
	prepared, err := in.Checkpointer.Prepare(ctx, state)
	if err != nil {
		return err
	}
	var words []string
	for _, r := range in.Records {
		words = append(words, string(r.Data))
	}
	if err := e.write(p.Name, strings.Join(words, " ")); err != nil {
		return err
	}
	return prepared.Checkpoint(ctx)
}
