package localaws

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kind is what a fault does to a request.
type Kind struct {
	name   string
	status int
	code   string
	wait   time.Duration
	header http.Header
	body   string
	after  int
}

// Throttle refuses a request as its service does when it is asked too often:
// ProvisionedThroughputExceededException or LimitExceededException of Kinesis,
// ProvisionedThroughputExceededException of DynamoDB, SlowDown of S3, 429 of a
// cluster, for all of the request, ThrottlingException of the Redshift Data API. The SDK repeats it.
func Throttle() Kind { return Kind{name: "Throttle"} }

// ServerError answers with an error of the service's own and a status such as
// 500 or 503, without effect. The SDK repeats the request.
func ServerError(status int) Kind { return Kind{name: "ServerError", status: status} }

// Error answers with an error of that code and status, without effect, such as
// AccessDeniedException with 400 or ExpiredToken with 403.
func Error(status int, code string) Kind { return Kind{name: "Error", status: status, code: code} }

// Latency makes a request wait before it takes effect, unless its client gives
// up before. Other faults may strike it after that.
func Latency(d time.Duration) Kind { return Kind{name: "Latency", wait: d} }

// LostAnswer lets a request take effect and then cuts the connection.
func LostAnswer() Kind { return Kind{name: "LostAnswer"} }

// Refuse cuts the connection before the request takes effect.
func Refuse() Kind { return Kind{name: "Refuse"} }

// NoAnswer lets a request take effect and never answers it. Not even Clear ends
// that: only its client does, by going away, or the end of the stack.
func NoAnswer() Kind { return Kind{name: "NoAnswer"} }

// Swallow receives a request that then takes no effect and is never answered.
func Swallow() Kind { return Kind{name: "Swallow"} }

// Drip lets a request take effect and sends the body of its answer a byte at a
// time, one each d.
func Drip(d time.Duration) Kind { return Kind{name: "Drip", wait: d} }

// Stall receives a whole request and holds it, until ActiveFault.Release or,
// if d is not 0, for d. Then it takes effect, even if its client has gone, as
// a request may that was on its way to a slow service. One that is held when
// the stack ends is dropped.
func Stall(d time.Duration) Kind { return Kind{name: "Stall", wait: d} }

// Answer answers with a status, headers and a body, without effect, as a proxy before
// the service may: HTML with 502, or an answer that nothing is behind.
func Answer(status int, header http.Header, body string) Kind {
	return Kind{name: "Answer", status: status, header: header, body: body}
}

// Cut lets a request take effect, sends so many bytes of its answer's body, and cuts the
// connection.
func Cut(after int) Kind { return Kind{name: "Cut", after: after} }

// SQLError has a statement of the Warehouse fail with a SQLSTATE and a message, without effect;
// its transaction has failed then. An empty message is Redshift's for the states 40001
// (serialization failure, error 1023), 53100 (disk full), 25006 (read-only), 28000
// (password), 57P01 (the cluster restarts; the connection ends).
func SQLError(state, message string) Kind { return Kind{name: "SQLError", code: state, body: message} }

// Fault describes which requests are to go wrong and how.
type Fault struct {
	Service   string // Kinesis, DynamoDB, S3, Search, Redshift or RedshiftData; "" is any
	Operation string // as the service names it, such as "PutObject"; "" is any
	// UserAgent is a part of the header of that name; "" is any. The SDK puts
	// app/NAME into it if AWS_SDK_UA_APP_ID is NAME, which tells processes
	// apart.
	UserAgent string
	// Body is a part of the body of a request to Kinesis or DynamoDB, or of the text of a
	// statement of the Warehouse; "" is any.
	Body string
	// Path is a part of the path of the request's URL, percent-encoding
	// resolved: to S3, of the key; "" is any.
	Path string
	// Match chooses among these requests; nil takes all. The body is the whole
	// body of a request to Kinesis or DynamoDB, valid during the call, and nil
	// of one to S3, whose bodies are not held in memory. It is called from
	// several goroutines.
	Match func(r *http.Request, body []byte) bool
	After int // matching requests to let through first
	Times int // requests to strike; 0 is all until Remove
	Kind  Kind
}

// Faults break requests on purpose, whether they come in this process or over
// a connection. They are asked in the order in which they were added; a
// request is struck by the first that matches, and by every Latency before it.
// The zero value is ready to use. It is safe for concurrent use.
type Faults struct {
	mu   sync.Mutex
	next int
	list []*ActiveFault
}

