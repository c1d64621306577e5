package checkpoint_test

import (
	"cmp"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
)

var digits = regexp.MustCompile(`\A[0-9]+\z`)

// order is that of Compare, said with the standard library's numbers.
func order(a, b checkpoint.ExtendedSequenceNumber) int {
	kinds := []string{checkpoint.AtTimestamp, checkpoint.TrimHorizon, checkpoint.Latest, "", checkpoint.ShardEnd}
	kind := func(e checkpoint.ExtendedSequenceNumber) int {
		if digits.MatchString(e.SequenceNumber) {
			return slices.Index(kinds, "")
		}
		if e.SequenceNumber == "" {
			return -1
		}
		return slices.Index(kinds, e.SequenceNumber)
	}
	numbers := func() int {
		if kind(a) != slices.Index(kinds, "") {
			return cmp.Compare(a.SequenceNumber, b.SequenceNumber)
		}
		x, _ := new(big.Int).SetString(a.SequenceNumber, 10)
		y, _ := new(big.Int).SetString(b.SequenceNumber, 10)
		return x.Cmp(y)
	}
	if c := cmp.Compare(kind(a), kind(b)); c != 0 {
		return c
	}
	return cmp.Or(numbers(), cmp.Compare(a.SubSequenceNumber, b.SubSequenceNumber))
}

// FuzzPlaces: whatever is in a row, what is a place and which comes first is
// what the documentation says.
func FuzzPlaces(f *testing.F) {
	for _, s := range []string{"", "0", "007", "SHARD_END", "LATEST", "TRIM_HORIZON", "AT_TIMESTAMP", "shard_end", "1234567:", "12345678", "1234567/", "４", "-1", "+1", "1e3", "1\n", "495903382714902568556960470387347125752"} {
		f.Add(s, int64(0), "49590338271490256855696047038734712575203846", int64(3))
	}
	f.Fuzz(func(t *testing.T, a string, subA int64, b string, subB int64) {
		p := checkpoint.ExtendedSequenceNumber{SequenceNumber: a, SubSequenceNumber: subA}
		q := checkpoint.ExtendedSequenceNumber{SequenceNumber: b, SubSequenceNumber: subB}
		sentinel := slices.Contains([]string{checkpoint.AtTimestamp, checkpoint.TrimHorizon, checkpoint.Latest, checkpoint.ShardEnd}, a)
		if p.IsRecord() != digits.MatchString(a) || p.IsSentinel() != sentinel || p.IsShardEnd() != (a == checkpoint.ShardEnd) {
			t.Errorf("%q: record %v, sentinel %v, shard end %v", a, p.IsRecord(), p.IsSentinel(), p.IsShardEnd())
		}
		good := sentinel && subA == 0 || digits.MatchString(a) && subA >= 0
		if err := p.Validate(); (err == nil) != good || err != nil && !errors.Is(err, checkpoint.ErrInvalid) {
			t.Errorf("%+v: %v", p, err)
		}
		if got, want := p.Compare(q), order(p, q); got != want || q.Compare(p) != -want {
			t.Errorf("%+v and %+v: %d, and back %d, want %d", p, q, got, q.Compare(p), want)
		}
	})
}
