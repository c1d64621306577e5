package s3d_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

func newServer(t *testing.T, o s3d.Options) *s3d.Server {
	t.Helper()
	server, err := s3d.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() }) // unless the test did
	return server
}

// restart returns another server for the directory of one, which it closes.
func restart(t *testing.T, server *s3d.Server, dir string) *s3d.Server {
	t.Helper()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	return newServer(t, s3d.Options{Dir: dir})
}

// reply is what a server answered.
type reply struct {
	status int
	header http.Header
	body   string
}

// code is the code in an S3 error; "" without one.
func (r reply) code() string {
	_, rest, _ := strings.Cut(r.body, "<Code>")
	code, _, _ := strings.Cut(rest, "</Code>")
	return code
}

// do sends a request to a server, with headers as "Name: value" lines.
func do(t *testing.T, server *s3d.Server, method, target string, body io.Reader, headers ...string) reply {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1/"+target, body)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	server.ServeHTTP(recorder, request)
	header := make(http.Header) // as a client of a connection sees it
	for name, values := range recorder.Header() {
		header[http.CanonicalHeaderKey(name)] = values
	}
	return reply{recorder.Code, header, recorder.Body.String()}
}

// path is a key as it stands in a URL.
func path(key string) string { return (&url.URL{Path: "/bucket/" + key}).EscapedPath()[1:] }

func put(t *testing.T, server *s3d.Server, key, content string, headers ...string) (status int) {
	t.Helper()
	return do(t, server, http.MethodPut, path(key), strings.NewReader(content), headers...).status
}

// get returns a key's content and headers; without the object, the error's
// code.
func get(t *testing.T, server *s3d.Server, key string) (content string, h http.Header) {
	t.Helper()
	r := do(t, server, http.MethodGet, path(key), nil)
	if r.status != http.StatusOK {
		return r.code(), nil
	}
	return r.body, r.header
}
