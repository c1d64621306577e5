package kinesistest

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

const highestHashKey = "340282366920938463463374607431768211455"

func reshardTests() []test {
	return []test{
		{"A split shard is read to its end, which names its two children", 1, splitEnds},
		{"Merged shards are read to their ends, and both name the one child", 2, mergeEnds},
		{"An empty closed shard ends with its children at once, from LATEST too", 1, emptyEnd},
		{"A child's sequence numbers are above those of its parents", 1, childSequence},
		{"A closed shard's EndingSequenceNumber is above its records", 1, endingSequenceNumber},
		{"A closed shard takes no records, its children do", 1, closedTakesNothing},
		{"Only open shards are split, at a key inside them, and only neighbours are merged", 3, badReshards},
		{"UpdateShardCount gives equal shards that cover all keys", 2, updateShardCount},
		{"UpdateShardCount goes no further than double and half", 4, tooManyShards},
	}
}

// childrenOf writes ChildShards in one line.
func childrenOf(out *kinesis.GetRecordsOutput) string {
	var all []string
	for _, child := range out.ChildShards {
		all = append(all, fmt.Sprintf("%s of %v from %s to %s",
			*child.ShardId, child.ParentShards, *child.HashKeyRange.StartingHashKey, *child.HashKeyRange.EndingHashKey))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func splitEnds(k *kit) {
	k.putMany(3)
	k.split(k.shards(nil)[0])
	it := k.iterator(first, types.ShardIteratorTypeTrimHorizon)
	out := k.get(it, aws.Int32(2))
	if out.NextShardIterator == nil || len(out.ChildShards) > 0 {
		k.t.Fatal("the shard ended before its last record")
	}
	data, out := k.drain(out.NextShardIterator)
	k.same("the last records", data, []string{"2"})
	k.same("MillisBehindLatest at the end", *out.MillisBehindLatest, 0)
	k.same("children", childrenOf(out),
		"shardId-000000000001 of [shardId-000000000000] from 0 to 170141183460469231731687303715884105726, "+
			"shardId-000000000002 of [shardId-000000000000] from 170141183460469231731687303715884105727 to "+highestHashKey)
}

func mergeEnds(k *kit) {
	k.putAt("0", "lower")
	k.putAt(highestHashKey, "upper")
	k.merge(first, "shardId-000000000001")
	for _, row := range [][2]string{{first, "lower"}, {"shardId-000000000001", "upper"}} {
		data, out := k.drain(k.iterator(row[0], types.ShardIteratorTypeTrimHorizon))
		k.same("records of "+row[0], data, []string{row[1]})
		k.same("children", len(out.ChildShards), 1)
		for _, child := range out.ChildShards {
			slices.Sort(child.ParentShards)
			k.same("the child", *child.ShardId, "shardId-000000000002")
			k.same("its parents", child.ParentShards, []string{first, "shardId-000000000001"})
			k.same("its range", *child.HashKeyRange.StartingHashKey+"-"+*child.HashKeyRange.EndingHashKey, "0-"+highestHashKey)
		}
	}
	shards := k.shards(nil)
	k.same("parent of the child", *shards[2].ParentShardId, first)
	k.same("adjacent parent of the child", *shards[2].AdjacentParentShardId, "shardId-000000000001")
}

func emptyEnd(k *kit) {
	open := k.iterator(first, types.ShardIteratorTypeLatest)
	k.split(k.shards(nil)[0])
	for what, it := range map[string]*string{
		"LATEST from before":     open,
		"LATEST of the closed":   k.iterator(first, types.ShardIteratorTypeLatest),
		"TRIM_HORIZON of closed": k.iterator(first, types.ShardIteratorTypeTrimHorizon),
	} {
		data, out := k.drain(it)
		k.same("records from "+what, len(data), 0)
		k.same("children from "+what, len(out.ChildShards), 2)
	}
}

func childSequence(k *kit) {
	before := *k.put("key", "parent").SequenceNumber
	k.split(k.shards(nil)[0])
	after := k.put("key", "child")
	if *after.ShardId == first {
		k.t.Fatal("the closed shard took a record")
	}
	if hashKey(k.t, *after.SequenceNumber).Cmp(hashKey(k.t, before)) <= 0 {
		k.t.Errorf("the child's record has %s, its parent's %s", *after.SequenceNumber, before)
	}
	for _, shard := range k.shards(nil)[1:] {
		if hashKey(k.t, *shard.SequenceNumberRange.StartingSequenceNumber).Cmp(hashKey(k.t, before)) <= 0 {
			k.t.Errorf("%s starts at %s, its parent has %s", *shard.ShardId, *shard.SequenceNumberRange.StartingSequenceNumber, before)
		}
	}
}

func endingSequenceNumber(k *kit) {
	numbers := k.putMany(2)
	if end := k.shards(nil)[0].SequenceNumberRange.EndingSequenceNumber; end != nil {
		k.t.Errorf("an open shard ends at %s", *end)
	}
	k.split(k.shards(nil)[0])
	end := k.shards(nil)[0].SequenceNumberRange.EndingSequenceNumber
	if end == nil {
		k.t.Fatal("a closed shard has no EndingSequenceNumber")
	}
	if k.features.NoEndingSequenceNumber {
		return
	}
	if hashKey(k.t, *end).Cmp(hashKey(k.t, numbers[1])) < 0 {
		k.t.Errorf("the shard ends at %s, below its record %s", *end, numbers[1])
	}
	_, out := k.drain(k.iteratorWith(&kinesis.GetShardIteratorInput{
		ShardId: aws.String(first), ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: end,
	}))
	k.same("children after the end", len(out.ChildShards), 2)
}

func closedTakesNothing(k *kit) {
	k.split(k.shards(nil)[0])
	k.same("shard of the lowest key", *k.putAt("0", "low").ShardId, "shardId-000000000001")
	k.same("shard of the highest key", *k.putAt(highestHashKey, "high").ShardId, "shardId-000000000002")
	data, _ := k.read(k.iterator("shardId-000000000002", types.ShardIteratorTypeTrimHorizon), 1)
	k.same("records of the upper child", data, []string{"high"})
}

func badReshards(k *kit) {
	shards := k.shards(nil)
	_, err := k.client.SplitShard(k.ctx, &kinesis.SplitShardInput{
		StreamName: &k.stream, ShardToSplit: shards[0].ShardId, NewStartingHashKey: aws.String(highestHashKey),
	})
	k.refused("splitting at a key of another shard", err, "InvalidArgumentException")
	_, err = k.client.SplitShard(k.ctx, &kinesis.SplitShardInput{
		StreamName: &k.stream, ShardToSplit: aws.String("shardId-000000000009"), NewStartingHashKey: aws.String("5"),
	})
	k.refused("splitting a shard that is not there", err, "ResourceNotFoundException")
	_, err = k.client.MergeShards(k.ctx, &kinesis.MergeShardsInput{
		StreamName: &k.stream, ShardToMerge: shards[0].ShardId, AdjacentShardToMerge: shards[2].ShardId,
	})
	k.refused("merging shards that are no neighbours", err, "InvalidArgumentException")
	k.same("shards", len(k.shards(nil)), 3)
	k.split(shards[1])
	if _, err = k.client.SplitShard(k.ctx, &kinesis.SplitShardInput{
		StreamName: &k.stream, ShardToSplit: shards[1].ShardId, NewStartingHashKey: shards[1].HashKeyRange.EndingHashKey,
	}); err == nil {
		k.t.Error("a closed shard was split")
	}
}

func tooManyShards(k *kit) {
	kind := "LimitExceededException"
	if k.features.FarScalingIsInvalidArgument {
		kind = "InvalidArgumentException"
	}
	for _, count := range []int32{9, 1} {
		_, err := k.client.UpdateShardCount(k.ctx, &kinesis.UpdateShardCountInput{
			StreamName: &k.stream, TargetShardCount: &count, ScalingType: types.ScalingTypeUniformScaling,
		})
		k.refused(fmt.Sprintf("scaling 4 shards to %d", count), err, kind)
	}
	k.same("shards", len(k.shards(nil)), 4)
}

func updateShardCount(k *kit) {
	_, err := k.client.UpdateShardCount(k.ctx, &kinesis.UpdateShardCountInput{
		StreamName: &k.stream, TargetShardCount: aws.Int32(4), ScalingType: types.ScalingTypeUniformScaling,
	})
	k.must("updating the shard count", err)
	k.active()
	var open []types.Shard
	for _, shard := range k.shards(nil) {
		if shard.SequenceNumberRange.EndingSequenceNumber == nil {
			open = append(open, shard)
		} else if *shard.ShardId != first && *shard.ShardId != "shardId-000000000001" && shard.ParentShardId == nil {
			k.t.Errorf("%s is closed and has no parent", *shard.ShardId)
		}
	}
	k.same("open shards", len(open), 4)
	slices.SortFunc(open, func(a, b types.Shard) int {
		return hashKey(k.t, *a.HashKeyRange.StartingHashKey).Cmp(hashKey(k.t, *b.HashKeyRange.StartingHashKey))
	})
	next := new(big.Int)
	for _, shard := range open {
		k.same("start of "+*shard.ShardId, *shard.HashKeyRange.StartingHashKey, next)
		next.Add(hashKey(k.t, *shard.HashKeyRange.EndingHashKey), big.NewInt(1))
	}
	k.same("end of the ranges", next.BitLen(), 129)
	_, out := k.drain(k.iterator(first, types.ShardIteratorTypeTrimHorizon))
	k.same("children of the first shard", len(out.ChildShards), 2)
}
