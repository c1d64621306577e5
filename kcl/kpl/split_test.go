package kpl_test

import (
	"bytes"
	"crypto/md5"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/kcl/kpl"
)

const magic = "\xf3\x89\x9a\xc2"

// seal makes an aggregated record of a message.
func seal(message string) []byte {
	sum := md5.Sum([]byte(message))
	return []byte(magic + message + string(sum[:]))
}

func TestSplitRefusesWhatItCannotTakeApartWhole(t *testing.T) {
	t.Parallel()
	const key = "\x0a\x01k"
	good := "\x1a\x05\x08\x00\x1a\x01x"
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, kpl.ErrPlain},
		{"three bytes of the magic", []byte(magic[:3]), kpl.ErrPlain},
		{"plain text", []byte(`{"a":1}`), kpl.ErrPlain},
		{"the magic alone", []byte(magic), kpl.ErrShort},
		{"sixteen bytes after the magic, the digest of nothing", seal(""), kpl.ErrShort},
		{"seventeen bytes with a wrong digest", []byte(magic + strings.Repeat("x", 17)), kpl.ErrDigest},
		{"a bit flipped in the data", flip(seal(key+good), 11), kpl.ErrDigest},
		{"a bit flipped in the digest", flip(seal(key+good), -1), kpl.ErrDigest},
		{"a truncated field", seal(key + good[:5]), kpl.ErrMalformed},
		{"field number 0", seal(key + good + "\x02\x00"), kpl.ErrMalformed},
		{"an end of a group that never began", seal(key + good + "\x0c"), kpl.ErrMalformed},
		{"a group that never ends", seal(key + good + "\x2b"), kpl.ErrMalformed},
		{"a varint of eleven bytes", seal(key + "\x1a\x0f\x08" + strings.Repeat("\x80", 10) + "\x00\x1a\x01x"), kpl.ErrMalformed},
		{"an empty user record", seal(key + "\x1a\x00"), kpl.ErrMalformed},
		{"a user record without its key's index", seal(key + "\x1a\x05\x1a\x03xyz"), kpl.ErrMalformed},
		{"a user record without data", seal(key + "\x1a\x04\x08\x00\x10\x00"), kpl.ErrMalformed},
		{"a tag without its key", seal(key + "\x1a\x09\x08\x00\x1a\x00\x22\x03\x12\x01v"), kpl.ErrMalformed},
		{"a tag that cannot be read", seal(key + "\x1a\x08\x08\x00\x1a\x00\x22\x02\x0a\x05"), kpl.ErrMalformed},
		{"an index beyond the partition keys", seal(key + good + "\x1a\x04\x08\x01\x1a\x00"), kpl.ErrIndex},
		{"an index that is 0 in 32 bits", seal(key + "\x1a\x08\x08\x80\x80\x80\x80\x10\x1a\x00"), kpl.ErrIndex},
		{"the largest index there is, beyond the explicit hash keys", seal(key + "\x1a\x0f\x08\x00\x10" + strings.Repeat("\xff", 9) + "\x01\x1a\x00"), kpl.ErrIndex},
		{"an index beyond the partition keys, before a field that is malformed", seal(key + "\x1a\x04\x08\x01\x1a\x00" + "\x1a\x00"), kpl.ErrMalformed},
		{"an index beyond the explicit hash keys", seal(key + good + "\x1a\x06\x08\x00\x10\x00\x1a\x00"), kpl.ErrIndex},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := []kpl.UserRecord{{PartitionKey: "earlier"}}
			got, err := kpl.Split(before, tt.data)
			if !errors.Is(err, tt.want) || !cmp.Equal(got, before) {
				t.Errorf("Split = %v, %v, want %v and nothing appended", got, err, tt.want)
			}
			if kpl.IsAggregated(tt.data) == errors.Is(tt.want, kpl.ErrPlain) {
				t.Errorf("IsAggregated = %v", kpl.IsAggregated(tt.data))
			}
		})
	}
}

