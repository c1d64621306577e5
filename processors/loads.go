package processors

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Load says that what is delivered is to be loaded into a database by a loader, such as
// that of package redshiftarchive: each cut that has such objects gets a marker, which
// names them. A loader may load whatever has a marker, and deletes the marker then. See
// the package's documentation for what is promised.
type Load struct {
	// Before Load is removed, or Config.Staging or DeliveryStreamName changed, wait until no marker
	// is left: a loader looks below Config.Markers alone, and nobody loads what others name.

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
	// manifest under errors/manifests/ names them. Meanwhile the next cut fills, with up to
	// 128 objects, as long as the worker's memory budget has room. It costs one more write
	// of the lease row for each cut, and a request to the store each Config.RetryInterval
	// that a cut waits; the archiver needs s3:ListBucket, or it never learns that a marker
	// is gone. It has no limit: without a loader each shard stops.
	CommitOnLoad CommitOn = "load"
)

// Markers returns the bucket and the prefix of the keys of markers:
// "STAGING/load/DELIVERYSTREAM/" below Staging.
func (c Config) Markers() (bucket, prefix string) {
	c = c.WithDefaults()
	bucket, prefix, _ = ParseStaging(c.Staging)
	return bucket, prefix + markersDir + "/" + c.DeliveryStreamName + "/"
}

// markersDir is what follows the prefix of Config.Staging in keys of markers.
const markersDir = "load"

func (l *Load) withDefaults() *Load {
	if l == nil {
		return nil
	}
	return &Load{CommitOn: cmp.Or(l.CommitOn, CommitOnStage)}
}

// Texts of Firehose's refusals.
const (
	loadCompression = "Only the following compression formats are allowed when using Redshift: [UNCOMPRESSED, GZIP]"
	loadPrefix      = "Prefix Expressions or ErrorOutputPrefix is currently not supported for this destination"
)

// checkLoad refuses what does not go with a load.
func (c Config) checkLoad() error {
	if c.Load == nil {
		return nil
	}
	var errs []error
	no := func(given bool, field string, value any, remedy, firehose string) {
		if given && firehose != "" {
			remedy += " (Firehose: " + firehose + ")"
		}
		if given {
			errs = append(errs, wrong(field, value, remedy))
		}
	}
	no(c.Load.CommitOn != CommitOnStage && c.Load.CommitOn != CommitOnLoad, "Load.CommitOn", c.Load.CommitOn, fmt.Sprintf("must be %q or %q", CommitOnStage, CommitOnLoad), "")
	no(!slices.Contains([]Compression{Uncompressed, GZIP}, c.Compression), "Compression", c.Compression, "must be UNCOMPRESSED or GZIP with Load", loadCompression)
	no(strings.Contains(c.Prefix, "!{"), "Prefix", c.Prefix, "must have no expressions with Load", loadPrefix)
	no(c.ErrorOutputPrefix != "", "ErrorOutputPrefix", c.ErrorOutputPrefix, "must be empty with Load: remove it", loadPrefix)
	no(c.CustomTimeZone != "UTC", "CustomTimeZone", c.CustomTimeZone, "must be UTC with Load: remove it", "")
	const none = "does not go with Load: remove it"
	no(c.DynamicPartitioning != nil, "DynamicPartitioning", "given", none, "")
	no(c.Index != nil, "Index", "given", none, "")
	no(c.FileExtension != "", "FileExtension", c.FileExtension, none, "")
	bucket, markers := c.Markers()
	no(bucket == c.Bucket && strings.HasPrefix(c.Prefix, markers), "Prefix", c.Prefix, "must not begin with "+markers+", where markers are", "")
	return errors.Join(errs...)
}

// Marker names the objects of one cut that are to be loaded. Its object has the key
// MARKERS + PLAN: the prefix of Config.Markers, and the UUID of the cut's plan.
type Marker struct {
	DeliveryStreamName string
	Application        string         // whose lease table it is: kcl.Config.ApplicationName
	Stream             string         // that the records come from: its ARN, or its name if that is not known
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
