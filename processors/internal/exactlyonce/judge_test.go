package exactlyonce_test

import (
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// TestJudgeReplay: a loss is what expiry explains, and nothing else is one.
func TestJudgeReplay(t *testing.T) {
	t.Parallel()
	at := func(number string, sub int64) checkpoint.ExtendedSequenceNumber {
		return checkpoint.ExtendedSequenceNumber{SequenceNumber: number, SubSequenceNumber: sub}
	}
	digest := func(rule exactlyonce.DigestRule, sum byte) exactlyonce.Digest {
		return exactlyonce.Digest{Rule: rule, Sum: [32]byte{sum}}
	}
	whole, other, early := digest(exactlyonce.XXH3, 1), digest(exactlyonce.XXH3, 2), digest(exactlyonce.SHA256, 1)
	p := exactlyonce.Plan{After: at("100", 2), First: at("100", 3), Last: at("200", 0), Records: 5, Bytes: 50, Digest: whole}
	const full, short, wrong = exactlyonce.ReplayWhole, exactlyonce.ReplayShort, exactlyonce.ReplayWrong
	for _, row := range []struct {
		name   string
		replay exactlyonce.Replay
		want   exactlyonce.ReplayState
	}{
		{"the very records", exactlyonce.Replay{First: at("100", 3), Records: 5, Bytes: 50, Digest: whole}, full},
		{"another digest", exactlyonce.Replay{First: at("100", 3), Records: 5, Bytes: 50, Digest: other}, wrong},
		{"the same sum by another rule", exactlyonce.Replay{First: at("100", 3), Records: 5, Bytes: 50, Digest: early}, wrong},
		{"no digest", exactlyonce.Replay{First: at("100", 3), Records: 5, Bytes: 50}, wrong},
		{"other bytes, and by whatever chance the digest", exactlyonce.Replay{First: at("100", 3), Records: 5, Bytes: 51, Digest: whole}, wrong},
		{"fewer bytes in as many records", exactlyonce.Replay{First: at("101", 0), Records: 5, Bytes: 49, Digest: other}, wrong},
		{"another digest, and the first is gone", exactlyonce.Replay{First: at("101", 0), Records: 5, Bytes: 50, Digest: other}, wrong},
		{"one more", exactlyonce.Replay{First: at("100", 3), Records: 6, Bytes: 60, Digest: other}, wrong},
		{"one more of no bytes", exactlyonce.Replay{First: at("100", 3), Records: 6, Bytes: 50, Digest: whole}, wrong},
		{"nothing is left", exactlyonce.Replay{Digest: other}, short},
		{"the last one is left", exactlyonce.Replay{First: at("200", 0), Records: 1, Bytes: 10, Digest: other}, short},
		{"the first one is gone, and was empty", exactlyonce.Replay{First: at("101", 0), Records: 4, Bytes: 50, Digest: whole}, short},
		{"the first one is gone, and the next is aggregated", exactlyonce.Replay{First: at("101", 4), Records: 4, Bytes: 40, Digest: other}, short},
		{"fewer, but the first is there", exactlyonce.Replay{First: at("100", 3), Records: 4, Bytes: 40, Digest: other}, wrong},
		{"fewer, and half an aggregated record is there", exactlyonce.Replay{First: at("100", 4), Records: 4, Bytes: 40, Digest: other}, wrong},
		{"fewer, and one before the first", exactlyonce.Replay{First: at("99", 9), Records: 4, Bytes: 40, Digest: other}, wrong},
		{"fewer records of more bytes", exactlyonce.Replay{First: at("101", 0), Records: 4, Bytes: 51, Digest: other}, wrong},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := exactlyonce.JudgeReplay(p, row.replay); got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}