// ActiveFault is a fault that was added.
type ActiveFault struct {
	fault  Fault
	faults *Faults
	id     int

	// Guarded by faults.mu.
	matched int
	hits    int

	struck      chan struct{} // closed at the first hit
	release     chan struct{}
	releaseOnce sync.Once
}

// Add makes a fault strike from now on.
func (f *Faults) Add(fault Fault) *ActiveFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	a := &ActiveFault{
		fault: fault, faults: f, id: f.next,
		struck: make(chan struct{}), release: make(chan struct{}),
	}
	f.list = append(f.list, a)
	return a
}

// Clear removes all faults and lets go on what they hold.
func (f *Faults) Clear() {
	for _, a := range f.all() {
		a.Remove()
		a.Release()
	}
}

func (f *Faults) all() []*ActiveFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list)
}

// Hits is how many requests the fault has struck.
func (a *ActiveFault) Hits() int {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	return a.hits
}

// Struck is closed when the fault strikes for the first time; of a Stall, when
// the whole request has been received.
func (a *ActiveFault) Struck() <-chan struct{} { return a.struck }

// Release lets requests that a Stall holds go on, and those it strikes later
// pass without a wait.
func (a *ActiveFault) Release() { a.releaseOnce.Do(func() { close(a.release) }) }

// Remove makes the fault strike no more. Requests that it holds stay held.
func (a *ActiveFault) Remove() {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	a.faults.list = slices.DeleteFunc(a.faults.list, func(b *ActiveFault) bool { return a == b })
}

// matches reports whether a request is one of those described.
func (f Fault) matches(r *http.Request, c call) bool {
	return (f.Service == "" || f.Service == c.service) && (f.Operation == "" || f.Operation == c.operation) &&
		strings.Contains(r.UserAgent(), f.UserAgent) && bytes.Contains(c.body, []byte(f.Body)) &&
		strings.Contains(r.URL.Path, f.Path) && (f.Match == nil || f.Match(r, c.body))
}

// take counts a matching request and reports whether it is struck.
func (a *ActiveFault) take() bool {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	if a.fault.Times > 0 && a.hits == a.fault.Times {
		return false
	}
	a.matched++
	if a.matched <= a.fault.After {
		return false
	}
	a.hits++
	if a.hits == 1 && a.fault.Kind.name != "Stall" {
		close(a.struck)
	}
	return true
}

// strike serves a request, less what faults do to it.
func (s *Stack) strike(w http.ResponseWriter, r *http.Request, c call) {
	for _, a := range s.faults.all() {
		if !a.fault.matches(r, c) || !a.take() {
			continue
		}
		switch kind := a.fault.Kind; kind.name {
		case "Latency":
			sleep(r.Context(), kind.wait)
			continue
		case "Throttle":
			status, code := s.throttled(c)
			writeError(w, r, c.service, status, code, "Rate exceeded. Please reduce your request rate.")
		case "ServerError":
			writeError(w, r, c.service, kind.status, serverErrorCode(c, kind.status), "We encountered an internal error. Please try again.")
		case "Error":
			writeError(w, r, c.service, kind.status, kind.code, "The request was refused.")
		case "LostAnswer":
			s.dispatch(discarder{make(http.Header)}, r.WithContext(context.WithoutCancel(r.Context())), c)
			cutConnection()
		case "NoAnswer":
			s.silence(r, func(r *http.Request) { s.dispatch(discarder{make(http.Header)}, r, c) })
		case "Swallow":
			s.silence(r, nil)
		case "Drip":
			s.drip(w, r, c, kind.wait)
		case "Stall":
			s.stall(a, w, r, c)
		case "Answer":
			maps.Copy(w.Header(), kind.header)
			w.WriteHeader(kind.status)
			_, _ = io.WriteString(w, kind.body) // it may have gone
		case "Cut":
			s.cut(w, r, c, kind.after)
		default: // Refuse
			cutConnection()
		}
		return
	}
	s.dispatch(w, r, c)
}

// cutConnection ends the handling of a request so that its client sees the
// connection break. This panic is how net/http is told; it is the only way
// that works over HTTP/2 too.
func cutConnection() { panic(http.ErrAbortHandler) }

