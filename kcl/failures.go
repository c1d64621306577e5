package kcl

import (
	"sync"
	"time"
)

// failures counts for each shard the times in a row that it was given up. The
// zero value is ready to use. It is safe for concurrent use.
type failures struct {
	mu sync.Mutex // guards n
	n  map[string]int
}

// gaveUp notes that a shard was given up, and returns how often in a row it was.
func (f *failures) gaveUp(shardID string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == nil {
		f.n = make(map[string]int)
	}
	f.n[shardID]++
	return f.n[shardID]
}

// progressed notes that a shard is processed well.
func (f *failures) progressed(shardID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.n, shardID)
}

// maxRest bounds how long a shard that fails is left to other workers.
const maxRest = 10 * time.Minute

// restAfter returns how long a shard is left to other workers that was given up n
// times in a row: a failover time, which doubles each time.
func restAfter(n int, failover time.Duration) time.Duration {
	return min(maxRest, failover<<min(n-1, 16))
}
