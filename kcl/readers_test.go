package kcl_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// doors is a stream that knows which of its readers were closed.
type doors struct {
	*kcltest.Stream

	t            *testing.T
	mu           sync.Mutex // guards what follows
	opened, open int
}

type door struct {
	kcl.ShardReader

	d      *doors
	closed bool
}

func (d *doors) Open(shardID string, from checkpoint.Position) kcl.ShardReader {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened, d.open = d.opened+1, d.open+1
	return &door{ShardReader: d.Stream.Open(shardID, from), d: d}
}

func (r *door) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	if r.closed {
		r.d.t.Error("a closed reader is read")
	}
	return r.ShardReader.Next(ctx, room)
}

func (r *door) Close() {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	if r.closed {
		r.d.t.Error("a reader is closed twice")
	}
	r.closed = true
	r.d.open--
}

// Every reader is closed once, after its last call: those of a replay, also if
// its range has expired or is read in part, of a processor that panicked, of a
// shard that ended, and of one whose reading was interrupted.
func TestReadersAreClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := &doors{Stream: kcltest.NewStream(2), t: t}, new(lease.Mem), new(journal)
		s.RefuseTrimmed = true
		s.Put(0, "a", "b", "c")
		s.Put(1, "d", "e")
		records := s.Records(0)
		s.Trim(0, 1)
		s.Split(1)
		err := run(t, 5*time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
			p := &replaying{first: records[0].Position().ExtendedSequenceNumber, last: records[1].Position().ExtendedSequenceNumber, got: new(string)}
			p.j = j
			p.fail = func(call string, _ int) error {
				if call == "c" {
					panic("boom")
				}
				return nil
			}
			return p
		})
		if err != nil {
			t.Error(err)
		}
		if s.opened < 10 || s.open != 0 {
			t.Errorf("%d of %d readers were left open", s.open, s.opened)
		}
	})
}
