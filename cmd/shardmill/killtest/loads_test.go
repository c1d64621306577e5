//go:build redshift

package killtest_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shardmill/shardmill/localaws"
)

// loadScenario is a run of archivers that load.
type loadScenario struct {
	name      string
	warehouse localaws.WarehouseOptions
	ledger    bool
	onLoad    bool // commitOn
	retry     int  // s, of RetryOptions
	malformed bool // whether some records cannot be loaded
	points    []loadPoint
}

// TestKillLoading strikes archivers that stage and load, between each two of their steps,
// while records are put. With a ledger each record must be in the table once, or in an object
// that an errors manifest names.
func TestKillLoading(t *testing.T) {
	t.Parallel()
	rng := newRand(t, "SHARDMILL_KILL_SEED")
	split := pointsOfLedger()
	half := (len(split) + 1) / 2 // each half is struck in one of two runs, beside the archivers' points
	for _, x := range []loadScenario{
		{name: "ledger", ledger: true, retry: 7200, points: append(byLoader(split[:half:half]), pointsOfArchivers(false)...)},
		{name: "ledger, commit on load", ledger: true, onLoad: true, retry: 7200, points: append(byLoader(split[half:]), pointsOfArchivers(true)...)},
		{name: "no ledger", retry: 7200, points: append(byLoader(pointsWithoutLedger()), pointsOfArchivers(false)...)},
		{name: "given up", ledger: true, retry: 0, malformed: true, points: byLoader(pointsOfGivingUp())},
	} {
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			x.run(t, own)
		})
	}
}

// TestKillLoadingPostgreSQL has the loaders lose their connection at each statement, and
// killed then, with PostgreSQL behind our COPY.
func TestKillLoadingPostgreSQL(t *testing.T) {
	t.Parallel()
	url := os.Getenv("POSTGRES_ENDPOINT")
	if url == "" {
		t.Fatal("POSTGRES_ENDPOINT is not set; scripts/redshift.sh starts a server, and sets it")
	}
	rng := newRand(t, "SHARDMILL_KILL_SEED")
	x := loadScenario{ledger: true, retry: 7200, warehouse: localaws.WarehouseOptions{PostgreSQL: url}, points: pointsOfConnections()}
	x.run(t, rng)
}

// loaders are archivers that are struck, and what they load.
type loaders struct {
	*run

	scenario loadScenario
	house    *warehouse
	strikes  []struck
	waited   int // loaders that waited for the lock of one that was struck
	markers  int // at most, while a loader was struck
}

// struck is when an archiver was struck, until what it had under way was over.
type struck struct {
	point    loadPoint
	at, over time.Time
}

func (x loadScenario) run(t *testing.T, rng *rand.Rand) {
	t.Helper()
	began := time.Now()
	records := setting(t, "SHARDMILL_KILL_ROWS", 20_000)
	dir := newDir(t, "SHARDMILL_KILL_DIR")
	s, house := serveWarehouse(t, dir, x.warehouse)
	feed := feedNumbers(t, s, rand.New(rand.NewPCG(rng.Uint64(), 0)), x.rowOf)
	r := &loaders{run: newRun(t, s, newArchivers(t, s, dir, x.settings(house)), rng), scenario: x, house: house}
	for i, p := range x.points {
		feed.allow(records * (i + 1) / (len(x.points) + 1))
		before := len(r.strikes)
		for tries := 0; len(r.strikes) == before && tries < 3; tries++ {
			r.strike(p)
		}
	}
	t.Logf("%v: struck %d times", time.Since(began).Round(time.Second), len(r.strikes))
	feed.allow(records)
	put := feed.finish(t)
	r.eventually("everything to be archived and loaded", func() bool { return s.isArchived(t) && len(s.markers(t)) == 0 })
	r.archivers.end()
	eventually(t, "the last connection to end", patience, func() bool { return house.Connections() == 0 })
	r.report(dir)
	var expected []string
	if x.malformed {
		expected = []string{"batch given up; its manifest names what was not loaded", "what is staged is not loaded"}
	}
	checkLogs(t, dir, expected...)
	r.checkLeases()
	openLoads(t, s, house, put).check(r)
	t.Logf("took %v", time.Since(began).Round(time.Second))
}

