// Package elected has one of several workers do a job: who holds a lease of the name of the
// job, in a table of its own. It has no protocol of its own: the lease is taken, renewed and
// given up as package lease does it with those of shards, and lives by the same rules. Among
// workers that all stand ready the job stays where it is until its worker ends or fails.
//
// What it promises is what a lease promises: two workers may do the job at once for a
// moment, if one of them was stopped and does not know yet that it was overtaken. Its
// Term says so as soon as it can be known; what must not be done twice needs a fence of its own.
//
// Other jobs may have rows in the same table: each Role sees that of its own alone. A row
// that somebody removed is made again; so long as the table cannot be used nobody begins
// the job, which [Role.Status] and the log tell.
//
// The table must not be that of an application's shards: a row of a job is none of a shard, and would
// be taken for one that has lost its shard. A table that has leases of shards is refused, before
// a row is put there, for as long as it has any: see [CheckRows]. Source: KCL DynamoDBLeaseRefresher.
package elected
