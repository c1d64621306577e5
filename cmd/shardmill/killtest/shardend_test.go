//go:build kill

package killtest_test

import (
	"math/big"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// Steps of the end of a shard.
const (
	atChildren = "creating the children's leases"
	atShardEnd = "between the children and SHARD_END"
)

// endPoints returns each way to strike at the end of a shard.
func endPoints() []point {
	children := fault{Service: "DynamoDB", Operation: "TransactWriteItems"}
	end := fault{Service: "DynamoDB", Operation: "UpdateItem", Body: `{"S":"SHARD_END"}`}
	var all []point
	for _, row := range []struct {
		step  string
		fault fault
	}{{atChildren, children}, {atShardEnd, end}} {
		for _, way := range []point{
			{how: "it is held until another archiver has done it", fault: fault{Kind: "Stall"}},
			{how: "it is held until another archiver has done it", fault: fault{Kind: "Stall"}, stop: true},
			{how: "it is held until the archiver is dead", fault: fault{Kind: "Stall"}, early: true},
			{how: "its answers are lost", fault: fault{Kind: "LostAnswer"}},
			{how: "its answers are lost", fault: fault{Kind: "LostAnswer"}, stop: true},
			{how: "it does not arrive", fault: fault{Kind: "Refuse"}},
		} {
			kind := way.fault.Kind
			way.step, way.fault = row.step, row.fault
			way.fault.Kind = kind
			all = append(all, way)
		}
	}
	return all
}

// TestKillAtShardEnd strikes archivers while they end a shard and create the
// leases of its children.
func TestKillAtShardEnd(t *testing.T) { //nolint:paralleltest // its processes need the cores
	rng := newRand(t, "SHARDMILL_KILL_SEED")
	dir := newDir(t, "SHARDMILL_KILL_DIR")
	s := startServices(t, dir)
	feed := startFeeder(t, s, dir, rand.New(rand.NewPCG(rng.Uint64(), 0)), ordinary(500_000))
	feed.allow(1 << 60)
	r := newRun(t, s, newArchivers(t, s, dir, two("exactly-once")), rng)
	list := endPoints()
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for i, p := range list {
		r.eventually("strike: "+p.step+", "+p.how, func() bool { return r.strikeAtEnd(p, i%2 == 0) })
	}
	feed.finish(t)
	r.archivers.finish(2 * time.Minute)
	for _, step := range []string{atChildren, atShardEnd} {
		t.Logf("struck %3d times: %s", r.hits[step], step)
	}
	t.Logf("missed %d times", r.misses)
	t.Logf("%d leases: ended by another archiver after a median of %v", len(r.taken), median(r.taken))
	checkLogs(t, dir)
	sum := checkTruth(t, s)
	if records, _, _ := feed.progress(); sum.Records != records {
		t.Errorf("the stream has %d records; %d were put", sum.Records, records)
	}
}

// strikeAtEnd ends shards of an archiver, strikes it while it writes that down,
// and waits until another one has done so. False means that it was missed:
// another one had got the shards before.
func (r *run) strikeAtEnd(p point, merge bool) bool {
	r.t.Helper()
	slot := r.pick()
	v := victim{archiver: r.archivers.slots[slot], slot: slot, point: p}
	f := p.fault
	f.UserAgent = "app/" + v.name
	v.fault = r.s.add(f)
	parents := r.endShards(v.worker, merge)
	struck := false
	r.eventually(v.name+" to be struck: "+p.step+", "+p.how, func() bool {
		struck = r.s.look(v.fault).Struck
		return struck || r.areEnded(parents)
	})
	if !struck {
		r.misses++
		r.s.remove(v.fault)
		return false
	}
	time.Sleep(time.Duration(r.rng.IntN(100)) * time.Millisecond)
	if p.stop {
		v.signal(syscall.SIGSTOP)
	} else {
		v.kill()
	}
	v.at = time.Now()
	r.hits[p.step]++
	if p.early {
		r.s.remove(v.fault)
	}
	r.eventually("another archiver to end the shard", func() bool { return r.areEnded(parents) })
	r.taken = append(r.taken, time.Since(v.at))
	if !p.early {
		r.s.remove(v.fault)
	}
	if p.stop {
		v.signal(syscall.SIGCONT)
		return true
	}
	r.archivers.start(slot, r.rng.IntN(2) == 0)
	return true
}

// areEnded reports whether all records of shards are archived.
func (r *run) areEnded(shards []string) bool {
	r.t.Helper()
	leases := r.s.leases(r.t)
	for _, shard := range shards {
		if l, there := leases[shard]; there && l.checkpoint != shardEnd {
			return false
		}
	}
	return true
}

// endShards splits a shard that a worker has, or merges two if it has two that
// are adjacent, and returns what they are called.
func (r *run) endShards(worker string, merge bool) []string {
	r.t.Helper()
	var mine []types.Shard
	var open []types.Shard
	r.eventually(worker+" to have an open shard", func() bool {
		open, mine = r.s.openShards(r.t), nil
		owned := ownedBy(r.s.leases(r.t), worker)
		for _, shard := range open {
			if _, is := owned[aws.ToString(shard.ShardId)]; is {
				mine = append(mine, shard)
			}
		}
		return len(mine) > 0
	})
	if merge && len(open) > leastShards {
		for i := range len(mine) - 1 {
			a, b := mine[i], mine[i+1]
			if next := bigInt(a.HashKeyRange.EndingHashKey); next.Add(next, big.NewInt(1)).Cmp(bigInt(b.HashKeyRange.StartingHashKey)) == 0 {
				r.s.merge(r.t, a, b)
				return []string{aws.ToString(a.ShardId), aws.ToString(b.ShardId)}
			}
		}
	}
	shard := mine[r.rng.IntN(len(mine))]
	r.s.split(r.t, shard, r.rng)
	return []string{aws.ToString(shard.ShardId)}
}
