package s3d

import (
	"net/http"
	"strings"
)

// answer corrects the headers that gofakes3 sets, and notes what was answered.
type answer struct {
	http.ResponseWriter
	request *http.Request
	status  int
	write   Write
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	h := a.Header()
	if a.request.Header.Get("X-Amz-Checksum-Mode") != "ENABLED" || status == http.StatusPartialContent {
		hideChecksums(h, a.request.Method)
	}
	if status >= http.StatusBadRequest {
		h.Set("Content-Type", "application/xml")
	}
	for name, values := range h {
		switch {
		case strings.HasPrefix(name, "Access-Control-"):
			h.Del(name)
		case strings.HasPrefix(name, "X-Amz-Meta-"): // clients take the case for the key's
			h.Del(name)
			h[strings.ToLower(name)] = values
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// hideChecksums removes the stored checksums from the answer to a GET or HEAD
// that did not ask for them, or that returns a part of what they were made of.
func hideChecksums(h http.Header, method string) {
	if method != http.MethodGet && method != http.MethodHead {
		return
	}
	for name := range h {
		if strings.HasPrefix(name, checksumHeader) {
			h.Del(name)
		}
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if h := a.Header(); a.status == 0 && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/xml") // an object has a type
	}
	a.WriteHeader(http.StatusOK)
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the server's writer.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
