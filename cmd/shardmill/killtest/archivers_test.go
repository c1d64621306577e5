//go:build kill || search || redshift

package killtest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const (
	application = "killed-archiver"
	bucket      = "archive"
)

// settings are how archivers are set that a test wants.
type settings struct {
	count     int // archivers
	delivery  string
	failover  int // s
	interval  int // s, of buffering
	memoryMBs int
	sizeMBs   int    // of a buffer
	codec     string // CompressionFormat
	stages    string // more lines of the destination
	ours      string // more lines of the shardmill key

	destination string                  // its lines, if they are not of an ExtendedS3DestinationConfiguration
	environment func(slot int) []string // more of it; nil for none
}

// two are archivers of which one takes over what the other leaves.
func two(delivery string) settings {
	return settings{count: 2, delivery: delivery, failover: 2, interval: 1, memoryMBs: 64, sizeMBs: 1, codec: "GZIP"}
}

// archivers are the processes under test.
type archivers struct {
	t       *testing.T
	s       *services
	dir     string
	config  string // path
	env     func(slot int) []string
	started int
	slots   []archiver
}

// archiver is one of them, and what it is called in the lease table.
type archiver struct {
	*process

	worker string
}

func newArchivers(t *testing.T, s *services, dir string, set settings) *archivers {
	t.Helper()
	a := &archivers{t: t, s: s, dir: dir, config: filepath.Join(dir, "archiver.yaml"), env: set.environment, slots: make([]archiver, set.count)}
	a.configure(set)
	for i := range a.slots {
		a.start(i, false)
	}
	return a
}

// configure sets archivers that are started from now on. One that was started
// just before may read either configuration, but no half of one.
func (a *archivers) configure(set settings) {
	a.t.Helper()
	destination := set.destination
	if destination == "" {
		destination = fmt.Sprintf("ExtendedS3DestinationConfiguration:\n  BucketARN: arn:aws:s3:::%s\n  CompressionFormat: %s\n%s", bucket, set.codec, set.stages)
	}
	text := fmt.Sprintf(`DeliveryStreamName: killed
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/%s"}
%sshardmill:
  bufferingHints: {SizeInMBs: %d, IntervalInSeconds: %d}
  applicationName: %s
  delivery: %s
  failoverTimeSeconds: %d
  scanIntervalSeconds: 1
  shardSyncIntervalSeconds: 5
  maxMemoryMBs: %d
  healthAddress: "127.0.0.1:0"
%s`, streamName, destination, set.sizeMBs, set.interval, application, set.delivery, set.failover, set.memoryMBs, set.ours)
	next := a.config + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Rename(next, a.config)); err != nil {
		a.t.Fatal(err)
	}
}

// start starts the archiver of a slot, as the same worker as before or as a
// new one. Its requests have a name of their own either way.
func (a *archivers) start(slot int, same bool) {
	a.t.Helper()
	a.started++
	name := fmt.Sprintf("archiver-%03d", a.started)
	worker := name
	if same {
		worker = a.slots[slot].worker
	}
	env := slices.Clone(a.s.env)
	if a.env != nil {
		env = append(env, a.env(slot)...)
	}
	p := start(a.t, a.dir, name, env, nil,
		"archive", "--config", a.config, "--worker-id", worker, "--shutdown-timeout", "30s", "--log-level", "debug")
	a.slots[slot] = archiver{process: p, worker: worker}
}

// own reports whether each owner is one of the archivers.
func (a *archivers) own(owners map[string]string) bool {
	for _, worker := range owners {
		if !slices.ContainsFunc(a.slots, func(p archiver) bool { return p.worker == worker }) {
			return false
		}
	}
	return true
}
