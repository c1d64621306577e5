package kpl_test

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shardmill/shardmill/kcl/kpl"
)

// FuzzSplitData: what has not both the magic bytes and the right digest is one
// record like any other, and which error says so depends on these alone.
func FuzzSplitData(f *testing.F) {
	f.Add([]byte(magic))
	f.Add([]byte(magic + "0123456789abcdef"))
	f.Add([]byte(magic + "0123456789abcdef0"))
	f.Add(seal("\x0a\x01k\x1a\x05\x08\x00\x1a\x01x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		users, err := kpl.Split(nil, data)
		if err != nil && users != nil || !bytes.Equal(before, data) {
			t.Errorf("Split = %v with %v, and left %q", users, err, data)
		}
		content, aggregated := bytes.CutPrefix(data, []byte(magic))
		message := string(content[:max(len(content)-md5.Size, 0)])
		switch {
		case !aggregated && !errors.Is(err, kpl.ErrPlain),
			aggregated && message == "" && !errors.Is(err, kpl.ErrShort),
			message != "" && aggregated && !bytes.Equal(data, seal(message)) != errors.Is(err, kpl.ErrDigest):
			t.Errorf("%q: %v", data, err)
		}
	})
}

// FuzzHashRange compares with math/big.
func FuzzHashRange(f *testing.F) {
	const last = "340282366920938463463374607431768211455"
	for _, key := range []string{"0", last, "340282366920938463463374607431768211456", "", "-1", "x", "00000000000000000000000000000000000000000000000000001", "9999999999999999999999999999999999999999999"} {
		f.Add("0", last, key, "k", true)
		f.Add(key, last, "5", "k", false)
		f.Add("5", key, "5", "", true)
	}
	f.Fuzz(func(t *testing.T, start, end, explicit, partition string, has bool) {
		limit := new(big.Int).Lsh(big.NewInt(1), 128)
		low, okLow := number(start)
		high, okHigh := number(end)
		good := okLow && okHigh && low.Cmp(high) <= 0 && high.Cmp(limit) < 0
		r, err := kpl.ParseHashRange(start, end)
		if (err == nil) != good || err != nil && !errors.Is(err, kpl.ErrHashRange) {
			t.Fatalf("%q to %q: %v", start, end, err)
		}
		sum := md5.Sum([]byte(partition))
		at, ok := new(big.Int).SetBytes(sum[:]), true
		if has {
			at, ok = number(explicit)
		}
		want := !good || !ok || low.Cmp(at) <= 0 && at.Cmp(high) <= 0
		u := kpl.UserRecord{PartitionKey: partition, ExplicitHashKey: explicit, HasExplicitHashKey: has}
		if got := r.Contains(u); got != want {
			t.Errorf("%q to %q contains %+v: %v, want %v", start, end, u, got, want)
		}
	})
}

// number reads digits, and nothing but.
func number(s string) (*big.Int, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return nil, false
	}
	return new(big.Int).SetString(s, 10)
}

// FuzzSplitMessage compares Split with a decoder that knows nothing of
// protowire, on messages whose digest is right.
func FuzzSplitMessage(f *testing.F) {
	f.Add("\x0a\x01k\x1a\x05\x08\x00\x1a\x01x")
	f.Add("\x0a\x01k\x12\x0245\x1a\x07\x08\x00\x10\x00\x1a\x01x\x1a\x0a\x08\x00\x1a\x00\x22\x04\x0a\x00\x12\x00")
	f.Add("\x1a\x05\x08\x00\x1a\x01x\x0a\x01k\x4b\x28\x01\x4c")
	f.Add("\x0a\x01k\x1a\x05\x08\x01\x1a\x01x")
	f.Fuzz(func(t *testing.T, message string) {
		if message == "" {
			return
		}
		want, ok := naiveSplit([]byte(message))
		got, err := kpl.Split(nil, seal(message))
		if ok != (err == nil) {
			t.Fatalf("Split(%q) = %v, %v, want ok = %v", message, got, err, ok)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Split(%q) (-want +got):\n%s", message, diff)
		}
	})
}

// naiveField is a field decoded the plain way.
type naiveField struct {
	number, wire, value uint64
	data                []byte
}

// naiveFields decodes a whole message, with field numbers of up to 31 bits as
// Go's protobuf reads them. With end other than 0 it stops at the
// end of that group, and returns what follows.
func naiveFields(b []byte, end uint64) (fields []naiveField, rest []byte, ok bool) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<31-1 {
			return nil, nil, false
		}
		b = b[n:]
		f := naiveField{number: tag >> 3, wire: tag & 7}
		switch f.wire {
		case 0:
			if f.value, n = binary.Uvarint(b); n <= 0 {
				return nil, nil, false
			}
		case 1:
			n = 8
		case 2:
			size, m := binary.Uvarint(b)
			if m <= 0 || size > uint64(len(b)-m) {
				return nil, nil, false
			}
			n = m + int(size)
			f.data = b[m:n]
		case 3:
			_, after, ok := naiveFields(b, f.number)
			if !ok {
				return nil, nil, false
			}
			n = len(b) - len(after)
		case 4:
			return fields, b, end != 0 && f.number == end
		case 5:
			n = 4
		default:
			return nil, nil, false
		}
		if n > len(b) {
			return nil, nil, false
		}
		b = b[n:]
		fields = append(fields, f)
	}
	return fields, nil, end == 0
}

func naiveSplit(message []byte) (users []kpl.UserRecord, ok bool) {
	fields, _, ok := naiveFields(message, 0)
	if !ok {
		return nil, false
	}
	var keys, hashes []string
	for _, f := range fields {
		if f.wire == 2 && f.number == 1 {
			keys = append(keys, string(f.data))
		}
		if f.wire == 2 && f.number == 2 {
			hashes = append(hashes, string(f.data))
		}
	}
	for _, f := range fields {
		if f.wire != 2 || f.number != 3 {
			continue
		}
		u, ok := naiveRecord(f.data, keys, hashes)
		if !ok {
			return nil, false
		}
		users = append(users, u)
	}
	return users, true
}

func naiveRecord(b []byte, keys, hashes []string) (u kpl.UserRecord, ok bool) {
	fields, _, ok := naiveFields(b, 0)
	if !ok {
		return u, false
	}
	last := map[uint64]naiveField{}
	for _, f := range fields {
		want := map[uint64]uint64{1: 0, 2: 0, 3: 2, 4: 2}
		if wire, known := want[f.number]; !known || wire != f.wire {
			continue
		}
		last[f.number] = f
		if f.number == 4 && !naiveTag(f.data) {
			return u, false
		}
	}
	key, hasKey := last[1]
	hash, hasHash := last[2]
	data, hasData := last[3]
	if !hasKey || !hasData || key.value >= uint64(len(keys)) || hasHash && hash.value >= uint64(len(hashes)) {
		return u, false
	}
	u = kpl.UserRecord{PartitionKey: keys[key.value], HasExplicitHashKey: hasHash, Data: data.data}
	if hasHash {
		u.ExplicitHashKey = hashes[hash.value]
	}
	return u, true
}

func naiveTag(b []byte) bool {
	fields, _, ok := naiveFields(b, 0)
	for _, f := range fields {
		if f.number == 1 && f.wire == 2 {
			return ok
		}
	}
	return false
}
