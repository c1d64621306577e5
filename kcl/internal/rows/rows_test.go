package rows_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/internal/rows"
	"github.com/shardmill/shardmill/lease"
)

const arn = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"

// listing has a parent that has expired (0), one that is closed (1), its child
// and another open shard (2, 3), and one whose ending number is wrong (5).
func listing() rows.Listing {
	return rows.NewListing("orders", arn, []lease.Shard{
		{ID: "shardId-000000000001", Range: lease.HashRange{Start: "0", End: "9"}, StartingSequenceNumber: "1000", EndingSequenceNumber: "1999"},
		{ID: "shardId-000000000002", ParentIDs: []string{"shardId-000000000001"}, Range: lease.HashRange{Start: "0", End: "9"}, StartingSequenceNumber: "2000"},
		{ID: "shardId-000000000005", StartingSequenceNumber: "5000", EndingSequenceNumber: "1000"},
		{ID: "shardId-000000000003", ParentIDs: []string{"shardId-000000000000"}, Range: lease.HashRange{Start: "10", End: "19"}, StartingSequenceNumber: "1000"},
	})
}

func row(key string, at string, change ...func(*lease.Lease)) lease.Lease {
	l := lease.Lease{Key: "shardId-00000000000" + key, Checkpoint: checkpoint.Position{ExtendedSequenceNumber: checkpoint.ExtendedSequenceNumber{SequenceNumber: at}}}
	for _, f := range change {
		f(&l)
	}
	return l
}

func of(stream, start, arn string) func(*lease.Lease) {
	return func(l *lease.Lease) { l.Identity = lease.Identity{Stream: stream, Start: start, ARN: arn} }
}

func hashes(start, end string) func(*lease.Lease) {
	return func(l *lease.Lease) { l.Range = lease.HashRange{Start: start, End: end} }
}

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		row  lease.Lease
		want rows.Verdict
		text string // is part of what is said
	}{
		{"a row that Java wrote", row("2", "2500", hashes("0", "9")), rows.Ours, ""},
		{"nothing is known of it", row("2", "TRIM_HORIZON"), rows.Ours, ""},
		{"the whole identity", row("2", "2500", of("orders", "2000", arn)), rows.Ours, ""},
		{"one without ARN", row("2", "2500", of("orders", "2000", "")), rows.Ours, ""},
		{"one without a beginning", row("2", "2500", of("orders", "", arn)), rows.Ours, ""},
		{"hash keys that are written otherwise", row("2", "2500", hashes("00", "09")), rows.Ours, ""},
		{"a closed shard that is done", row("1", "SHARD_END"), rows.Ours, ""},
		{"a closed shard that is not", row("1", "1999"), rows.Ours, ""},

		{"an expired shard", row("0", "500"), rows.Expired, ""},
		{"an expired shard with its identity", row("0", "500", of("orders", "100", "")), rows.Expired, ""},
		{"an expired shard of another stream", row("0", "500", of("bills", "100", "")), rows.Contradicts, "stream bills, not orders"},

		{"another stream", row("2", "2500", of("bills", "2000", "")), rows.Contradicts, "stream bills, not orders"},
		{"another account", row("2", "2500", of("orders", "2000", strings.Replace(arn, "123456789012", "210987654321", 1))), rows.Contradicts, "210987654321"},
		{"a stream of the same name, before", row("2", "2500", of("orders", "1500", arn)), rows.Contradicts, "begins at 1500, not 2000"},
		{"another split", row("2", "2500", hashes("0", "4")), rows.Contradicts, "hash keys 0 to 4"},
		{"a finished one of another stream", row("1", "SHARD_END", of("bills", "", "")), rows.Contradicts, "bills"},
		{"before its shard", row("2", "1999"), rows.Contradicts, "not within its shard (2000 to open)"},
		{"after its shard", row("1", "2000"), rows.Contradicts, "not within its shard (1000 to 1999)"},
		{"in a shard that is said to end before it begins", row("5", "5500"), rows.Ours, ""},

		{"a newer shard", row("6", "TRIM_HORIZON"), rows.Unknown, "the stream does not have"},
		{"a newer shard of this stream", row("6", "TRIM_HORIZON", of("orders", "", arn)), rows.Unknown, "the stream does not have"},
		{"a newer shard of another one", row("6", "TRIM_HORIZON", of("bills", "", "")), rows.Contradicts, "bills"},
		{"a newer shard that is done", row("6", "SHARD_END"), rows.Expired, ""},
		{"an open shard that is done", row("2", "SHARD_END"), rows.EndedEarly, "SHARD_END"},

		{"a row of many streams", lease.Lease{Key: "123456789012:orders:1700000000:shardId-000000000002"}, rows.Alien, "several streams"},
		{"no shard at all", lease.Lease{Key: "leader"}, rows.Alien, "no shard"},
	}
	for _, tt := range tests {
		got := listing().Judge(tt.row)
		if got.Verdict != tt.want || !strings.Contains(got.Text, tt.text) || (tt.text == "") != (got.Text == "") {
			t.Errorf("%s: %+v; want verdict %d, and something about %q", tt.name, got, tt.want, tt.text)
		}
		if may := tt.want == rows.Ours || tt.want == rows.Expired; got.May() != may {
			t.Errorf("%s: may be taken: %v", tt.name, got.May())
		}
		if lag := tt.want == rows.Unknown || tt.want == rows.EndedEarly; got.MayBeLag() != lag {
			t.Errorf("%s: may be lag: %v", tt.name, got.MayBeLag())
		}
	}
}