func (x loadScenario) settings(house *warehouse) settings {
	set := two("exactly-once")
	set.failover = 3
	if x.ledger {
		set.ours += "  ledger: loaded\n"
	}
	if x.onLoad {
		set.ours += "  commitOn: load\n"
	}
	set.destination = fmt.Sprintf(`RedshiftDestinationConfiguration:
  RoleARN: %s
  ClusterJDBCURL: %s
  Username: %s
  Password: %s
  CopyCommand: {DataTableName: events, CopyOptions: "json 'auto' gzip"}
  RetryOptions: {DurationInSeconds: %d}
  S3Configuration:
    BucketARN: arn:aws:s3:::%s
    Prefix: rs/
    BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}
    CompressionFormat: GZIP
`, loaderRole, house.url, house.user, house.password, x.retry, bucket)
	return set
}

// rowOf returns a record. Its first digits are its number.
func (x loadScenario) rowOf(n int) []byte {
	if x.isMalformed(n) {
		return fmt.Appendf(nil, "{\"n\":%d,\"t\":\n", n)
	}
	return fmt.Appendf(nil, "{\"n\":%d,\"t\":\"%s\"}\n", n, textOf(n))
}

func (x loadScenario) isMalformed(n int) bool { return x.malformed && n%4000 == 7 }

func textOf(n int) string { return strings.Repeat(fmt.Sprint("größer als ", n, " "), 1+n%5) }

// strike kills or stops an archiver at a point, and waits until another one has gone on
// with what it did.
func (r *loaders) strike(p loadPoint) {
	r.t.Helper()
	v, held, isHit := r.reach(p)
	if !isHit {
		return
	}
	hit := struck{point: p, at: v.at}
	if !p.late {
		held.Remove()
		held.Release()
	}
	if p.loads {
		r.eventually("another loader than "+v.name+", which was struck: "+p.how, func() bool {
			owner := r.s.loader(r.t)
			return owner != "" && owner != v.worker
		})
		r.markers = max(r.markers, len(r.s.markers(r.t))) // nothing is loaded, and all shards are read
	} else {
		r.awaitSuccessor(v)
	}
	r.awaitLate(p)
	held.Remove()
	held.Release()
	if p.stop {
		v.signal(syscall.SIGCONT)
	}
	r.awaitLoad("what was staged to be loaded, after " + p.how)
	hit.over = time.Now()
	r.strikes = append(r.strikes, hit)
	if !p.stop {
		r.archivers.start(v.slot, r.rng.IntN(2) == 0)
	}
}

// awaitLate waits for what must have happened before what is late goes on.
func (r *loaders) awaitLate(p loadPoint) {
	r.t.Helper()
	switch {
	case !p.late:
	case p.locks:
		r.eventually("the next loader to wait for the lock", func() bool {
			n, err := r.house.Waiting(r.t.Context(), "loaded")
			if err != nil {
				r.t.Fatal(err)
			}
			return n > 0
		})
		r.waited++
	default:
		r.awaitLoad("the next loader to load, while what is late is held: " + p.how)
	}
}

// awaitLoad waits until all markers that are there are gone.
func (r *loaders) awaitLoad(what string) {
	r.t.Helper()
	markers := r.s.markers(r.t)
	r.eventually(what, func() bool { return r.s.areGone(r.t, markers) })
}

