// Package bulkbench measures how much processor time and memory a document takes on its
// way to a cluster: by package esarchive, and by the bulk indexers of the clients
// opensearch-go and go-elasticsearch. It has tests only, and is a module of its own, so
// that nobody else gets these clients.
//
// The cluster is one that answers from a can, in a process of its own: what it computes
// does not count. SEARCH_ENDPOINT names a real one beside, OpenSearch or, for
// go-elasticsearch, which asks for the product, Elasticsearch.
//
//	cd internal/tools/bulkbench && go test -bench . -benchtime 5x
package bulkbench
