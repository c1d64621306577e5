// Package kinesistest is a suite of tests for anything that says it is Amazon
// Kinesis Data Streams.
//
// It holds what a consumer depends on: where each kind of iterator begins, how
// pages of shards and of records go on, how a shard ends and what follows it,
// which requests are refused and with what exception. It drives the real AWS
// SDK, so it also covers the wire.
//
// The suite keeps this project's own server honest: it runs against that server
// in the ordinary tests, and with the build tag conformance against the server
// at $KINESIS_ENDPOINT, which may be an emulator that someone else wrote or,
// with credentials, the service itself.
package kinesistest