// reach waits until an archiver is at a point, and kills or stops it there. It is no hit if
// that one no longer did what it is struck at.
func (r *loaders) reach(p loadPoint) (v victim, held *localaws.ActiveFault, isHit bool) {
	r.t.Helper()
	for {
		v = victim{slot: r.choose(p), point: point{step: p.step, how: p.how, stop: p.stop, planned: p.planned}}
		v.archiver = r.archivers.slots[v.slot]
		f := p.fault
		if f.Service != localaws.Redshift {
			f.UserAgent = "app/" + v.name
		}
		held = r.house.stack.Faults().Add(f)
		isStruck := false
		r.eventually(v.name+" to be struck: "+p.how, func() bool {
			select {
			case <-held.Struck():
				isStruck = true
			default:
			}
			return isStruck || !r.isAt(v, p)
		})
		if isStruck {
			break
		}
		held.Remove()
		held.Release()
		r.misses++
	}
	time.Sleep(time.Duration(r.rng.IntN(200)) * time.Millisecond) // so that several shards may be
	isHit = r.isAt(v, p)
	if p.stop {
		v.signal(syscall.SIGSTOP)
	} else {
		v.kill()
	}
	v.at = time.Now()
	switch {
	case !p.loads:
		isHit = r.look(&v)
	case !isHit:
		r.misses++
	default:
		r.hits[p.step]++
		if p.stop {
			r.stops++
		}
	}
	if isHit {
		return v, held, true
	}
	held.Remove()
	held.Release()
	if p.stop {
		v.signal(syscall.SIGCONT)
	} else {
		r.archivers.start(v.slot, true)
	}
	return v, held, false
}

// isAt reports whether an archiver loads, or has leases, as it must at a point.
func (r *loaders) isAt(v victim, p loadPoint) bool {
	r.t.Helper()
	if p.loads {
		return r.s.loader(r.t) == v.worker
	}
	return len(ownedBy(r.s.leases(r.t), v.worker)) > 0
}

// choose returns the slot of who loads, or of one that has leases.
func (r *loaders) choose(p loadPoint) (slot int) {
	r.t.Helper()
	if !p.loads {
		return r.pick()
	}
	r.eventually("an archiver to load", func() bool {
		owner := r.s.loader(r.t)
		slot = slices.IndexFunc(r.archivers.slots, func(a archiver) bool { return a.worker == owner })
		return slot >= 0
	})
	return slot
}

// report prints what was done, and demands that all points were struck, and that the ledger
// kept something from being loaded again if it could.
func (r *loaders) report(dir string) {
	r.t.Helper()
	known := countLines(r.t, dir, `"msg":"ledger has objects of the batch already; the rest is loaded"`)
	if couldDouble := slices.ContainsFunc(r.scenario.points, func(p loadPoint) bool { return p.doubles }); r.scenario.ledger && couldDouble && known == 0 {
		r.t.Error("the ledger kept nothing from being loaded again")
	}
	left := make(map[string]int)
	for _, p := range r.scenario.points {
		left[p.name()]++
	}
	for _, hit := range r.strikes {
		left[hit.point.name()]--
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if left[name] > 0 {
			r.t.Errorf("not struck %d times: %s", left[name], name)
		}
	}
	for _, step := range slices.Sorted(maps.Keys(r.hits)) {
		r.t.Logf("struck %3d times: %s", r.hits[step], step)
	}
	if r.scenario.onLoad && r.markers > numberedShards {
		r.t.Errorf("%d markers of %d shards waited: a checkpoint was moved before a load", r.markers, numberedShards)
	}
	r.t.Logf("at most %d markers waited", r.markers)
	r.t.Logf("struck %d times in all, %d of them stopped, the others killed; %d leases had a plan; %d times missed; %d loaders waited for the ledger's lock; %d batches had objects that the ledger knew",
		len(r.strikes), r.stops, r.planned, r.misses, r.waited, known)
}

// countLines returns how many lines of the archivers' logs have a text.
func countLines(t *testing.T, dir, text string) (n int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "archiver-*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(data, []byte(text))
	}
	return n
}

// name tells a point from all others.
func (p loadPoint) name() string {
	verb := "killed"
	if p.stop {
		verb = "stopped"
	}
	return p.step + ": " + p.how + ", " + verb
}

// checkLeases demands that the application's table has rows of its shards alone.
func (r *loaders) checkLeases() {
	r.t.Helper()
	leases, shards := r.s.leases(r.t), r.s.shards(r.t)
	for _, shard := range shards {
		delete(leases, *shard.ShardId)
	}
	if len(leases) > 0 || len(shards) != numberedShards {
		r.t.Errorf("of %d shards the table of leases has other rows: %v", len(shards), leases)
	}
}
