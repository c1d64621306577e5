package protocol_test

import (
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/internal/protocol"
	"github.com/shardmill/shardmill/processors/plan"
)

// TestJudgeReplay: a loss is what expiry explains, and nothing else is one.
func TestJudgeReplay(t *testing.T) {
	t.Parallel()
	at := func(number string, sub int64) checkpoint.ExtendedSequenceNumber {
		return checkpoint.ExtendedSequenceNumber{SequenceNumber: number, SubSequenceNumber: sub}
	}
	whole, other := [32]byte{1}, [32]byte{2}
	p := plan.Plan{After: at("100", 2), First: at("100", 3), Last: at("200", 0), Records: 5, Bytes: 50, Digest: whole}
	const full, short, wrong = protocol.ReplayWhole, protocol.ReplayShort, protocol.ReplayWrong
	for _, row := range []struct {
		name   string
		replay protocol.Replay
		want   protocol.ReplayState
	}{
		{"the very records", protocol.Replay{First: at("100", 3), Records: 5, Bytes: 50, Digest: whole}, full},
		{"another digest", protocol.Replay{First: at("100", 3), Records: 5, Bytes: 50, Digest: other}, wrong},
		{"other bytes, and by whatever chance the digest", protocol.Replay{First: at("100", 3), Records: 5, Bytes: 51, Digest: whole}, wrong},
		{"fewer bytes in as many records", protocol.Replay{First: at("101", 0), Records: 5, Bytes: 49, Digest: other}, wrong},
		{"another digest, and the first is gone", protocol.Replay{First: at("101", 0), Records: 5, Bytes: 50, Digest: other}, wrong},
		{"one more", protocol.Replay{First: at("100", 3), Records: 6, Bytes: 60, Digest: other}, wrong},
		{"one more of no bytes", protocol.Replay{First: at("100", 3), Records: 6, Bytes: 50, Digest: whole}, wrong},
		{"nothing is left", protocol.Replay{Digest: other}, short},
		{"the last one is left", protocol.Replay{First: at("200", 0), Records: 1, Bytes: 10, Digest: other}, short},
		{"the first one is gone, and was empty", protocol.Replay{First: at("101", 0), Records: 4, Bytes: 50, Digest: whole}, short},
		{"the first one is gone, and the next is aggregated", protocol.Replay{First: at("101", 4), Records: 4, Bytes: 40, Digest: other}, short},
		{"fewer, but the first is there", protocol.Replay{First: at("100", 3), Records: 4, Bytes: 40, Digest: other}, wrong},
		{"fewer, and half an aggregated record is there", protocol.Replay{First: at("100", 4), Records: 4, Bytes: 40, Digest: other}, wrong},
		{"fewer, and one before the first", protocol.Replay{First: at("99", 9), Records: 4, Bytes: 40, Digest: other}, wrong},
		{"fewer records of more bytes", protocol.Replay{First: at("101", 0), Records: 4, Bytes: 51, Digest: other}, wrong},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := protocol.JudgeReplay(p, row.replay); got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}
