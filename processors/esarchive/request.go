package esarchive

import "context"

// requester makes requests to the cluster; the loop that uses it knows no HTTP.
type requester interface {
	// bulk makes one try to have n documents indexed, whose action lines and sources are
	// body. It ends with ctx, and by itself within the Config's limits. When it returns
	// body is not read any more.
	bulk(ctx context.Context, body []byte, n int) (answer, *fault)

	// cluster says what is known of the cluster, which it asks once, and again only if it
	// did not say what it is. It is never an error: what is not told has defaults.
	cluster(ctx context.Context) cluster
}

// cluster is what a cluster says of itself.
type cluster struct {
	engine     string // "OpenSearch" or "Elasticsearch"; "" if unknown
	major      int    // of its version; 0 if unknown
	minor      int
	maxContent int64 // http.max_content_length of its nodes, the least; 10 MiB if unknown
	isLimited  bool  // it said maxContent
}

// lacksTypes reports whether the cluster is known to have no mapping types.
func (c cluster) lacksTypes() bool { return c.engine != "" && !c.hasTypes() }

// hasTypes reports whether the cluster is known to have mapping types.
func (c cluster) hasTypes() bool { return c.engine == "Elasticsearch" && c.major > 0 && c.major < 7 }

// answer is what a bulk request was answered with, document by document, in their order.
// Its memory is the receiver's.
type answer struct {
	items []item
	bytes int64 // of the body
}

// item is the answer for one document.
type item struct {
	status int    // of HTTP
	kind   string // error.type; "" without an error
	reason string // error.reason, and of its cause, at most 4 KiB
}

// fault is why a request failed as a whole: no document has an answer.
type fault struct {
	code    string // Firehose's, such as "OS.ConnectionFailed", or the status, such as "503"
	status  int    // of HTTP; 0 without an answer
	kind    string // error.type of the answer, such as "security_exception"; "" for none
	message string // for people and error objects, not for logs: it may quote the answer, and that documents; no secret

	auth     bool // 401, 403 and what signing meets
	rejected bool // 429: the cluster is too busy
	tooLarge bool // 413: the body
	down     bool // nobody answers for the cluster: no connection, no answer in time, 5xx
	mismatch bool // it answered for another number of documents
}
