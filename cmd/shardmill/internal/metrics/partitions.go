package metrics

import (
	"sync"

	"github.com/shardmill/shardmill/processors"
)

// partitions knows the active partitions of each shard, and how many it may have.
type partitions struct {
	mu sync.Mutex
	of map[string]partitioned // by shard; only of shards that are partitioned
}

type partitioned struct{ active, limit int }

func (p *partitions) note(e processors.BufferedEvent) {
	if e.ActivePartitionsLimit == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[e.ShardID] = partitioned{e.ActivePartitions, e.ActivePartitionsLimit}
}

func (p *partitions) forget(shard string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.of, shard)
}

// sum returns those of all shards, and false if none is partitioned.
func (p *partitions) sum() (all partitioned, some bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, each := range p.of {
		all.active += each.active
		all.limit += each.limit
	}
	return all, len(p.of) > 0
}
