package clusterd

import (
	"net/http"
	"slices"
	"strings"
)

// handler answers a request.
type handler func(r *http.Request, body []byte) (answer any, status int, refused *apiError)

// route is what a request asks for.
type route struct {
	operation string
	handle    handler // nil: there is no such request, and the answer is
	status    int
	answer    any
}

// ok makes a handler of what only succeeds with 200.
func ok(f func(r *http.Request, body []byte) (any, *apiError)) handler {
	return func(r *http.Request, body []byte) (any, int, *apiError) {
		answer, refused := f(r, body)
		return answer, http.StatusOK, refused
	}
}

// Operation names what a request asks for; "" if that is nothing known.
func (s *Server) Operation(r *http.Request) string { return s.route(r).operation }

// segments are the parts of a path.
func segments(r *http.Request) []string {
	return strings.FieldsFunc(r.URL.EscapedPath(), func(c rune) bool { return c == '/' })
}

// route tells what a request asks for.
func (s *Server) route(r *http.Request) route {
	parts := segments(r)
	var found route
	switch {
	case len(parts) == 0:
		found = s.rootRoute(r)
	case parts[len(parts)-1] == "_bulk" && len(parts) <= 3:
		found = s.bulkRoute(r, parts)
	case parts[0] == "_aliases" || parts[0] == "_alias" || parts[0] == "_all" || parts[0] == "_mapping" || parts[0] == "_search" || parts[0] == "_count" || parts[0] == "_refresh":
		found = s.indexRoute(r, append([]string{"_all"}, parts...))
		if parts[0] == "_all" {
			found = s.indexRoute(r, parts)
		}
	case strings.HasPrefix(parts[0], "_"):
		found = s.clusterRoute(r, parts)
	default:
		found = s.indexRoute(r, parts)
	}
	if found.operation == "" || s.engine.serverless && slices.Contains([]string{"Info", "Nodes", "Health", "PutClusterSettings"}, found.operation) {
		return s.unknown(r, parts)
	}
	return found
}

// unknown answers a request that there is not.
func (s *Server) unknown(r *http.Request, parts []string) route {
	if s.engine.serverless {
		return route{status: http.StatusNotFound, answer: object{
			{"status", 404}, {"error", object{{"reason", "404 Not Found"}, {"type", "Not Found"}}},
		}}
	}
	if len(parts) == 1 && parts[0] == "_bulk" {
		return route{status: http.StatusMethodNotAllowed, answer: object{
			{"error", "Incorrect HTTP method for uri [" + r.URL.RequestURI() + "] and method [" + r.Method + "], allowed: [PUT, POST]"},
			{"status", http.StatusMethodNotAllowed},
		}}
	}
	return route{status: http.StatusBadRequest, answer: object{
		{"error", "no handler found for uri [" + r.URL.RequestURI() + "] and method [" + r.Method + "]"},
	}}
}

func (s *Server) rootRoute(r *http.Request) route {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return route{}
	}
	return route{operation: "Info", handle: ok(func(*http.Request, []byte) (any, *apiError) {
		return object{{"name", nodeName}, {"cluster_name", nodeName}, {"version", s.engine.version()}, {"tagline", s.engine.tagline()}}, nil
	})}
}

func (s *Server) bulkRoute(r *http.Request, parts []string) route {
	if r.Method != http.MethodPost && r.Method != http.MethodPut || len(parts) == 3 && s.engine.refusesTypes() {
		return route{}
	}
	return route{operation: "Bulk", handle: ok(func(r *http.Request, body []byte) (any, *apiError) {
		known := []string{
			"error_trace", "filter_path", "format", "human", "pipeline", "pretty", "refresh", "require_alias", "routing", "timeout", "type", "wait_for_active_shards",
		}
		for name := range r.URL.Query() {
			if !slices.Contains(known, name) {
				return nil, illegal("request [" + r.URL.Path + "] contains unrecognized parameter: [" + name + "]")
			}
		}
		return s.bulk(r, body, defaultsOf(parts))
	})}
}

// nodeName is what the node, and the cluster, are called.
const nodeName = "local"

