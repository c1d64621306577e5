// Package kpl reads and writes the aggregated records of the Kinesis Producer
// Library: many user records packed into the data of one stream record.
//
//	F3 89 9A C2 | protobuf AggregatedRecord | MD5 of the protobuf
//
//	AggregatedRecord  1 repeated string partition_key_table
//	                  2 repeated string explicit_hash_key_table
//	                  3 repeated Record records
//	Record            1 required uint64 partition_key_index
//	                  2 optional uint64 explicit_hash_key_index
//	                  3 required bytes  data
//	                  4 repeated Tag    tags: key 1 required, value 2 optional
//
// [Splitter] takes one after another apart, record by record and without copying
// data, [Split] one all at once. [HashRange] says which of its user records belong to a shard,
// [Splitter.IsKPL] who puts the others again, [Aggregator] makes one.
//
// Source: the KPL's aggregation format; Java KCL AggregatorUtil.
package kpl
