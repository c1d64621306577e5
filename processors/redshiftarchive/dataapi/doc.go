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
// FAILED and ABORTED are undone. A request to execute whose answer is lost is repeated with
// the same ClientToken, which the service executes once; one that asks is repeated until it is
// answered. When a try's time is over the statement is cancelled, and asked about once more.
// Only if that does not tell how it ended, or no repetition was answered, may rows be there.
//
// # Secrets
//
// The Data API keeps the text of statements for 24 hours, for whoever may describe or list
// them. A COPY with temporary keys has these in its text, so a role is better here.
package dataapi
