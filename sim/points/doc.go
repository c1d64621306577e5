// Package points breaks the coordination of workers at named points, one after
// the other, in virtual time over the local services: real SDK clients, a real
// lease table, streams that split and merge, archivers that deliver every
// record exactly once.
//
// # Points
//
// A point is a step of the protocol, told by its request on the wire alone:
//
//	describe table, create table,    a worker starts
//	read protocol, check bucket
//	list shards, scan, read lease    what a worker decides on
//	create lease, delete lease       shard sync
//	take, renew, release             holding a lease
//	iterator, get records            reading
//	prepare, publish, commit         a cut of an archiver
//	create upload, upload part,      a cut above the size of a part
//	complete upload
//	invoke                           a batch of records is transformed, by a function of Lambda
//	bulk                             documents are sent to a cluster
//	mark, announce, await            a cut that is loaded, whose checkpoint waits for that
//	elect, renew job                 the lease of who loads
//	list markers, read marker,       a batch is loaded, by the Data API: copy hands in LOCK, the
//	put manifest, copy,              guard, COPY and INSERT, which are one transaction
//	outcome of copy, unmark
//	name what failed                 a batch is given up
//	seal, delete bundle,             a cut of several objects
//	list bundles, get bundle
//	head, publish again,             a successor finishes a cut
//	commit again
//	create child, annotate, end      a shard ends
//	checkpoint                       of a processor that is no archiver
//
// # Kinds
//
// A kind is what happens there:
//
//	crash before      the process dies and the request never takes effect
//	crash after       it dies after the request took effect, before the answer
//	crash, late       it dies, and the request takes effect long after
//	stall             the process is cut off with the request under way, which
//	                  takes effect when another has committed; then it goes on
//	shut down         the process is asked to stop, the request is held likewise
//	hand over         the lease is given up to another worker, likewise
//	crossing          another worker takes the lease while the request is held
//	lost answer       the request takes effect, its answer does not come
//	throttled         it is refused four times
//	lost, throttled   the answer is lost, and its repeats are refused
//	lost, starved     it never takes effect, and then all that the worker writes
//	                  there is refused until the lease must be lost
//	adopted, starved  the answer is lost, a repeat finds the write seconds later,
//	                  and then likewise
//	late, starved     the answer comes late, and then likewise
//	never answered    it takes effect, and no answer ever comes
//	vanished          it takes no effect, and no answer ever comes
//
// TestSingles strikes worker A once in each world, with every kind that its
// point can have. TestPairs strikes A and then B; `go test` runs a fixed sample
// of the pairs, -pairs=all runs each, and -pairs=n every n-th. -only=expression
// runs just the worlds whose name matches, and -timeline prints what happened in
// worlds that did not fail, too.
//
// # What is checked
//
// In every world: the strikes happened; each record is in exactly one object (and, if
// there is a backup, one of that),
// in the order of its shard within and across objects; no key is written twice;
// where objects are loaded each record is one row, or in an object that an errors manifest
// names, and no marker is left; checkpoints never go back; a shard's end is written after its records are
// done and its children have leases, and its children begin after that; a lease
// that was deleted does not come back; no request of a worker takes effect on a
// row after another took it, and none releases what is prepared; no lease is
// trusted when others may take it, and no call of a processor begins after
// another took it; no request goes out without a deadline; who gets no answer
// says so in the log; a worker that was not cut off for long loses no lease that
// nobody took; at the end all is done and no lease has an owner.
//
// # What is not struck
//
// The request that creates a lease of a shard without parents is held until
// another worker has gone on with that lease, and no longer. It has no fence: if
// it took effect after the lease was finished and deleted, the lease would come
// back. kcl.Config.KeepFinishedLeases outlasts such requests; in these worlds it
// is a second.
package points
