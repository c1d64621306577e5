// Package leasedynamo keeps leases in a DynamoDB table in the format of the
// Java KCL 1.x and 2.x, so that Java workers may share the table. It is the
// only place that knows the table's attributes.
//
// # Rows
//
// A row has the attributes of Java's DynamoDBLeaseSerializer, and six more
// that Java ignores and leaves behind when it writes. A reader must therefore
// be able to tell that one is stale, so each names what it belongs to:
//
//	attribute                  type  value              trusted if
//	checkpointTimestamp        N     milliseconds       checkpointTimestampFor is the row's checkpoint
//	checkpointTimestampFor     S     sequence/sub
//	leaseOwnerInstance         S     owner/instance     it names the row's leaseOwner
//	leaseOwnerFailoverMillis   S     owner/milliseconds it names the row's leaseOwner
//	shardIdentity              S     stream/start/ARN   it is there: a row is of one shard for ever
//	leaseReleaseReason         S     counter/reason     counter is the row's leaseCounter, and no one owns the row
//
// An instance is therefore believed also of a Java worker that got its lease
// back under a worker ID that a worker of this package had before it.
//
// A part of shardIdentity that is not known is empty; start is the shard's
// StartingSequenceNumber.
//
// A new row has no entityType: 2.x tables have none, and for KCL 3.5 a row
// without one is a lease. Rows of KCL 3.x that are not leases are skipped.
//
// # Writes
//
// Every write but Create updates single attributes, so what others added to a
// row stays. Each is one try without the SDK's retries: the holder of a lease
// retries, because it alone knows for how long that is of use. A write whose
// condition failed gets the row as it is with the refusal, and needs no second
// request to tell a lease that was lost from a write that had already happened.
//
// # Deadlines
//
// Every request ends by itself, whatever client was given: after
// Options.RequestTimeout until its answer begins, and then if less than 64 KiB of
// it come in 10 s and it has not ended. The outcome of a write that was given up
// is unknown: it may take effect later.
//
// Workers set a row's relations only when they make it. [Table.Rewrite] is for an
// operator: it makes a row that of another place or another shard.
//
// # Access
//
// It needs dynamodb:DescribeTable, GetItem, Scan, PutItem, UpdateItem,
// DeleteItem and ConditionCheckItem on the table, GetItem on the table
// <name>-CoordinatorState, which need not exist, and CreateTable unless told
// never to create.
package leasedynamo
