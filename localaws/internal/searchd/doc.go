// Package searchd is Elasticsearch or OpenSearch inside this process, one node, as
// far as programs that index documents need it and their tests look at it.
package searchd