// silence lets a request take effect, unless effect is nil, and never answers.
func (s *Stack) silence(r *http.Request, effect func(*http.Request)) {
	ended := s.ended(r.Context())
	gone := r.Context().Done()
	if body, err := io.ReadAll(r.Body); err == nil && effect != nil {
		again := r.WithContext(context.WithoutCancel(r.Context()))
		again.Body = io.NopCloser(bytes.NewReader(body))
		effect(again)
	}
	select {
	case <-gone:
	case <-ended:
	}
	cutConnection()
}

// drip sends an answer slowly.
func (s *Stack) drip(w http.ResponseWriter, r *http.Request, c call, each time.Duration) {
	whole := collector{header: w.Header()}
	s.dispatch(&whole, r, c)
	w.Header().Del("Content-Length") // the connection is cut in the middle, or all comes
	if whole.status != 0 {
		w.WriteHeader(whole.status)
	}
	ended := s.ended(r.Context())
	for i := range whole.body {
		if _, err := w.Write(whole.body[i : i+1]); err != nil {
			cutConnection()
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		timer := time.NewTimer(each)
		select {
		case <-timer.C:
			continue
		case <-r.Context().Done():
		case <-ended:
		}
		timer.Stop()
		cutConnection()
	}
}

// cut sends the beginning of an answer.
func (s *Stack) cut(w http.ResponseWriter, r *http.Request, c call, after int) {
	whole := collector{header: w.Header()}
	s.dispatch(&whole, r, c)
	w.Header().Set("Content-Length", strconv.Itoa(len(whole.body)))
	if whole.status != 0 {
		w.WriteHeader(whole.status)
	}
	_, _ = w.Write(whole.body[:min(after, len(whole.body))]) // it may have gone
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	cutConnection()
}

// collector is an answer that is not sent yet.
type collector struct {
	header http.Header
	status int
	body   []byte
}

// Header implements http.ResponseWriter.
func (c *collector) Header() http.Header { return c.header }

// Write implements http.ResponseWriter.
func (c *collector) Write(b []byte) (int, error) {
	c.body = append(c.body, b...)
	return len(b), nil
}

// WriteHeader implements http.ResponseWriter.
func (c *collector) WriteHeader(status int) { c.status = status }

func (s *Stack) stall(a *ActiveFault, w http.ResponseWriter, r *http.Request, c call) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		cutConnection()
	}
	ended := s.ended(r.Context())
	r = r.WithContext(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	a.received()
	var timeout <-chan time.Time
	if d := a.fault.Kind.wait; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-a.release:
	case <-timeout:
	case <-ended:
		cutConnection()
	}
	s.dispatch(w, r, c)
}

// received tells who waits for Struck that a stalled request is in.
func (a *ActiveFault) received() {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	select {
	case <-a.struck:
	default:
		close(a.struck)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		cutConnection()
	}
}

// throttled is how a service says that it is asked too often.
func (s *Stack) throttled(c call) (status int, code string) {
	if c.service == Search {
		return http.StatusTooManyRequests, s.search.Rejection()
	}
	if c.service == S3 {
		return http.StatusServiceUnavailable, "SlowDown"
	}
	if c.service == RedshiftData {
		return http.StatusBadRequest, "ThrottlingException"
	}
	if c.service == DynamoDB {
		return http.StatusBadRequest, "ProvisionedThroughputExceededException"
	}
	switch c.operation {
	case "PutRecord", "PutRecords", "GetRecords", "GetShardIterator":
		return http.StatusBadRequest, "ProvisionedThroughputExceededException"
	}
	return http.StatusBadRequest, "LimitExceededException"
}

func serverErrorCode(c call, status int) string {
	switch {
	case c.service == Search:
		return "exception"
	case status == http.StatusServiceUnavailable && c.service != S3:
		return "ServiceUnavailableException"
	case status == http.StatusServiceUnavailable:
		return "ServiceUnavailable"
	case c.service == S3:
		return "InternalError"
	case c.service == RedshiftData:
		return "InternalServerException"
	case c.service == DynamoDB:
		return "InternalServerError"
	}
	return "InternalFailure"
}

// discarder is the answer to a client that will not get it.
type discarder struct{ header http.Header }

// Header implements http.ResponseWriter.
func (d discarder) Header() http.Header { return d.header }

// Write implements http.ResponseWriter.
func (discarder) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (discarder) WriteHeader(int) {}
