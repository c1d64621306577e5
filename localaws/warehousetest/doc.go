// Package warehousetest is the conformance suite for a warehouse that loaders COPY into: it
// checks what their correctness hangs on, statement by statement.
//
// It keeps localaws honest: the same suite runs against its own SQL and against PostgreSQL
// behind its COPY.
package warehousetest
