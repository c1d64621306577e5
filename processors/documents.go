package processors

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// DocumentIndex is a destination of documents, as an archiver needs it; package
// esarchive implements it on Elasticsearch and OpenSearch. It is safe for concurrent
// use.
type DocumentIndex interface {
	// Open returns what brings the documents of one cut to the index. It does no I/O.
	Open(in IndexInput) Indexing

	// FailedType is the error-output-type of documents that could not be indexed.
	FailedType() string

	// Check makes one try to find out whether the index can be used, and changes
	// nothing. ctx has a limit. What the error says is only told: delivery is tried
	// until it can be.
	Check(ctx context.Context) error
}

// IndexInput are the documents of a cut, and what their delivery needs.
type IndexInput struct {
	ShardID   string
	Stream    string // the stream's ARN, or its name if that is unknown: tells its documents from another stream's
	Documents Documents

	// MayGoOn is asked before each request. Its error ends the delivery: the shard's
	// lease is not held any more, or not for sure.
	MayGoOn func() error

	// Tried is told of each request that has ended; never nil. It is called on
	// goroutines of the Indexing, concurrently.
	Tried func(BulkEvent)

	Logger *zap.Logger // never nil; it has the shard
}

// Documents are those of a cut, in the order of the shard. One goroutine at a time uses
// them, and between two calls nothing changes but by an Indexing's end.
type Documents interface {
	Len() int

	// Document describes one, from 0.
	Document(i int) Document

	// Read returns the place of a document's record, "SEQUENCE.SUBSEQUENCE", and its
	// data, in the memory of buf if that is large enough, and else in new memory. An
	// error is final: what was gathered cannot be read.
	Read(i int, buf []byte) (place, data []byte, err error)
}

// Document describes a document.
type Document struct {
	Size    int       // bytes of its data
	Arrival time.Time // of its record; zero if unknown
}

// Indexing brings the documents of one cut to an index. One goroutine calls Run; Held may
// be called beside it.
type Indexing interface {
	// Run returns nil when each document has an outcome: it is in the index, or has
	// failed for good. It goes on for as long as that takes, gives signs of life
	// (internal/deadline), and ends with ctx. After an error it may be called again,
	// and goes on where it stopped: what has an outcome is not sent again. When it
	// returns no request of it is under way.
	Run(ctx context.Context) error

	// Outcome says what became of the documents, when Run has returned.
	Outcome() IndexOutcome

	// Held is about how many bytes it has in memory: requests, answers, and what it
	// knows of documents that failed.
	Held() int64
}

// IndexOutcome says what became of the documents of a cut.
type IndexOutcome struct {
	Indexed      int64             // documents that are in the index, but the superseded ones
	IndexedBytes int64             // of their data
	Superseded   int64             // for which the index has the same or a later version
	Failed       []DocumentFailure // in the order of the documents
	Requests     int64             // that were made
}

// DocumentFailure is why a document is not in the index, as the line of an error object
// tells it.
type DocumentFailure struct {
	Document int    // its number
	Code     string // status of HTTP, such as "400", or one of Firehose's codes, such as "OS.MalformedData"
	Message  string
	Attempts int       // requests that had the document; 0 if it was never sent
	Ended    time.Time // when the last one did, or when it was refused

	ID, Index, Type string // that it was to have; "" for none
	Serverless      bool   // the line has the members for Amazon OpenSearch Serverless
}

// BulkEvent describes a request to a DocumentIndex.
type BulkEvent struct {
	ShardID   string
	Documents int64 // in the request
	Bytes     int64 // of their data
	Duration  time.Duration

	// The answer says of the documents:
	Indexed    int64 // that they are in the index
	Superseded int64 // that the index has the same or a later version of them: they are taken as well
	Failed     int64 // neither; they are tried again or given up

	Status int   // of HTTP; 0 without an answer
	Err    error // why the request failed as a whole; nil if each document was answered

	AuthFailure bool // the credentials, or what they permit: DeliveryToAmazonOpenSearchService.AuthFailure
	Rejected    bool // the cluster, or one of its queues, was too busy for all or some: DeliveryRejected
	Blocked     bool // each document was refused for what the cluster lacks, such as room on its disks, whatever the document has
}
