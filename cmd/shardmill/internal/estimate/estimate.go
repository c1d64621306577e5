// Package estimate tells how many objects, requests and writes come of a
// configuration, at a rate of records.
//
// Records are taken to come evenly, at all times and in all shards, and shards not to be
// behind. Then, with R bytes a second in a shard:
//
//	cut         ends every min(Hints.SizeInMBs / R, interval) seconds; with zero buffering
//	            every 250 ms, as often as a shard is read
//	objects     one of each cut, and of its backup the cut's size / Backup.Hints.SizeInMBs, rounded up
//	put         a PutObject for each object of up to 64 MiB; beyond, and with intervals below 60 s for
//	            what is delivered: CreateMultipartUpload, CompleteMultipartUpload, and an UploadPart
//	            for each 64 MiB. How far records can be compressed is not known:
//	            objects that are count as being within 64 MiB
//	bundle      exactly once and with several objects a cut also a put of a bundle, and its delete
//	table       two writes for each cut exactly once, one at least once
//	load        a put of a marker for each cut, and its delete; with CommitOnLoad exactly once a write of the table more.
//	            How many COPYs, and manifests, there are is not known
//	documents   a request for each Load.RequestBytes of the cut, and no object but those of the backup,
//	            without which a cut takes one write of the table
//
// Not in it are renewals of leases, reads of the stream, what starts and failovers cost,
// retries, and objects of records that fail, documents among them. The action lines of
// documents are not in the size of requests. What processors make of records is taken to
// have their size. How many partitions there are is not known: objects and their puts are
// those of one partition.
package estimate

import (
	"math"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

// Load is what a stream brings.
type Load struct {
	BytesPerSecond int64 // of records' data, of all shards; at least 1
	Shards         int   // open ones; at least 1

	// RequestBytes is how large a request for documents gets, esarchive's
	// Config.MaxRequestBytes; 0 if records go into objects.
	RequestBytes int64
}

// Estimate is what an archiver makes of a Load, of all shards and rounded.
type Estimate struct {
	BytesPerSecond int64 `json:"bytesPerSecond"`
	Shards         int   `json:"shards"`

	CutSeconds float64 `json:"cutSeconds"` // from one of a shard to the next
	CutBytes   int64   `json:"cutBytes"`   // of a shard, before compression

	Objects       int64 `json:"objectsPerHour"`       // that are delivered
	BackupObjects int64 `json:"backupObjectsPerHour"` // of S3BackupConfiguration
	Puts          int64 `json:"putRequestsPerHour"`   // PutObject and those of uploads in parts: what S3 bills as PUT
	Deletes       int64 `json:"deleteRequestsPerHour"`
	TableWrites   int64 `json:"tableWritesPerHour"` // of checkpoints

	BulkRequests int64 `json:"bulkRequestsPerHour,omitempty"` // for documents; 0 if records go into objects
}

const (
	mib  = 1 << 20
	read = 250 * time.Millisecond // kinesissource: from one read that brought records to the next
)

// Of returns what comes of c, which is valid and has its defaults.
func Of(c processors.Config, load Load) Estimate {
	rate := float64(load.BytesPerSecond) / float64(load.Shards)
	hints := c.Hints
	interval := span(hints)
	if c.Backup != nil {
		interval = min(interval, span(c.Backup.Hints))
	}
	seconds := min(float64(hints.SizeInMBs)*mib/rate, interval.Seconds())
	bytes := rate * seconds
	short := hints.IsMultipart()

	a := cut{objects: 1, puts: puts(bytes, c.Compression, short), writes: 2}
	if load.RequestBytes > 0 {
		a = cut{bulks: math.Ceil(bytes / float64(load.RequestBytes)), writes: 1}
		if c.Backup != nil {
			a.writes = 2
		}
	}
	if c.Load != nil {
		a.puts++ // the marker
		a.deletes++
		if c.Load.CommitOn == processors.CommitOnLoad {
			a.writes++
		}
	}
	staged := c.Load != nil || load.RequestBytes == 0 && (c.Decompression || c.Transform != nil || c.DynamicPartitioning != nil) // a cut may have objects of records that fail
	if b := c.Backup; b != nil {
		staged = true
		a.backups = math.Ceil(bytes / (float64(b.Hints.SizeInMBs) * mib))
		a.puts += a.backups * puts(min(bytes, float64(b.Hints.SizeInMBs)*mib), b.Compression, false)
	}
	switch {
	case c.Delivery == processors.AtLeastOnce:
		a.writes = 1
	case staged:
		if load.RequestBytes > 0 {
			c.Compression = processors.GZIP // nothing of the records is delivered into objects
		}
		a.puts += puts(bundled(c, bytes), processors.Uncompressed, false)
		a.deletes++
	}
	perHour := func(n float64) int64 {
		return int64(math.Round(n * float64(load.Shards) * time.Hour.Seconds() / seconds))
	}
	return Estimate{
		BytesPerSecond: load.BytesPerSecond, Shards: load.Shards, CutSeconds: seconds, CutBytes: int64(math.Round(bytes)),
		Objects: perHour(a.objects), BackupObjects: perHour(a.backups), Puts: perHour(a.puts), Deletes: perHour(a.deletes), TableWrites: perHour(a.writes), BulkRequests: perHour(a.bulks),
	}
}

// cut is what comes of one.
type cut struct{ objects, backups, puts, deletes, writes, bulks float64 }

// span is the time after which a cut ends.
func span(h processors.BufferingHints) time.Duration {
	if h.ZeroBuffering {
		return read
	}
	return time.Duration(h.IntervalInSeconds) * time.Second
}

// puts returns how many requests put an object of so many bytes, before compression.
func puts(bytes float64, compression processors.Compression, multipart bool) float64 {
	parts := 1.0
	if compression == processors.Uncompressed {
		parts = max(1, math.Ceil(bytes/s3archive.DefaultPartBytes))
	}
	if parts > 1 || multipart {
		return parts + 2
	}
	return 1
}

// bundled returns how many bytes of a cut that are not compressed a bundle has.
func bundled(c processors.Config, bytes float64) (n float64) {
	if c.Compression == processors.Uncompressed {
		n += bytes
	}
	if b := c.Backup; b != nil && b.Compression == processors.Uncompressed {
		n += bytes
	}
	return n
}
