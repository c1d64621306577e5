// Package warehoused is Amazon Redshift inside this process, as far as programs that load
// it by COPY need it and their tests look at it.
//
// # What it does
//
// Tables with their types; BEGIN, COMMIT, ROLLBACK; LOCK; INSERT of values; SELECT from one
// table, or from none; DELETE; COPY from S3, by package redshiftcopy; users, GRANT and
// REVOKE; STL_LOAD_ERRORS, SYS_LOAD_ERROR_DETAIL and STL_CONNECTION_LOG.
//
// A transaction sees what was committed when its first SELECT, COPY, INSERT or DELETE
// began, not when it began, nor at a LOCK. COPY, INSERT and DELETE wait for each other
// per table until their transactions end; LOCK waits for all that used the table, and all
// wait for it. Who waits for one that waits for him gets 40P01.
//
// Of two transactions that delete the same row the second one fails, with 40001 and
// Redshift's text of error 1023. By Options.Serializable so does one that read a table,
// writes it, and was overtaken by another that wrote it.
//
// # What it does not
//
// There are no joins, no sub-queries, no views, no UPDATE, no TRUNCATE, no sequences. Tables
// that a transaction creates are seen by others at once, and gone if it is rolled back.
// Of what tells of loads and connections the latest 10,000 rows are sure to be kept.
// Nothing is written to disk. Statements, options and functions that it does not know are
// refused, with 42601 or 42883, by name.
//
// Sources: Amazon Redshift Database Developer Guide; PostgreSQL 8.0 and 15 where it says
// nothing. The suite localaws/warehousetest runs against this package and against
// PostgreSQL.
package warehoused
