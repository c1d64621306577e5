package exactlyonce_test

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
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

func seq(s string, sub int64) checkpoint.ExtendedSequenceNumber {
	return checkpoint.ExtendedSequenceNumber{SequenceNumber: s, SubSequenceNumber: sub}
}

func example() exactlyonce.Plan {
	return exactlyonce.Plan{
		Identity: exactlyonce.NewIdentity("app", "clicks", "arn:aws:kinesis:us-east-1:123456789012:stream/clicks", "shardId-000000000000"),
		UUID:     exactlyonce.NewUUID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}),
		After:    seq("49590000000000000000000000000000000000000000000000000001", 7),
		First:    seq("49590000000000000000000000000000000000000000000000000002", 0),
		Last:     seq("49590000000000000000000000000000000000000000000000000009", 3),

		FirstArrival: time.UnixMilli(1456405200000).UTC(),
		LastArrival:  time.UnixMilli(1456405200123).UTC(),
		Records:      11,
		Bytes:        1234,
		Digest:       exactlyonce.Digest{Rule: exactlyonce.XXH3, Sum: [32]byte{9, 8, 7}},
		HashRange:    exactlyonce.HashRange{Start: "0", End: "340282366920938463463374607431768211455", Rule: 1},
		Bucket:       "b",
		Key:          "p/2016/02/25/13/orders-1-2016-02-25-13-00-00-x.gz",
		Codec:        1,
		Delimiter:    "\n",
	}
}

// early returns example as a plan of format 1.
func early() exactlyonce.Plan {
	p := example()
	p.Digest = exactlyonce.Digest{Rule: exactlyonce.SHA256, Sum: [32]byte{9, 8, 7}}
	return p
}

// sealed returns a plan of a sealed cut.
func sealed() exactlyonce.Plan {
	p := example()
	p.Digest, p.HashRange, p.Bucket, p.Key, p.Codec, p.Delimiter = exactlyonce.Digest{}, exactlyonce.HashRange{}, "", "", 0, ""
	p.Bundle = &exactlyonce.Bundle{
		Bucket: "b", Key: "_shardmill/app/shardId-000000000000/" + p.UUID.String(), Size: 70_000, IndexSize: 300, Index: [16]byte{5, 6, 7},
		Count: 2, Objects: []exactlyonce.Target{{Bucket: "b", Key: "p/x.gz"}, {Bucket: "other", Key: "errors/x"}},
	}
	return p
}

// announced returns a plan that awaits the end of a marker.
func announced() exactlyonce.Plan {
	p := sealed()
	return p.Announce(exactlyonce.Target{Bucket: "b", Key: "_shardmill/load/orders/" + p.UUID.String()})
}

