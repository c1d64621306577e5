package searchd

import "net/http"

// Options say how a Server behaves. The zero value is ready to use.
type Options struct {
	// Engine is what the cluster is, as Amazon spells it. Default "OpenSearch_2.19";
	// known are Elasticsearch 6.0 to 8.x and OpenSearch 1.0 to 3.x.
	Engine string

	// Collection makes the cluster a collection of Amazon OpenSearch Serverless:
	// "SEARCH", or "TIMESERIES", which refuses ids of the caller's. Default "".
	Collection string

	MaxContentLength int64 // bytes of a request's body, http.max_content_length. Default 100 MiB.
	NoExplicitIndex  bool  // rest.action.multi.allow_explicit_index: false
	NoAutoCreate     bool  // action.auto_create_index: false
}

// Document is a document of an index.
type Document struct {
	Index, Type, ID string
	Routing         string
	Version         int64  // 1, and one more with each write; or as given
	Source          []byte // as it was received; not to be changed
	Writes          int    // how often it was written, the first time included
}

// Item is one of a bulk request, before it takes effect.
type Item struct {
	Request   int64 // number of the bulk request, from 1
	Position  int   // in it, from 0
	Operation string
	Index, ID string // as given; ID is "" if the server is to choose it
	Source    []byte // valid during the call
}

// ItemFault is what becomes of an item instead.
type ItemFault struct {
	Status       int    // of HTTP, and of the item; 0 leaves the item alone
	Type, Reason string // of its error
	Stored       bool   // it takes effect all the same
	Omit         bool   // the answer has no entry for it; it takes effect if Stored is set, or Status is 0
}

// Server is the cluster. It is safe for concurrent use.
type Server struct{ options Options }

// New returns a cluster without indices, or an error if the options are none.
func New(o Options) (*Server, error) { return &Server{options: o}, nil }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNotImplemented)
}

// Operation names what a request asks for; "" if that is nothing known.
func (s *Server) Operation(r *http.Request) string { return r.Method }

// Indices returns the names of all indices, sorted.
func (s *Server) Indices() []string { return nil }

// Documents returns those of an index, in the order in which they were first written;
// nil if there is no such index.
func (s *Server) Documents(string) []Document { return nil }

// Count is how many documents an index has.
func (s *Server) Count(string) int { return 0 }

// SetItemFault has f asked of each item of bulk requests; nil for nothing.
func (s *Server) SetItemFault(func(Item) ItemFault) {}
