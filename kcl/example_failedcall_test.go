package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
)

// A processor that keeps records beyond a call must expect those of a call that
// failed to come again, to itself: it has them already. It remembers the place of
// the last one that it took in, and passes over what is not after that.
//
// Here a test calls it as the worker does.
func ExampleRecordProcessor_failedCall() {
	ctx := context.Background()
	stream := kcltest.NewStream(1)
	stream.Put(0, "to", "be", "or")
	down := errors.New("the database is down")
	p := &saver{save: func(_ context.Context, words []string) error {
		if down != nil {
			return down
		}
		fmt.Println("saved:", strings.Join(words, " "))
		return nil
	}}

	in := kcl.ProcessRecordsInput{Records: stream.Records(0), Checkpointer: discard{}, Attempt: 1}
	fmt.Println(p.ProcessRecords(ctx, in))
	down, in.Attempt = nil, 2 // the same records
	fmt.Println(p.ProcessRecords(ctx, in))
	// Output:
	// saving: the database is down
	// saved: to be or
	// checkpoint
	// <nil>
}

// saver saves words three at a time.
type saver struct {
	kcl.Defaults

	save  func(ctx context.Context, words []string) error
	words []string                          // not saved yet
	mark  checkpoint.ExtendedSequenceNumber // of the last record taken in
}

func (b *saver) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	for _, r := range in.Records {
		at := r.Position().ExtendedSequenceNumber
		if at.Compare(b.mark) <= 0 {
			continue // from a call that failed
		}
		b.words = append(b.words, string(r.Data)) // a copy: Data is only lent
		b.mark = at
	}
	if len(b.words) >= 3 {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	if len(b.words) > 0 {
		return nil // a checkpoint would pass what is not saved
	}
	return in.Checkpointer.Checkpoint(ctx)
}

// ShardEnded saves what is left; that of Defaults would only checkpoint.
func (b *saver) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	if err := b.flush(ctx); err != nil {
		return err // ShardEnded is called again
	}
	return in.Checkpointer.Checkpoint(ctx)
}

// flush forgets the words only once they are saved.
func (b *saver) flush(ctx context.Context) error {
	if len(b.words) == 0 {
		return nil
	}
	if err := b.save(ctx, b.words); err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	b.words = nil
	return nil
}

// discard stands for the worker's Checkpointer.
type discard struct{ kcl.Checkpointer }

func (discard) Checkpoint(context.Context) error {
	fmt.Println("checkpoint")
	return nil
}
