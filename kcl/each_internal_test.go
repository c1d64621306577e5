package kcl

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
)

// written is a checkpoint.Writer that keeps the last checkpoint, less those that fail.
type written struct {
	at    checkpoint.Position
	fails int
}

func (w *written) Checkpoint(_ context.Context, at checkpoint.Position) error {
	if w.fails--; w.fails >= 0 {
		return errors.New("no answer")
	}
	w.at = at
	return nil
}

func (*written) Prepare(context.Context, checkpoint.Prepared) error { return errors.New("not here") }

// What a processor of HandleEach remembers is of the records at hand, also if it
// never takes one.
func TestHandleEachForgetsWhatIsSettled(t *testing.T) {
	t.Parallel()
	p, ok := HandleEach(func(context.Context, ShardInfo, Record) error { return errors.New("bad") })(ShardInfo{}).(*eachHandler)
	if !ok {
		t.Fatal("another processor")
	}
	w := new(written)
	cp := checkpoint.New(w, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
	const calls = 100
	for i := range calls { // the worker has dead-lettered the one before
		recs := []Record{{SequenceNumber: strconv.Itoa(1000 + 2*i)}, {SequenceNumber: strconv.Itoa(1001 + 2*i)}}
		for ; len(recs) > 0; recs = recs[1:] {
			cp.Processed(recs[len(recs)-1].Position())
			err := fromUser(p.ProcessRecords(t.Context(), ProcessRecordsInput{Records: recs, Checkpointer: cp}))
			if failedAt(err, recs) != 0 {
				t.Fatalf("call %d: %v", i, err)
			}
			cp.Retract(recs[0].Position())
		}
	}
	if n := len(p.waiting); n > 2 {
		t.Errorf("%d records are remembered after %d calls", n, calls)
	}
	if want := strconv.Itoa(1000 + 2*calls - 2); w.at.SequenceNumber != want {
		t.Errorf("checkpoint %v, want %s, before which all are settled", w.at, want)
	}
}

// A checkpoint before a record that failed is written at its next try, if it was not.
func TestHandleEachTriesACheckpointAgain(t *testing.T) {
	t.Parallel()
	p := HandleEach(func(_ context.Context, _ ShardInfo, r Record) error {
		if r.SequenceNumber == "1001" {
			return errors.New("bad")
		}
		return nil
	})(ShardInfo{})
	w := &written{fails: 1}
	cp := checkpoint.New(w, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
	recs := []Record{{SequenceNumber: "1000"}, {SequenceNumber: "1001"}}
	cp.Processed(recs[1].Position())
	for i, call := range [][]Record{recs, recs[1:]} {
		if err := fromUser(p.ProcessRecords(t.Context(), ProcessRecordsInput{Records: call, Checkpointer: cp})); failedAt(err, call) != len(call)-1 {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if w.at.SequenceNumber != "1000" {
		t.Errorf("checkpoint %v, want 1000", w.at)
	}
}
