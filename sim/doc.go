// Package sim runs whole worlds in virtual time, one for each seed: workers
// that share a stream through a lease table and process or archive it, on a bad
// network, with machines that stall and crash, and reshards. It has tests only:
// `make sim SEEDS=n`.
//
// A world is a seed and a list of incidents: stalls, crashes with and without
// another worker ID, slow, failing, throttled and late requests, lost answers,
// requests that are never answered, lists and listings that lag behind, an object
// store that is down, processors that fail, panic and block, splits, merges and
// chains of them. The clocks of machines run
// at rates of their own, failover times differ, in some worlds one machine's
// clock stands still, and in some a worker with the Java KCL's manners steals
// leases. In some worlds records expire: the stream's clock jumps by about a day,
// as if all else had been suspended, and shards that are closed vanish from its
// listing. There are three kinds of worlds: processors that checkpoint when they
// like, archivers with exactly-once objects, both over a stream and a table in
// memory; and archivers over the local services through the AWS SDK.
//
// It checks what package kcl and package processors promise:
//
//   - no call for a shard begins while another machine trusts its lease, nor
//     after the own trust has ended; no write begins later than that
//   - records come in order, without gaps, from the checkpoint on, and after
//     those of the parents
//   - checkpoints never go back; SHARD_END comes after every record, and after
//     the children have leases
//   - every record is accepted; every record is in exactly one object, and the
//     records of an object are in order
//   - where records expire, each is delivered all the same, or it had expired
//     before it was read and a hook told so: kcl's a gap, the archivers' how many
//     records an object lacks. What is told lost has expired, and is in no other
//     object. A gap may be told that turns out empty, since nobody knows
//   - in the calm at the end: free leases are taken within two scans, those of
//     a worker that shut down too, and the leases are evenly spread
//   - when a worker has ended it holds no memory, leases or goroutines
//   - where objects are loaded: with a ledger each record is in the table once, or in an
//     object that an errors manifest names (or both, if a COPY was in doubt when it was given
//     up), and without one at least once; what a COPY reads was staged; a marker is deleted,
//     and a checkpoint that waits for loads passes, when what it is of is loaded or named; no
//     marker is left; no loader acts while another machine trusts its lease, which is
//     the one row of a table of its own
//
// A gap may also be told of records that are in objects, if their load was awaited for as
// long as the stream keeps records, and the lease changed hands.
//
// Two losses cannot be told, and are counted: of records that expired before the
// first read of a lease without a checkpoint, and of a shard that vanished before
// it had a lease. Nothing expires over the local services, whose clock is the
// world's, nor beside a Java worker, which jumps over expired records.
//
// A machine whose clock stands still cannot know that its trust has ended:
// there the fence alone holds, and only what follows from it is checked.
//
// Chance is drawn by what it is for, not in turn, so a seed replays to the
// nanosecond, but for the order in which a busy machine wakes up the goroutines of
// one instant, which counts where memory is scarce, as in every second world (and
// over the memory; the SDK and the local services have chance of their own), and a
// world that breaks can lose its incidents one by one. What is left is printed as a
// timeline and as a row for broken_test.go, where it stays.
//
// Flags, after -args: -seeds=n runs n worlds, from -first=seed on; -keep=list
// runs the first with these of its incidents only; -logs puts what the workers
// log into the timelines; -shrink=false leaves broken worlds as they are.
package sim
