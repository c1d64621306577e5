// Package redshiftarchive loads what an archiver stages in S3 into Amazon Redshift, as
// Amazon Data Firehose does: manifests, one COPY at a time, tries every five minutes,
// errors/manifests/. With a ledger each record is loaded exactly once, which Firehose does
// not promise.
//
// # Two halves
//
// An archiver ([processors.Config] with Load) stages objects and, in the same cut, a marker
// that names them. A Loader lists the markers and loads what they name. Nothing but markers
// goes from one to the other, so they may run in different processes; one Loader of a
// delivery stream works at a time, which package lease/elected sees to.
//
//	step      does                                                      by        guarantees
//	stage     puts the objects                                          archiver  the rows can be had, whatever happens
//	mark      puts the marker, after the objects                        archiver  somebody will load them, or say that nobody could
//	commit    checkpoint = last (CommitOnStage)                         archiver  the records are not read again
//	batch     takes markers, all that there are up to a bound           loader    nothing durable yet
//	manifest  puts a manifest of the batch's objects under manifests/   loader    COPY sees exactly these
//	copy      COPY … MANIFEST, with the ledger's rows in one transaction loader   all rows are there, or none
//	unmark    deletes the batch's markers                               loader    they are not loaded again
//
// and where COPY fails until RetryDuration is over:
//
//	give up   puts the same manifest under errors/manifests/            loader    what was not loaded is named
//	unmark    deletes the batch's markers, after that                   loader    the next batch goes on
//
// Why each order is as it is, by what breaks without it:
//
//   - A marker follows its objects: else COPY meets a manifest entry that is not there yet.
//   - The commit follows the marker: else a crash leaves objects that nobody loads.
//   - A marker is deleted only when COPY is known to have been committed, or when the
//     errors manifest is durable: else a crash leaves records in no table and no manifest.
//   - Staged objects are never deleted, whatever became of them.
//
// # What a crash, or a loader that was overtaken, leaves
//
// A marker whose objects are loaded already is the one thing that can be doubled: COPY was
// committed and its answer lost; the loader ended before it deleted the marker; a loader
// that lost its lease has a COPY under way while the next one begins another; an archiver's
// put of a marker came late, or was repeated, after a loader had deleted it. Without a ledger the
// objects are then loaded again, as by Firehose. Never are they left out.
//
// # Ledger
//
// The ledger is a table with the objects that are loaded. Each COPY is in one transaction
// with it:
//
//	BEGIN; LOCK ledger; which of these objects has it?; COPY; INSERT these objects; COMMIT
//
// If it has some, nothing is done: the transaction ends, and the loader makes a manifest of
// the rest, and tries again, or finds that nothing is left to load. What makes it right:
//
//   - LOCK is the first statement after BEGIN. Redshift takes a transaction's snapshot at
//     its first SELECT, COPY or INSERT, so what another transaction committed before it gave the lock up is
//     seen. With the SELECT first, two loaders both see a ledger without the objects.
//   - COPY and INSERT are in one transaction: the rows and their mark are there, or neither is.
//   - Redshift enforces no keys. It is the lock that lets one loader at a time look.
//   - An unknown outcome of COMMIT is no doubt for long: the next try looks in the ledger. Until
//     one has, the batch is not given up, even if RetryDuration is over: errors/manifests/ must
//     not name what is loaded. So a database that is away from then on has its loader try, and
//     tell, until it is back. A loader that starts does not know of such a doubt; it is
//     RetryDuration that it has for its look.
//   - The Data API cannot look and then decide within a transaction, so its batch has a
//     guard, a statement that fails if one of these objects is there.
//
// It holds as long as rows of the ledger are kept for longer than any marker of their
// objects can come: see docs/redshift.md.
//
// # When
//
// A Loader looks for markers every five seconds, and at once after a batch: what was staged
// meanwhile is the next batch, the oldest first, up to 1,000 objects and 64 KiB of URLs. Of more
// than 1,000 markers it lists up to 1,000 for each of the 16 digits that their names may begin
// with, and keeps what they have in memory; of more than these the oldest may not be seen, nor
// freshness be that of the oldest, until others are loaded. Where it cannot load most of such a 1,000 it
// lists by the next digit too, up to four and 64,000 markers, so that they hide none; if they still
// may it says so. A look ends within a minute, or after 16 reads in a row that failed: what is known
// then is loaded, and the next look goes on. A
// batch is tried at multiples of five minutes after its first try began, the last one at
// RetryDuration at the latest; a try that takes longer is followed by the next multiple.
// A try whose LOCK of the ledger was not answered within CopyTimeout, or that the database ended
// while it waited for that, counts towards RetryDuration neither by itself nor with its time: another
// loader loads, and this one has asked for no COPY. It is made again for as long as that lasts, which
// is told each minute. Where COPY is asked after a LOCK that took long, the wait counts.
// What the ledger knows is no failure: the rest is tried at once. A Loader that starts begins
// the batch anew, and its RetryDuration too: nothing durable says how long it was tried.
//
// What is asked of S3 is repeated every five seconds until it goes, also while it is denied, and told at once and each
// minute. So a manifest that cannot be put, or a marker that cannot be deleted, holds up the
// batches behind it. A marker that is damaged, of a newer version or of another
// delivery stream holds up nothing: it stays, and is told at once and each hour, when it is read again. So is one that may
// not be read, at once, or whose reads fail for five minutes; it is read again each minute.
//
// # Trust
//
// Run is given a function that says whether this Loader may go on, and asks before each
// COPY, manifest and deletion. A COPY under way cannot be called back: if its Loader is
// overtaken it may land later, which is one of the doubles above.
//
// A marker is believed as far as it names objects of Staging.Bucket below Staging.Prefix, or of
// FormerBuckets. One that names others is left, and told: who can put markers cannot have COPY
// read what else its role may.
//
// # Not promised
//
// Without a ledger: that rows are there once. With one: that objects which a person loads by
// hand, from errors/manifests/, are known to it, unless he inserts them. Without one a manifest there may name what is loaded, if a
// try was in doubt (rows_may_be_there in the log). COPY with MAXERROR
// leaves out rows that it could not read, and says so to STL_LOAD_ERRORS only.
package redshiftarchive
