package dynamodbd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options are the choices of a [Server]. The zero value is ready to use.
type Options struct {
	Account string // 12 digits, in ARNs; default "000000000000"
	Region  string // in ARNs; default "us-east-1"

	// ConsistencyLag makes eventually consistent reads show each table and
	// index as it was so long ago, as DynamoDB may. Reads of indexes are always
	// eventually consistent. Default 0: every read sees every write before it.
	ConsistencyLag time.Duration

	// CreateDelay is how long new tables and indexes are CREATING. Default 0:
	// they are ACTIVE at once.
	CreateDelay time.Duration

	// OnWrite, if set, is told of each committed write of a row, in the order
	// in which writes to a table are committed and one at a time, before the
	// request that wrote is answered. It may read from the Server, but not
	// write to it, and must be quick.
	OnWrite func(Write)
}

// Write is a committed write of one row. The images are shared with the Server
// and must not be changed.
type Write struct {
	Table     string
	Operation string // PutItem, UpdateItem, DeleteItem, BatchWriteItem or TransactWriteItems
	Old, New  Item   // nil: the row was not there before, or is not there now
}

// Server is a DynamoDB service with its tables. Make one with [New]. It is safe
// for concurrent use.
type Server struct {
	opts  Options
	known map[string]operation

	mu       sync.Mutex // guards the rest, in memory only
	tables   map[string]*table
	requests uint64
	tokens   map[string]transactionToken
	unseen   []Write // committed, OnWrite not told yet

	telling chan struct{} // held by the request that calls OnWrite
}

// New makes a Server without tables.
func New(opts Options) *Server {
	if opts.Account == "" {
		opts.Account = "000000000000"
	}
	if opts.Region == "" {
		opts.Region = "us-east-1"
	}
	s := &Server{
		opts:    opts,
		tables:  map[string]*table{},
		tokens:  map[string]transactionToken{},
		telling: make(chan struct{}, 1),
	}
	s.known = s.operations()
	return s
}

const (
	targetPrefix    = "DynamoDB_20120810."
	contentType     = "application/x-amz-json-1.0"
	maxRequestBytes = 16 << 20
)

// ServeHTTP answers one request of the DynamoDB API. The authorization is not
// looked at.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amzn-RequestId", s.requestID())
	answer, err := s.call(r)
	if err != nil {
		writeError(w, err)
		return
	}
	body, err := encode(answer)
	if err != nil {
		writeError(w, err)
		return
	}
	write(w, http.StatusOK, body)
}

func write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("x-amz-crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON is no markup, and a client that went away needs no answer
}

// requestID is a number in the length and letters of DynamoDB's.
func (s *Server) requestID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return fmt.Sprintf("%052d", s.requests)
}

// encode writes an answer; < and > stay as they are, as messages have them.
func encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(answer)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func (s *Server) call(r *http.Request) (any, error) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if !ok || r.Method != http.MethodPost {
		return nil, unknownOperation(name)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	if err != nil {
		return nil, notSerializable("the request ended early: " + err.Error())
	}
	if len(body) > maxRequestBytes {
		return nil, refuse(codeTooLarge, "the request is larger than 16 MB")
	}
	run := s.known[name]
	if run == nil {
		return nil, unknownOperation(name)
	}
	return run(body)
}

// operation carries out one request, of which it is given the body.
type operation func(body []byte) (any, error)

// decoded is an operation that needs no more of a body than what it decodes to.
func decoded[T any](f func(in *T) (any, error)) operation {
	return func(body []byte) (any, error) {
		in := new(T)
		if err := decode(body, in); err != nil {
			return nil, err
		}
		return f(in)
	}
}

// operations are what the server has, by name.
func (s *Server) operations() map[string]operation {
	return map[string]operation{
		"CreateTable":        decoded(s.createTable),
		"DescribeTable":      s.onTable(s.describeTable),
		"DeleteTable":        s.onTable(s.deleteTable),
		"ListTables":         decoded(s.listTables),
		"UpdateTable":        decoded(s.updateTable),
		"DescribeTimeToLive": s.onTable(s.describeTimeToLive),
		"UpdateTimeToLive":   decoded(s.updateTimeToLive),
		"PutItem":            decoded(s.putItem),
		"GetItem":            decoded(s.getItem),
		"UpdateItem":         decoded(s.updateItem),
		"DeleteItem":         decoded(s.deleteItem),
		"Query":              decoded(s.query),
		"Scan":               decoded(s.scan),
		"BatchGetItem":       decoded(s.batchGetItem),
		"BatchWriteItem":     decoded(s.batchWriteItem),
		"TransactGetItems":   decoded(s.transactGetItems),
		"TransactWriteItems": s.transactWriteItems,
	}
}

// committed notes a write for OnWrite. It is called under the lock.
func (s *Server) committed(w Write) {
	if s.opts.OnWrite != nil {
		s.unseen = append(s.unseen, w)
	}
}

// tell calls OnWrite for the writes that are committed. When it returns,
// OnWrite was told of all that were so when it was called. It is called without
// the lock.
func (s *Server) tell() {
	if s.opts.OnWrite == nil {
		return
	}
	s.telling <- struct{}{}
	defer func() { <-s.telling }()
	s.mu.Lock()
	writes := s.unseen
	s.unseen = nil
	s.mu.Unlock()
	for _, w := range writes {
		s.opts.OnWrite(w)
	}
}

// usable gives a table that is ACTIVE. It is called under the lock.
func (s *Server) usable(name string) (*table, error) {
	t, err := s.table(name)
	if err != nil || time.Now().Before(t.activeAt) {
		return nil, errNoTable()
	}
	return t, nil
}

func errNoTable() error { return refuse(codeNotFound, "Requested resource not found") }

// table gives a table in whichever state. It is called under the lock.
func (s *Server) table(name string) (*table, error) {
	t, ok := s.tables[tableName(name)]
	if !ok {
		return nil, refuse(codeNotFound, "Requested resource not found: Table: %s not found", name)
	}
	return t, nil
}

// tableName takes the name out of an ARN, in place of which it may be given.
func tableName(name string) string {
	if _, after, ok := strings.Cut(name, ":table/"); ok && strings.HasPrefix(name, "arn:") {
		return after
	}
	return name
}
