// Package kcl processes the shards of a Kinesis stream with many workers that
// share them through leases, in the manner of the Java Kinesis Client Library
// and on one lease table with it.
//
// Give New a Config and a ProcessorFactory, and call Run:
//
//	w, err := kcl.New(kcl.Config{
//		ApplicationName: "orders", StreamName: "orders", WorkerID: hostname,
//		Source: source, // kinesissource.New
//		Leases: table,  // leasedynamo.New
//	}, kcl.Handle(func(ctx context.Context, shard kcl.ShardInfo, records []kcl.Record) error {
//		…
//	}))
//	err = w.Run(ctx) // until ctx is done
//
// # What is promised
//
//   - No record is lost or silently skipped. A processor that fails gets the
//     same records again; what it never accepts stops its shard, loudly, or
//     goes to Config.DeadLetter. What cannot be taken apart is processed as it
//     is, unless Config.KPLFaults says otherwise.
//   - After the trust in a lease has ended no call of its processor begins, the
//     one that is running is cancelled, and no checkpoint is written. See
//     package lease for what that rests on.
//   - The records of a shard come in order, and those of a child shard after
//     those of its parents. Only HandleEach lets some overtake one that fails.
//   - Each record comes at least once: again after a crash, and after a lease
//     was lost, from the last checkpoint on.
//   - Memory is bounded by Config.MaxBytes and one page, however many shards there
//     are and whatever their records hold; at least one shard always progresses,
//     served in turn, and a slow one keeps no other from its share.
//   - A processor, factory, DeadLetter or hook that panics, or ends its goroutine
//     as t.FailNow does, ends its shard's processing at most.
//   - No checkpoint of another stream is taken for this one's: a row that
//     contradicts the stream is left alone with its shard, and told.
//   - Nothing stands still in silence: each request ends by itself, and what
//     hangs, fails for long or needs somebody is in the log and in Snapshot.
//   - When Run has returned, nothing that it started runs, unless a hook does
//     not return.
//
// # Why checkpoints are safe
//
// A checkpoint is written on the condition that the lease is held and
// unchanged, so a worker that was overtaken cannot move it. Where reading
// resumes follows from the checkpoint alone: AT the record that it names, less
// what is at or before it, so a checkpoint within an aggregated record works.
// Records that a processor failed on do not count as processed, so a checkpoint
// of "everything processed" never passes them. SHARD_END is written after every
// record was accepted and after the leases of all children exist; a child waits
// until each of its parents that has a lease has ended. A finished lease is
// deleted only once its children have begun.
//
// # Differences from the Java KCL
//
//   - An exception in processRecords makes Java skip the batch. Here it is
//     processed again.
//   - LeaseLost has no checkpointer and cannot fail; ShardEnded must checkpoint,
//     and Defaults does.
//   - Leases are released at shutdown, so others take them within a scan interval
//     instead of after the failover time.
//   - There is no leader: every worker compares shards with leases, and what it
//     writes is conditional.
//   - Expired records are reported (Hooks.RecordsLost); Java jumps over them.
//   - Of an aggregated record that straddles a reshard only those user records
//     are dropped that the KPL puts again (HashRangeKPL). Java drops all, and so
//     loses some; HashRangeJava does the same.
//   - An aggregated record of which one user record names a key that is not there
//     is one record. Java processes those before it, and loses the others.
//   - A lease at LATEST stores from which instant, so a failover before the
//     first checkpoint skips nothing.
//   - Rows say which shard of which stream they are of, in an attribute that Java
//     keeps. A lease is taken only if it is of a shard that the stream lists or
//     had, and nothing in its row contradicts that; Java takes any row.
//   - There are no CloudWatch metrics; Hooks and Snapshot have the numbers.
//
// # Non-obvious
//
//   - HashRangeKPL tells the KPL's records by their form. Another producer's
//     that look the same lose the user records outside the shard, and a user
//     record that the KPL packed may come twice if the first key of its record
//     was "a". Those that are dropped are counted and logged.
//   - All calls of one processor are on one goroutine, with those of DeadLetter
//     for its records and of the factory that made it.
//   - A record's Data is good until the call that got it returns, and the buffer
//     behind it is used for other records then: Record.Clone copies. Strings, such
//     as PartitionKey, are never written to, but keep those of their whole page in
//     memory. In tests released data is overwritten with 0xDB.
//   - A tick (Config.TickInterval) is a call of ProcessRecords without records.
//     It can fail and is tried again like any other.
//   - A shard that is given up rests for a failover time, so that what stops
//     its workers stops one of them in each, and this worker leaves it to others
//     for a time that doubles; alone, it tries again after that.
//   - Refused access, and a stream or table that is gone, end Run at its start.
//     Later no shard counts as failed for them: they are told, and end Run when
//     they have lasted for Config.AccessTimeout.
//   - A Source or lease.Table of your own must end each of its calls by itself,
//     answered or not: leasetest.RunUnanswered checks a table. What ignores the
//     end of its context stops its loop, which Snapshot.Loops shows and nothing
//     here can mend.
package kcl
