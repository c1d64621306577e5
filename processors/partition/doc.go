// Package partition finds the partition keys of records, as Firehose's dynamic
// partitioning does: by a query of jq 1.6. And, which is ours, the time of the event that a
// record is of.
//
// # Queries
//
// A query is a program of jq 1.6 that ends in an object, whose names can be told without
// running it: the partition keys, in order.
//
//	{customer_id:.customer_id,device:.type.device,year:.event_timestamp|strftime("%Y")}
//	.detail | {id, kind:(.kind // "none")}
//
// What is documented (D), observed (O), inferred (I) or ours:
//
//	a query has 1-50 keys (D) of different names (ours), and 5120 characters at most (D)
//	a string is the value as it is (D); of others it is what jq prints (I): 1e17 is 1e+17, 3.0 is 3
//	true and false are values (I: not documented)
//	null, nothing, and ""     fail with "partitionKeys values must not be null or empty" (O)
//	an array or an object     fails (ours: not documented)
//	what is not one JSON text fails with "Non JSON record provided" (O); so does an empty record, or two texts (I)
//	an error of jq            fails (D), with a text of ours, as jq's quotes the record
//	no result, or several     fails (ours: not documented)
//
// Escaping is nobody's: a value with a slash makes deeper folders (I).
//
// What of JSON is taken is what both RFC 8259 and jq 1.6 take, and bytes that are not UTF-8,
// which become U+FFFD as in jq: docs/jq.md has the details, and what differs from jq 1.6.
//
// # Plain paths
//
// Queries whose keys are all plain paths, such as .a.b, ."a b", .a["b"] or .a[0], are not
// run: the record is gone through once, without a value being made. The answers
// are the same.
//
// # Event time
//
// A query for the time of the event has one result, a string or a number, that is read
// by the first of its formats that fits it:
//
//	epoch-seconds       a number of seconds since 1970, or the digits of one, with a fraction or without
//	epoch-milliseconds  the same of milliseconds
//	rfc3339             2026-01-02T03:04:05.678+01:00, and what ISO 8601 leaves out: the zone (then it is UTC), seconds, the time;
//	                    a space for the T; an offset without colon or minutes
//	a pattern           letters of java.time's DateTimeFormatter, for numbers: y or u, M, d, H, m, s, S (one for each digit of a fraction),
//	                    X, XX, XXX, x, xx, xxx, Z (an offset; without one it is UTC), text between apostrophes, other characters as they are
//
// Two letters or more want as many digits, one takes one or two; yy is 2000-2099. A pattern
// must have the year; what it lacks of the rest is the first. The default
// is rfc3339, epoch-seconds, epoch-milliseconds, in this order: so a number below 253370764800, which is the year
// 9999, is of seconds, and a larger one of milliseconds. What is not in the years 1970-9998 does
// not fit.
//
// # Bounds
//
// A query has a second for a record, and another one in case the process stood still in the first, and 64 MiB and 16 bytes for each of the record's for what it
// makes; else the record fails. It reads no input but the record, and nothing of the
// process.
package partition
