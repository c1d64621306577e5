// Package dynamodbd is an Amazon DynamoDB server in memory, as one
// http.Handler: the part of DynamoDB that a lease table and the programs around
// it use.
//
// A [Server] speaks the JSON 1.0 protocol of the AWS SDKs, keeps its tables in
// memory and starts no goroutines and no timers: what changes with time (a
// table that becomes ACTIVE, a stale read) is worked out from time.Now when it
// is asked for, so a Server can be used inside a testing/synctest bubble. It
// does not look at signatures; whoever puts it on a network does that in front
// of it.
//
// What it does not know it refuses by name: an operation with
// UnknownOperationException, a parameter with ValidationException. It ignores
// nothing silently, but for the tags and the table class of a new table.
//
// Differences from Amazon DynamoDB that a user can see:
//
//   - A deleted table is gone at once; it has no DELETING time.
//   - Nothing is ever throttled, and provisioned throughput is stored but not
//     enforced.
//   - Time to live is stored but never deletes, as DynamoDB may also take days
//     over it.
//   - Local secondary indexes, streams, backups, PartiQL and the legacy read
//     parameters (KeyConditions, QueryFilter, ScanFilter, AttributesToGet) are
//     refused.
//   - Eventually consistent reads are exactly [Options.ConsistencyLag] old,
//     never by chance fresher.
//
// Source: Amazon DynamoDB API Reference 2012-08-10; answers recorded from
// DynamoDB Local 3.3.1.
package dynamodbd
