//go:build kill

package killtest_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// clear removes all faults; what they hold goes on.
func (s *services) clear() {
	s.t.Helper()
	s.control(http.MethodDelete, "faults", nil, nil)
}

// progress is one line of how it goes.
func (c *chaos) progress() string {
	c.t.Helper()
	records, bytes, _ := c.feed.progress()
	strikes := 0
	for _, n := range c.strikes {
		strikes += n
	}
	return fmt.Sprintf("%d records of %d MB put, %d strikes, %d leases, memory of an archiver at most %d MB, of the services %d MB",
		records, bytes/1_000_000, strikes, len(c.s.leases(c.t)), c.watch.memory>>20, c.watch.services>>20)
}

// account compares what was put with what is archived, prints it, and fails if
// a record is missing or twice.
func (c *chaos) account() {
	c.t.Helper()
	checkLogs(c.t, c.dir)
	sum := checkTruth(c.t, c.s)
	records, bytes, _ := c.feed.progress()
	if sum.Records != records || sum.Bytes != bytes {
		c.t.Errorf("the stream has %d records of %d bytes; %d of %d were put", sum.Records, sum.Bytes, records, bytes)
	}
	if sum.Missing != 0 || sum.Twice != 0 || sum.TwoContents != 0 || sum.Delivered != records {
		c.t.Errorf("of %d records %d are archived, %d are missing, %d are twice; %d keys have two contents",
			records, sum.Delivered, sum.Missing, sum.Twice, sum.TwoContents)
	}
	if len(c.points) == 0 || len(c.watch.committed) == 0 || len(c.reshards) == 0 {
		c.t.Errorf("there was no trouble to speak of: %v at points, %d leases taken over, reshards %v", c.points, len(c.watch.committed), c.reshards)
	}
	var table strings.Builder
	row := func(name, format string, values ...any) {
		fmt.Fprintf(&table, "\n  %-22s %s", name, fmt.Sprintf(format, values...))
	}
	row("put", "%d records, %d bytes", records, bytes)
	row("delivered", "%d records", sum.Delivered)
	row("archived", "%d objects, %d bytes", sum.Objects, sum.ObjectBytes)
	row("missing", "%d", sum.Missing)
	row("twice", "%d", sum.Twice)
	row("keys of two contents", "%d", sum.TwoContents)
	row("writes refused", "%d: the object was there", sum.Refused)
	for _, kind := range slices.Sorted(maps.Keys(c.strikes)) {
		row("trouble", "%5d  %s", c.strikes[kind], kind)
	}
	for _, step := range slices.Sorted(maps.Keys(c.points)) {
		row("struck at a point", "%5d  %s", c.points[step], step)
	}
	row("reshards", "%d splits, %d merges; %d shards", c.reshards[splits], c.reshards[merges], sum.Shards)
	row("ends on SIGTERM", "%v", c.shutdown)
	for _, how := range slices.Sorted(maps.Keys(c.watch.taken)) {
		row("takeover, "+how, "%s", spread(c.watch.taken[how]))
	}
	row("takeover, undisturbed", "%s", spread(c.watch.undisturb))
	row("first commit after", "%s", spread(c.watch.committed))
	row("archivers", "%d processes; resident memory at most %d MiB, at most %d goroutines", c.archivers.started, c.watch.memory>>20, c.watch.goroutines)
	row("asked for health", "%d times; not alive %d times", c.watch.asked, len(c.watch.dead))
	row("services", "resident memory at most %d MiB", c.watch.services>>20)
	row("leases left", "%s", c.leasesLeft())
	c.t.Log(table.String())
	for _, answer := range c.watch.dead {
		c.t.Logf("not alive: %s", answer)
	}
}

// spread says how durations are distributed.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d leases: median %v, at most %v", len(d), median(d), slices.Max(d).Round(10*time.Millisecond))
}

// leasesLeft counts the rows, and fails on those that should not be so.
func (c *chaos) leasesLeft() string {
	c.t.Helper()
	finished, owned, pending := 0, 0, 0
	leases := c.s.leases(c.t)
	for shard, l := range leases {
		switch {
		case l.checkpoint == shardEnd:
			finished++
			continue // it may keep the name of an owner that died
		case l.owner != "":
			owned++
			c.t.Errorf("the lease of %s has still the owner %s", shard, l.owner)
		}
		if l.pending {
			pending++
			c.t.Errorf("the lease of %s has still a plan", shard)
		}
	}
	return fmt.Sprintf("%d: %d finished, %d free, %d owned, %d with a plan", len(leases), finished, len(leases)-finished-owned, owned, pending)
}
