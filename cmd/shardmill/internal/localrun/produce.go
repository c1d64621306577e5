package localrun

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/processors"
)

// linger is how long a record waits for others to be put with.
const linger = 100 * time.Millisecond

// produce puts the input's records until it ends, fails or ctx is done. What
// was read before is put in any case, unless feeding is done.
func (j *job) produce(ctx, feeding context.Context) error {
	half := j.half()
	for r, err := range j.o.Input.Arriving(ctx, linger) {
		if err != nil {
			return errors.Join(err, j.feeder.Flush(feeding))
		}
		if r.Data == nil { // what arrived has waited
			if err := j.feeder.Flush(feeding); err != nil {
				return err
			}
			continue
		}
		j.putBytes += int64(len(r.Data))
		switch {
		case j.index != nil:
			j.put.Add(trimmed(r.Data))
		case j.loading != nil:
			j.put.Add(value(r.Data))
		default:
			j.put.Add(r.Data)
		}
		if err := j.feeder.Add(feeding, r.Data); err != nil {
			return err
		}
		if j.o.Reshard && j.reshards == 0 && j.putBytes >= half {
			if err := j.reshard(feeding); err != nil {
				return err
			}
		}
	}
	if err := j.feeder.Flush(feeding); err != nil {
		return err
	}
	if j.o.Reshard && j.reshards == 0 {
		return j.reshard(feeding)
	}
	return nil
}

// half returns after how many bytes to reshard: half of the input, or if its
// size is not known, 8 MiB.
func (j *job) half() int64 {
	if size, ok := j.o.Input.Size(); ok {
		return size / 2
	}
	return 8 << 20
}

// reshard splits the first shard and merges the next two.
func (j *job) reshard(ctx context.Context) error {
	if err := j.feeder.Flush(ctx); err != nil {
		return err
	}
	out, err := j.clients.Kinesis.ListShards(ctx, &kinesis.ListShardsInput{StreamName: aws.String(stream)})
	if err != nil {
		return fmt.Errorf("listing the shards to reshard: %w", err)
	}
	open := slices.DeleteFunc(out.Shards, func(s types.Shard) bool { return s.SequenceNumberRange.EndingSequenceNumber != nil })
	slices.SortFunc(open, func(a, b types.Shard) int {
		return checkpoint.CompareDecimal(*a.HashKeyRange.StartingHashKey, *b.HashKeyRange.StartingHashKey)
	})
	start, _ := new(big.Int).SetString(*open[0].HashKeyRange.StartingHashKey, 10)
	end, _ := new(big.Int).SetString(*open[0].HashKeyRange.EndingHashKey, 10)
	middle := new(big.Int).Rsh(new(big.Int).Add(start, end), 1)
	if _, err := j.clients.Kinesis.SplitShard(ctx, &kinesis.SplitShardInput{
		StreamName: aws.String(stream), ShardToSplit: open[0].ShardId, NewStartingHashKey: aws.String(middle.String()),
	}); err != nil {
		return fmt.Errorf("splitting %s: %w", *open[0].ShardId, err)
	}
	if _, err := j.clients.Kinesis.MergeShards(ctx, &kinesis.MergeShardsInput{
		StreamName: aws.String(stream), ShardToMerge: open[1].ShardId, AdjacentShardToMerge: open[2].ShardId,
	}); err != nil {
		return fmt.Errorf("merging %s and %s: %w", *open[1].ShardId, *open[2].ShardId, err)
	}
	j.mu.Lock()
	j.reshards = 2
	j.mu.Unlock()
	return nil
}

// hooks note how far the shards are, and let go of the memory of records that
// are checkpointed.
func (j *job) hooks() kcl.Hooks {
	return kcl.Hooks{
		Processed: func(e kcl.BatchEvent) {
			if e.Err != nil {
				return
			}
			j.mu.Lock()
			defer j.mu.Unlock()
			if old := j.delivered[e.ShardID]; checkpoint.CompareDecimal(cmp.Or(old, "0"), e.Last.SequenceNumber) < 0 {
				j.delivered[e.ShardID] = e.Last.SequenceNumber
			}
		},
		Checkpointed: func(e kcl.CheckpointEvent) {
			if e.Checkpoint.IsRecord() {
				j.stack.Discard(stream, e.ShardID, e.Checkpoint.SequenceNumber)
			}
		},
	}
}

// maxPuts is how often a put may fail. S3 is in this process, so it is the disk
// that fails, and waiting does not mend it.
const maxPuts = 4

// putFailed ends the run if a put fails for good.
func (j *job) putFailed(e processors.PutFailedEvent) {
	if e.Attempt < maxPuts {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failure = fmt.Errorf("writing objects to %s: %w", j.o.Dir, e.Err)
	j.stopRound()
}

func (j *job) noteObject(worker int, e processors.DeliveredEvent) {
	if e.Role == processors.RoleMarker {
		return // its objects are noted
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.objects++
	j.archived += e.Records
	j.zipped += e.ObjectBytes
	w := &j.workers[worker]
	w.Records += e.Records
	w.Bytes += e.Bytes
	w.Objects++
}

// allDelivered reports whether the workers' processors have every record that
// was put.
func (j *job) allDelivered() bool {
	last := j.feeder.Last()
	j.mu.Lock()
	defer j.mu.Unlock()
	for shard, seq := range last {
		if checkpoint.CompareDecimal(cmp.Or(j.delivered[shard], "0"), seq) < 0 {
			return false
		}
	}
	return true
}

// behind returns how many shards have records that are not checkpointed, and
// makes allDelivered wait for just those.
func (j *job) behind(ctx context.Context) (int, error) {
	left := 0
	err := j.eachShard(ctx, func(shard, _ string, done bool) {
		if !done {
			left++
			delete(j.delivered, shard)
		}
	})
	return left, err
}

// noteCheckpoints notes as delivered what is checkpointed.
func (j *job) noteCheckpoints(ctx context.Context) error {
	return j.eachShard(ctx, func(shard, last string, done bool) {
		if done {
			j.delivered[shard] = last
		}
	})
}

// eachShard calls f, while j.mu is locked, with each shard that has a lease, with
// the sequence number of the last record that was put there, and whether that is
// checkpointed.
func (j *job) eachShard(ctx context.Context, f func(shard, last string, done bool)) error {
	table, err := leasedynamo.New(j.clients.DynamoDB, leasedynamo.Options{TableName: stream, NeverCreate: true})
	if err != nil {
		return err
	}
	last := j.feeder.Last()
	if len(last) == 0 {
		return nil // the workers may have ended before there was a table
	}
	list, _, err := table.List(ctx)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range list {
		if seq, ok := last[l.Key]; ok {
			put := checkpoint.ExtendedSequenceNumber{SequenceNumber: seq}
			f(l.Key, seq, l.Checkpoint.Compare(put) >= 0)
		}
	}
	return nil
}
