package processors

import (
	"time"
)

// Load says that what is delivered is to be loaded into a database by a loader, such as
// that of package redshiftarchive: each cut that has such objects gets a marker, which
// names them. A loader may load whatever has a marker, and deletes the marker then.
type Load struct {
	// CommitOn is what the checkpoint waits for. Default CommitOnStage.
	CommitOn CommitOn
}

// CommitOn is what a checkpoint waits for where objects are loaded.
type CommitOn string

// What a checkpoint can wait for.
const (
	// CommitOnStage lets the checkpoint pass when the objects and their marker are
	// durable: Firehose's.
	CommitOnStage CommitOn = "stage"

	// CommitOnLoad has it wait until the marker is gone: the objects are loaded, or a
	// manifest under errors/manifests/ names them. Meanwhile the next cut fills, with as
	// many objects as the worker's memory budget has room for.
	CommitOnLoad CommitOn = "load"
)

// Markers returns the bucket and the prefix of the keys of markers:
// "STAGING/load/DELIVERYSTREAM/" below Staging.
func (c Config) Markers() (bucket, prefix string) {
	c = c.WithDefaults()
	bucket, prefix, _ = ParseStaging(c.Staging)
	return bucket, prefix + "load/" + c.DeliveryStreamName + "/"
}

// Marker names the objects of one cut that are to be loaded. Its object has the key
// MARKERS + PLAN: the prefix of Config.Markers, and the UUID of the cut's plan.
type Marker struct {
	DeliveryStreamName string
	Objects            []MarkedObject // at least one
}

// MarkedObject is an object that is to be loaded.
type MarkedObject struct {
	Bucket, Key    string
	Size           int64     // of its body
	Digest         [16]byte  // XXH3-128 of its body, seed 0, highest byte first
	Records, Bytes int64     // that it was made of, before compression
	Oldest         time.Time // arrival of the oldest of these; zero if unknown
}
