package processors

import (
	"time"

	"github.com/shardmill/shardmill/checkpoint"
)

// Hooks are called as things happen, for metrics; nil ones are not. They are
// called on the goroutine of the shard, so those of different shards run
// concurrently; they must be quick.
type Hooks struct {
	// Delivered is called after a cut is committed. Firehose's metrics are
	// DeliveryToS3.Records, .Bytes and .DataFreshness of the event, and
	// .Success 1.
	Delivered func(DeliveredEvent)

	// PutFailed is called after each failed try of a put: DeliveryToS3.Success
	// 0. The put is repeated, unless Err is ErrKeyTaken.
	PutFailed func(PutFailedEvent)

	// Buffered is called after each batch or tick: DeliveryToS3.DataFreshness
	// between deliveries.
	Buffered func(BufferedEvent)

	// PendingFound is called when an earlier holder's pending checkpoint was
	// found at the start.
	PendingFound func(PendingFoundEvent)

	// RecordsLost is called when records of an earlier holder's cut have
	// expired before the cut could be finished. It is called before the rest
	// is delivered, so again if that has to be repeated, and also if it then
	// turns out that the earlier holder's put was late, not lost.
	RecordsLost func(RecordsLostEvent)
}

// DeliveredEvent describes a cut that is durable and committed.
type DeliveredEvent struct {
	ShardID     string
	Bucket, Key string
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

// PutFailedEvent describes a try of a put that failed.
type PutFailedEvent struct {
	ShardID     string
	Bucket, Key string
	Attempt     int // from 1
	Err         error
}

// BufferedEvent describes what a shard holds that is not durable yet.
type BufferedEvent struct {
	ShardID   string
	Records   int64
	Bytes     int64         // before compression
	Held      int64         // in memory, compressed
	Freshness time.Duration // age of the oldest record; 0 if there is none
}

// add counts what a body holds; nil is none.
func (e *BufferedEvent) add(b *body) {
	if b != nil {
		e.Records += b.records
		e.Bytes += b.bytes
		e.Held += b.spool.Held()
	}
}

// PendingFoundEvent describes the pending checkpoint of an earlier holder.
type PendingFoundEvent struct {
	ShardID string
	Verdict string // foreign, newer, broken, void, redo, forbidden
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
