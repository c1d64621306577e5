package main

import (
	"runtime/debug"
	"time"

	"github.com/shardmill/shardmill/kcl"
)

// By itself the garbage collector lets as much garbage be as there is memory in
// use, which MaxBytes does not count. An archiver makes little of it: collecting
// earlier costs next to nothing.
const (
	collectorPercent = 50

	besideBudget = 96 << 20 // what an archiver takes beside MaxBytes
	besideShard  = 1 << 20  // and for each shard: the compressor of its open cut

	memoryEvery = 10 * time.Second // how often the shards are counted
)

// memoryLimit returns what the collector is to keep the process within.
func memoryLimit(s kcl.Snapshot) int64 {
	return max(s.MaxBytes, s.BytesInUse) + besideBudget + besideShard*int64(len(s.Shards))
}

// boundMemory runs f, and has the collector keep to what snapshot tells meanwhile,
// unless the environment says GOGC or GOMEMLIMIT: then that counts.
func boundMemory(snapshot func() kcl.Snapshot, env func(string) (string, bool), f func() error) error {
	if _, set := env("GOGC"); !set {
		defer debug.SetGCPercent(debug.SetGCPercent(collectorPercent))
	}
	if _, set := env("GOMEMLIMIT"); set {
		return f()
	}
	bound := func() { debug.SetMemoryLimit(memoryLimit(snapshot())) }
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	bound()
	return every(memoryEvery, bound, f)
}
