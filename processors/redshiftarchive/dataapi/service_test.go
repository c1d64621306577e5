package dataapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/processors/redshiftarchive/dataapi"
)

// What no error may have.
const (
	awsKey = "canary/of+the+aws+key/0123456789"
	keyID  = "ASIACANARYOFTHEKEY01"
	key    = "canary/of+the+secret+key/0123456789"
	token  = "canaryOfTheToken//////////wEaCXVzLWVhc3QtMSJHMEUCIQD="
)

// fault is what happens to a request, or to a statement.
type fault string

const (
	silent    fault = "silent"       // it is never answered, nor done
	lost      fault = "lost"         // it is done, and never answered
	refused   fault = "refused"      // AccessDeniedException
	throttled fault = "throttled"    // ThrottlingException
	active    fault = "active"       // ActiveStatementsExceededException
	failing   fault = "failing"      // InternalServerException, nothing is done
	doneFails fault = "done, failed" // InternalServerException, and it is done
	unclear   fault = "unclear"      // BatchExecuteStatementException, and it is done
	fails     fault = "fails"        // of a statement: FAILED, with a text that quotes it
	endless   fault = "endless"      // of a statement: it goes on until it is cancelled
	stubborn  fault = "stubborn"     // of a statement: it cannot be cancelled either
)

// service is the Data API of a database with one table and its ledger.
type service struct {
	takes  time.Duration    // for which a COPY is executed
	faults map[string]fault // by operation, or by the first word of a statement
	always bool             // faults of operations happen each time, not once
	then   map[string]fault // what happens to operations after their fault, each time
	answer func(sql string) (rows [][]string, failure string)
	delay  time.Duration // for which the first statements that are handed in are not begun
	bare   bool          // it tells no sub-statements

	mu         sync.Mutex // guards what follows
	loaded     []string
	ledger     []string
	statements []*statement
	seen       []string // operations
	inputs     []map[string]any
}

type statement struct {
	id, token string
	sqls      []string
	ends      time.Time
	status    string
	err       string
	failed    int
	waits     int // which of them takes the time
	rows      [][]string
}

// Do implements aws.HTTPClient.
func (s *service) Do(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.mu.Lock()
	s.seen = append(s.seen, operation)
	s.inputs = append(s.inputs, in)
	f := s.faults[operation]
	if next, has := s.then[operation]; has {
		s.faults[operation] = next
	} else if !s.always {
		delete(s.faults, operation)
	}
	status, out := 200, any(nil)
	if f != silent && f != refused && f != throttled && f != active && f != failing {
		status, out = s.do(operation, in)
	}
	s.mu.Unlock()
	refusal := func(code int, kind string) {
		status, out = code, map[string]string{"__type": kind, "message": "it is " + kind + " with " + keyID}
	}
	switch f { //nolint:exhaustive // the others are of statements
	case silent, lost:
		<-r.Context().Done()
		return nil, fmt.Errorf("asking: %w", r.Context().Err())
	case refused:
		refusal(400, "AccessDeniedException")
	case throttled:
		refusal(400, "ThrottlingException")
	case active:
		refusal(400, "ActiveStatementsExceededException")
	case unclear:
		refusal(400, "BatchExecuteStatementException")
	case failing, doneFails:
		refusal(500, "InternalServerException")
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(string(text)))}, nil
}

var _ deadline.Doer = (*service)(nil)

// do does what a request asks for.
func (s *service) do(operation string, in map[string]any) (int, any) {
	text := func(name string) string { t, _ := in[name].(string); return t }
	switch operation {
	case "ExecuteStatement":
		return 200, map[string]string{"Id": s.begin(text("ClientToken"), text("Sql"))}
	case "BatchExecuteStatement":
		list, _ := in["Sqls"].([]any)
		var sqls []string
		for _, sql := range list {
			sqls = append(sqls, sql.(string))
		}
		return 200, map[string]string{"Id": s.begin(text("ClientToken"), sqls...)}
	}
	i := slices.IndexFunc(s.statements, func(st *statement) bool { return st.id == text("Id") })
	if i < 0 {
		return 400, map[string]string{"__type": "ResourceNotFoundException", "message": "no such statement"}
	}
	st := s.statements[i]
	s.advance(st)
	switch operation {
	case "DescribeStatement":
		return 200, s.describe(st)
	case "CancelStatement":
		if st.status != "STARTED" || st.failed == -2 {
			return 400, map[string]string{"__type": "ValidationException", "message": "Could not cancel a query that is already in " + st.status + " state"}
		}
		st.status, st.err = "ABORTED", ""
		return 200, map[string]bool{"Status": true}
	case "GetStatementResult":
		if st.hasResult() {
			return 200, s.page(st, text("NextToken"))
		}
		return 400, map[string]string{"__type": "ResourceNotFoundException", "message": "Query does not have result. Please check query status with DescribeStatement."}
	}
	return 400, map[string]string{"__type": "UnknownOperationException"}
}

