package kinesissource

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/shardmill/shardmill/kcl"
)

// errNotEnded means that the service gave no further iterator although, by its
// own listing, the shard has not ended. It may pass.
var errNotEnded = errors.New("the service says that the shard ended, but its listing does not")

// children returns the shards that follow this one, which the service says has
// ended: those that its answer named, if in full, else those of the shard
// listing, which must agree that the shard is closed.
func (r *reader) children(ctx context.Context, named []kcl.Shard) ([]kcl.Shard, error) {
	if len(named) > 0 && !slices.ContainsFunc(named, r.doubtful) {
		return named, nil
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

// doubtful reports whether a child was not named in full.
func (r *reader) doubtful(child kcl.Shard) bool {
	return child.ID == "" || !slices.Contains(child.ParentIDs, r.shardID)
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
