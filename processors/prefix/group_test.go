package prefix_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/prefix"
)

func parsed(tb testing.TB, s string) prefix.Prefix {
	tb.Helper()
	p, err := prefix.Parse(s, prefix.Objects)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// Two records have the same group when all but their random strings is the same.
func TestGroup(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.May, 4, 23, 30, 0, 0, time.UTC)
	p := parsed(t, "!{firehose:random-string}/c=!{partitionKeyFromQuery:c}/!{firehose:random-string}/!{timestamp:HH}/")
	of := func(c string, at time.Time) string {
		g, err := p.Group(prefix.Values{At: at, FromQuery: map[string]string{"c": c}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	one := of("1", at)
	if one != of("1", at.Add(time.Minute)) || one == of("1", at.Add(time.Hour)) || one == of("2", at) {
		t.Error("groups are not told apart by key and hour")
	}
	var n uint64
	if got := prefix.Fill(one, func() uint64 { n++; return n }); got != "10000000000/c=1/20000000000/23/" {
		t.Errorf("filled: %q", got)
	}
	for _, value := range []string{"", "a\x00b", "../..", "a/../b", "a\nb", "\xff", strings.Repeat("k", 490)} {
		if g, err := p.Group(prefix.Values{At: at, FromQuery: map[string]string{"c": value}}); !errors.Is(err, prefix.ErrPartitionKey) {
			t.Errorf("%q: %q, %v", value, g, err)
		}
	}
}

// A group is what Evaluate returns, and two instants have one of it if their
// timestamps are printed alike.
func TestGroupsAreEvaluated(t *testing.T) {
	t.Parallel()
	patterns := []string{"yyyy/MM/dd/HH", "HH:mm:ss", "ss.SSS", "n", "N", "A", "yyyy", "EEEE 'S' a"}
	rapid.Check(t, func(t *rapid.T) {
		s := "k=!{partitionKeyFromLambda:k}/!{timestamp:" + rapid.SampledFrom(patterns).Draw(t, "pattern") + "}/!{firehose:random-string}"
		p, err := prefix.Parse(s, prefix.Objects)
		if err != nil {
			t.Fatal(err)
		}
		instant := func(name string) time.Time {
			return time.Unix(rapid.Int64Range(1_700_000_000, 1_700_000_002).Draw(t, name), rapid.Int64Range(0, 999).Draw(t, name+" ms")*1e6).UTC()
		}
		one, two := instant("one"), instant("two")
		key := rapid.SampledFrom([]string{"a", "b/c", "ü"}).Draw(t, "key")
		v := func(at time.Time) prefix.Values {
			return prefix.Values{At: at, FromLambda: map[string]string{"k": key}, Random: func() uint64 { return 7 }}
		}
		g1, err1 := p.Group(v(one))
		g2, err2 := p.Group(v(two))
		whole, err := p.Evaluate(v(one))
		if err := errors.Join(err, err1, err2); err != nil {
			t.Fatal(err)
		}
		if filled := prefix.Fill(g1, v(one).Random); filled != whole {
			t.Fatalf("filled %q, evaluated %q", filled, whole)
		}
		same := string(p.AppendTimestamps(nil, one)) == string(p.AppendTimestamps(nil, two))
		if same != (g1 == g2) {
			t.Fatalf("timestamps are the same: %v; groups %q and %q", same, g1, g2)
		}
		if !same && one.Unix() == two.Unix() && !p.IsFine() {
			t.Fatalf("%s tells instants of one second apart", s)
		}
	})
}