// begin begins statements, unless their token is known.
func (s *service) begin(token string, sqls ...string) string {
	for _, st := range s.statements {
		if st.token == token {
			return st.id
		}
	}
	st := &statement{id: fmt.Sprint("id-", len(s.statements)), token: token, sqls: sqls, ends: time.Now(), status: "STARTED", failed: -1}
	for i, sql := range sqls {
		verb, _, _ := strings.Cut(sql, " ")
		if verb == "COPY" && s.takes > 0 {
			st.ends, st.waits = st.ends.Add(s.takes), i
		}
		switch s.faults[verb] { //nolint:exhaustive // the others are of requests
		case endless:
			st.ends, st.waits = st.ends.Add(1000*time.Hour), i
		case stubborn:
			st.ends, st.failed, st.waits = st.ends.Add(6*time.Hour), -2, i
		}
	}
	if len(s.statements) == 0 {
		st.ends = st.ends.Add(s.delay)
	}
	s.statements = append(s.statements, st)
	return st.id
}

// hasResult reports whether rows can be asked for. A service may say that there is nothing
// where there are no rows.
func (st *statement) hasResult() bool {
	return len(st.sqls) == 1 && strings.HasPrefix(st.sqls[0], "SELECT") && !strings.HasSuffix(st.sqls[0], "WHERE false")
}

// advance executes statements whose time has come, in one transaction.
func (s *service) advance(st *statement) {
	if st.status != "STARTED" || time.Now().Before(st.ends) {
		return
	}
	loaded, ledger := slices.Clone(s.loaded), slices.Clone(s.ledger)
	st.status, st.failed = "FINISHED", -1
	for i, sql := range st.sqls {
		verb, _, _ := strings.Cut(sql, " ")
		failure := ""
		if s.faults[verb] == fails {
			failure = "ERROR: cannot do " + sql
			delete(s.faults, verb)
		}
		if failure == "" && s.answer != nil {
			st.rows, failure = s.answer(sql)
		}
		has := slices.ContainsFunc(literals(sql), func(o string) bool { return slices.Contains(ledger, o) })
		switch {
		case failure != "":
		case strings.Contains(sql, "COUNT(*)") && has:
			failure = "ERROR: Divide by zero"
		case verb == "SELECT" && s.answer == nil:
			for _, o := range ledger {
				if slices.Contains(literals(sql), o) {
					st.rows = append(st.rows, []string{o})
				}
			}
		case verb == "COPY":
			loaded = append(loaded, literals(sql)[0])
		case verb == "INSERT":
			ledger = append(ledger, literals(sql)[0])
		}
		if failure != "" {
			st.status, st.err, st.failed = "FAILED", failure, i
			return
		}
	}
	s.loaded, s.ledger = loaded, ledger
}

func (s *service) describe(st *statement) map[string]any {
	out := map[string]any{"Id": st.id, "Status": st.status, "HasResultSet": st.hasResult(), "RedshiftQueryId": 815}
	if st.err != "" {
		out["Error"] = st.err
	}
	if len(st.sqls) > 1 && !s.bare {
		var subs []map[string]any
		for i := range st.sqls {
			sub := map[string]any{"Id": fmt.Sprint(st.id, ":", i+1), "Status": "FINISHED", "RedshiftQueryId": 815 + i}
			switch {
			case st.status == "STARTED" && i == st.waits:
				sub["Status"] = "STARTED"
			case st.status == "STARTED" && i > st.waits:
				sub["Status"] = "SUBMITTED"
			case st.failed == i:
				sub["Status"], sub["Error"] = "FAILED", st.err
			case st.failed >= 0 && i > st.failed, st.status == "ABORTED":
				sub["Status"] = "ABORTED"
			}
			subs = append(subs, sub)
		}
		out["SubStatements"] = subs
		if st.err != "" {
			out["Error"] = fmt.Sprintf("Query #%d failed with %s", st.failed+1, st.err)
		}
	}
	return out
}

// page has one row.
func (s *service) page(st *statement, from string) map[string]any {
	n := 0
	_, _ = fmt.Sscan(from, &n)
	out := map[string]any{"Records": []any{}, "ColumnMetadata": []any{}}
	if n < len(st.rows) {
		var fields []map[string]any
		for _, v := range st.rows[n] {
			switch v {
			case "true", "false":
				fields = append(fields, map[string]any{"booleanValue": v == "true"})
			case "NULL":
				fields = append(fields, map[string]any{"isNull": true})
			case "17":
				fields = append(fields, map[string]any{"longValue": 17})
			default:
				fields = append(fields, map[string]any{"stringValue": v})
			}
		}
		out["Records"] = []any{fields}
		if n+1 < len(st.rows) {
			out["NextToken"] = strconv.Itoa(n + 1)
		}
	}
	return out
}

// is returns what is committed, once all statements have had their time.
func (s *service) is() (loaded, ledger []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.statements {
		s.advance(st)
	}
	return slices.Clone(s.loaded), slices.Clone(s.ledger)
}

func (s *service) count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, o := range s.seen {
		if o == operation {
			n++
		}
	}
	return n
}

func literals(sql string) []string {
	var out []string
	for i, part := range strings.Split(sql, "'") {
		if i%2 == 1 {
			out = append(out, part)
		}
	}
	return out
}

// database returns a Database behind s.
func database(t *testing.T, s *service, change ...func(*dataapi.Config)) *dataapi.Database {
	t.Helper()
	client, _ := deadlinetest.Bounded(t, s).(aws.HTTPClient)
	c := dataapi.Config{
		AWS:               aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", awsKey, ""), HTTPClient: client},
		ClusterIdentifier: "c", Database: "dev", DbUser: "loader",
	}
	for _, f := range change {
		f(&c)
	}
	d, err := dataapi.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
