package lease_test

import (
	"testing"

	"github.com/shardmill/shardmill/lease"
)

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
