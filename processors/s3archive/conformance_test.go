package s3archive_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors"
)

// TestConformance has the statements of docs/conformance.md that are about requests
// of S3.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]processors.Config{
		"exactly once":  {},
		"at least once": {Delivery: processors.AtLeastOnce},
		"with a backup": {Backup: &processors.Backup{Bucket: "bucket", Prefix: "backup/", Hints: processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 60}}},
	} {
		t.Run("F13/"+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.Hints = processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 60}
				l := open(t, localaws.Options{})
				l.archive(t, c, string(bytes.Repeat([]byte("a"), 1<<19)))
				puts := 0
				for _, w := range l.Writes() {
					switch w.Op {
					case "PutObject":
						puts++
					case "DeleteObject": // of a bundle
					default:
						t.Errorf("%s of %s", w.Op, w.Key)
					}
				}
				if puts == 0 {
					t.Error("no object")
				}
			})
		})
	}
}

// archive has an archiver deliver records, of which nothing is left after it.
func (l local) archive(t *testing.T, c processors.Config, records ...string) {
	t.Helper()
	c.DeliveryStreamName, c.Bucket = "orders", "bucket"
	archiver, err := processors.New(c, l.store)
	if err != nil {
		t.Fatal(err)
	}
	stream := kcltest.NewStream(1)
	stream.Put(0, records...)
	k := kcl.Config{ApplicationName: "app", StreamName: "clicks", Source: stream, Leases: new(lease.Mem), WorkerID: "me"}
	if err := archiver.Configure(&k); err != nil {
		t.Fatal(err)
	}
	w, err := kcl.New(k, archiver.Processor)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
}
