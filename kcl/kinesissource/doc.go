// Package kinesissource is the kcl.Source of a Kinesis stream, read by polling
// with GetRecords.
//
// What AWS leaves to its callers is done here: pages of the shard listing,
// iterators that expire, throttling, the limits of a shard, and telling a
// closed shard from one that only cannot be read now. No shard is ever called
// finished unless the service lists the shards that follow it.
//
// Answers of GetRecords are decoded here, in a pooled buffer, for a fraction of what
// the SDK's decoder takes; signing, retries and every other operation stay the
// SDK's. What a caller or a middleware sees of GetRecords has no records therefore:
// see Options.SDKDecoding.
//
// Kinesis does not say that records expired before they were read: the iterator
// goes on at the oldest one. So a reader whose last record is older than 23
// hours begins the next page at that record, which costs a GetShardIterator for
// each page, or looks for it afterwards, and returns kcl.ErrTrimmed if it is not
// there any more.
package kinesissource
