//go:build kill

package killtest_test

import (
	"cmp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// split splits a shard somewhere in its middle, where no burst's hash keys are.
func (c *chaos) split() bool {
	c.t.Helper()
	open := c.s.openShards(c.t)
	if len(open) >= mostShards {
		return false
	}
	// The widest of a few: the hash key ranges stay alike.
	widest := open[c.rng.IntN(len(open))]
	for range 2 {
		if other := open[c.rng.IntN(len(open))]; width(other).Cmp(width(widest)) > 0 {
			widest = other
		}
	}
	return c.splitShard(widest)
}

func (c *chaos) splitShard(shard types.Shard) bool {
	c.t.Helper()
	if width(shard).BitLen() < 64 {
		return false
	}
	c.s.split(c.t, shard, c.rng)
	c.reshards[splits]++
	return true
}

// merge merges two shards.
func (c *chaos) merge() bool {
	c.t.Helper()
	open := c.s.openShards(c.t)
	if len(open) <= leastShards {
		return false
	}
	i := c.rng.IntN(len(open) - 1)
	return c.mergeShards(open[i], open[i+1])
}

func (c *chaos) mergeShards(a, b types.Shard) bool {
	c.t.Helper()
	if c.rng.IntN(2) == 0 {
		a, b = b, a
	}
	c.s.merge(c.t, a, b)
	c.reshards[merges]++
	return true
}

// chain reshards again and again what the reshard before has made, while its
// parents are still being archived.
func (c *chaos) chain() bool {
	c.t.Helper()
	done := false
	for range 3 + c.rng.IntN(3) {
		open := c.s.openShards(c.t)
		newest := slices.MaxFunc(open, func(a, b types.Shard) int { return cmp.Compare(aws.ToString(a.ShardId), aws.ToString(b.ShardId)) })
		i := slices.IndexFunc(open, func(s types.Shard) bool { return s.ShardId == newest.ShardId })
		if len(open) < mostShards && (len(open) <= leastShards || c.rng.IntN(2) == 0) {
			done = c.splitShard(newest) || done
			continue
		}
		i = max(i, 1)
		done = c.mergeShards(open[i-1], open[i]) || done
	}
	return done
}
