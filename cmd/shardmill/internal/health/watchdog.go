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
	limit time.Duration   // the shutdown timeout and the failover time
	seen  map[string]seen // what is wrong, by what stays the same of it
}

// seen is something that was wrong at the last look.
type seen struct {
	fault

	looks int // in a row, until now
}

// fault is something that is wrong, and only a restart mends.
type fault struct {
	text string
	age  time.Duration // grows while it is the same one
}

// look returns why the worker is not alive, or "". now is the time that
// s.StopBy is to be compared with.
func (d *watchdog) look(s kcl.Snapshot, now time.Time) string {
	reason, wrong := "", map[string]seen{}
	for key, f := range d.wrong(s, now) {
		n := 1
		if last := d.seen[key]; f.age >= last.age {
			n += last.looks
		}
		wrong[key] = seen{f, n}
		if n >= looks && (reason == "" || f.text < reason) { // the same one each time
			reason = f.text
		}
	}
	d.seen = wrong
	return reason
}

// wrong returns what is wrong at this moment.
func (d *watchdog) wrong(s kcl.Snapshot, now time.Time) map[string]fault {
	wrong := map[string]fault{}
	if late := now.Sub(s.StopBy); !s.StopBy.IsZero() && late > d.limit {
		wrong["stop"] = fault{fmt.Sprintf("the shutdown should have ended %v ago", late.Truncate(time.Second)), late}
	}
	for _, shard := range s.Shards {
		late := s.Now.Sub(shard.TrustedUntil)
		switch {
		case late <= 0:
		case !shard.Lost:
			wrong["lease "+shard.ShardID] = fault{fmt.Sprintf("the lease of %s is past its trust by %v, and it is still held", shard.ShardID, late.Truncate(time.Second)), late}
		case late > d.limit:
			wrong["call "+shard.ShardID] = fault{fmt.Sprintf("the lease of %s ended %v ago, and its processor has not returned", shard.ShardID, late.Truncate(time.Second)), late}
		}
	}
	for _, l := range s.Loops {
		if hangs(l) {
			wrong["loop "+l.Loop+" "+l.ShardID+" "+l.Doing] = fault{hanging(l), l.Silent}
		}
	}
	return wrong
}

// hangs reports whether a try is past the time at which it should have been
// given up at the latest. One without a limit, such as a call of a processor
// that may take as long as it likes, never is.
func hangs(l kcl.LoopStatus) bool { return l.Limit > 0 && l.Silent > 2*l.Limit }

// hanging says that a try hangs.
func hanging(l kcl.LoopStatus) string {
	text := fmt.Sprintf("%s has been silent for %v", nameOf(l), l.Silent.Truncate(time.Second))
	if l.Doing != "" {
		text += " in " + l.Doing
	}
	return fmt.Sprintf("%s; its limit is %v", text, l.Limit)
}

// nameOf returns what a sentence calls a loop.
func nameOf(l kcl.LoopStatus) string {
	name := "the " + l.Loop
	if l.Loop == "sync" {
		name = "the shard sync"
	}
	switch {
	case l.ShardID == "":
		return name
	case l.Loop == "shard":
		return "the loop of " + l.ShardID
	default:
		return name + " of " + l.ShardID
	}
}
