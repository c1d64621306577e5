package kinesissource

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/kcl"
)

// errNotEnded means that the service gave no further iterator although, by its
// own listing, the shard has not ended. It may pass.
var errNotEnded = errors.New("the service says that the shard ended, but its listing does not")

// children returns the shards that follow this one, which the service says has
// ended: those of the answer if it names them in full, else those of the
// shard listing, which must agree that the shard is closed.
func (r *reader) children(ctx context.Context, answer []types.ChildShard) ([]kcl.Shard, error) {
	if children, ok := r.fromAnswer(answer); ok {
		return children, nil
	}
	list, err := r.src.ListShards(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for the children of shard %s: %w", r.shardID, err)
	}
	var children []kcl.Shard
	for _, s := range list.Shards {
		if s.ID == r.shardID && s.EndingSequenceNumber == "" {
			return nil, fmt.Errorf("reading shard %s of stream %s: %w", r.shardID, r.src.o.StreamName, errNotEnded)
		}
		if slices.Contains(s.ParentIDs, r.shardID) {
			children = append(children, s)
		}
	}
	if len(children) == 0 {
		return nil, fmt.Errorf("reading shard %s of stream %s: %w", r.shardID, r.src.o.StreamName, errNotEnded)
	}
	return children, nil
}

func (r *reader) fromAnswer(answer []types.ChildShard) (children []kcl.Shard, ok bool) {
	for i := range answer {
		c := &answer[i]
		if aws.ToString(c.ShardId) == "" || !slices.Contains(c.ParentShards, r.shardID) {
			return nil, false
		}
		children = append(children, kcl.Shard{ID: *c.ShardId, ParentIDs: c.ParentShards, Range: hashRange(c.HashKeyRange)})
	}
	return children, len(children) > 0
}

// missing finds out what a ResourceNotFoundException means. It is never the end
// of the shard: a stream that was deleted, or one that is looked for in the
// wrong account, must not finish its leases.
func (r *reader) missing(ctx context.Context, err error) error {
	list, listErr := r.src.ListShards(ctx)
	if listErr != nil {
		return fmt.Errorf("looking for shard %s: %w", r.shardID, listErr)
	}
	if slices.ContainsFunc(list.Shards, func(s kcl.Shard) bool { return s.ID == r.shardID }) {
		return err
	}
	return fmt.Errorf("%w: %w", kcl.ErrShardNotFound, err)
}
