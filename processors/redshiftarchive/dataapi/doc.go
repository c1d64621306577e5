// Package dataapi is the redshiftarchive.Database that uses the Amazon Redshift Data API:
// statements over HTTPS, to a cluster or a workgroup that need not be reachable otherwise.
//
// A statement is handed in, and then asked about until it has ended: every 0.5 s at first,
// every 5 s later. With a ledger all statements of a try are one batch, which the Data API
// makes one transaction. As nobody can look and decide within a batch, it has a guard, which
// fails if the ledger has one of the objects; then the ledger is read, and nothing was changed.
//
// # What a failure leaves
//
// ABORTED is undone, and so is FAILED if the database names an error, or a statement of a batch
// that failed. Where a COPY alone FAILED because a connection was lost, or for an internal
// error, rows may be there. A request to execute whose answer is lost is repeated with
// the same ClientToken, which the service executes once; one that asks is repeated until it is
// answered, also while it is denied, as with keys that expired: a COPY that is under way is not
// given up for that. When a try's time is over the statement is cancelled, and asked about once more.
// Only if that does not tell how it ended, or no repetition was answered, may rows be there.
//
// With a ledger the next try then ends that doubt before it does anything: it hands the same statements in
// with the same ClientToken, unless their id is known, and waits for their end. Else they might be begun after
// that try has looked in the ledger, and load what errors/manifests/ names. A repetition that is
// refused says nothing about what was handed in before, so the batch stays in doubt, for 25 h at
// most: statements end within 24 h. A Database that is made anew, as after a crash, does not know of it.
//
// That LOCK was not answered, so that COPY was not asked, is known if the service tells how far the
// statements of a batch are.
//
// # Secrets
//
// The Data API keeps the text of statements for 24 hours, for whoever may describe or list
// them (redshift-data:DescribeStatement, ListStatements), and the cluster's history of queries
// has it too. A COPY with session keys has these in its text, readable there as long as they are
// good, so a role is better here.
package dataapi
