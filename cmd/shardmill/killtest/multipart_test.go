//go:build kill

package killtest_test

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// Steps of an upload in parts.
const (
	atPart     = "part received, not answered"
	atComplete = "completion received, not answered"
)

// partPoints returns ways to strike during an upload in parts.
func partPoints() []point {
	part := fault{Service: "S3", Operation: "UploadPart", Kind: "Stall"}
	complete := fault{Service: "S3", Operation: "CompleteMultipartUpload", Kind: "Stall"}
	lostComplete := complete
	lostComplete.Kind = "LostAnswer"
	return []point{
		{step: atPart, how: "S3 holds the part", fault: part, stop: true, planned: true},
		{step: atComplete, how: "S3 holds the completion", fault: complete, planned: true},
		{step: atComplete, how: "S3 holds the completion", fault: complete, stop: true, planned: true},
		{step: atComplete, how: "the completion's answers are lost", fault: lostComplete, planned: true},
	}
}

// TestKillInMultipart strikes archivers while they upload objects that are too
// large for one put, each another one: as fast as a shard may be read it takes
// half a minute until one is full, and as long to make it again. What is left
// in the end is archived with other settings than those under which it was
// buffered. Meanwhile no archiver may lose its lease because six of them have too
// little of the processors; if one does all the same, who has it then is struck.
func TestKillInMultipart(t *testing.T) { //nolint:paralleltest // its processes need the cores
	rng := newRand(t, "SHARDMILL_KILL_SEED")
	dir := newDir(t, "SHARDMILL_KILL_DIR")
	s := startServices(t, dir)
	list := partPoints()
	feed := startFeeder(t, s, dir, rand.New(rand.NewPCG(rng.Uint64(), 0)), flow{rate: 30_000_000, shards: len(list)})
	// 64 MiB go in one put. Two archivers have nothing to do before others are struck.
	set := settings{count: len(list) + 2, delivery: "exactly-once", failover: 6, interval: 900, memoryMBs: 256, sizeMBs: 66, codec: "UNCOMPRESSED"}
	r := newRun(t, s, newArchivers(t, s, dir, set), rng)
	victims := r.aim(list)
	cuts := make(map[string]bool)              // shards whose cut was struck
	feed.allow(int64(len(list)) * 120_000_000) // bursts go to any shard: the least gets half as much as the others
	r.strikeAll(victims)
	for _, v := range victims {
		for shard := range v.leases {
			cuts[shard] = true
		}
	}
	feed.finish(t)
	rest := two("exactly-once")
	rest.failover = set.failover
	r.archivers.configure(rest)
	r.archivers.end()
	for slot := range r.archivers.slots {
		r.archivers.start(slot, false)
	}
	r.archivers.finish(2 * time.Minute)

	for _, step := range []string{atPart, atComplete} {
		t.Logf("struck %3d times: %s", r.hits[step], step)
		if r.hits[step] == 0 {
			t.Errorf("no archiver was struck: %s", step)
		}
	}
	checkLogs(t, dir)
	sum := checkTruth(t, s)
	if records, _, _ := feed.progress(); sum.Records != records {
		t.Errorf("the stream has %d records; %d were put", sum.Records, records)
	}
	// A victim with two shards may be struck at a cut that was struck before.
	if sum.Uploads < len(cuts) || len(cuts) < 2 {
		t.Errorf("%d objects were uploaded in parts, and the cuts of %d shards were struck", sum.Uploads, len(cuts))
	}
}

// aim waits until each point has an archiver with a shard and sets the trap.
func (r *run) aim(list []point) []victim {
	r.t.Helper()
	var victims []victim
	r.eventually("the shards to be shared out", func() bool {
		victims = nil
		leases := r.s.leases(r.t)
		for slot, a := range r.archivers.slots {
			owned := ownedBy(leases, a.worker)
			for shard := range owned {
				if len(owned) == 1 && len(victims) < len(list) {
					victims = append(victims, victim{archiver: a, slot: slot, shard: shard, point: list[len(victims)]})
				}
			}
		}
		return len(victims) == len(list)
	})
	for i := range victims {
		r.trap(&victims[i])
	}
	return victims
}

// trap makes the services hold a victim at its point.
func (r *run) trap(v *victim) {
	r.t.Helper()
	f := v.point.fault
	f.UserAgent = "app/" + v.name
	v.fault = r.s.add(f)
}

// aimAnew sets the trap of a victim that was not struck and has lost its shard
// for the archiver that has it now, which begins the shard's object anew. If that
// one is itself aimed at, its own trap comes first.
func (r *run) aimAnew(v *victim, others []victim) (aimed bool) {
	r.t.Helper()
	owner := r.s.leases(r.t)[v.shard].owner
	slot := slices.IndexFunc(r.archivers.slots, func(a archiver) bool { return a.worker == owner })
	if slot < 0 || slices.ContainsFunc(others, func(o victim) bool { return o.slot == slot }) {
		return false
	}
	if v.fault.ID > 0 {
		r.misses++
		r.s.remove(v.fault)
	}
	v.archiver, v.slot = r.archivers.slots[slot], slot
	r.trap(v)
	return true
}

// strikeAll strikes each archiver when it comes to its point, and lets it live
// again when another one has gone on with its shard.
func (r *run) strikeAll(victims []victim) {
	r.t.Helper()
	struck := make([]bool, len(victims))
	for slices.Contains(struck, false) {
		r.eventually("an archiver to be struck", func() (moved bool) {
			for i := range victims {
				switch v := &victims[i]; {
				case struck[i]:
				case v.fault.ID > 0 && r.s.look(v.fault).Struck:
					struck[i], moved = r.strikeHeld(v), true
				default:
					moved = r.aimAnew(v, victims) || moved
				}
			}
			return moved
		})
	}
	for i := range victims {
		r.awaitSuccessor(victims[i])
		r.revive(&victims[i])
	}
}

// strikeHeld strikes an archiver that is held at its point. One that had just
// lost its shard was not at its point: it lives again at once.
func (r *run) strikeHeld(v *victim) (hit bool) {
	r.t.Helper()
	if v.point.stop {
		v.signal(syscall.SIGSTOP)
	} else {
		v.kill()
	}
	v.at = time.Now()
	if hit = r.look(v); !hit {
		r.revive(v)
		v.slot, v.fault, v.any = -1, fault{}, false
	}
	return hit
}

// revive lets go on what a victim was held by, and the victim.
func (r *run) revive(v *victim) {
	r.t.Helper()
	r.s.remove(v.fault)
	if v.point.stop {
		v.signal(syscall.SIGCONT)
	} else {
		r.archivers.start(v.slot, r.rng.IntN(2) == 0)
	}
}
