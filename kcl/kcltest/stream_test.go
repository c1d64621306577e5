package kcltest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
)

// TestAPageAsksForRoom: a page waits until there is memory for it, and one that got none
// comes with the next call.
func TestAPageAsksForRoom(t *testing.T) {
	t.Parallel()
	s := kcltest.NewStream(1)
	s.Put(0, "first", "second")
	r := s.Open(s.Shard(0).ID, checkpoint.Sentinel(checkpoint.TrimHorizon))
	defer r.Close()
	noRoom := errors.New("no room")
	var asked int64
	answer := noRoom
	room := kcl.Room{More: func(_ context.Context, bytes int64) error { asked = bytes; return answer }}
	if p, err := r.Next(t.Context(), room); !errors.Is(err, noRoom) || len(p.Records) > 0 {
		t.Errorf("without room: %d records, %v", len(p.Records), err)
	}
	answer = nil
	p, err := r.Next(t.Context(), room)
	if err != nil || len(p.Records) != 2 || asked == 0 || asked != p.Memory {
		t.Errorf("with room: %d records, %v; asked for %d bytes, and it takes %d", len(p.Records), err, asked, p.Memory)
	}
}
