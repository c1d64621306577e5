package dataapid

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

// Login is who a statement is run as, and where.
type Login struct {
	Cluster, Workgroup string // one of them
	Database           string
	User               string // of the database; "" unless it was named
	Secret             string // ARN; "" unless it was named
}

// Options say how a Server behaves.
type Options struct {
	Database sqlwire.Database
	Context  context.Context //nolint:containedctx // statements outlive their requests; it ends with the server

	// Open begins a session.
	Open func(context.Context, Login) (sqlwire.Session, sqlwire.Startup, error)

	// Go runs a function in a goroutine that is waited for.
	Go func(func())
}

// Server is the Data API. It is safe for concurrent use.
type Server struct {
	options Options

	mu         sync.Mutex // guards what follows, and what the statements have
	statements map[string]*statement
	tokens     map[string]*statement
}

// New returns a Server.
func New(o Options) *Server {
	return &Server{options: o, statements: make(map[string]*statement), tokens: make(map[string]*statement)}
}

// Limits of the Data API. Source: its quotas.
const (
	maxStatements = 40
	maxSQL        = 100_000
	maxActive     = 500
	maxToken      = 64
	pageRows      = 1_000
)

// request is that of ExecuteStatement and of BatchExecuteStatement.
type request struct {
	ClientToken, ClusterIdentifier, Database, DbUser, SecretArn, Sql, StatementName, WorkgroupName, ResultFormat string
	Sqls                                                                                                         []string
	Parameters                                                                                                   []parameter
	WithEvent                                                                                                    bool
}

type parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (r request) login() Login {
	return Login{Cluster: r.ClusterIdentifier, Workgroup: r.WorkgroupName, Database: r.Database, User: r.DbUser, Secret: r.SecretArn}
}

// refusal is an error of the API.
type refusal struct {
	code, message string
}

func invalid(message string) *refusal { return &refusal{"ValidationException", message} }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its client has gone
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var answer any
	var refused *refusal
	switch operation {
	case "ExecuteStatement", "BatchExecuteStatement":
		answer, refused = s.submit(body, operation == "BatchExecuteStatement") //nolint:contextcheck // statements outlive their request
	case "DescribeStatement":
		answer, refused = s.describe(body)
	case "GetStatementResult":
		answer, refused = s.results(body)
	case "CancelStatement":
		answer, refused = s.cancel(body)
	default:
		refused = &refusal{"UnknownOperationException", "There is no operation " + operation + " here."}
	}
	if refused != nil {
		WriteError(w, http.StatusBadRequest, refused.code, refused.message)
		return
	}
	write(w, http.StatusOK, answer)
}

// WriteError answers with an error of the API.
func WriteError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-Errortype", code)
	write(w, status, map[string]string{"__type": code, "message": message, "Message": message})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that has gone has no use for it
}

// read reads a request. A parameter that there is no place for is refused by name.
func read(body []byte, into any) *refusal {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &refusal{"SerializationException", err.Error()}
	}
	return nil
}

// check finds what is wrong with a request.
func (r request) check(isBatch bool) *refusal {
	if r.Sql != "" {
		r.Sqls = append(r.Sqls, r.Sql)
	}
	switch {
	case r.ClusterIdentifier == "" && r.WorkgroupName == "":
		return invalid("Either ClusterIdentifier or WorkgroupName must be specified.")
	case r.ClusterIdentifier != "" && r.WorkgroupName != "":
		return invalid("ClusterIdentifier and WorkgroupName cannot be specified together.")
	case r.WorkgroupName != "" && r.DbUser != "":
		return invalid("DbUser is not supported with WorkgroupName.")
	case r.Database == "":
		return invalid("Database is required.")
	case isBatch && (len(r.Sqls) == 0 || r.Sql != "") || !isBatch && len(r.Sqls) != 1:
		return invalid("Sql, or the Sqls of a batch, are required.")
	case len(r.Sqls) > maxStatements:
		return invalid("A batch has at most " + strconv.Itoa(maxStatements) + " statements; this one has " + strconv.Itoa(len(r.Sqls)) + ".")
	case len(r.ClientToken) > maxToken:
		return invalid("ClientToken has at most " + strconv.Itoa(maxToken) + " characters.")
	case r.ResultFormat != "" && r.ResultFormat != "JSON":
		return invalid("ResultFormat " + r.ResultFormat + " is not supported here: only JSON.")
	}
	for _, sql := range r.Sqls {
		if len(sql) > maxSQL {
			return invalid("A statement has at most " + strconv.Itoa(maxSQL) + " bytes.")
		}
	}
	return nil
}

// submit takes statements, and has them run.
func (s *Server) submit(body []byte, isBatch bool) (any, *refusal) {
	var r request
	if refused := read(body, &r); refused != nil {
		return nil, refused
	}
	if refused := r.check(isBatch); refused != nil {
		return nil, refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(time.Now())
	if known := s.tokens[r.ClientToken]; known != nil && r.ClientToken != "" {
		if !reflect.DeepEqual(known.request, r) {
			return nil, invalid("ClientToken " + r.ClientToken + " was given to another statement.")
		}
		return known.accepted(), nil
	}
	if s.active() >= maxActive {
		return nil, &refusal{"ActiveStatementsExceededException", "Active statements exceeded the allowed quota (" + strconv.Itoa(maxActive) + ")."}
	}
	st := s.add(r, isBatch)
	ctx, cancel := context.WithCancelCause(s.options.Context)
	st.cancel = cancel
	s.options.Go(func() {
		defer cancel(nil)
		s.execute(ctx, st)
	})
	return st.accepted(), nil
}

// kept is for how long a statement that has ended is known, with its token.
// Source: the guide, "Using the Amazon Redshift Data API".
const kept = 24 * time.Hour

// forget drops statements that ended long ago. The caller holds mu.
func (s *Server) forget(now time.Time) {
	maps.DeleteFunc(s.statements, func(_ string, st *statement) bool {
		isOld := st.isOver() && now.Sub(st.updated) > kept
		if isOld {
			delete(s.tokens, st.request.ClientToken)
		}
		return isOld
	})
}

func (s *Server) active() int {
	count := 0
	for _, st := range s.statements {
		if !st.isOver() {
			count++
		}
	}
	return count
}

// add keeps a statement. The caller holds mu.
func (s *Server) add(r request, isBatch bool) *statement {
	now := time.Now()
	st := &statement{id: newID(), request: r, single: single{sql: r.Sql, status: submitted, created: now, updated: now}}
	if isBatch {
		for _, sql := range r.Sqls {
			st.parts = append(st.parts, &single{sql: sql, status: submitted, created: now, updated: now})
		}
	}
	s.statements[st.id] = st
	if r.ClientToken != "" {
		s.tokens[r.ClientToken] = st
	}
	return st
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
