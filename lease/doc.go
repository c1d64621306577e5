// Package lease lets workers share the shards of a stream through a table in
// which each row is the right to process one shard. The table is the Java
// KCL's, and Java workers of KCL 1.x and 2.x may share it.
//
// # The parts
//
//	Store, Registry   the table, one conditional write at a time (leasedynamo; Mem is the model)
//	Observer          which leases are free, told from counters that do not move  (pure)
//	Decide            which of them to take, which of ours to give up             (pure)
//	Held              one lease that we hold: its renewals, its writes, the trust in it
//	Coordinator       the loop that reads, decides and acts
//
// # What the table decides and what the clock decides
//
// The table is the only authority on who holds a lease. Every write of a row
// is conditional on its counter and moves the counter, so of two workers that
// race one gets [ErrLost]. That is the fence: whatever a clock does, a worker
// that has lost its lease cannot write a checkpoint.
//
// The fence stops writes; it does not stop a worker from calling its
// processor. For that, local time decides how long we trust what the table
// last said. Only durations measured on one machine are used, never another's
// timestamp, so skew between machines does not matter at all.
//
//	holder    trusts its lease until   s + F − m    s: start of the first try of its last write that succeeded
//	observer  takes it not before      r + F        r: end of the read in which it first saw that counter
//
// F is the failover time and m the margin, a tenth of F. The write that set
// the counter happened after s and before r, so s < r, and trust ends at least
// m before the lease can be taken, as long as the two clocks' rates differ by
// less than m/F. The larger F of the two counts: each row says its owner's.
//
// Why the start of the first try: the answer of a try may be lost although the
// write happened. Its repeat then succeeds without moving the counter, and
// observers count from the first.
//
// Trust ends by a timer and not by the next renewal, and it is asked for again
// right before each call of a processor, each side effect and each write. The
// clock counts the time that the machine was suspended, where the system tells
// (Linux). A process that is stopped between the question and the act cannot
// know: there the fence alone holds, and what a processor does outside the
// table needs a fence of its own (package processors has one for S3).
//
// # One writer per row
//
// All writes of one held lease, renewals and checkpoints alike, pass one after
// another through its [Held]. A write whose outcome is unknown (a timeout, a
// cut connection, a 5xx) is in doubt. It blocks every other write of that row
// and is repeated, identically, until its outcome is known or trust has ended;
// throttled tries in between change nothing about the doubt. A repeat finds its
// own write in the row only if owner, instance, counter and every attribute
// that it sets match. The instance is drawn at random for each worker that is
// made, so that a process with the same worker ID is not taken for us.
//
// A checkpoint counts as a renewal. A slow checkpoint delays renewals, but a
// renewal that could not begin before trust ended would not have helped.
//
// # How leases move
//
// A lease that nobody owns is free at once, unless its processor failed for
// good; one whose counter has not moved for F is free too, also if its owner has our own worker ID. Among workers of this
// package leases move by release: the owner with more than its share gives the
// surplus up after the running call. Only a worker that holds nothing, and so
// is invisible to the others, steals one. Java workers do not release, so from
// them we steal as they do. The victim of a theft learns of it at its next
// write, and trusts its lease until then: the thief therefore calls no
// processor before F has passed, and does not release the lease before either,
// since whoever takes a released lease processes at once.
//
// Free leases of its share a worker takes as soon as it sees them. Beyond its
// share it takes them
//
//	after a scan interval   those that nobody owns or marked, but for as many as other live workers lack
//	after 3 F               the others: expired ones, those that a live worker lacks, those that their last holder marked
//
// A worker counts as live here if one of its counters moved within F/2 (Seen.Silent).
// The share of one that has just died is thus not kept for it, nor is anything
// given up for it. This is a guess about balance, and safety does not depend on
// it: what it owns is taken after F like any other. A lease is marked that was
// given up for somebody (Surplus), because of its parent (Blocked), or because
// its processor failed for good (GivenUp); one of the last kind is free to nobody
// for F, so that a record which stops its workers stops one of them per F.
//
// The table is read each scan interval, and also when a lease that has not moved
// since the last time runs out or is overdue. So what a worker leaves, dead or
// not, is held again after at most F and a scan interval, if those that are to
// take it may, and if F is not shorter than the scan interval.
//
// # Whose rows they are
//
// A table may hold rows that are no shards of the stream. The table cannot tell;
// [Config.Judge] can. What it refuses is left alone: it is not taken, nor
// anybody's load, and its owner has no share for it: a fleet of another stream would
// have leases of this one wait for it. But it is a parent that has not ended.
// A lease that is held is not dropped for what Judge says: whoever holds it
// decides. A row whose counter can grow no more is left alone, too, as nobody
// could renew it.
//
// A lease whose parents have not ended is not taken. Finished leases are not
// load; they are released at once and deleted when their children have begun.
//
// # Nothing stands still in silence
//
// Each try has a limit: a list 30 s or 3 F, whichever is longer, without a sign of
// life, all others F/4. [Coordinator.Loops] tells which are under way, so that one which does not
// heed its context is seen. The hooks of Config but Judge have a goroutine of
// their own: one that blocks keeps the others waiting, and no lease. A panic of
// a hook is logged, and Judge's means no.
//
// # Non-obvious
//
//   - A child lease is created in one transaction with a check that its parent
//     is held. Without that, a worker that was stopped after it read the table
//     could create again a child that others have finished and deleted: its
//     records would be processed twice.
//   - List is eventually consistent. What it does not show is not gone: parents
//     are read again, consistently, before a child's first record is processed.
//   - Release leaves the pending checkpoint: the successor needs it.
//   - A malformed row stops its own shard and the shards that follow it: it is
//     told and waits for someone to mend it. A shard that comes before it waits
//     too if it has no lease, for it may have ended long ago. No other stops.
package lease