func TestSplitAcceptsWhatProtobufAllows(t *testing.T) {
	t.Parallel()
	const key = "\x0a\x01k"
	one := []kpl.UserRecord{{PartitionKey: "k", Data: []byte("x")}}
	tests := []struct {
		name    string
		message string
		want    []kpl.UserRecord
	}{
		{"the tables after the records", "\x1a\x05\x08\x00\x1a\x01x" + key, one},
		{"fields nobody knows, of each wire type", key + "\x28\x01\x32\x00\x3d\x00\x00\x00\x00\x41\x00\x00\x00\x00\x00\x00\x00\x00\x4b\x28\x01\x4c\x1a\x05\x08\x00\x1a\x01x", one},
		{"a field whose number takes two bytes", key + "\x8a\x01\x03abc\x1a\x05\x08\x00\x1a\x01x", one},
		{"an unknown field in a user record", key + "\x1a\x07\x08\x00\x28\x07\x1a\x01x", one},
		{"a known field with another wire type is unknown", key + "\x08\x05\x1a\x05\x08\x00\x1a\x01x", one},
		{"the last of a field given twice counts", key + "\x1a\x0a\x08\x07\x1a\x01y\x08\x00\x1a\x01x", one},
		{"tags, with and without a value", key + "\x1a\x0e\x08\x00\x22\x03\x0a\x01t\x22\x02\x0a\x00\x1a\x01x", one},
		{"a longer varint than needed", key + "\x1a\x06\x08\x80\x00\x1a\x01x", one},
		{"no user record", key, nil},
		{"an explicit hash key that is no number", key + "\x12\x01h\x1a\x07\x08\x00\x10\x00\x1a\x01x", []kpl.UserRecord{{PartitionKey: "k", ExplicitHashKey: "h", HasExplicitHashKey: true, Data: []byte("x")}}},
		{"an empty explicit hash key", key + "\x12\x00\x1a\x07\x08\x00\x10\x00\x1a\x01x", []kpl.UserRecord{{PartitionKey: "k", HasExplicitHashKey: true, Data: []byte("x")}}},
		{"a key that is not UTF-8", "\x0a\x01\xff\x1a\x05\x08\x00\x1a\x01x", []kpl.UserRecord{{PartitionKey: "\xff", Data: []byte("x")}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := kpl.Split(nil, seal(tt.message))
			if err != nil || !cmp.Equal(got, tt.want) {
				t.Errorf("Split = %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestSplitAliasesDataAndCopiesKeys(t *testing.T) {
	t.Parallel()
	input := seal("\x0a\x03key\x12\x0212\x1a\x09\x08\x00\x10\x00\x1a\x03abc\x1a\x05\x08\x00\x1a\x01x")
	users, err := kpl.Split(nil, input)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(input, []byte("abc"))
	if &users[0].Data[0] != &input[at] {
		t.Error("Data is a copy")
	}
	if cap(users[0].Data) != 3 {
		t.Errorf("an append to Data would write over what follows: capacity %d", cap(users[0].Data))
	}
	clear(input)
	if users[0].PartitionKey != "key" || users[0].ExplicitHashKey != "12" {
		t.Errorf("keys = %q, %q after the input was overwritten", users[0].PartitionKey, users[0].ExplicitHashKey)
	}
}

func TestSplitAppends(t *testing.T) {
	t.Parallel()
	data := seal("\x0a\x01k\x1a\x05\x08\x00\x1a\x01x")
	users, _ := kpl.Split(nil, data)
	users, err := kpl.Split(users, data)
	if err != nil || len(users) != 2 || !cmp.Equal(users[0], users[1]) {
		t.Errorf("Split = %+v, %v", users, err)
	}
}

// A bad index used to lose the user records from there on, in the Java KCL.
func TestSplitDeliversAllOrTheWholeRecord(t *testing.T) {
	t.Parallel()
	data := seal("\x0a\x01k\x1a\x05\x08\x00\x1a\x01x\x1a\x05\x08\x09\x1a\x01y\x1a\x05\x08\x00\x1a\x01z")
	got, err := kpl.Split(nil, data)
	if len(got) != 0 || !errors.Is(err, kpl.ErrIndex) {
		t.Errorf("Split = %v, %v", got, err)
	}
}

// Other Go code let one bad record fail the whole batch, and formatted the
// beginning of each plain record as text to compare it with the magic.
func TestPeer61OneBadRecordHarmsNoOther(t *testing.T) {
	t.Parallel()
	good := seal("\x0a\x01k\x1a\x05\x08\x00\x1a\x01x\x1a\x05\x08\x00\x1a\x01y")
	batch := [][]byte{[]byte("plain"), good, flip(good, 9), good}
	var users []kpl.UserRecord
	var raw int
	for _, data := range batch {
		var err error
		if users, err = kpl.Split(users, data); err != nil {
			raw++
		}
	}
	if len(users) != 4 || raw != 2 {
		t.Errorf("%d user records and %d raw ones, want 4 and 2", len(users), raw)
	}
}

//nolint:paralleltest // AllocsPerRun counts those of the whole process
func TestPeer61PlainRecordsCostNoAllocation(t *testing.T) {
	plain := []byte(`{"a":1}`)
	if n := testing.AllocsPerRun(100, func() { _, _ = kpl.Split(nil, plain) }); n != 0 {
		t.Errorf("a plain record costs %v allocations", n)
	}
}

func flip(data []byte, i int) []byte {
	data = slices.Clone(data)
	data[(i+len(data))%len(data)] ^= 1
	return data
}
