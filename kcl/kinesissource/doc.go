// Package kinesissource is the kcl.Source of a Kinesis stream, read by polling
// with GetRecords.
//
// What AWS leaves to its callers is done here: pages of the shard listing,
// iterators that expire, throttling, the limits of a shard, and telling a
// closed shard from one that only cannot be read now. No shard is ever called
// finished unless the service lists the shards that follow it.
package kinesissource