// clusterRoute is of paths that begin with an underscore.
func (s *Server) clusterRoute(r *http.Request, parts []string) route {
	get := r.Method == http.MethodGet
	put := r.Method == http.MethodPut || r.Method == http.MethodPost
	last := unescaped(parts[len(parts)-1])
	switch {
	case parts[0] == "_nodes" && get:
		return route{operation: "Nodes", handle: ok(s.nodes)}
	case parts[0] == "_cluster" && len(parts) == 2 && last == "health" && get:
		return route{operation: "Health", handle: ok(s.health)}
	case parts[0] == "_cluster" && len(parts) == 2 && last == "settings" && put:
		return route{operation: "PutClusterSettings", handle: ok(s.putClusterSettings)}
	case len(parts) == 2 && put && (parts[0] == "_template" || parts[0] == "_index_template" && s.engine.hasDataStreams()):
		return route{operation: "PutTemplate", handle: ok(func(_ *http.Request, body []byte) (any, *apiError) { return s.putTemplate(last, body) })}
	case len(parts) == 2 && parts[0] == "_data_stream" && s.engine.hasDataStreams() && r.Method == http.MethodPut:
		return route{operation: "CreateDataStream", handle: ok(func(*http.Request, []byte) (any, *apiError) { return s.putStream(last) })}
	case len(parts) == 2 && parts[0] == "_data_stream" && s.engine.hasDataStreams() && get:
		return route{operation: "GetDataStream", handle: ok(func(*http.Request, []byte) (any, *apiError) { return s.getStream(last) })}
	case len(parts) == 3 && parts[0] == "_ingest" && parts[1] == "pipeline" && put:
		return route{operation: "PutPipeline", handle: ok(func(*http.Request, []byte) (any, *apiError) { return s.putPipeline(last) })}
	}
	return route{}
}

// indexRoute is of paths that begin with an index.
func (s *Server) indexRoute(r *http.Request, parts []string) route {
	name := unescaped(parts[0])
	on := func(operation string, f func(name string, r *http.Request, body []byte) (any, *apiError)) route {
		return route{operation: operation, handle: ok(func(r *http.Request, body []byte) (any, *apiError) { return f(name, r, body) })}
	}
	if len(parts) == 1 {
		switch r.Method {
		case http.MethodPut:
			return on("CreateIndex", s.putIndex)
		case http.MethodDelete:
			return on("DeleteIndex", s.deleteIndex)
		case http.MethodGet:
			return on("GetIndex", s.getIndex)
		case http.MethodHead:
			return route{operation: "IndexExists", handle: func(*http.Request, []byte) (any, int, *apiError) { return s.exists(name) }}
		}
		return route{}
	}
	get, put := r.Method == http.MethodGet, r.Method == http.MethodPut || r.Method == http.MethodPost
	switch {
	case parts[1] == "_mapping" && get:
		return on("GetMapping", s.getMapping)
	case parts[1] == "_mapping" && put:
		return on("PutMapping", s.putMapping)
	case parts[1] == "_settings" && get:
		return on("GetSettings", s.getSettings)
	case parts[1] == "_settings" && put:
		return on("PutSettings", s.putSettings)
	case parts[1] == "_aliases" && r.Method == http.MethodPost:
		return route{operation: "UpdateAliases", handle: ok(s.updateAliases)}
	case (parts[1] == "_alias" || parts[1] == "_aliases") && get:
		return route{operation: "GetAlias", handle: func(*http.Request, []byte) (any, int, *apiError) { return s.getAlias(name, parts[2:]) }}
	case parts[1] == "_count" && (get || put):
		return on("Count", s.count)
	case parts[1] == "_search" && (get || put):
		return on("SearchDocuments", s.search)
	case parts[1] == "_refresh" && (get || put):
		return on("Refresh", s.refresh)
	case (parts[1] == "_close" || parts[1] == "_open") && put:
		return on("PutSettings", func(name string, _ *http.Request, _ []byte) (any, *apiError) {
			return s.close(name, parts[1] == "_close")
		})
	case parts[1] == "_rollover" && put:
		return on("Rollover", s.rollover)
	case len(parts) == 3 && get && (parts[1] == "_doc" || !s.engine.refusesTypes()):
		return route{operation: "GetDocument", handle: func(*http.Request, []byte) (any, int, *apiError) { return s.getDocument(name, unescaped(parts[2])) }}
	}
	return route{}
}
