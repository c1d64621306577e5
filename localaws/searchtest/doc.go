// Package searchtest is the conformance suite for a cluster of Elasticsearch or
// OpenSearch that archivers deliver to: it checks what their correctness hangs on,
// request by request.
//
// It keeps localaws honest: the same suite runs against it and against servers that
// others wrote.
package searchtest
