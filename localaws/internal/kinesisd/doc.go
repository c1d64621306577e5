// Package kinesisd is Amazon Kinesis Data Streams in memory, as one
// http.Handler.
//
// It speaks the JSON 1.1 protocol of the service (X-Amz-Target:
// Kinesis_20131202.*), so that the AWS SDK, with its signing, retries and
// time-outs, works against it unchanged. It does not check signatures: whoever
// serves it puts that in front.
//
// # What is promised
//
//   - Requests are answered as the service answers them: error types, HTTP
//     statuses and the documented messages; sequence numbers with the real bit
//     layout; iterators that are opaque and expire after five minutes; shards
//     that close, have children, and end with ChildShards.
//   - Nothing happens between requests. There are no goroutines and no timers;
//     retention, the state of a stream and the throughput limits follow from
//     time.Now at the next request. In a testing/synctest bubble all of it
//     therefore runs in virtual time.
//   - Locks guard memory only and are never held over reading a request or
//     writing an answer.
//   - Every answer has a Content-Length, so a connection that breaks is seen as
//     broken and never as a short page.
//
// # How records are kept
//
// A record is rendered once, when it is put, as the JSON object that GetRecords
// will answer, with the base64 text of its data as it was received. The
// rendered records of a shard lie one after another in chunks, each record with
// a comma before it, so a page of GetRecords is a few slices of these chunks
// that are written to the connection as they are. A chunk is only ever appended
// to within its capacity, hence slices of it stay valid without the lock, and
// it is given to the garbage collector once all its records are expired or
// discarded.
//
// # Sequence numbers
//
// 186 bits, written as 56 decimal digits: version 2 at bit 184, the second in
// which the shard was created at bit 148 (36 bits), the index of the record in
// its shard at bit 84 (64 bits), the second of its arrival at bit 36 (40 bits),
// the number of the shard at bit 4 (32 bits) and 2 in the lowest four. A child
// is created at least one second after its parents by this count, and hence all
// of its numbers are above theirs.
//
// # Protocols
//
// JSON, and the CBOR that the AWS SDKs for Java speak unless told otherwise: a
// request in CBOR is translated into JSON, and its answer back.
//
// # What is not there
//
// Enhanced fan-out, on-demand capacity, encryption, enhanced monitoring,
// channels and resource policies. Each operation that is not there is answered
// with UnknownOperationException and its name.
package kinesisd
