package plan_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/plan"
)

func seq(s string, sub int64) checkpoint.ExtendedSequenceNumber {
	return checkpoint.ExtendedSequenceNumber{SequenceNumber: s, SubSequenceNumber: sub}
}

func example() plan.Plan {
	return plan.Plan{
		Identity: plan.NewIdentity("app", "clicks", "arn:aws:kinesis:us-east-1:123456789012:stream/clicks", "shardId-000000000000"),
		UUID:     plan.NewUUID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}),
		After:    seq("49590000000000000000000000000000000000000000000000000001", 7),
		First:    seq("49590000000000000000000000000000000000000000000000000002", 0),
		Last:     seq("49590000000000000000000000000000000000000000000000000009", 3),

		FirstArrival: time.UnixMilli(1456405200000).UTC(),
		LastArrival:  time.UnixMilli(1456405200123).UTC(),
		Records:      11,
		Bytes:        1234,
		Digest:       [32]byte{9, 8, 7},
		HashRange:    plan.HashRange{Start: "0", End: "340282366920938463463374607431768211455", Rule: 1},
		Bucket:       "b",
		Key:          "p/2016/02/25/13/orders-1-2016-02-25-13-00-00-x.gz",
		Codec:        plan.GZIP,
		Delimiter:    "\n",
	}
}

