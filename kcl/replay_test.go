package kcl_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// replaying replays a range when it is initialized, and notes what came.
type replaying struct {
	recorder

	first, last checkpoint.ExtendedSequenceNumber
	got         *string
}

func (r *replaying) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	*r.got = ""
	for rec, err := range in.Replay(ctx, r.first, r.last, kcl.ReplayOptions{}) {
		if err != nil {
			*r.got += "error "
			return nil
		}
		*r.got += string(rec.Data) + " "
	}
	return nil
}

// A range that makes several batches is replayed as it was asked for, and its
// memory is given back.
func TestReplayOfManyBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kcltest.NewStream(1)
		batched(s)
		at := func(sub int64) checkpoint.ExtendedSequenceNumber {
			return checkpoint.ExtendedSequenceNumber{SequenceNumber: s.Records(0)[0].SequenceNumber, SubSequenceNumber: sub}
		}
		var w *kcl.Worker
		n := 0
		var used []int64
		w, err := kcl.New(config(s, new(lease.Mem), "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
			return &initializer{f: func(ctx context.Context, in kcl.InitializationInput) {
				used = append(used, w.Snapshot().BytesInUse)
				for r, err := range in.Replay(ctx, at(9_990), at(20_010), kcl.ReplayOptions{}) {
					if err != nil || r.SubSequenceNumber != int64(9_990+n) {
						t.Errorf("%d, %v came after %d records", r.SubSequenceNumber, err, n)
						return
					}
					if n++; n == 1 {
						used = append(used, w.Snapshot().BytesInUse)
					}
				}
				used = append(used, w.Snapshot().BytesInUse)
			}}
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		if n != 10_021 {
			t.Errorf("%d records were replayed, want 10021", n)
		}
		if used[0] != 0 || used[1] < 1_120_000 || used[1] > 4<<20 || used[2] != 0 {
			t.Errorf("bytes in use before, in and after a replay: %d", used)
		}
	})
}

// initializer is a processor of one Initialize.
type initializer struct {
	recorder

	f func(context.Context, kcl.InitializationInput)
}

func (p *initializer) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	p.f(ctx, in)
	return nil
}

func (*initializer) ProcessRecords(context.Context, kcl.ProcessRecordsInput) error { return nil }

func (*initializer) LeaseLost(context.Context, kcl.LeaseLostInput) {}

func (*initializer) ShutdownRequested(context.Context, kcl.ShutdownRequestedInput) error { return nil }

func TestReplay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		trim          int
		refuse, close bool
		first, last   int // indexes of records; -1: one that never was
		want          string
	}{
		{name: "a range", first: 1, last: 3, want: "b c d"},
		{name: "all of the shard", first: 0, last: 5, want: "a b c d e f"},
		{name: "one record", first: 2, last: 2, want: "c"},
		{name: "the end of a closed shard", close: true, first: 4, last: 5, want: "e f"},
		{name: "its beginning has expired", trim: 2, first: 1, last: 3, want: "c d"},
		{name: "and the service says so", trim: 2, refuse: true, first: 1, last: 3, want: "c d"},
		{name: "all of it has expired", trim: 5, first: 1, last: 3, want: ""},
		{name: "all of the shard has expired", trim: 6, first: 1, last: 3, want: ""},
		{name: "and the service says so", trim: 6, refuse: true, first: 1, last: 3, want: ""},
		{name: "the last record is not there although others are", first: 4, last: -1, want: "e f error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table := kcltest.NewStream(1), new(lease.Mem)
				s.Put(0, "a", "b", "c", "d", "e", "f")
				recs := s.Records(0)
				last := checkpoint.ExtendedSequenceNumber{SequenceNumber: "999999"}
				if tt.last >= 0 {
					last = recs[tt.last].Position().ExtendedSequenceNumber
				}
				s.Trim(0, tt.trim)
				s.RefuseTrimmed = tt.refuse
				if tt.close {
					s.Split(0)
				}
				var got string
				if err := run(t, 5*time.Second, config(s, table, "me"), func(i kcl.ShardInfo) kcl.RecordProcessor {
					if i.ShardID != s.Shard(0).ID {
						return &recorder{j: new(journal)}
					}
					return &replaying{recorder: recorder{j: new(journal)}, first: recs[tt.first].Position().ExtendedSequenceNumber, last: last, got: &got}
				}); err != nil {
					t.Error(err)
				}
				if strings.TrimSpace(got) != tt.want {
					t.Errorf("replayed %q, want %q", got, tt.want)
				}
			})
		})
	}
}
