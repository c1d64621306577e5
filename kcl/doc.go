// Package kcl processes the shards of a Kinesis stream with many workers that
// share them through leases, in the manner of the Java Kinesis Client Library.
package kcl