func opaque(x, y plan.Identity) bool { return x == y }

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[0-9]{1,60}`)
		sub := rapid.Int64Range(0, 1<<40)
		p := example()
		first := rapid.Int64Range(1, 1<<40).Draw(t, "first")
		p.First = seq("00"+digits.Draw(t, "sequence number")+"1", first)
		p.Last = seq(p.First.SequenceNumber, first+sub.Draw(t, "more"))
		p.After = rapid.SampledFrom([]checkpoint.ExtendedSequenceNumber{
			seq(checkpoint.TrimHorizon, 0), seq(checkpoint.Latest, 0), seq(checkpoint.AtTimestamp, 0), seq("0", 0), seq("01", 0),
			seq(p.First.SequenceNumber, first-1),
		}).Draw(t, "after")
		p.Records = rapid.Int64Range(1, 1<<62).Draw(t, "records")
		p.Bytes = rapid.Int64Range(0, 1<<62).Draw(t, "bytes")
		p.Key = rapid.StringN(1, 300, -1).Draw(t, "key")
		p.Bucket = rapid.StringN(1, 60, -1).Draw(t, "bucket")
		p.HashRange = plan.HashRange{Start: rapid.OneOf(rapid.Just(""), digits).Draw(t, "start"), End: digits.Draw(t, "end"), Rule: rapid.Uint8Range(0, 3).Draw(t, "rule")}
		p.Codec = rapid.SampledFrom([]plan.Codec{plan.Uncompressed, plan.GZIP}).Draw(t, "codec")
		p.FirstArrival = rapid.SampledFrom([]time.Time{{}, time.UnixMilli(0).UTC(), time.UnixMilli(1).UTC(), p.LastArrival}).Draw(t, "arrival")
		copy(p.Digest[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		got, err := plan.Decode(p.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(p, got, cmp.Comparer(opaque)); d != "" {
			t.Fatal(d)
		}
	})
}

// TestEveryBitCounts flips each bit of a plan: none may change what it says.
func TestEveryBitCounts(t *testing.T) {
	t.Parallel()
	good := example().Encode()
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if p, err := plan.Decode(bad); err == nil {
				t.Fatalf("byte %d bit %d flipped: %+v", i, bit, p)
			}
		}
	}
	for n := range good {
		if p, err := plan.Decode(good[:n]); err == nil {
			t.Fatalf("%d bytes of %d: %+v", n, len(good), p)
		}
	}
}

func reseal(b []byte) []byte {
	b = bytes.Clone(b[:len(b)-4])
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func TestDecodeClassifies(t *testing.T) {
	t.Parallel()
	good := example().Encode()
	changed := func(i int, v byte) []byte {
		b := bytes.Clone(good)
		b[i] = v
		return reseal(b)
	}
	codec := len(good) - 4 - 1 - 2 - 1 // before delimiter, headers and sum
	broken := func(change func(*plan.Plan)) []byte {
		p := example()
		change(&p)
		return p.Encode()
	}
	for _, row := range []struct {
		name  string
		state []byte
		want  error
	}{
		{"nothing", nil, plan.ErrForeign},
		{"empty", []byte{}, plan.ErrForeign},
		{"text of another program", []byte("checkpoint state of a Java worker"), plan.ErrForeign},
		{"the magic alone", []byte("smplan"), plan.ErrForeign},
		{"a newer format, whatever follows", []byte("smplan\x02anything"), plan.ErrNewer},
		{"a newer format of one byte", []byte("smplan\xff"), plan.ErrNewer},
		{"another kind", changed(7, 'S'), plan.ErrNewer},
		{"a newer pipeline", changed(8, 2), plan.ErrNewer},
		{"an unknown codec", changed(codec, 9), plan.ErrNewer},
		{"an unknown rule", broken(func(p *plan.Plan) { p.HashRange.Rule = 4 }), plan.ErrNewer},
		{"headers", changed(len(good)-5, 1), plan.ErrNewer},
		{"format 0", []byte("smplan\x00"), plan.ErrBroken},
		{"the format alone", []byte("smplan\x01"), plan.ErrBroken},
		{"cut short", good[:100], plan.ErrBroken},
		{"too long", reseal(append(bytes.Clone(good), 0, 0, 0, 0)), plan.ErrBroken},
		{"no records", broken(func(p *plan.Plan) { p.Records = 0 }), plan.ErrBroken},
		{"too many records for a number", broken(func(p *plan.Plan) { p.Records = -1 }), plan.ErrBroken},
		{"last before first", broken(func(p *plan.Plan) { p.Last = seq("1", 0) }), plan.ErrBroken},
		{"first not after the checkpoint", broken(func(p *plan.Plan) { p.First = p.After }), plan.ErrBroken},
		{"a sentinel for last", broken(func(p *plan.Plan) { p.Last = seq(checkpoint.ShardEnd, 0) }), plan.ErrBroken},
		{"no place for after", broken(func(p *plan.Plan) { p.After = seq("", 0) }), plan.ErrBroken},
		{"no key", broken(func(p *plan.Plan) { p.Key = "" }), plan.ErrBroken},
		{"no bucket", broken(func(p *plan.Plan) { p.Bucket = "" }), plan.ErrBroken},
		{"a negative sub-sequence number", broken(func(p *plan.Plan) { p.First.SubSequenceNumber = -1 }), plan.ErrBroken},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if _, err := plan.Decode(row.state); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	p := example()
	good := &checkpoint.Prepared{At: p.Last, State: p.Encode()}
	arn := "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
	id := p.Identity
	for _, row := range []struct {
		name    string
		pending *checkpoint.Prepared
		at      checkpoint.ExtendedSequenceNumber
		id      plan.Identity
		want    plan.Verdict
	}{
		{"nothing is pending", nil, p.After, id, plan.None},
		{"ours, and it fits", good, p.After, id, plan.Redo},
		{"ours, at the shard's end", &checkpoint.Prepared{At: seq(checkpoint.ShardEnd, 0), State: good.State}, p.After, id, plan.Redo},
		{"ours, and the holder does not know the ARN", good, p.After, plan.NewIdentity("app", "clicks", "", "shardId-000000000000"), plan.Redo},
		{"ours, and the holder knows only the ARN", good, p.After, plan.NewIdentity("app", "", arn, "shardId-000000000000"), plan.Redo},
		{"another program's", &checkpoint.Prepared{At: p.Last, State: []byte("java")}, p.After, id, plan.Foreign},
		{"without state", &checkpoint.Prepared{At: p.Last}, p.After, id, plan.Foreign},
		{"a newer version's", &checkpoint.Prepared{At: p.Last, State: []byte("smplan\x07")}, p.After, id, plan.Newer},
		{"a damaged one", &checkpoint.Prepared{At: p.Last, State: good.State[:50]}, p.After, id, plan.Broken},
		{"the checkpoint was moved back", good, seq(checkpoint.TrimHorizon, 0), id, plan.Void},
		{"the checkpoint was moved to the cut's end", good, p.Last, id, plan.Void},
		{"the checkpoint differs in the sub-sequence number only", good, seq(p.After.SequenceNumber, 6), id, plan.Void},
		{"the pending checkpoint was edited", &checkpoint.Prepared{At: p.First, State: good.State}, p.After, id, plan.Void},
		{"another table's", good, p.After, plan.NewIdentity("app2", "clicks", arn, "shardId-000000000000"), plan.Void},
		{"another stream's", good, p.After, plan.NewIdentity("app", "views", "", "shardId-000000000000"), plan.Void},
		{"a stream of that name elsewhere", good, p.After, plan.NewIdentity("app", "clicks", "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks", "shardId-000000000000"), plan.Void},
		{"another shard's", good, p.After, plan.NewIdentity("app", "clicks", arn, "shardId-000000000001"), plan.Void},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, pl, err := plan.Judge(row.pending, row.at, row.id)
			if got != row.want {
				t.Fatalf("got %v (%v), want %v", got, err, row.want)
			}
			if wantErr := got == plan.Newer || got == plan.Broken || got == plan.Void; wantErr != (err != nil) {
				t.Errorf("error %v with verdict %v", err, got)
			}
			if got == plan.Redo && cmp.Diff(p, pl, cmp.Comparer(opaque)) != "" {
				t.Errorf("plan %+v", pl)
			}
		})
	}
}

func TestIdentityKeepsNamesApart(t *testing.T) {
	t.Parallel()
	if plan.NewIdentity("ab", "c", "", "d").Matches(plan.NewIdentity("a", "bc", "", "d")) {
		t.Error("names run together")
	}
}

func TestUUIDIsVersion4(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	rapid.Check(t, func(t *rapid.T) {
		var b [16]byte
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "random"))
		if s := plan.NewUUID(b).String(); !pattern.MatchString(s) {
			t.Fatal(s)
		}
	})
	if got, want := plan.NewUUID([16]byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf1}).String(),
		"12345678-9abc-4ef0-9234-56789abcdef1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
