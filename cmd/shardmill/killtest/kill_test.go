//go:build kill

package killtest_test

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestKill strikes two archivers again and again while a stream is put and
// resharded. In the end every record must be in exactly one object.
func TestKill(t *testing.T) { //nolint:paralleltest // its processes need the cores
	began := time.Now()
	total := int64(setting(t, "SHARDMILL_KILL_MB", 200)) * 1_000_000
	hits := setting(t, "SHARDMILL_KILL_HITS", 56)
	rng := newRand(t, "SHARDMILL_KILL_SEED")
	dir := newDir(t, "SHARDMILL_KILL_DIR")
	s := startServices(t, dir)
	feed := startFeeder(t, s, dir, rand.New(rand.NewPCG(rng.Uint64(), 0)), ordinary(max(total/int64(hits)/3, 300_000)))
	r := newRun(t, s, newArchivers(t, s, dir, two("exactly-once")), rng)

	for list := points(); r.total() < hits; {
		if len(r.todo) == 0 {
			r.todo = append(r.todo, list...)
			rng.Shuffle(len(r.todo), func(i, j int) { r.todo[i], r.todo[j] = r.todo[j], r.todo[i] })
		}
		feed.allow(total * int64(r.total()+1) / int64(hits))
		if r.total() >= hits/2 && r.reshard == nil {
			r.reshard = func() { // a split, and a merge of two others
				shards := s.openShards(t)
				s.split(t, shards[0], rng)
				s.merge(t, shards[3], shards[4])
			}
		}
		p := r.todo[0]
		r.todo = r.todo[1:]
		r.strike(p)
	}
	t.Logf("%v: struck %d times", time.Since(began).Round(time.Second), r.total())
	feed.allow(total)
	eventually(t, "the rest to be put", 2*time.Minute, func() bool {
		_, _, left := feed.progress()
		return left <= 0
	})
	feed.finish(t)
	r.archivers.finish(2 * time.Minute)
	t.Logf("%v: everything is archived", time.Since(began).Round(time.Second))

	r.report()
	checkLogs(t, dir)
	sum := checkTruth(t, s)
	records, bytes, _ := feed.progress()
	if sum.Records != records || sum.Bytes != bytes {
		t.Errorf("the stream has %d records of %d bytes; %d of %d were put", sum.Records, sum.Bytes, records, bytes)
	}
	if sum.Shards != shardCount+3 {
		t.Errorf("the stream has %d shards", sum.Shards)
	}
	if sum.SplitAggregates == 0 {
		t.Error("no object begins or ends within an aggregated record")
	}
	if sum.Refused == 0 {
		t.Error("no late put was refused")
	}
	t.Logf("took %v", time.Since(began).Round(time.Second))
}
