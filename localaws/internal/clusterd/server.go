package clusterd

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

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

// Server is the cluster. It is safe for concurrent use.
type Server struct {
	options Options
	engine  engine
	dates   dates

	mu              sync.Mutex // guards what follows
	indices         map[string]*index
	streams         map[string]*stream
	templates       map[string]*template
	pipelines       map[string]bool
	clusterSettings map[string]string
	requests        int64 // bulk requests that were read
	ids             int64 // that were chosen
	made            int64 // indices
	itemFault       func(Item) ItemFault
}

// New returns a cluster without indices, or an error if the options are none.
func New(o Options) (*Server, error) {
	e, err := parseEngine(o)
	if err != nil {
		return nil, err
	}
	if o.MaxContentLength == 0 {
		o.MaxContentLength = 100 << 20
	}
	return &Server{
		options: o, engine: e, dates: newDates(),
		indices: make(map[string]*index), streams: make(map[string]*stream), templates: make(map[string]*template),
		pipelines: make(map[string]bool), clusterSettings: make(map[string]string),
	}, nil
}

// SetItemFault has f asked of each item of bulk requests before it takes effect, in
// their order; nil ends that.
func (s *Server) SetItemFault(f func(Item) ItemFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.itemFault = f
}

// errTooLarge is of a body beyond http.max_content_length.
var errTooLarge = errors.New("the body is too large")

// Body reads the body of a request as it was before it was compressed.
func (s *Server) Body(r *http.Request, raw []byte) ([]byte, error) {
	if !strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		return raw, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading the compressed body: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(z, s.options.MaxContentLength+1))
	if err != nil {
		return nil, fmt.Errorf("reading the compressed body: %w", err)
	}
	if int64(len(body)) > s.options.MaxContentLength {
		return nil, errTooLarge
	}
	return body, nil
}

// MaxContentLength is the largest body of a request, in bytes.
func (s *Server) MaxContentLength() int64 { return s.options.MaxContentLength }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, s.options.MaxContentLength+1))
	if err != nil {
		panic(http.ErrAbortHandler) // as the server does
	}
	if int64(len(raw)) > s.options.MaxContentLength {
		s.tooLarge(w)
		return
	}
	body, err := s.Body(r, raw)
	if errors.Is(err, errTooLarge) {
		s.tooLarge(w)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler) // as the server does
	}
	s.serve(w, r, body)
}

// tooLarge refuses a body, with nothing to read, as the server does.
func (s *Server) tooLarge(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusRequestEntityTooLarge)
}

// serve answers a request whose body was read.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	route := s.route(r)
	var answer any
	var status int
	var refused *apiError
	switch {
	case len(body) > 0 && !isSupported(r):
		status, answer = http.StatusNotAcceptable, object{
			{"error", "Content-Type header [" + r.Header.Get("Content-Type") + "] is not supported"}, {"status", http.StatusNotAcceptable},
		}
	case route.handle == nil:
		status, answer = route.status, route.answer
	default:
		answer, status, refused = route.handle(r, body)
	}
	if refused != nil { // what is refused is not filtered
		answer, status = refused.body(), refused.status
	} else {
		answer = filter(answer, r.URL.Query().Get("filter_path"))
	}
	if s.engine.tellsProduct() {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
	}
	send(w, r, status, answer)
}

// send sends an answer.
func send(w http.ResponseWriter, r *http.Request, status int, answer any) {
	text := appendJSON(nil, answer)
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && len(text) > 0 {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(text) // a buffer takes everything
		_ = z.Close()
		text = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that has gone has no use for the answer
}

// isSupported reports whether a body is of a kind that the server reads.
func isSupported(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (slices.Contains([]string{"application/json", "application/x-ndjson", "application/yaml", "application/smile", "application/cbor"}, kind) ||
		strings.HasPrefix(kind, "application/vnd.elasticsearch+"))
}

// WriteError sends an error in the server's form.
func WriteError(w http.ResponseWriter, r *http.Request, status int, kind, reason string) {
	send(w, r, status, refuse(status, kind, reason).body())
}

// Rejection is the error type of what the cluster is too busy for.
func (s *Server) Rejection() string { return s.engine.rejection() }
