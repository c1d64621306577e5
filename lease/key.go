package lease

import "strings"

// IsShardID reports whether a lease key is the ID of a shard, as Kinesis names
// them.
func IsShardID(key string) bool {
	number, ok := strings.CutPrefix(key, "shardId-")
	return ok && isDigits(number)
}

// IsMultiStreamKey reports whether a lease key is that of a Java application that
// reads several streams: account:stream:epoch:shard. No worker of this package
// takes such a lease.
// Source: KCL MultiStreamLease.getLeaseKey, StreamIdentifier.serialize.
func IsMultiStreamKey(key string) bool {
	parts := strings.Split(key, ":")
	return len(parts) == 4 && isDigits(parts[0]) && parts[1] != "" && isDigits(parts[2]) && parts[3] != ""
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
