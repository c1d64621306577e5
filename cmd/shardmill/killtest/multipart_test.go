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
// little of the processors; whose lease is lost all the same is no victim any more.
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
	feed.allow(int64(len(list)) * 85_000_000)
	r.strikeAll(victims)
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
	if sum.Uploads < len(list) {
		t.Errorf("%d objects were uploaded in parts, want at least %d", sum.Uploads, len(list))
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
			if len(ownedBy(leases, a.worker)) == 1 && len(victims) < len(list) {
				victims = append(victims, victim{archiver: a, slot: slot, point: list[len(victims)]})
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

// aimAnew finds another archiver for the point of a victim that was not struck
// and has lost its shard, if there is one.
func (r *run) aimAnew(v *victim, others []victim) {
	r.t.Helper()
	leases := r.s.leases(r.t)
	if len(ownedBy(leases, v.worker)) > 0 {
		return
	}
	for slot, a := range r.archivers.slots {
		aimed := slices.ContainsFunc(others, func(o victim) bool { return o.slot == slot })
		if aimed || len(ownedBy(leases, a.worker)) != 1 {
			continue
		}
		r.misses++
		r.s.remove(v.fault)
		v.archiver, v.slot = a, slot
		r.trap(v)
		return
	}
}

// strikeAll strikes each archiver when it comes to its point, and lets it live
// again when another one has gone on with its shard.
func (r *run) strikeAll(victims []victim) {
	r.t.Helper()
	struck := make([]bool, len(victims))
	r.eventually("the archivers to be struck", func() bool {
		all := true
		for i := range victims {
			v := &victims[i]
			if struck[i] {
				continue
			}
			if struck[i] = r.s.look(v.fault).Struck; struck[i] {
				if v.point.stop {
					v.signal(syscall.SIGSTOP)
				} else {
					v.kill()
				}
				v.at = time.Now()
				r.look(v)
			} else {
				all = false
				r.aimAnew(v, victims)
			}
		}
		return all
	})
	for _, v := range victims {
		r.awaitSuccessor(v)
		r.s.remove(v.fault)
		if v.point.stop {
			v.signal(syscall.SIGCONT)
		} else {
			r.archivers.start(v.slot, r.rng.IntN(2) == 0)
		}
	}
}
