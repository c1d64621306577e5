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
