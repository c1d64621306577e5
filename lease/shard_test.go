package lease_test

import (
	"testing"

	"github.com/shardmill/shardmill/lease"
)

// Java writes hash keys as the service gives them; others may not.
func TestHashRangesAreComparedByValue(t *testing.T) {
	t.Parallel()
	at := func(start, end string) lease.HashRange { return lease.HashRange{Start: start, End: end} }
	for _, tt := range []struct {
		a, b lease.HashRange
		want bool
	}{
		{at("0", "9"), at("0", "9"), true},
		{at("0", "9"), at("000", "09"), true},
		{at("0", "340282366920938463463374607431768211455"), at("00", "0340282366920938463463374607431768211455"), true},
		{at("0", "9"), at("0", "90"), false},
		{at("0", "9"), at("1", "9"), false},
		{at("0", "0"), lease.HashRange{}, false},
		{lease.HashRange{}, lease.HashRange{}, true},
	} {
		if got, back := tt.a.Equal(tt.b), tt.b.Equal(tt.a); got != tt.want || back != tt.want {
			t.Errorf("%v and %v: %v, %v", tt.a, tt.b, got, back)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]struct{ shard, multi bool }{
		"shardId-000000000000":                                {true, false},
		"123456789012:orders:1700000000:shardId-000000000000": {false, true},
		"123456789012:orders:shardId-000000000000":            {false, false},
		"a:orders:1700000000:shardId-000000000000":            {false, false},
		"1:orders:x:shardId-000000000000":                     {false, false},
		"1::2:shardId-000000000000":                           {false, false},
		"1:orders:2:":                                         {false, false},
		"shardId-":                                            {false, false},
		"shardId-1a":                                          {false, false},
		"migration":                                           {false, false},
		"":                                                    {false, false},
	} {
		if got := lease.IsShardID(key); got != want.shard {
			t.Errorf("IsShardID(%q) = %v", key, got)
		}
		if got := lease.IsMultiStreamKey(key); got != want.multi {
			t.Errorf("IsMultiStreamKey(%q) = %v", key, got)
		}
	}
}
