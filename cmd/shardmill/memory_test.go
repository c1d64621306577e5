package main

import (
	"math"
	"runtime/metrics"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
)

// collector returns what the garbage collector is told now.
func collector() (percent, limit uint64) {
	m := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(m)
	return m[0].Value.Uint64(), m[1].Value.Uint64()
}

func TestBoundMemory(t *testing.T) { //nolint:paralleltest // it sets what the whole process has
	for name, tt := range map[string]struct {
		env            map[string]string
		percent        uint64
		first, growing uint64
	}{
		"by default":          {nil, 50, 256<<20 + 96<<20, 300<<20 + 96<<20 + 40<<20},
		"with GOGC":           {map[string]string{"GOGC": "100"}, 100, 256<<20 + 96<<20, 300<<20 + 96<<20 + 40<<20},
		"with GOMEMLIMIT":     {map[string]string{"GOMEMLIMIT": "1GiB"}, 50, math.MaxInt64, math.MaxInt64},
		"with GOGC of no use": {map[string]string{"GOGC": ""}, 100, 256<<20 + 96<<20, 300<<20 + 96<<20 + 40<<20},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			now := kcl.Snapshot{MaxBytes: 256 << 20}
			snapshot := func() kcl.Snapshot {
				mu.Lock()
				defer mu.Unlock()
				return now
			}
			env := func(name string) (string, bool) {
				v, ok := tt.env[name]
				return v, ok
			}
			err := boundMemory(snapshot, env, func() error {
				if percent, limit := collector(); percent != tt.percent || limit != tt.first {
					t.Errorf("%s: %d %%, %d bytes", name, percent, limit)
				}
				mu.Lock()
				now.BytesInUse, now.Shards = 300<<20, make([]kcl.ShardStatus, 40)
				mu.Unlock()
				time.Sleep(memoryEvery + time.Second)
				if percent, limit := collector(); percent != tt.percent || limit != tt.growing {
					t.Errorf("%s, with more shards: %d %%, %d bytes", name, percent, limit)
				}
				return nil
			})
			if percent, limit := collector(); err != nil || percent != 100 || limit != math.MaxInt64 {
				t.Errorf("%s, afterwards: %v, %d %%, %d bytes", name, err, percent, limit)
			}
		})
	}
}
