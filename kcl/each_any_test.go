package kcl_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// Whoever takes the lease, and whatever ends a call: no checkpoint passes a record
// that is neither taken nor dead-lettered, and no record comes before one of its
// key that is neither.
func TestHandleEachWhoeverHoldsTheLease(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newEachWorld(t, chance(seed, 3)).run() })
		})
	}
}

// eachWorld is a shard that workers hold in turn.
type eachWorld struct {
	t       *testing.T
	rng     *rand.Rand
	stream  *kcltest.Stream
	table   *lease.Mem
	put     []kcl.Record
	settled map[string]bool // by what they say
}

func newEachWorld(t *testing.T, rng *rand.Rand) *eachWorld {
	t.Helper()
	w := &eachWorld{t: t, rng: rng, stream: kcltest.NewStream(1), table: new(lease.Mem), settled: make(map[string]bool)}
	w.stream.Page = 1 + rng.IntN(12)
	for i := range 40 {
		w.stream.PutAs(0, string(rune('a'+rng.IntN(4))), strconv.Itoa(i))
	}
	w.put = w.stream.Records(0)
	w.table.Fault = func(_ context.Context, op, _ string, _ bool) error {
		if op == "checkpoint" && rng.IntN(6) == 0 {
			return errors.New("no answer")
		}
		return nil
	}
	return w
}

// handle takes a record, or does not.
func (w *eachWorld) handle(ctx context.Context, _ kcl.ShardInfo, r kcl.Record) error {
	if ctx.Err() != nil {
		w.t.Errorf("called with %s although %v", r.Data, context.Cause(ctx))
	}
	for _, e := range w.put {
		if e.PartitionKey == r.PartitionKey && e.SequenceNumber < r.SequenceNumber && !w.settled[string(e.Data)] {
			w.t.Errorf("%s comes before %s", r.Data, e.Data)
		}
	}
	time.Sleep(time.Duration(w.rng.IntN(500)) * time.Millisecond)
	switch w.rng.IntN(40) {
	case 0, 1, 2:
		return errors.New("bad")
	case 3, 4, 5:
		return kcl.GiveUp(errors.New("bad"))
	case 6, 7, 8:
		panic("bad")
	case 9:
		runtime.Goexit()
	}
	w.settled[string(r.Data)] = true
	return nil
}

func (w *eachWorld) passes(to checkpoint.Position) {
	w.t.Helper()
	for _, r := range w.put {
		if to.Compare(r.Position().ExtendedSequenceNumber) >= 0 && !w.settled[string(r.Data)] {
			w.t.Errorf("checkpoint %v passes %v, which is not settled", to, r.Position())
		}
	}
}

func (w *eachWorld) run() {
	cfg := config(w.stream, w.table, "me")
	cfg.MaxAttempts = 1 + w.rng.IntN(4)
	cfg.CallTimeout = time.Duration(w.rng.IntN(2)) * time.Second
	cfg.Hooks.Checkpointed = func(e kcl.CheckpointEvent) { w.passes(e.Checkpoint) }
	if w.rng.IntN(3) > 0 {
		cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
			for _, r := range in.Records {
				w.settled[string(r.Data)] = true
			}
			return nil
		}
	}
	end := w.put[len(w.put)-1].Position()
	for range 3000 {
		theft := time.AfterFunc(time.Duration(1+w.rng.IntN(40_000))*time.Millisecond, func() { take(w.t, w.table, 0) })
		if err := run(w.t, time.Duration(1+w.rng.IntN(20_000))*time.Millisecond, cfg, kcl.HandleEach(w.handle)); err != nil {
			w.t.Errorf("Run = %v", err)
		}
		theft.Stop()
		at := row(w.t, w.table, 0).Checkpoint
		w.passes(at)
		if at.ExtendedSequenceNumber == end.ExtendedSequenceNumber {
			return
		}
	}
	w.t.Errorf("the checkpoint is %v, want %v", row(w.t, w.table, 0).Checkpoint, end)
}
