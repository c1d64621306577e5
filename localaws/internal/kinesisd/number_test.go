package kinesisd_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
)

func TestSequenceNumberHasTheLayoutOfTheService(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		created := rapid.Uint64Range(0, 1<<36-1).Draw(t, "created")
		index := rapid.Uint64().Draw(t, "index")
		seconds := rapid.Uint64Range(0, 1<<40-1).Draw(t, "seconds")
		shard := rapid.Uint32().Draw(t, "shard")
		oracle := new(big.Int)
		for _, part := range []struct {
			value uint64
			shift uint
		}{{2, 184}, {created, 148}, {index, 84}, {seconds, 36}, {uint64(shard), 4}, {2, 0}} {
			n := new(big.Int).SetUint64(part.value)
			oracle.Or(oracle, n.Lsh(n, part.shift))
		}
		text := kinesisd.MakeSequence(created, index, seconds, shard)
		if text != oracle.String() || len(text) != 56 || oracle.BitLen() != 186 {
			t.Fatalf("got %s, want %s", text, oracle)
		}
		c, i, s, n, err := kinesisd.TakeSequence(text)
		if err != nil || c != created || i != index || s != seconds || n != shard {
			t.Fatalf("%s taken apart: %d %d %d %d %v", text, c, i, s, n, err)
		}
	})
}

func TestSequenceNumberOfAnotherFormIsRefused(t *testing.T) {
	t.Parallel()
	good := kinesisd.MakeSequence(1_700_000_000, 5, 1_700_000_001, 3)
	for _, bad := range []string{"", "0", "5", good[1:], good + "0", "x" + good[1:], "9" + good[1:], good[:55] + "x", "0" + good[:55]} {
		if _, _, _, _, err := kinesisd.TakeSequence(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9]{56}`).Draw(t, "text")
		created, index, seconds, shard, err := kinesisd.TakeSequence(text)
		if err == nil && kinesisd.MakeSequence(created, index, seconds, shard) != text {
			t.Fatalf("%s was accepted as another number", text)
		}
	})
}

func TestHashKeyIsA128BitNumber(t *testing.T) {
	t.Parallel()
	size := new(big.Int).Lsh(big.NewInt(1), 128)
	rapid.Check(t, func(t *rapid.T) {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 17).Draw(t, "bytes"))
		same, next, previous, ok := kinesisd.HashText(n.String())
		if ok != (n.Cmp(size) < 0) {
			t.Fatalf("%s: accepted is %v", n, ok)
		}
		if !ok {
			return
		}
		up := new(big.Int).Add(n, big.NewInt(1))
		down := new(big.Int).Sub(n, big.NewInt(1))
		if same != n.String() || next != up.Mod(up, size).String() || previous != down.Mod(down, size).String() {
			t.Fatalf("%s: got %s, next %s, previous %s", n, same, next, previous)
		}
	})
	for _, bad := range []string{"", "-1", "01", "1.0", "340282366920938463463374607431768211456", "999999999999999999999999999999999999999"} {
		if _, _, _, ok := kinesisd.HashText(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
	sum := md5.Sum([]byte("key"))
	if got, wanted := kinesisd.HashOf("key"), new(big.Int).SetBytes(sum[:]); got.Cmp(wanted) != 0 {
		t.Errorf("hash of a key: got %s, want %s", got, wanted)
	}
}

func FuzzDecodedSize(f *testing.F) {
	for _, seed := range []string{"", "YQ==", "YWI=", "YWJj", "YWJjZGVmZ2hp", "YQ=", "====", "YQ==YQ==", "Y\nQ==", "YWJ*", "=", "A===", "\xff\xff\xff\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		size, ok := kinesisd.DecodedSize(text)
		decoded, err := base64.StdEncoding.DecodeString(string(text))
		wanted := err == nil && !bytes.ContainsAny(text, "\r\n")
		if ok != wanted || (ok && size != len(decoded)) {
			t.Errorf("%q: got %d %v, want %d %v", text, size, ok, len(decoded), wanted)
		}
	})
}
