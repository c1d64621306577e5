package metrics

import (
	"sync"
	"time"

	"github.com/shardmill/shardmill/processors"
)

// freshness knows the oldest record of each shard that is not delivered.
type freshness struct {
	mu     sync.Mutex
	oldest map[string]time.Time // when it arrived, by shard; only of shards with such records
}

func newFreshness() freshness { return freshness{oldest: map[string]time.Time{}} }

// note takes an arrival and not an age: while a delivery hangs nothing else is
// told, and the age goes on growing.
func (f *freshness) note(e processors.BufferedEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Records == 0 {
		delete(f.oldest, e.ShardID)
		return
	}
	f.oldest[e.ShardID] = time.Now().Add(-e.Freshness)
}

func (f *freshness) forget(shard string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.oldest, shard)
}

// age returns the age of the oldest record, and false if there is none.
func (f *freshness) age() (time.Duration, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var age time.Duration
	for _, at := range f.oldest {
		age = max(age, time.Since(at))
	}
	return age, len(f.oldest) > 0
}
