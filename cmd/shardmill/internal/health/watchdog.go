package health

import (
	"fmt"
	"time"

	"github.com/shardmill/shardmill/kcl"
)

// looks is for how many looks in a row something must be wrong.
const looks = 5

// watchdog judges what it sees of a worker at regular looks.
type watchdog struct {
	limit time.Duration  // the shutdown timeout and the failover time
	seen  map[string]int // what is wrong, by what stays the same of it, and in how many looks until now
}

// look returns why the worker is not alive, or "". now is the time that
// s.StopBy is to be compared with.
func (d *watchdog) look(s kcl.Snapshot, now time.Time) string {
	reason, seen := "", map[string]int{}
	for key, text := range d.wrong(s, now) {
		seen[key] = d.seen[key] + 1
		if seen[key] >= looks && (reason == "" || text < reason) { // the same one each time
			reason = text
		}
	}
	d.seen = seen
	return reason
}

// wrong returns what is wrong at this moment.
func (d *watchdog) wrong(s kcl.Snapshot, now time.Time) map[string]string {
	wrong := map[string]string{}
	if late := now.Sub(s.StopBy); !s.StopBy.IsZero() && late > d.limit {
		wrong["stop"] = fmt.Sprintf("the shutdown should have ended %v ago", late.Truncate(time.Second))
	}
	for _, shard := range s.Shards {
		late := s.Now.Sub(shard.TrustedUntil)
		switch {
		case late <= 0:
		case !shard.Lost:
			wrong["lease "+shard.ShardID] = fmt.Sprintf("the lease of %s is past its trust by %v, and it is still held", shard.ShardID, late.Truncate(time.Second))
		case late > d.limit:
			wrong["call "+shard.ShardID] = fmt.Sprintf("the lease of %s ended %v ago, and its processor has not returned", shard.ShardID, late.Truncate(time.Second))
		}
	}
	return wrong
}
