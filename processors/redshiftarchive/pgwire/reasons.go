package pgwire

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
)

const (
	// explainTimeout is for how long the reasons of a failed COPY are asked for.
	explainTimeout = 30 * time.Second

	// mostReasons is how many are read.
	mostReasons = 10
)

// explain reads which lines COPY could not load, as far as the database lets somebody see it.
// What the lines have (raw_line, raw_field_value) is not asked for.
func (s *session) explain(ctx context.Context, f *redshiftarchive.Fault) {
	if f.Code != "Redshift.DataLoadFailed" || s.conn.IsClosed() {
		return
	}
	ctx, call := deadline.StartWhole(ctx, explainTimeout)
	defer call.End()
	for _, ask := range s.questions(ctx) {
		answer, err := s.run(ctx, ask)
		if s.conn.IsClosed() {
			return
		}
		if f.Reasons = lineReasons(answer.rows, s.secrets); err == nil && len(f.Reasons) > 0 {
			return
		}
	}
}

// questions are the ways to ask: a workgroup has the SYS views alone, an old cluster the
// STL ones, and not every release counts a failed COPY as the last query.
func (s *session) questions(ctx context.Context) []string {
	const (
		sys   = "SELECT file_name, line_number, column_name, error_code, error_message FROM sys_load_error_detail WHERE "
		stl   = "SELECT filename, line_number, colname, err_code, err_reason FROM stl_load_errors WHERE "
		limit = " LIMIT 10"
	)
	var out []string
	if answer, err := s.run(ctx, "SELECT pg_last_query_id()"); err == nil && len(answer.rows) == 1 {
		if id, err := strconv.ParseInt(strings.Join(answer.rows[0], ""), 10, 64); err == nil && id > 0 {
			out = append(out, fmt.Sprintf("%squery_id = %d%s", sys, id, limit), fmt.Sprintf("%squery = %d%s", stl, id, limit))
		}
	}
	seconds := int(time.Since(s.opened).Seconds()) + 60
	return append(out,
		fmt.Sprintf("%ssession_id = %d AND start_time > DATEADD(second, -%d, GETDATE())%s", sys, s.conn.PID(), seconds, limit),
		fmt.Sprintf("%ssession = %d AND starttime > DATEADD(second, -%d, GETDATE())%s", stl, s.conn.PID(), seconds, limit))
}

func lineReasons(rows [][]string, secrets judge.Secrets) []redshiftarchive.LineReason {
	var out []redshiftarchive.LineReason
	for _, row := range rows {
		if len(row) != 5 || len(out) == mostReasons {
			continue
		}
		line, _ := strconv.ParseInt(strings.TrimSpace(row[1]), 10, 64)
		code, _ := strconv.Atoi(strings.TrimSpace(row[3]))
		out = append(out, redshiftarchive.LineReason{
			Object: secrets.Redact(row[0]), Line: line, Column: secrets.Redact(row[2]), Code: code, Reason: judge.Reason(row[4], secrets),
		})
	}
	return out
}
