package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/judge"
)

// What is asked about lines that could not be loaded. What the lines have (raw_line,
// raw_field_value) is not. A workgroup has the SYS views alone, an old cluster the STL ones.
const (
	sysErrors = "SELECT file_name, line_number, column_name, error_code, error_message FROM sys_load_error_detail WHERE "
	stlErrors = "SELECT filename, line_number, colname, err_code, err_reason FROM stl_load_errors WHERE "

	// mostReasons is how many lines are told.
	mostReasons = 10
)

// ReasonsOfQuery returns the statements, to be tried in turn, that tell which lines the COPY
// of this id could not load.
func ReasonsOfQuery(id int64) []string {
	return []string{
		fmt.Sprintf("%squery_id = %d LIMIT %d", sysErrors, id, mostReasons),
		fmt.Sprintf("%squery = %d LIMIT %d", stlErrors, id, mostReasons),
	}
}

// ReasonsOfSession is ReasonsOfQuery for a session that began so long ago, and had one COPY.
// Numbers of processes are used again, so older rows do not count.
func ReasonsOfSession(pid uint32, ago time.Duration) []string {
	seconds := int(ago.Seconds()) + 60
	return []string{
		fmt.Sprintf("%ssession_id = %d AND start_time > DATEADD(second, -%d, GETDATE()) LIMIT %d", sysErrors, pid, seconds, mostReasons),
		fmt.Sprintf("%ssession = %d AND starttime > DATEADD(second, -%d, GETDATE()) LIMIT %d", stlErrors, pid, seconds, mostReasons),
	}
}

// Reasons reads the answer to one of these.
func Reasons(rows [][]string, s judge.Secrets) []redshiftarchive.LineReason {
	var out []redshiftarchive.LineReason
	for _, row := range rows {
		if len(row) != 5 || len(out) == mostReasons {
			continue
		}
		line, _ := strconv.ParseInt(strings.TrimSpace(row[1]), 10, 64)
		code, _ := strconv.Atoi(strings.TrimSpace(row[3]))
		out = append(out, redshiftarchive.LineReason{
			Object: s.Redact(row[0]), Line: line, Column: s.Redact(row[2]), Code: code, Reason: judge.Reason(row[4], s),
		})
	}
	return out
}
