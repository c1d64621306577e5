//go:build kill

package killtest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Steps at which an archiver is struck whose records are transformed and partitioned.
const (
	inBatch      = "a batch is with the program"
	whileSealing = "sealing"
	whilePutting = "objects are there, and others not"
	afterCommit  = "committed, the bundle not deleted"
)

// partitionPoints returns ways to strike, in an order in which each of the first ones
// is at a step of its own.
func partitionPoints(rng *rand.Rand) []point {
	seal := fault{Service: "S3", Operation: "PutObject", Path: "/_shardmill/"}
	put := fault{Service: "S3", Operation: "PutObject", Path: "/customer="}
	failed := fault{Service: "S3", Operation: "PutObject", Path: "/errors/"}
	prepare := fault{Service: "DynamoDB", Operation: "UpdateItem", Body: prepares}
	commit := fault{Service: "DynamoDB", Operation: "UpdateItem", Body: commits}
	discard := fault{Service: "S3", Operation: "DeleteObject", Path: "/_shardmill/"}
	as := func(f fault, kind string, after int) fault {
		f.Kind, f.After = kind, after
		return f
	}
	return []point{
		{step: inBatch, how: "the program holds a batch"},
		{step: whileSealing, how: "the bundle is held", fault: as(seal, "Stall", 0)},
		{step: whilePutting, how: "objects are held", fault: as(put, "Stall", 1+rng.IntN(100)), planned: true},
		{step: atPrepare, how: "the prepare's answers are lost", fault: as(prepare, "LostAnswer", 0), planned: true},
		{step: publishToCommit, how: "the commit is held", fault: as(commit, "Stall", 0), planned: true, early: true},
		{step: afterCommit, how: "the commit's answers are lost", fault: as(commit, "LostAnswer", 0)},
		{step: anyMoment, how: "nothing is held"},
		{step: whilePutting, how: "answers of objects are lost", fault: as(put, "LostAnswer", 1+rng.IntN(100)), planned: true, stop: true},
		{step: whileSealing, how: "the bundle's answers are lost", fault: as(seal, "LostAnswer", 0), stop: true},
		{step: afterCommit, how: "the bundle's deletion is refused", fault: as(discard, "Refuse", 0)},
		{step: whilePutting, how: "error objects are held", fault: as(failed, "Stall", 0), planned: true, early: true},
	}
}

// partitioned are archivers with a transform and partitions that are struck.
type partitioned struct {
	*run

	program *program
	before  map[string]int // archivers struck at earlier points, by step
}

// TestKillInPartitions strikes archivers whose records go through a program into the
// objects of 500 partitions, and their programs. What becomes of a record is said by its
// number: it must be in one place, which is counted in the files of the store.
func TestKillInPartitions(t *testing.T) { //nolint:paralleltest // its processes need the cores
	began := time.Now()
	records := setting(t, "SHARDMILL_KILL_RECORDS", 20_000)
	rng := newRand(t, "SHARDMILL_KILL_SEED")
	dir := newDir(t, "SHARDMILL_KILL_DIR")
	s := startServices(t, dir)
	feed := putNumbered(t, s, rand.New(rand.NewPCG(rng.Uint64(), 0)), time.Second)
	program := newProgram(t, dir)
	r := &partitioned{run: newRun(t, s, newArchivers(t, s, dir, partitioning(program)), rng), program: program, before: make(map[string]int)}

	list, trouble := partitionPoints(rng), disturbances()
	rng.Shuffle(len(trouble), func(i, j int) { trouble[i], trouble[j] = trouble[j], trouble[i] })
	for i, p := range list {
		for tries := 0; r.hits[p.step] == r.before[p.step] && tries < 3; tries++ {
			r.strike(p, trouble[i%len(trouble)])
		}
		r.before[p.step] = r.hits[p.step]
	}
	t.Logf("%v: struck %d times", time.Since(began).Round(time.Second), r.total())
	feed.finish(t, int64(records))
	r.archivers.finish(patience)
	r.awaitTidy(feed)
	t.Logf("%v: everything is archived", time.Since(began).Round(time.Second))

	for _, step := range []string{inBatch, whileSealing, atPrepare, whilePutting, publishToCommit, afterCommit, anyMoment} {
		if r.hits[step] == 0 {
			t.Errorf("no archiver was struck: %s", step)
		}
	}
	t.Logf("struck %v; %d leases had a plan; %d times missed", r.hits, r.planned, r.misses)
	checkLogs(t, dir, "the transform fails; records go into error objects once it was tried in vain") // if a program hangs for longer than the failover time
	openAccount(t, filepath.Join(s.dir, bucket)).check(t, int(feed.put.Load()))
	t.Logf("took %v", time.Since(began).Round(time.Second))
}

