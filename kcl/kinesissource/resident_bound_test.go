//go:build !race

package kinesissource_test

import (
	"cmp"
	"os"
	"testing"
	"time"
)

// The race detector takes several times the memory that is to be bounded here.

// TestResidentMemory has workers in processes of their own work off 200 shards that
// are all behind, with slow processors, as long as it takes that each has some.
// SHARDMILL_MEMORY_TIME is the time for all of them: `make memory`. Without it, there
// are fewer shards where the service heeds no Limit: they get their pages nearly one
// by one.
func TestResidentMemory(t *testing.T) { //nolint:paralleltest // its processes want the machine for themselves
	long := os.Getenv("SHARDMILL_MEMORY_TIME")
	took, err := time.ParseDuration(cmp.Or(long, "4s"))
	if err != nil {
		t.Fatal(err)
	}
	way := startCanned(t)[0]
	const mib = 1 << 20
	for _, tt := range []struct {
		maxBytes int64
		heeds    bool
	}{{64 * mib, true}, {256 * mib, true}, {64 * mib, false}, {256 * mib, false}} {
		shards := 200
		if !tt.heeds && long == "" {
			shards = 50
		}
		var o alone
		l := load{
			Way: way, Stream: cannedStream(shapes()[0], shards, tt.heeds), Shards: shards, MaxBytes: tt.maxBytes, Collect: 96 * mib,
			Time: took / 4, Pause: 20 * time.Millisecond,
		}
		if err := process(t, "worker", l).Decode(&o); err != nil {
			t.Fatal(err)
		}
		t.Logf("figure memory from the socket, %d shards behind, MaxBytes %d MiB, Limit heeded %v = %d MiB resident, %d MiB counted, %d to %d calls of a shard",
			shards, tt.maxBytes/mib, tt.heeds, o.PeakKiB>>10, o.Counted/mib, o.Least, o.Most)
		if bound := tt.maxBytes/mib + 128; int64(o.PeakKiB>>10) > bound {
			t.Errorf("MaxBytes %d MiB: %d MiB are resident, more than %d", tt.maxBytes/mib, o.PeakKiB>>10, bound)
		}
		if bound := tt.maxBytes/mib + 24; o.Counted/mib > bound {
			t.Errorf("MaxBytes %d MiB: %d MiB are counted, more than %d", tt.maxBytes/mib, o.Counted/mib, bound)
		}
	}
}
