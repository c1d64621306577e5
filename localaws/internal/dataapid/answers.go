package dataapid

import (
	"strconv"
	"strings"
	"time"

	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
)

func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func setNonEmpty(m map[string]any, values map[string]string) {
	for name, v := range values {
		if v != "" {
			m[name] = v
		}
	}
}

func (s *statement) accepted() map[string]any {
	m := map[string]any{"Id": s.id, "CreatedAt": epoch(s.created), "Database": s.request.Database}
	s.setWhere(m)
	return m
}

func (s *statement) setWhere(m map[string]any) {
	setNonEmpty(m, map[string]string{
		"ClusterIdentifier": s.request.ClusterIdentifier, "WorkgroupName": s.request.WorkgroupName,
		"DbUser": s.request.DbUser, "SecretArn": s.request.SecretArn,
	})
}

// describe answers DescribeStatement, of a batch or of one of its statements too.
func (s *Server) describe(body []byte) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, one, refused := s.find(body, new(string))
	if refused != nil {
		return nil, refused
	}
	if one != &st.single {
		return one.described(st.id), nil
	}
	m := one.described(st.id)
	m["Database"], m["RedshiftPid"] = st.request.Database, st.pid
	st.setWhere(m)
	var parts []map[string]any
	for i, part := range st.parts {
		parts = append(parts, part.described(st.id+":"+strconv.Itoa(i+1)))
	}
	if parts != nil {
		m["SubStatements"] = parts
		delete(m, "QueryString")
	}
	return m, nil
}

func (s *single) described(id string) map[string]any {
	m := map[string]any{
		"Id": id, "Status": s.status, "CreatedAt": epoch(s.created), "UpdatedAt": epoch(s.updated), "QueryString": s.sql,
		"Duration": -1, "HasResultSet": s.hasResult(), "ResultRows": -1, "ResultSize": -1, "RedshiftQueryId": s.query,
	}
	if s.isOver() {
		m["Duration"] = s.updated.Sub(s.created).Nanoseconds()
	}
	if s.status == finished {
		m["ResultRows"], m["ResultSize"] = len(s.result.Rows), size(s.result)
	}
	if s.problem != "" {
		m["Error"] = s.problem
	}
	return m
}

func (s *single) hasResult() bool { return s.status == finished && s.result.Columns != nil }

func size(r sqlwire.Result) int {
	total := 0
	for _, row := range r.Rows {
		for _, v := range row {
			if v != nil {
				total += len(*v)
			}
		}
	}
	return total
}

// find returns what an Id stands for: a statement, or one of a batch, "ID:2". The caller
// holds mu.
func (s *Server) find(body []byte, token *string) (*statement, *single, *refusal) {
	var r struct{ Id, NextToken string }
	if refused := read(body, &r); refused != nil {
		return nil, nil, refused
	}
	*token = r.NextToken
	id, place, isPart := strings.Cut(r.Id, ":")
	st := s.statements[id]
	if st == nil {
		return nil, nil, &refusal{"ResourceNotFoundException", "Query does not exist."}
	}
	if !isPart {
		return st, &st.single, nil
	}
	n, err := strconv.Atoi(place)
	if err != nil || n < 1 || n > len(st.parts) {
		return nil, nil, &refusal{"ResourceNotFoundException", "Query does not exist."}
	}
	return st, st.parts[n-1], nil
}

// results answers GetStatementResult.
func (s *Server) results(body []byte) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var token string
	_, one, refused := s.find(body, &token)
	if refused != nil {
		return nil, refused
	}
	if !one.hasResult() {
		return nil, &refusal{"ResourceNotFoundException", "Query does not have result. Please check query status with DescribeStatement."}
	}
	from := 0
	if token != "" {
		var err error
		if from, err = strconv.Atoi(token); err != nil || from < 0 || from > len(one.result.Rows) {
			return nil, invalid("NextToken is none of this statement.")
		}
	}
	to := min(from+pageRows, len(one.result.Rows))
	m := map[string]any{"TotalNumRows": len(one.result.Rows), "Records": records(one.result, from, to), "ColumnMetadata": metadata(one.result)}
	if to < len(one.result.Rows) {
		m["NextToken"] = strconv.Itoa(to)
	}
	return m, nil
}

func records(r sqlwire.Result, from, to int) [][]map[string]any {
	list := [][]map[string]any{}
	for _, row := range r.Rows[from:to] {
		record := []map[string]any{}
		for i, v := range row {
			record = append(record, field(r.Columns[i].OID, v))
		}
		list = append(list, record)
	}
	return list
}

// Numbers of types, of PostgreSQL's pg_type.
const (
	oidBool, oidInt8, oidInt2, oidInt4 = 16, 20, 21, 23
	oidFloat4, oidFloat8               = 700, 701
)

// field is a value as the API has it.
func field(oid uint32, v *string) map[string]any {
	if v == nil {
		return map[string]any{"isNull": true}
	}
	switch oid {
	case oidInt2, oidInt4, oidInt8:
		if n, err := strconv.ParseInt(*v, 10, 64); err == nil {
			return map[string]any{"longValue": n}
		}
	case oidFloat4, oidFloat8:
		if f, err := strconv.ParseFloat(*v, 64); err == nil {
			return map[string]any{"doubleValue": f}
		}
	case oidBool:
		return map[string]any{"booleanValue": *v == "t"}
	}
	return map[string]any{"stringValue": *v}
}

func metadata(r sqlwire.Result) []map[string]any {
	list := []map[string]any{}
	for _, c := range r.Columns {
		name, ok := map[uint32]string{
			oidBool: "bool", oidInt2: "int2", oidInt4: "int4", oidInt8: "int8", oidFloat4: "float4", oidFloat8: "float8",
			1042: "bpchar", 1082: "date", 1114: "timestamp", 1184: "timestamptz", 1700: "numeric", 4000: "super",
		}[c.OID]
		if !ok {
			name = "varchar"
		}
		list = append(list, map[string]any{"name": c.Name, "label": c.Name, "typeName": name, "nullable": 1})
	}
	return list
}

// cancel answers CancelStatement.
func (s *Server) cancel(body []byte) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, _, refused := s.find(body, new(string))
	if refused != nil {
		return nil, refused
	}
	if st.isOver() {
		return nil, invalid("Could not cancel a query that is already in " + st.status + " state with ID: " + st.id)
	}
	st.cancel(sqlwire.ErrCancelled)
	return map[string]any{"Status": true}, nil
}
