package processors

import (
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// Hooks are called as things happen, for metrics; nil ones are not. They are
// called on goroutines of the shards, concurrently, PutFailed also for one shard and beside
// the others; they must be quick.
type Hooks struct {
	// Delivered is called after a cut is committed, or has begun to wait for its load
	// (CommitOnLoad). Firehose's metrics are
	// DeliveryToS3.Records, .Bytes and .DataFreshness of the event, and
	// .Success 1.
	Delivered func(DeliveredEvent)

	// Processed is called after a cut that may have several objects is committed, or has
	// begun to wait for its load.
	Processed func(ProcessedEvent)

	// Transformed is called after each call of Config.Transform's Function: Firehose's
	// ExecuteProcessing.Duration and .Success.
	Transformed func(TransformedEvent)

	// Indexed is called after a cut of documents is committed. Firehose's metrics are
	// DeliveryToAmazonOpenSearchService.Records, .Bytes and .DataFreshness of the event.
	Indexed func(IndexedEvent)

	// Bulked is called after each request to the Config.Index:
	// DeliveryToAmazonOpenSearchService.Success, .AuthFailure and .DeliveryRejected. It is
	// called concurrently also for one shard.
	Bulked func(BulkEvent)

	// PutFailed is called after each failed try of a put: DeliveryToS3.Success
	// 0. The put is repeated, unless Err is ErrKeyTaken.
	PutFailed func(PutFailedEvent)

	// Buffered is called after each batch or tick: DeliveryToS3.DataFreshness
	// between deliveries. The last one of a processor says that it has nothing any more.
	Buffered func(BufferedEvent)

	// Awaiting is called when a cut begins to wait until it is loaded (CommitOnLoad), then
	// once a minute, and, with a zero Since, when it does not any more.
	Awaiting func(AwaitingEvent)

	// PendingFound is called when an earlier holder's pending checkpoint was
	// found at the start.
	PendingFound func(PendingFoundEvent)

	// RecordsLost is called when records of an earlier holder's cut have
	// expired before the cut could be finished. It is called before the rest
	// is delivered, so again if that has to be repeated, and also if it then
	// turns out that the earlier holder's put was late, not lost.
	RecordsLost func(RecordsLostEvent)

	// BundleLost is called when the bundle of an earlier holder's cut is gone, which
	// no archiver has deleted, and not all of the cut's objects are known to be there.
	// The cut's records are delivered anew: those that were put are then in two
	// objects.
	BundleLost func(BundleLostEvent)
}

// Role is what an object is for.
type Role string

// The roles.
const (
	RoleDelivery Role = "delivery" // what the destination is to have
	RoleBackup   Role = "backup"   // records as they came
	RoleFailed   Role = "failed"   // what could not be delivered
	RoleBundle   Role = "bundle"   // the bodies of a cut's objects, until these are there
	RoleMarker   Role = "marker"   // says that what is delivered can be loaded; see Load
)

func roleOf(r exactlyonce.Role) Role {
	switch r {
	case exactlyonce.Backup:
		return RoleBackup
	case exactlyonce.Failed:
		return RoleFailed
	case exactlyonce.Marker:
		return RoleMarker
	default:
		return RoleDelivery
	}
}

// DeliveredEvent describes an object of a cut that is durable and committed, or, with
// CommitOnLoad, durable and announced. Bundles and markers are no deliveries, and not told.
type DeliveredEvent struct {
	ShardID     string
	Bucket, Key string
	Role        Role
	Records     int64
	Bytes       int64         // before compression
	ObjectBytes int64         // of the body; 0 if this holder never made it
	Freshness   time.Duration // age of the oldest record; DeliveryToS3.DataFreshness
	Reason      string        // why the cut closed: size, interval, pressure, shutdown, shard end, spool, redo
	Puts        int           // tries

	// Found says that the object was there already: an earlier holder's put,
	// or one of ours whose answer was lost.
	Found bool
}

// ProcessedEvent says what became of the records of a cut, but of one that an earlier
// holder prepared.
type ProcessedEvent struct {
	ShardID        string
	Records, Bytes int64            // of the shard
	Inflated       int64            // of these, by Decompression
	InflatedBytes  int64            // that these became
	Failed         map[string]int64 // of these records, by their error-output-type
	Nothing        int64            // of which there was nothing to deliver: control messages and payloads without events

	// NotInflatedBytes are those of the records that Decompression could not inflate,
	// as they came.
	NotInflatedBytes int64

	// Transformed are the records that Config.Transform succeeded with, those that it
	// dropped too: SucceedProcessing.Records. They are counted as it got them, after
	// de-aggregation.
	Transformed      int64
	TransformedBytes int64 // that came of them; SucceedProcessing.Bytes
	Dropped          int64 // of these, that it said are not to be delivered

	// PartitionsExceeded are the records for which no active partition was left, whatever
	// Overflow made of them: PartitionCountExceeded is 1 if there are any.
	PartitionsExceeded int64

	JQDuration time.Duration // that the queries of DynamicPartitioning took; JQProcessing.Duration
	Objects    int64         // of the cut that are delivered; DeliveryToS3.ObjectCount
}

// IndexedEvent says what became of the documents of a cut that is durable and committed.
type IndexedEvent struct {
	ShardID    string
	Documents  int64 // that are in the index, but the superseded ones
	Bytes      int64 // of their data
	Superseded int64 // for which the index has a later version: see esarchive.IDs
	Failed     int64 // that are lines of an error object
	Requests   int64 // that were made
	Freshness  time.Duration
	Reason     string // why the cut closed: see DeliveredEvent
}

// TransformedEvent describes a call of Config.Transform's Function.
type TransformedEvent struct {
	ShardID  string
	Records  int64 // of the batch
	Bytes    int64 // of their data, as the function got them
	Duration time.Duration
	Err      string // errorCode of the batch, such as Lambda.FunctionError; "" if it was answered
	Attempt  int    // from 1

	// Succeeded are the records of the batch that were answered with Ok or Dropped. All
	// others of an answer, be it one without any results, become lines of error objects.
	Succeeded int64
}

// PutFailedEvent describes a try of a put that failed.
type PutFailedEvent struct {
	ShardID     string
	Bucket, Key string
	Role        Role
	Attempt     int // from 1
	Err         error
}

// BufferedEvent describes what a shard holds that is not durable yet. What is staged and
// waits to be loaded is not counted.
type BufferedEvent struct {
	ShardID   string
	Records   int64
	Bytes     int64         // before compression
	Held      int64         // in memory, compressed
	Freshness time.Duration // age of the oldest record; 0 if there is none

	// SizeHint is at how many bytes an object is complete now: Hints.SizeInMBs, or
	// more while the shard is behind by more than the interval.
	SizeHint int64

	// ActivePartitions is how many objects are open, PartitionCount, and
	// ActivePartitionsLimit how many may be. Both are 0 without DynamicPartitioning.
	ActivePartitions, ActivePartitionsLimit int
}

// AwaitingEvent describes a cut that is staged, and whose checkpoint waits until its
// marker is gone.
type AwaitingEvent struct {
	ShardID     string
	Bucket, Key string    // of the marker
	Since       time.Time // when this holder began to wait; zero when the wait has ended

	// Oldest is the arrival of the oldest record that is to be loaded, whoever staged it; from an
	// earlier holder's cut that of its first record. Zero if it is not known.
	Oldest time.Time

	// Foreign says that no loader of what is configured finds the marker: staging or
	// DeliveryStreamName was changed, or Load removed, while the cut waited.
	Foreign bool
}

// PendingFoundEvent describes the pending checkpoint of an earlier holder.
type PendingFoundEvent struct {
	ShardID string
	Verdict string // foreign, newer, broken, void, redo, forbidden
}

// BundleLostEvent describes a cut that is delivered a second time.
type BundleLostEvent struct {
	ShardID     string
	Bucket, Key string // of the bundle
	Objects     int64  // of the cut
	Records     int64
}

// RecordsLostEvent describes records that expired before they were delivered.
type RecordsLostEvent struct {
	ShardID     string
	Bucket, Key string
	Lost        int64 // records; at least

	// The lost records lie from From up to but without To; To is the zero
	// value if nothing is left, and then Last is lost as well.
	From, To, Last checkpoint.ExtendedSequenceNumber

	FromArrival, LastArrival time.Time // of the cut's first and last record; zero if unknown
}