func opaque(x, y exactlyonce.Identity) bool { return x == y }

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
		p.HashRange = exactlyonce.HashRange{Start: rapid.OneOf(rapid.Just(""), digits).Draw(t, "start"), End: digits.Draw(t, "end"), Rule: rapid.Uint8Range(0, 3).Draw(t, "rule"), Faults: rapid.Uint8Range(0, 15).Draw(t, "faults")}
		p.Codec = rapid.Uint8Range(0, exactlyonce.MaxCodec).Draw(t, "codec")
		p.FirstArrival = rapid.SampledFrom([]time.Time{{}, time.UnixMilli(0).UTC(), time.UnixMilli(1).UTC(), p.LastArrival}).Draw(t, "arrival")
		p.Digest = exactlyonce.Digest{Rule: rapid.SampledFrom([]exactlyonce.DigestRule{exactlyonce.SHA256, exactlyonce.XXH3}).Draw(t, "digest rule")}
		size := map[exactlyonce.DigestRule]int{exactlyonce.SHA256: 32, exactlyonce.XXH3: 16}[p.Digest.Rule]
		copy(p.Digest.Sum[:], rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "digest"))
		if rapid.Bool().Draw(t, "sealed") {
			number := rapid.Int64Range(1, 64<<20)
			u := &exactlyonce.Bundle{
				Bucket: p.Bucket, Key: p.Key + "/" + p.UUID.String(), IndexSize: number.Draw(t, "index"), Index: [16]byte(p.Digest.Sum[:16]),
				Count: rapid.Int64Range(1, 1<<61).Draw(t, "count"),
			}
			u.Size = u.IndexSize + rapid.Int64Range(0, 63<<30).Draw(t, "bodies")
			for n := range rapid.IntRange(0, 3).Draw(t, "objects") {
				u.Objects = append(u.Objects, exactlyonce.Target{Bucket: p.Bucket, Key: p.Key[n/3:]})
				u.Count = int64(n + 1)
			}
			p.Bundle, p.Digest, p.HashRange, p.Bucket, p.Key, p.Codec, p.Delimiter = u, exactlyonce.Digest{}, exactlyonce.HashRange{}, "", "", 0, ""
		}
		if p.Bundle != nil && rapid.Bool().Draw(t, "announced") {
			p = p.Announce(exactlyonce.Target{Bucket: p.Bundle.Bucket, Key: p.Bundle.Key})
		}
		got, err := exactlyonce.Decode(p.Encode())
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
	for _, p := range []exactlyonce.Plan{example(), early(), sealed(), announced()} {
		good := p.Encode()
		for i := range good {
			for bit := range 8 {
				bad := bytes.Clone(good)
				bad[i] ^= 1 << bit
				if p, err := exactlyonce.Decode(bad); err == nil {
					t.Fatalf("byte %d bit %d flipped: %+v", i, bit, p)
				}
			}
		}
		for n := range good {
			if p, err := exactlyonce.Decode(good[:n]); err == nil {
				t.Fatalf("%d bytes of %d: %+v", n, len(good), p)
			}
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
	broken := func(change func(*exactlyonce.Plan)) []byte {
		p := example()
		change(&p)
		return p.Encode()
	}
	bundle := func(change func(*exactlyonce.Bundle)) []byte {
		p := sealed()
		change(p.Bundle)
		return p.Encode()
	}
	marker := func(bucket, key string) []byte {
		p := sealed()
		return p.Announce(exactlyonce.Target{Bucket: bucket, Key: key}).Encode()
	}
	id := sealed().UUID.String()
	for _, row := range []struct {
		name  string
		state []byte
		want  error
	}{
		{"an announced one in the format before there were any", reseal(append([]byte("smplan\x01A"), marker("b", "x/"+id)[8:]...)), exactlyonce.ErrNewer},
		{"one that says to be announced", changed(7, 'A'), exactlyonce.ErrBroken},
		{"a marker without bucket", marker("", "x/"+id), exactlyonce.ErrBroken},
		{"a marker without key", marker("b", ""), exactlyonce.ErrBroken},
		{"a marker of another plan", marker("b", "x/"+exactlyonce.UUID{}.String()), exactlyonce.ErrBroken},
		{"nothing", nil, exactlyonce.ErrForeign},
		{"empty", []byte{}, exactlyonce.ErrForeign},
		{"text of another program", []byte("checkpoint state of a Java worker"), exactlyonce.ErrForeign},
		{"the magic alone", []byte("smplan"), exactlyonce.ErrForeign},
		{"a newer format, whatever follows", []byte("smplan\x03anything"), exactlyonce.ErrNewer},
		{"a newer format of one byte", []byte("smplan\xff"), exactlyonce.ErrNewer},
		{"another kind", changed(7, 'T'), exactlyonce.ErrNewer},
		{"a sealed cut's, in the format before there were any", reseal(append([]byte("smplan\x01S"), bundle(func(*exactlyonce.Bundle) {})[8:]...)), exactlyonce.ErrNewer},
		{"one that says to be a sealed cut's", changed(7, 'S'), exactlyonce.ErrBroken},
		{"a bundle without bucket", bundle(func(u *exactlyonce.Bundle) { u.Bucket = "" }), exactlyonce.ErrBroken},
		{"a bundle without key", bundle(func(u *exactlyonce.Bundle) { u.Key = "" }), exactlyonce.ErrBroken},
		{"a bundle without index", bundle(func(u *exactlyonce.Bundle) { u.IndexSize = 0 }), exactlyonce.ErrBroken},
		{"a bundle whose index is larger", bundle(func(u *exactlyonce.Bundle) { u.Size = 299 }), exactlyonce.ErrBroken},
		{"a bundle of no objects", bundle(func(u *exactlyonce.Bundle) { u.Count, u.Objects = 0, nil }), exactlyonce.ErrBroken},
		{"a bundle with some of its objects", bundle(func(u *exactlyonce.Bundle) { u.Count = 3 }), exactlyonce.ErrBroken},
		{"a bundle with an object without key", bundle(func(u *exactlyonce.Bundle) { u.Objects[1].Key = "" }), exactlyonce.ErrBroken},
		{"a bundle that fits nowhere", bundle(func(u *exactlyonce.Bundle) { u.Size = 64<<30 + 1 }), exactlyonce.ErrBroken},
		{"an index that fits nowhere", bundle(func(u *exactlyonce.Bundle) { u.IndexSize, u.Size = 64<<20+1, 64<<20+1 }), exactlyonce.ErrBroken},
		{"a bundle of another plan", bundle(func(u *exactlyonce.Bundle) { u.Key = "x/" + exactlyonce.UUID{}.String() }), exactlyonce.ErrBroken},
		{"a bundle's size that is no number", bundle(func(u *exactlyonce.Bundle) { u.Size = -1 }), exactlyonce.ErrBroken},
		{"a newer pipeline", changed(8, 2), exactlyonce.ErrNewer},
		{"an unknown codec", changed(codec, 9), exactlyonce.ErrNewer},
		{"an unknown rule", broken(func(p *exactlyonce.Plan) { p.HashRange.Rule = 4 }), exactlyonce.ErrNewer},
		{"headers", changed(len(good)-5, 1), exactlyonce.ErrNewer},
		{"a delimiter that is no newline", broken(func(p *exactlyonce.Plan) { p.Delimiter = "\n\n" }), exactlyonce.ErrNewer},
		{"format 0", []byte("smplan\x00"), exactlyonce.ErrBroken},
		{"the first format alone", []byte("smplan\x01"), exactlyonce.ErrBroken},
		{"the second format alone", []byte("smplan\x02"), exactlyonce.ErrBroken},
		{"a plan of one format that says the other", changed(6, 1), exactlyonce.ErrBroken},
		{"no digest", broken(func(p *exactlyonce.Plan) { p.Digest = exactlyonce.Digest{} }), exactlyonce.ErrBroken},
		{"cut short", good[:100], exactlyonce.ErrBroken},
		{"too long", reseal(append(bytes.Clone(good), 0, 0, 0, 0)), exactlyonce.ErrBroken},
		{"no records", broken(func(p *exactlyonce.Plan) { p.Records = 0 }), exactlyonce.ErrBroken},
		{"too many records for a number", broken(func(p *exactlyonce.Plan) { p.Records = -1 }), exactlyonce.ErrBroken},
		{"last before first", broken(func(p *exactlyonce.Plan) { p.Last = seq("1", 0) }), exactlyonce.ErrBroken},
		{"first not after the checkpoint", broken(func(p *exactlyonce.Plan) { p.First = p.After }), exactlyonce.ErrBroken},
		{"a sentinel for last", broken(func(p *exactlyonce.Plan) { p.Last = seq(checkpoint.ShardEnd, 0) }), exactlyonce.ErrBroken},
		{"no place for after", broken(func(p *exactlyonce.Plan) { p.After = seq("", 0) }), exactlyonce.ErrBroken},
		{"no key", broken(func(p *exactlyonce.Plan) { p.Key = "" }), exactlyonce.ErrBroken},
		{"no bucket", broken(func(p *exactlyonce.Plan) { p.Bucket = "" }), exactlyonce.ErrBroken},
		{"a negative sub-sequence number", broken(func(p *exactlyonce.Plan) { p.First.SubSequenceNumber = -1 }), exactlyonce.ErrBroken},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exactlyonce.Decode(row.state); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	p := example()
	good := &checkpoint.Prepared{At: p.Last, State: p.Encode()}
	bundle := func(change func(*exactlyonce.Bundle)) *checkpoint.Prepared {
		p := sealed()
		change(p.Bundle)
		return &checkpoint.Prepared{At: p.Last, State: p.Encode()}
	}
	arn := "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
	id := p.Identity
	edited := func(change func(*exactlyonce.Plan)) *checkpoint.Prepared {
		p := example()
		change(&p)
		return &checkpoint.Prepared{At: p.Last, State: p.Encode()}
	}
	for _, row := range []struct {
		name    string
		pending *checkpoint.Prepared
		at      checkpoint.ExtendedSequenceNumber
		id      exactlyonce.Identity
		want    exactlyonce.Verdict
	}{
		{"nothing is pending", nil, p.After, id, exactlyonce.None},
		{"ours, and it fits", good, p.After, id, exactlyonce.Redo},
		{"ours, at the shard's end", &checkpoint.Prepared{At: seq(checkpoint.ShardEnd, 0), State: good.State}, p.After, id, exactlyonce.Redo},
		{"ours, and the holder does not know the ARN", good, p.After, exactlyonce.NewIdentity("app", "clicks", "", "shardId-000000000000"), exactlyonce.Redo},
		{"ours, and the holder knows only the ARN", good, p.After, exactlyonce.NewIdentity("app", "", arn, "shardId-000000000000"), exactlyonce.Redo},
		{"another program's", &checkpoint.Prepared{At: p.Last, State: []byte("java")}, p.After, id, exactlyonce.Foreign},
		{"without state", &checkpoint.Prepared{At: p.Last}, p.After, id, exactlyonce.Foreign},
		{"a newer version's", &checkpoint.Prepared{At: p.Last, State: []byte("smplan\x07")}, p.After, id, exactlyonce.Newer},
		{"a damaged one", &checkpoint.Prepared{At: p.Last, State: good.State[:50]}, p.After, id, exactlyonce.Broken},
		{"the checkpoint was moved back", good, seq(checkpoint.TrimHorizon, 0), id, exactlyonce.Void},
		{"the checkpoint was moved to the cut's end", good, p.Last, id, exactlyonce.Void},
		{"the checkpoint differs in the sub-sequence number only", good, seq(p.After.SequenceNumber, 6), id, exactlyonce.Void},
		{"the pending checkpoint was edited", &checkpoint.Prepared{At: p.First, State: good.State}, p.After, id, exactlyonce.Void},
		{"another table's", good, p.After, exactlyonce.NewIdentity("app2", "clicks", arn, "shardId-000000000000"), exactlyonce.Void},
		{"another stream's", good, p.After, exactlyonce.NewIdentity("app", "views", "", "shardId-000000000000"), exactlyonce.Void},
		{"a stream of that name elsewhere", good, p.After, exactlyonce.NewIdentity("app", "clicks", "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks", "shardId-000000000000"), exactlyonce.Void},
		{"a bucket that is none of ours", edited(func(p *exactlyonce.Plan) { p.Bucket = "evil" }), p.After, id, exactlyonce.Forbidden},
		{"a key that leads elsewhere", edited(func(p *exactlyonce.Plan) { p.Key = "a/../b" }), p.After, id, exactlyonce.Forbidden},
		{"a bucket that is none of ours, and the checkpoint was moved", edited(func(p *exactlyonce.Plan) { p.Bucket = "evil" }), p.Last, id, exactlyonce.Void},
		{"a bundle", bundle(func(*exactlyonce.Bundle) {}), p.After, id, exactlyonce.Redo},
		{"a bundle in a bucket that is none of ours", bundle(func(u *exactlyonce.Bundle) { u.Bucket = "evil" }), p.After, id, exactlyonce.Forbidden},
		{"a bundle whose key leads elsewhere", bundle(func(u *exactlyonce.Bundle) { u.Key = "../" + sealed().UUID.String() }), p.After, id, exactlyonce.Forbidden},
		{"a bundle with an object for a bucket that is none of ours", bundle(func(u *exactlyonce.Bundle) { u.Objects[1].Bucket = "evil" }), p.After, id, exactlyonce.Forbidden},
		{"a bundle with an object whose key leads elsewhere", bundle(func(u *exactlyonce.Bundle) { u.Objects[0].Key = "a/../b" }), p.After, id, exactlyonce.Forbidden},
		{"another table's bundle", bundle(func(*exactlyonce.Bundle) {}), p.After, exactlyonce.NewIdentity("app2", "clicks", arn, "shardId-000000000000"), exactlyonce.Void},
		{"another shard's", good, p.After, exactlyonce.NewIdentity("app", "clicks", arn, "shardId-000000000001"), exactlyonce.Void},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, pl, err := exactlyonce.Judge(row.pending, row.at, row.id, []string{"other", p.Bucket})
			if got != row.want {
				t.Fatalf("got %v (%v), want %v", got, err, row.want)
			}
			if wantErr := got != exactlyonce.None && got != exactlyonce.Foreign && got != exactlyonce.Redo; wantErr != (err != nil) {
				t.Errorf("error %v with verdict %v", err, got)
			}
			if row.pending == good && got == exactlyonce.Redo && cmp.Diff(p, pl, cmp.Comparer(opaque)) != "" {
				t.Errorf("plan %+v", pl)
			}
		})
	}
}

func TestIdentityKeepsNamesApart(t *testing.T) {
	t.Parallel()
	if exactlyonce.NewIdentity("ab", "c", "", "d").Matches(exactlyonce.NewIdentity("a", "bc", "", "d")) {
		t.Error("names run together")
	}
}

func TestUUIDIsVersion4(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	rapid.Check(t, func(t *rapid.T) {
		var b [16]byte
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "random"))
		if s := exactlyonce.NewUUID(b).String(); !pattern.MatchString(s) {
			t.Fatal(s)
		}
	})
	if got, want := exactlyonce.NewUUID([16]byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf1}).String(),
		"12345678-9abc-4ef0-9234-56789abcdef1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
