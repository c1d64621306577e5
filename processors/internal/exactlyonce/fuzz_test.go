package exactlyonce_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/prefix"
)

// FuzzDecode: whatever is in the row, reading it neither panics nor takes much
// memory, and what is accepted says the same when it is written again.
func FuzzDecode(f *testing.F) {
	good := example().Encode()
	f.Add(good)
	forbidden := example()
	forbidden.Bucket, forbidden.Key = "evil", "../../etc"
	f.Add(forbidden.Encode())
	f.Add(early().Encode())
	f.Add(sealed().Encode())
	f.Add(announced().Encode())
	f.Add([]byte("smplan\x03"))
	f.Add([]byte(strings.Repeat("smplan\x01", 20)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, state := range [][]byte{b, summed(1, 'R', b), summed(2, 'R', b), summed(2, 'S', b), summed(2, 'A', b)} {
			p, err := exactlyonce.Decode(state)
			if err != nil {
				if !errors.Is(err, exactlyonce.ErrForeign) && !errors.Is(err, exactlyonce.ErrNewer) && !errors.Is(err, exactlyonce.ErrBroken) {
					t.Fatalf("unclassified: %v", err)
				}
				continue
			}
			pending := checkpoint.Prepared{At: p.Last, State: state}
			verdict, _, why := exactlyonce.Judge(&pending, p.After, p.Identity, []string{"b"})
			good := true
			for _, to := range p.Targets() {
				good = good && to.Bucket == "b" && prefix.CheckKey(to.Key) == nil
			}
			if good != (verdict == exactlyonce.Redo) || good != (why == nil) || !good && verdict != exactlyonce.Forbidden {
				t.Fatalf("%+v is %v, %v", p, verdict, why)
			}
			again, err := exactlyonce.Decode(p.Encode())
			if err != nil || cmp.Diff(p, again, cmp.Comparer(opaque)) != "" {
				t.Fatalf("%+v became %+v, %v", p, again, err)
			}
		}
	})
}

// FuzzJudge lays a plan, and any damage to it, into a row. A plan is carried
// out only if it is whole and is this row's; one that is damaged or unknown is
// never passed over, since its object may be half made.
func FuzzJudge(f *testing.F) {
	good := example()
	f.Add(0, byte(0), good.Last.SequenceNumber, int64(3), good.After.SequenceNumber, int64(7), []byte(nil))
	f.Add(6, byte(3), good.Last.SequenceNumber, int64(3), good.After.SequenceNumber, int64(7), []byte(nil))
	f.Add(0, byte(0), checkpoint.ShardEnd, int64(0), good.After.SequenceNumber, int64(7), []byte("tail"))
	f.Add(0, byte(0), good.Last.SequenceNumber, int64(3), checkpoint.TrimHorizon, int64(0), []byte(nil))
	f.Add(2, byte(1), good.Last.SequenceNumber, int64(3), good.After.SequenceNumber, int64(7), []byte(nil))
	for flip := 7; flip < len(good.Encode()); flip += 3 {
		f.Add(flip, byte(1), good.Last.SequenceNumber, int64(3), good.After.SequenceNumber, int64(7), []byte(nil))
	}
	f.Fuzz(func(t *testing.T, flip int, with byte, ends string, endsSub int64, at string, atSub int64, tail []byte) {
		state := append(good.Encode(), tail...)
		if flip >= 0 && flip < len(state) {
			state[flip] ^= with
		}
		pending := checkpoint.Prepared{At: seq(ends, endsSub), State: state}
		verdict, got, err := exactlyonce.Judge(&pending, seq(at, atSub), good.Identity, []string{good.Bucket})
		if (err != nil) != (verdict == exactlyonce.Newer || verdict == exactlyonce.Broken || verdict == exactlyonce.Void) {
			t.Errorf("%v with %v", verdict, err)
		}
		whole := bytes.Equal(state, good.Encode())
		fits := seq(at, atSub) == good.After && (pending.At == good.Last || pending.At.IsShardEnd())
		switch {
		case whole && fits != (verdict == exactlyonce.Redo) || whole && !fits && verdict != exactlyonce.Void:
			t.Errorf("a plan from %v to %v, in a row at %v with %v: %v", good.After, good.Last, seq(at, atSub), pending.At, verdict)
		case !whole && strings.HasPrefix(string(state), "smplan") && verdict != exactlyonce.Broken && verdict != exactlyonce.Newer:
			t.Errorf("a damaged plan: %v", verdict)
		case !strings.HasPrefix(string(state), "smplan") && verdict != exactlyonce.Foreign:
			t.Errorf("%q: %v", state, verdict)
		case verdict == exactlyonce.Redo && cmp.Diff(got, good, cmp.Comparer(opaque)) != "":
			t.Errorf("%+v became %+v", good, got)
		}
	})
}

// summed makes bytes that the checksum does not keep from being decoded.
func summed(format, kind byte, b []byte) []byte {
	b = append([]byte{'s', 'm', 'p', 'l', 'a', 'n', format, kind, 1}, b...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}
