package kcl_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

// Whatever a processor takes, says and checkpoints, and whoever takes its lease:
// no checkpoint passes a record that it did not take and that was not
// dead-lettered.
func TestNoCheckpointPassesWhatFailed(t *testing.T) {
	t.Parallel()
	for seed := range uint64(80) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { anyAnswer(t, chance(seed, 2)) })
		})
	}
}

// answering is a processor that takes some records of a call, and says which one
// it did not.
type answering struct {
	kcl.Defaults

	rng  *rand.Rand
	took func(kcl.Record)
}

func (p answering) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	taken := len(in.Records)
	if p.rng.IntN(2) == 0 {
		taken = p.rng.IntN(1 + taken)
	}
	for _, r := range in.Records[:taken] {
		p.took(r)
	}
	if taken > 0 && p.rng.IntN(3) == 0 {
		if err := in.Checkpointer.CheckpointAt(ctx, in.Records[p.rng.IntN(taken)].Position()); err != nil && !checkpoint.IsMisuse(err) {
			return err
		}
	}
	if taken == len(in.Records) {
		if p.rng.IntN(3) == 0 {
			return nil
		}
		return in.Checkpointer.Checkpoint(ctx)
	}
	bad := errors.New("bad")
	if p.rng.IntN(8) == 0 {
		bad = kcl.GiveUp(bad)
	}
	switch p.rng.IntN(8) {
	case 0:
		panic(bad)
	case 1:
		return bad
	case 2:
		later := in.Records[taken+p.rng.IntN(len(in.Records)-taken)]
		return errors.Join(kcl.FailedAt(later, bad), kcl.FailedAt(in.Records[taken], errors.New("bad too")))
	default:
		return kcl.FailedAt(in.Records[taken], bad)
	}
}

func (answering) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func anyAnswer(t *testing.T, rng *rand.Rand) {
	t.Helper()
	s, table := kcltest.NewStream(1), new(lease.Mem)
	s.Page = 1 + rng.IntN(12)
	settled := make(map[checkpoint.ExtendedSequenceNumber]bool)
	var put []checkpoint.ExtendedSequenceNumber
	for range 40 {
		users := int64(1)
		if rng.IntN(4) > 0 {
			s.Put(0, "word")
		} else {
			var packed kpl.Aggregator
			users = 3
			for range users {
				packed.Add(kpl.UserRecord{PartitionKey: "k", Data: []byte("word")})
			}
			s.Put(0, string(packed.Append(nil)))
		}
		recs := s.Records(0)
		for sub := range users {
			put = append(put, checkpoint.At(recs[len(recs)-1].SequenceNumber, sub, time.Time{}).ExtendedSequenceNumber)
		}
	}
	settle := func(r kcl.Record) { settled[r.Position().ExtendedSequenceNumber] = true }
	passes := func(where string, to checkpoint.Position) {
		for _, at := range put {
			if to.Compare(at) >= 0 && !settled[at] {
				t.Errorf("%s: checkpoint %v passes %v, which is not settled", where, to, at)
			}
		}
	}
	table.Fault = func(_ context.Context, op, _ string, _ bool) error {
		if op == "checkpoint" && rng.IntN(6) == 0 {
			return errors.New("no answer")
		}
		return nil
	}
	cfg := config(s, table, "me")
	cfg.MaxAttempts = 1 + rng.IntN(4)
	cfg.TickInterval = time.Second
	cfg.Hooks.Checkpointed = func(e kcl.CheckpointEvent) { passes("written", e.Checkpoint) }
	if rng.IntN(3) > 0 {
		cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
			if rng.IntN(10) == 0 {
				return errors.New("no room")
			}
			for _, r := range in.Records {
				settle(r)
			}
			return nil
		}
	}
	end := put[len(put)-1]
	for range 1000 {
		theft := time.AfterFunc(time.Duration(1+rng.IntN(40_000))*time.Millisecond, func() { take(t, table, 0) })
		if err := run(t, time.Duration(1+rng.IntN(20_000))*time.Millisecond, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			return answering{rng: rng, took: settle}
		}); err != nil {
			t.Errorf("Run = %v", err)
		}
		theft.Stop()
		l := row(t, table, 0)
		passes("left", l.Checkpoint)
		if l.Checkpoint.ExtendedSequenceNumber == end {
			return
		}
	}
	t.Errorf("the checkpoint is %v, want %v", row(t, table, 0).Checkpoint, end)
}

// take has another worker take a shard's lease, and die.
func take(t *testing.T, table lease.Table, shard int) {
	t.Helper()
	if _, err := table.Take(t.Context(), row(t, table, shard), lease.Claim{Owner: "thief", Instance: "thief-1"}); err != nil {
		t.Error(err)
	}
}
