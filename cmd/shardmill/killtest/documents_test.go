//go:build search

package killtest_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// indexers are archivers of documents that are struck, and what they deliver to.
type indexers struct {
	*run

	cluster *cluster
	gates   []*gate // of the slots
}

// TestKillIndexing strikes archivers that deliver documents to a cluster which others
// wrote, and the cluster. Each document must be in one index, once, as it was put, or in
// an error object, once, and all records in the backup.
func TestKillIndexing(t *testing.T) { //nolint:paralleltest // its processes need the cores
	began := time.Now()
	c := newCluster(t)
	records := 200_000
	if c.kind != "" {
		records = 60_000
	}
	records = setting(t, "SHARDMILL_KILL_DOCUMENTS", records)
	rng := newRand(t, "SHARDMILL_KILL_SEED")
	dir := newDir(t, "SHARDMILL_KILL_DIR")
	s := startServices(t, dir)
	arrivals := serveArrivals(t, s)
	feed := feedNumbers(t, s, rand.New(rand.NewPCG(rng.Uint64(), 0)), dataOf)
	gates := []*gate{newGate(t, c.url), newGate(t, c.url)}
	r := &indexers{newRun(t, s, newArchivers(t, s, dir, indexing(c, gates, arrivals)), rng), c, gates}

	list, mischief := r.points(), mischiefs(c.kind == "")
	rng.Shuffle(len(mischief), func(i, j int) { mischief[i], mischief[j] = mischief[j], mischief[i] })
	for i, p := range list {
		feed.allow(records * (i + 1) / (len(list) + 1))
		before := r.hits[p.step]
		for tries := 0; r.hits[p.step] == before && tries < 3; tries++ {
			r.strike(p, mischief[i%len(mischief)])
		}
		switch i {
		case len(list) / 3:
			r.disturb("is told to end", func() {})
		case 2 * len(list) / 3:
			r.disturb("is killed, and an archiver begins before it is back", func() {
				c.do("kill")
				slot := r.pick()
				r.archivers.slots[slot].kill()
				r.archivers.start(slot, false)
			})
		}
	}
	t.Logf("%v: struck %d times", time.Since(began).Round(time.Second), r.total())
	feed.allow(records)
	put := feed.finish(t)
	r.archivers.finish(patience)
	for _, g := range gates {
		eventually(t, "the last request to end", patience, g.isIdle)
	}
	t.Logf("%v: everything is archived", time.Since(began).Round(time.Second))
	r.report()
	checkLogs(t, dir, "the cluster takes no documents")
	r.compare(openDocuments(t, s.reading(arrivals), s.shards(t), put, c.kind))
	t.Logf("took %v", time.Since(began).Round(time.Second))
}

// indexing returns the settings of archivers of documents. No document that the cluster
// would take may be given up: while nothing is taken RetryOptions' clock stands still, and
// else they are longer than what befalls a request. But each cut has documents that the
// cluster refuses, and waits for them, so they fail at once with OpenSearch; Elasticsearch
// has shorter RetryOptions, and none of what befalls single documents.
func indexing(c *cluster, gates []*gate, arrivals string) settings {
	set := two("exactly-once")
	set.memoryMBs = 256
	set.ours = "  auth: none\n  pauseWhenDown: true\n"
	destination, kind, retry := "AmazonopensearchserviceDestinationConfiguration", "", 60
	if c.kind == "" {
		set.ours += "  fastFail: true\n"
	} else {
		destination, kind, retry = "ElasticsearchDestinationConfiguration", "  TypeName: "+c.kind+"\n", 10
	}
	set.destination = fmt.Sprintf(`%s:
  ClusterEndpoint: ${SHARDMILL_KILL_CLUSTER}
  IndexName: %s
  IndexRotationPeriod: OneHour
%s  BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}
  RetryOptions: {DurationInSeconds: %d}
  S3BackupMode: AllDocuments
  S3Configuration:
    BucketARN: arn:aws:s3:::%s
    Prefix: "all/"
    ErrorOutputPrefix: "errors/!{firehose:error-output-type}/"
    CompressionFormat: GZIP
`, destination, indexName, kind, retry, bucket)
	set.environment = func(slot int) []string {
		return []string{"SHARDMILL_KILL_CLUSTER=" + gates[slot].url, "AWS_ENDPOINT_URL_KINESIS=" + arrivals}
	}
	return set
}

// strike kills or stops an archiver at a point, and has mischief done to a request of the
// other one, which goes on with its shards.
func (r *indexers) strike(p documentPoint, mischief string) {
	r.t.Helper()
	slot := r.pick()
	mine, other := r.gates[slot], r.gates[1-slot]
	held := func() bool { return true }
	if p.gate != "" {
		mine.tell(p.gate)
		held = mine.isHolding
	}
	v := r.hit(slot, p.point, held)
	other.tell(mischief)
	r.awaitSuccessor(v)
	other.release()
	mine.release() // requests come late now
	if !p.early && v.fault.ID > 0 {
		r.s.remove(v.fault)
	}
	if p.stop {
		v.signal(syscall.SIGCONT)
		return
	}
	r.archivers.start(slot, r.rng.IntN(2) == 0)
}

// disturb has the cluster begin anew, after something, and waits until documents are
// delivered to it.
func (r *indexers) disturb(how string, first func()) {
	r.t.Helper()
	began := time.Now()
	first()
	r.cluster.do("restart")
	back := time.Now()
	before := r.s.leases(r.t)
	r.eventually("a commit after the cluster came back", func() bool {
		for shard, l := range r.s.leases(r.t) {
			if l.checkpoint != before[shard].checkpoint {
				return true
			}
		}
		return false
	})
	r.t.Logf("the cluster %s: it is back after %v, the first commit comes %v later", how, back.Sub(began).Round(time.Second), time.Since(back).Round(time.Millisecond))
}

// points are those of this cluster: with Elasticsearch each takes longer, as cuts wait for
// what is refused, and the last ones are left out.
func (r *indexers) points() []documentPoint {
	all := documentPoints()
	if r.cluster.kind != "" {
		return all[:11]
	}
	return all
}

// report prints what was done.
func (r *indexers) report() {
	r.t.Helper()
	for _, p := range r.points() {
		if r.hits[p.step] == 0 {
			r.t.Errorf("no archiver was struck: %s", p.step)
		}
	}
	r.t.Logf("struck %v, %d of them stopped; %d leases had a plan; %d times missed", r.hits, r.stops, r.planned, r.misses)
	done := sum(r.gates)
	r.t.Logf("requests on the way: %v", done)
	if len(done) < len(mischiefs(r.cluster.kind == ""))-2 {
		r.t.Errorf("of all that can befall a request on its way only this did: %v", done)
	}
	if got, want := r.total(), len(r.points()); got < want {
		r.t.Errorf("struck %d times, want %d", got, want)
	}
}

// compare holds the cluster and the bucket to the stream.
func (r *indexers) compare(a *documentAccount) {
	r.t.Helper()
	if a.split() == 0 {
		r.t.Error("no record is in an aggregated one")
	}
	r.cluster.each(a.document)
	a.bucket(r.t, filepath.Join(r.s.dir, bucket))
	a.check(r.t)
}
