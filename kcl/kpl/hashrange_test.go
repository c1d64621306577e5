package kpl_test

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/kcl/kpl"
)

const maxHashKey = "340282366920938463463374607431768211455"

func TestContains(t *testing.T) {
	t.Parallel()
	// MD5("a") = 0cc175b9c0f1b6a831c399e269772661, MD5("b") = 92eb5ffee6ae2fec3ad71c777531578f
	const hashA = "16955237001963240173058271559858726497"
	tests := []struct {
		name       string
		start, end string
		user       kpl.UserRecord
		want       bool
	}{
		{"the hash at the start", hashA, maxHashKey, kpl.UserRecord{PartitionKey: "a"}, true},
		{"the hash at the end", "0", hashA, kpl.UserRecord{PartitionKey: "a"}, true},
		{"the hash before the start", "16955237001963240173058271559858726498", maxHashKey, kpl.UserRecord{PartitionKey: "a"}, false},
		{"the hash after the end", "0", "16955237001963240173058271559858726496", kpl.UserRecord{PartitionKey: "a"}, false},
		{"the hash is unsigned", "0", "170141183460469231731687303715884105727", kpl.UserRecord{PartitionKey: "b"}, false},
		{"the hash is unsigned, other half", "170141183460469231731687303715884105728", maxHashKey, kpl.UserRecord{PartitionKey: "b"}, true},
		{"the explicit hash key goes before the partition key", "5", "7", kpl.UserRecord{PartitionKey: "a", ExplicitHashKey: "6", HasExplicitHashKey: true}, true},
		{"an explicit hash key is a number, not text", "5", "10", kpl.UserRecord{PartitionKey: "a", ExplicitHashKey: "0000000000000000000000000000000000000000007", HasExplicitHashKey: true}, true},
		{"a range beyond 64 bits", "18446744073709551616", "36893488147419103232", kpl.UserRecord{ExplicitHashKey: "18446744073709551615", HasExplicitHashKey: true}, false},
		{"2^128 is outside even of everything", "0", maxHashKey, kpl.UserRecord{ExplicitHashKey: "340282366920938463463374607431768211456", HasExplicitHashKey: true}, false},
		{"so is ten times the largest", "0", maxHashKey, kpl.UserRecord{ExplicitHashKey: maxHashKey + "0", HasExplicitHashKey: true}, false},
		{"2^192 as well", "0", maxHashKey, kpl.UserRecord{ExplicitHashKey: "6277101735386680763835789423207666416102355444464034512896", HasExplicitHashKey: true}, false},
		{"what is no number is never lost", "5", "7", kpl.UserRecord{ExplicitHashKey: "-1", HasExplicitHashKey: true}, true},
		{"nor what is empty", "5", "7", kpl.UserRecord{HasExplicitHashKey: true}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := kpl.ParseHashRange(tt.start, tt.end)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Contains(tt.user); got != tt.want {
				t.Errorf("Contains = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestUnknownRangeContainsAll(t *testing.T) {
	t.Parallel()
	if !(kpl.HashRange{}).Contains(kpl.UserRecord{PartitionKey: "b"}) {
		t.Error("Contains = false")
	}
}

func TestParseHashRangeRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]string{{"", "1"}, {"0", ""}, {"2", "1"}, {"-1", "1"}, {"0", "340282366920938463463374607431768211456"}, {"0x0", "1"}} {
		if r, err := kpl.ParseHashRange(tt[0], tt[1]); !errors.Is(err, kpl.ErrHashRange) {
			t.Errorf("ParseHashRange(%q, %q) = %v, %v, want ErrHashRange", tt[0], tt[1], r, err)
		}
	}
}

func TestContainsAll(t *testing.T) {
	t.Parallel()
	in := kpl.UserRecord{ExplicitHashKey: "6", HasExplicitHashKey: true}
	out := kpl.UserRecord{ExplicitHashKey: "8", HasExplicitHashKey: true}
	r, err := kpl.ParseHashRange("5", "7")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		users []kpl.UserRecord
		want  bool
	}{
		{"all inside", []kpl.UserRecord{in, in, in}, true},
		{"the first outside", []kpl.UserRecord{out, in, in}, false},
		{"the last outside", []kpl.UserRecord{in, in, out}, false},
		{"one between outside", []kpl.UserRecord{in, out, in}, false},
		{"none at all", nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			message := "\x0a\x00" // a key, so that there is a message if there is no record
			if len(tt.users) > 0 {
				data := aggregate(t, tt.users)
				message = string(data[len(magic) : len(data)-16])
			}
			s, err := kpl.NewSplitter(seal(message))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.ContainsAll(s); got != tt.want || s.Len() != len(tt.users) {
				t.Errorf("ContainsAll = %v with %d left, want %v with %d", got, s.Len(), tt.want, len(tt.users))
			}
		})
	}
}

func TestContainsIsArithmetic(t *testing.T) {
	t.Parallel()
	number := func(bytes int) *rapid.Generator[*big.Int] {
		return rapid.Custom(func(t *rapid.T) *big.Int {
			return new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, bytes).Draw(t, "bytes"))
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		start, end, key := number(16).Draw(t, "start"), number(16).Draw(t, "end"), number(20).Draw(t, "key")
		if start.Cmp(end) > 0 {
			start, end = end, start
		}
		r, err := kpl.ParseHashRange(start.String(), end.String())
		if err != nil {
			t.Fatal(err)
		}
		want := start.Cmp(key) <= 0 && key.Cmp(end) <= 0
		if got := r.Contains(kpl.UserRecord{ExplicitHashKey: key.String(), HasExplicitHashKey: true}); got != want {
			t.Fatalf("Contains(%v) = %v in %v..%v", key, got, start, end)
		}
		name := rapid.String().Draw(t, "name")
		exact, err := kpl.ParseHashRange(kpl.HashKey(name), kpl.HashKey(name))
		if err != nil || !exact.Contains(kpl.UserRecord{PartitionKey: name}) {
			t.Fatalf("HashKey(%q) = %s, which is not what Contains uses", name, kpl.HashKey(name))
		}
	})
}
