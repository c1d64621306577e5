// Package judge knows what the texts of databases mean: which of Firehose's codes an error
// has, what to do about it, and what of it may be seen. It does no I/O.
//
// # Codes
//
// Redshift answers most failures of COPY with one SQLSTATE, XX000, so its text counts before its
// SQLSTATE. What is not known is Redshift.PSQLException, Firehose's code for that, with the
// text. Sources: Firehose "Amazon Redshift data delivery errors", Redshift "Load error
// reference", and errors that people have reported.
//
// # Secrets and data
//
// A text of a database may quote the statement, cut where the database likes, and the
// statement has credentials. So any eight bytes of a secret are taken out of all texts, as is what
// looks like an access key. What is quoted in texts about values is data, and is taken out too.
package judge
