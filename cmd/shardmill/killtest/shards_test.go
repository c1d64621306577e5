//go:build kill

package killtest_test

import (
	"math/big"
	"math/rand/v2"
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

func width(s types.Shard) *big.Int {
	w := bigInt(s.HashKeyRange.EndingHashKey)
	return w.Sub(w, bigInt(s.HashKeyRange.StartingHashKey))
}

// split splits a shard at random in its middle half, where no burst's hash
// keys are: there are too many for that.
func (s *services) split(t *testing.T, shard types.Shard, rng *rand.Rand) {
	t.Helper()
	at := width(shard)
	at.Mul(at, big.NewInt(1<<61+rng.Int64N(1<<62)))
	at.Rsh(at, 63).Add(at, bigInt(shard.HashKeyRange.StartingHashKey))
	if _, err := s.kinesis.SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: aws.String(streamName), ShardToSplit: shard.ShardId, NewStartingHashKey: aws.String(at.String()),
	}); err != nil {
		t.Fatal(err)
	}
}

// merge merges two adjacent shards.
func (s *services) merge(t *testing.T, a, b types.Shard) {
	t.Helper()
	if _, err := s.kinesis.MergeShards(t.Context(), &kinesis.MergeShardsInput{
		StreamName: aws.String(streamName), ShardToMerge: a.ShardId, AdjacentShardToMerge: b.ShardId,
	}); err != nil {
		t.Fatal(err)
	}
}
