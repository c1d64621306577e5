// Package pgwire is the redshiftarchive.Database that speaks PostgreSQL's protocol with a
// cluster or workgroup of Amazon Redshift.
//
// # A connection per try
//
// Tries are minutes apart, and a COPY may take an hour. A connection that is kept would be
// cut by the cluster's idle limit or by a gateway meanwhile, and what is lost then is hard to
// tell from what is lost while a statement is under way. So each try opens its own, logs in
// anew, and closes it. Statements go by the simple protocol, as Redshift's plans for
// prepared ones are not those of their parameters.
//
// # What a failure leaves
//
//	fails                                   the rows
//	connecting, login                       are not there: nothing was asked
//	anything before COMMIT, with a ledger   are not there: a transaction that nobody commits is undone
//	COPY, COMMIT: answered with ERROR       are not there
//	COPY alone, COMMIT: FATAL, connection
//	lost, no answer in time                 may be there
//
// When a statement is not answered in time the connection is given up, and the database is
// asked to cancel the statement; this takes at most 5 s more, and may fail, as then the
// database does what it does.
//
// # TLS
//
// All connections but those to loopback addresses are encrypted, and the server's
// certificate is verified, with its host name, against Amazon's authorities, which are built
// in, and the system's; or against RootCAs alone. There is no way to connect without, and
// none that goes on without when the server offers no TLS.
package pgwire
