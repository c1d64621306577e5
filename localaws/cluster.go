package localaws

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"

	"github.com/shardmill/shardmill/localaws/internal/clusterd"
)

// ClusterOptions say what the Stack's cluster is. The zero value is OpenSearch 2.19,
// which takes signed requests alone.
type ClusterOptions struct {
	// Engine is what the cluster is, as Amazon spells it: "Elasticsearch_6.8",
	// "Elasticsearch_7.10", "Elasticsearch_8.15", "OpenSearch_1.3", "OpenSearch_3.1".
	// Default "OpenSearch_2.19".
	Engine string

	// Collection makes it a collection of Amazon OpenSearch Serverless, of the type
	// "SEARCH" or "TIMESERIES": requests are signed for aoss, there is no /_nodes, and a
	// TIMESERIES refuses ids of the caller's. Engine must be "". Default "", a domain:
	// signed for es.
	Collection string

	MaxContentLength int64 // largest body of a request in bytes, http.max_content_length. Default 100 MiB.
	NoExplicitIndex  bool  // rest.action.multi.allow_explicit_index: false. Default off.
	NoAutoCreate     bool  // action.auto_create_index: false. Default off.

	// Users are names with their passwords, and APIKeys keys in their encoded form, that
	// are accepted beside signed requests. Default none.
	Users   map[string]string
	APIKeys []string

	// Open accepts every request, as a cluster without security does. Default off.
	Open bool
}

// IndexedDocument is a document of an index.
type IndexedDocument = clusterd.Document

// BulkItem is one item of a bulk request.
type BulkItem = clusterd.Item

// BulkItemFault is what becomes of an item instead of what would.
type BulkItemFault = clusterd.ItemFault

// Cluster is Elasticsearch, OpenSearch, or a collection of OpenSearch Serverless, of a
// Stack: one node, whose documents are in memory and can be read at once. It is safe
// for concurrent use.
//
// Operations, as Fault.Operation names them, with Search as the service: Bulk, Info
// (GET /), Nodes, Health, PutClusterSettings, CreateIndex, DeleteIndex, GetIndex,
// IndexExists, GetMapping, PutMapping, GetSettings, PutSettings (and _open, _close),
// UpdateAliases, GetAlias, PutTemplate, CreateDataStream, GetDataStream, Rollover,
// PutPipeline, GetDocument, SearchDocuments, Count, Refresh. Throttle is 429 for the
// whole request; Fault.Body and Match have the body as it was before compression.
type Cluster struct{ stack *Stack }

// Cluster returns the stack's cluster. It is not reached by AWSConfig or Serve of the
// stack, but by its own.
func (s *Stack) Cluster() *Cluster { return &Cluster{s} }

// ClusterEndpoint is a URL that clients in this process may use with Transport; no
// resolver sees it. Any other does as well.
const ClusterEndpoint = "https://search." + inProcessHost

// Transport makes requests of clients in this process: without sockets, and in virtual
// time in a testing/synctest bubble.
func (c *Cluster) Transport() http.RoundTripper { return clusterTransport{c.stack} }

type clusterTransport struct{ stack *Stack }

// RoundTrip implements http.RoundTripper.
func (t clusterTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return client{t.stack, t.stack.serveCluster}.Do(r)
}

// ServeHTTP implements http.Handler.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why := c.stack.foreign(r); why != "" {
		writeError(w, r, Search, http.StatusForbidden, "security_exception", why)
		return
	}
	c.stack.serveCluster(w, r)
}

// Serve answers requests on a listener until ctx ends, as Stack.Serve does.
func (c *Cluster) Serve(ctx context.Context, l net.Listener) error {
	return c.stack.serveOn(ctx, l, c)
}

// Indices returns the names of all indices, sorted; backing indices of data streams
// are among them.
func (c *Cluster) Indices() []string { return c.stack.search.Indices() }

// Documents returns the documents of an index, an alias or a data stream, in the order
// in which they were first written; nil if there is none of that name.
func (c *Cluster) Documents(name string) []IndexedDocument { return c.stack.search.Documents(name) }

// Count is how many documents an index, an alias or a data stream has.
func (c *Cluster) Count(name string) int { return c.stack.search.Count(name) }

// SetItemFault has f asked of each item of a bulk request before it takes effect, in
// their order; nil ends that. It is called by one goroutine at a time, must be quick,
// and must not use the cluster.
func (c *Cluster) SetItemFault(f func(BulkItem) BulkItemFault) { c.stack.search.SetItemFault(f) }

// Ask makes a request that no fault strikes and that nobody signed, such as PUT
// "/logs/_settings", for what a test sets up or looks at. It returns the status and the
// body of the answer; path is the request's URL without the host.
func (c *Cluster) Ask(ctx context.Context, method, path, body string) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, ClusterEndpoint+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	out, err := client{c.stack, c.stack.search.ServeHTTP}.Do(r)
	if err != nil {
		return 0, nil, err
	}
	answer, err = io.ReadAll(out.Body)
	_ = out.Body.Close() // it was read to its end
	return out.StatusCode, answer, err
}

// serveCluster answers a request that no web page sent.
func (s *Stack) serveCluster(w http.ResponseWriter, r *http.Request) {
	c := call{service: Search, operation: s.search.Operation(r)}
	a, refused := s.authorizeCluster(r, c)
	if refused != nil {
		refused.write(w, r, Search)
		return
	}
	body := &roomedBody{ReadCloser: r.Body, ctx: r.Context(), room: s.room, beyond: s.beyond}
	defer body.release()
	var err error
	if c.body, err = io.ReadAll(io.LimitReader(body, s.search.MaxContentLength()+1)); err != nil {
		cutConnection()
	}
	if a.signature != "" {
		if refused = s.compareSignature(r, c, a); refused != nil {
			refused.write(w, r, Search)
			return
		}
	}
	if plain, err := s.search.Body(r, c.body); err == nil { // otherwise the cluster says why
		c.body = plain
		r.Header.Del("Content-Encoding")
	}
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	s.strike(w, r, c)
}
