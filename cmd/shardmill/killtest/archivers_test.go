//go:build kill

package killtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const (
	application = "killed-archiver"
	bucket      = "archive"
	failover    = 2 // s
)

// archivers are the two processes under test.
type archivers struct {
	t       *testing.T
	s       *services
	dir     string
	config  string // path
	started int
	slots   [2]archiver
}

// archiver is one of them, and what it is called in the lease table.
type archiver struct {
	*process

	worker string
}

func newArchivers(t *testing.T, s *services, dir, delivery string) *archivers {
	t.Helper()
	a := &archivers{t: t, s: s, dir: dir, config: filepath.Join(dir, "archiver.yaml")}
	text := fmt.Sprintf(`DeliveryStreamName: killed
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/%s"}
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::%s
  BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}
  CompressionFormat: GZIP
shardmill:
  applicationName: %s
  delivery: %s
  failoverTimeSeconds: %d
  scanIntervalSeconds: 1
  shardSyncIntervalSeconds: 5
  maxMemoryMBs: 64
`, streamName, bucket, application, delivery, failover)
	if err := os.WriteFile(a.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range a.slots {
		a.start(i, false)
	}
	return a
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
	p := start(a.t, a.dir, name, a.s.env, nil,
		"archive", "--config", a.config, "--worker-id", worker, "--shutdown-timeout", "30s", "--log-level", "debug")
	a.slots[slot] = archiver{process: p, worker: worker}
}
