// Package lease lets workers share the shards of a stream through a table in
// which each row is the right to process one shard.
package lease
