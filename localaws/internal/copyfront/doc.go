// Package copyfront is PostgreSQL as Amazon Redshift: its sessions run statements in
// PostgreSQL, but for COPY from S3, which they do themselves: package redshiftcopy reads the
// rows, and PostgreSQL gets them by COPY FROM STDIN in the same session and transaction.
//
// Transactions are REPEATABLE READ, which takes its snapshot where Redshift does: at the first
// statement that reads or writes, not at LOCK. Of Redshift's SQL it has GETDATE and SYSDATE,
// DISTSTYLE, DISTKEY, SORTKEY, ENCODE and BACKUP (which do nothing), VARCHAR(MAX), SUPER (a text),
// pg_last_query_id, pg_last_copy_id and pg_last_copy_count; STL_LOAD_ERRORS,
// SYS_LOAD_ERROR_DETAIL and STL_CONNECTION_LOG are those of package warehoused. All else is PostgreSQL's.
package copyfront