// A malformed row is not to be had, and no delay explains it.
func TestMalformed(t *testing.T) {
	t.Parallel()
	j := rows.Malformed(&lease.UnreadableError{Key: "shard", Err: errors.New("it has no counter")})
	if j.Key != "shard" || j.Verdict != rows.Unreadable || !strings.Contains(j.Text, "no counter") || j.May() || j.MayBeLag() {
		t.Errorf("got %+v", j)
	}
}

func TestAStreamCreatedAnew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		of   func(*lease.Lease)
		want bool
	}{
		{of("orders", "1500", arn), true},
		{of("orders", "1500", ""), true},
		{of("bills", "1500", ""), false},
		{of("", "1500", ""), false},
	} {
		if l := row("2", "2500", tt.of); listing().Judge(l).Anew != tt.want {
			t.Errorf("%+v is told as of a stream created anew: %v", l.Identity, !tt.want)
		}
	}
}

func TestOddities(t *testing.T) {
	t.Parallel()
	parents := func(ids ...string) func(*lease.Lease) { return func(l *lease.Lease) { l.Parents = ids } }
	for _, tt := range []struct {
		row lease.Lease
		odd bool
	}{
		{row("2", "2500", parents("shardId-000000000001")), false},
		{row("2", "2500"), false},
		{row("2", "2500", parents("shardId-000000000000")), true},
		{row("2", "2500", parents("shardId-000000000001", "shardId-000000000000")), true},
	} {
		if j := listing().Judge(tt.row); !j.May() || (j.Warning != "") != tt.odd {
			t.Errorf("of %v: %+v", tt.row.Parents, j)
		}
	}
}

// Shards of a source that is not Kinesis have names of their own.
func TestOtherNames(t *testing.T) {
	t.Parallel()
	l := rows.NewListing("s", "", []lease.Shard{{ID: "a"}, {ID: "c"}})
	for key, want := range map[string]rows.Verdict{"a": rows.Ours, "b": rows.Expired, "d": rows.Unknown} {
		if got := l.Judge(lease.Lease{Key: key}); got.Verdict != want {
			t.Errorf("%s: %+v", key, got)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	if got, want := listing().Identity("shardId-000000000002"), (lease.Identity{Stream: "orders", Start: "2000", ARN: arn}); got != want {
		t.Errorf("%+v", got)
	}
	if got, want := listing().Identity("shardId-000000000000"), (lease.Identity{Stream: "orders", ARN: arn}); got != want {
		t.Errorf("%+v", got)
	}
}

func TestDoubts(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	unknown, ended, fine := rows.Judgement{Verdict: rows.Unknown}, rows.Judgement{Verdict: rows.EndedEarly}, rows.Judgement{}
	var d rows.Doubts
	note := func(after time.Duration, judged map[string]rows.Judgement, want ...string) {
		t.Helper()
		got := d.Note(start.Add(after), judged)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("after %v: %v; want %v", after, got, want)
		}
	}
	note(0, map[string]rows.Judgement{"a": unknown, "b": fine, "c": {Verdict: rows.Contradicts}})
	note(20*time.Second, map[string]rows.Judgement{"a": unknown, "b": ended})
	note(30*time.Second, map[string]rows.Judgement{"a": unknown, "b": ended}, "a")
	note(50*time.Second, map[string]rows.Judgement{"a": unknown, "b": ended}, "a", "b")
	note(60*time.Second, map[string]rows.Judgement{"a": fine, "b": unknown}) // another doubt is a new one
	note(70*time.Second, map[string]rows.Judgement{"a": unknown})
	note(99*time.Second, map[string]rows.Judgement{"a": unknown, "b": unknown})
	note(100*time.Second, map[string]rows.Judgement{"a": unknown, "b": unknown}, "a")
}
