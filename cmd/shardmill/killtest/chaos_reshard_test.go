//go:build kill

package killtest_test

import (
	"cmp"
	"math/big"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// openShards returns those that are open, by hash key.
func (s *services) openShards(t *testing.T) []types.Shard {
	t.Helper()
	open := slices.DeleteFunc(s.shards(t), func(s types.Shard) bool { return s.SequenceNumberRange.EndingSequenceNumber != nil })
	slices.SortFunc(open, func(a, b types.Shard) int {
		return bigInt(a.HashKeyRange.StartingHashKey).Cmp(bigInt(b.HashKeyRange.StartingHashKey))
	})
	return open
}

func bigInt(s *string) *big.Int {
	n, _ := new(big.Int).SetString(aws.ToString(s), 10)
	return n
}

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

func width(s types.Shard) *big.Int {
	w := bigInt(s.HashKeyRange.EndingHashKey)
	return w.Sub(w, bigInt(s.HashKeyRange.StartingHashKey))
}

func (c *chaos) splitShard(shard types.Shard) bool {
	c.t.Helper()
	w := width(shard)
	if w.BitLen() < 64 {
		return false
	}
	at := w.Mul(w, big.NewInt(1<<61+c.rng.Int64N(1<<61)))
	at.Rsh(at, 63).Add(at, bigInt(shard.HashKeyRange.StartingHashKey))
	_, err := c.s.kinesis.SplitShard(c.t.Context(), &kinesis.SplitShardInput{
		StreamName: aws.String(streamName), ShardToSplit: shard.ShardId, NewStartingHashKey: aws.String(at.String()),
	})
	return c.resharded(splits, err)
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
	_, err := c.s.kinesis.MergeShards(c.t.Context(), &kinesis.MergeShardsInput{
		StreamName: aws.String(streamName), ShardToMerge: a.ShardId, AdjacentShardToMerge: b.ShardId,
	})
	return c.resharded(merges, err)
}

func (c *chaos) resharded(kind string, err error) bool {
	c.t.Helper()
	if err != nil {
		c.t.Errorf("reshard: %v", err)
		return false
	}
	c.reshards[kind]++
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