// partitioning returns the settings of archivers with a program as their transform.
func partitioning(p *program) settings {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	set := two("exactly-once")
	set.memoryMBs, set.interval = 256, 2
	set.stages = `  Prefix: "customer=!{partitionKeyFromQuery:customer}/"
  ErrorOutputPrefix: "errors/!{firehose:error-output-type}/"
  DynamicPartitioningConfiguration: {Enabled: true}
  ProcessingConfiguration:
    Enabled: true
    Processors:
      - Type: MetadataExtraction
        Parameters:
          - {ParameterName: MetadataExtractionQuery, ParameterValue: "{customer:.customer}"}
          - {ParameterName: JsonParsingEngine, ParameterValue: JQ-1.6}
      - {Type: AppendDelimiterToRecord}
`
	set.ours = fmt.Sprintf(`  activePartitions: %d
  transform:
    command: [%q]
    environment: {%s: %q}
    timeoutSeconds: %d
    processes: 4
    numberOfRetries: 100
    bufferSizeInMBs: 0.2
    bufferIntervalInSeconds: 0
`, customers, self, programVariable, p.dir, programTimeout)
	return set
}

// strike kills or stops an archiver at a point, and makes trouble for the program of the
// other one, which goes on with its shards.
func (r *partitioned) strike(p point, trouble string) {
	r.t.Helper()
	slot := r.pick()
	name, other := r.archivers.slots[slot].name, r.archivers.slots[1-slot].name
	held := func() bool { return true }
	if p.step == inBatch {
		r.program.tell(name, hold)
		held = func() bool { return r.program.isTold(name) }
	}
	v := r.hit(slot, p, held)
	if !p.stop {
		r.program.awaitEnd(name)
	}
	r.disturb(other, trouble)
	r.awaitSuccessor(v)
	if !p.early && v.fault.ID > 0 {
		r.s.remove(v.fault)
	}
	if p.stop {
		v.signal(syscall.SIGCONT)
		return
	}
	r.archivers.start(slot, r.rng.IntN(2) == 0)
}

// disturb makes trouble for the program of an archiver, and waits until it is over.
func (r *partitioned) disturb(archiver, trouble string) {
	r.t.Helper()
	if trouble == isStruck {
		r.eventually("a program to strike", func() bool {
			pids := r.program.processes(archiver, "")
			return len(pids) > 0 && syscall.Kill(pids[r.rng.IntN(len(pids))], syscall.SIGKILL) == nil
		})
		return
	}
	r.program.tell(archiver, trouble)
	r.eventually("trouble: the program "+trouble, func() bool { return r.program.isTold(archiver) })
	if trouble == hangs {
		r.eventually("the program's child", func() bool { return len(r.program.processes(archiver, childVariable)) > 0 })
		r.eventually("the child's end", func() bool { return len(r.program.processes(archiver, childVariable)) == 0 })
	}
}

// awaitTidy has other archivers go on for a moment: what a late put has left of bundles
// is theirs to delete. In the end no program may be there.
func (r *partitioned) awaitTidy(feed *numbered) {
	r.t.Helper()
	for slot := range r.archivers.slots {
		r.archivers.start(slot, false)
	}
	feed.finish(r.t, feed.put.Load()+2*burst)
	eventually(r.t, "everything to be archived", patience, func() bool { return r.s.isArchived(r.t) })
	r.eventually("the bundles to be deleted", func() bool {
		files, err := filepath.Glob(filepath.Join(r.s.dir, bucket, "_shardmill", "*", "*", "*"))
		return err == nil && len(files) == 0
	})
	r.archivers.end()
	if pids := r.program.processes("", ""); len(pids) > 0 {
		r.t.Errorf("%d programs outlive their archivers, such as %s", len(pids), strconv.Itoa(pids[0]))
	}
}
