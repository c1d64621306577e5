package kinesisd

import (
	"math"
	"slices"
	"time"
)

// lockForChange is lock for an operation that a stream takes only while it is
// ACTIVE.
func (s *Server) lockForChange(name string, now time.Time) (*stream, error) {
	st, err := s.lock(name, now)
	if err != nil {
		return nil, err
	}
	if st.status != statusActive {
		st.mu.Unlock()
		return nil, s.streamNotActive(name, st.status)
	}
	return st, nil
}

// position finds an open shard in st.ranges by its id.
func (s *Server) position(st *stream, id string) (int, error) {
	sh := st.shard(id)
	if sh == nil {
		return 0, s.couldNotFindShard(id, st.name)
	}
	if !sh.open() {
		return 0, invalidArgument("Shard %s in stream %s under account %s has already been merged or split, and thus is not eligible for merging or splitting.",
			id, st.name, s.options.Account)
	}
	return slices.Index(st.ranges, sh), nil
}

type splitShardInput struct {
	streamRef

	ShardToSplit       *string
	NewStartingHashKey *string
}

func (in *splitShardInput) check(k *checker) {
	required(k, "newStartingHashKey", in.NewStartingHashKey)
	required(k, "shardToSplit", in.ShardToSplit)
	k.text("newStartingHashKey", in.NewStartingHashKey, 0, math.MaxInt, digitsPattern())
	k.text("shardToSplit", in.ShardToSplit, 1, 128, namePattern())
}

func (s *Server) splitShard(c *call, in *splitShardInput, st *stream) error {
	i, err := s.position(st, *in.ShardToSplit)
	if err != nil {
		return err
	}
	if err := s.checkShardLimit(len(st.ranges), 1); err != nil {
		return err
	}
	sh := st.ranges[i]
	key, ok := parseHash([]byte(*in.NewStartingHashKey))
	if !ok || key.compare(sh.first.next()) <= 0 || key.compare(sh.last) >= 0 {
		return invalidArgument("NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than one plus "+
			"the shard's StartingHashKey %s and less than the shard's EndingHashKey %s.",
			*in.NewStartingHashKey, sh.id, st.name, s.options.Account, sh.first, sh.last)
	}
	st.during(statusUpdating, c.now, s.options.Delay, func(at time.Time) { st.split(st.shardFor(key), key, at) })
	return nil
}

type mergeShardsInput struct {
	streamRef

	ShardToMerge         *string
	AdjacentShardToMerge *string
}

func (in *mergeShardsInput) check(k *checker) {
	required(k, "shardToMerge", in.ShardToMerge)
	required(k, "adjacentShardToMerge", in.AdjacentShardToMerge)
	k.text("shardToMerge", in.ShardToMerge, 1, 128, namePattern())
	k.text("adjacentShardToMerge", in.AdjacentShardToMerge, 1, 128, namePattern())
}

func (s *Server) mergeShards(c *call, in *mergeShardsInput, st *stream) error {
	i, err := s.position(st, *in.ShardToMerge)
	if err != nil {
		return err
	}
	j, err := s.position(st, *in.AdjacentShardToMerge)
	if err != nil {
		return err
	}
	parent := st.ranges[i]
	if i-j != 1 && j-i != 1 {
		return invalidArgument("Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging",
			parent.id, st.ranges[j].id, st.name, s.options.Account)
	}
	st.during(statusUpdating, c.now, s.options.Delay, func(at time.Time) { st.merge(min(i, j), parent, at) })
	return nil
}

type updateShardCountInput struct {
	streamRef

	TargetShardCount *int64
	ScalingType      *string
}

type updateShardCountOutput struct {
	StreamName        string
	StreamARN         string
	CurrentShardCount int
	TargetShardCount  int
}

func (in *updateShardCountInput) check(k *checker) {
	required(k, "targetShardCount", in.TargetShardCount)
	required(k, "scalingType", in.ScalingType)
	k.number("targetShardCount", in.TargetShardCount, 1, math.MaxInt32)
	k.oneOf("scalingType", in.ScalingType, "UNIFORM_SCALING")
}

func (s *Server) updateShardCount(c *call, in *updateShardCountInput, st *stream) (any, error) {
	current, target := len(st.ranges), int(*in.TargetShardCount)
	if err := s.checkScaling(current, target); err != nil {
		return nil, err
	}
	st.during(statusUpdating, c.now, s.options.Delay, func(at time.Time) { st.scale(target, at) })
	return updateShardCountOutput{st.name, st.arn, current, target}, nil
}

// checkScaling holds to the service's own limits of one UpdateShardCount.
func (s *Server) checkScaling(current, target int) error {
	if err := s.checkShardLimit(current, int64(target-current)); err != nil {
		return err
	}
	switch {
	case target > 2*current:
		return limitExceeded("UpdateShardCount cannot scale up over double your current open shard count. "+
			"Current open shard count: %d, Target shard count: %d", current, target)
	case 2*target < current:
		return limitExceeded("UpdateShardCount cannot scale down below half your current open shard count. "+
			"Current open shard count: %d, Target shard count: %d", current, target)
	}
	return nil
}
