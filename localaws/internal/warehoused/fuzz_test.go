package warehoused_test

import (
	"errors"
	"testing"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/sqlwire"
	"github.com/shardmill/shardmill/localaws/internal/warehoused"
)

// FuzzExecute runs statements: what cannot be run is told with a SQLSTATE, and rows have the
// columns that were told.
func FuzzExecute(f *testing.F) {
	for _, text := range []string{
		"SELECT a, -1/(a-a), 'x' || b, CASE WHEN a > 1 THEN b ELSE 'n' END FROM t WHERE b LIKE '%x_' ORDER BY a DESC LIMIT 3",
		"SELECT count(*), max(a), min(b), sum(a) + 1.5 FROM t WHERE a IN (1, NULL) OR NOT b IS NULL",
		"INSERT INTO t (a) VALUES (1::bigint), (NULL)", "INSERT INTO t SELECT a, b FROM t", "DELETE FROM t WHERE a = 'x'",
		"CREATE TABLE u (a int DEFAULT b, c varchar(max) NOT NULL) SORTKEY (a)", "LOCK t", "BEGIN", "COMMIT", "SET x TO 1, 2",
		"SELECT TRIM(colname) FROM stl_load_errors", "COPY t FROM 's3://b/k' IAM_ROLE 'r'", "GRANT ALL ON t TO a", "DROP TABLE t",
		"SELECT id, count(*) FROM t ORDER BY count(*)", "SELECT has_table_privilege('t', 'select')", "SELECT coalesce(a, b), cast('1' AS date) FROM t",
		"SELECT * FROM pg_table_def", "SELECT ((((1))))",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := warehoused.New(warehoused.Options{Superuser: "u", Source: func(redshiftcopy.Statement) (redshiftcopy.Source, error) {
			return nil, &redshiftcopy.Error{Code: "XX000", Message: "there is no S3"}
		}})
		session := s.Session(sqlwire.Startup{User: "u", Database: "d"})
		for _, prepare := range []string{"CREATE TABLE t (a bigint, b varchar(8))", "INSERT INTO t VALUES (1, 'x'), (NULL, NULL)", "BEGIN"} {
			if _, err := session.Execute(t.Context(), prepare); err != nil {
				t.Fatal(err)
			}
		}
		out, err := session.Execute(t.Context(), text)
		if err != nil {
			told, ok := errors.AsType[*sqlwire.Error](err)
			_, isSyntax := errors.AsType[*sqltext.Error](err)
			if !isSyntax && (!ok || len(told.Code) != 5 || told.Message == "") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		for _, r := range out.Rows {
			if len(r) != len(out.Columns) {
				t.Errorf("%q has %d columns, and a row of %d", text, len(out.Columns), len(r))
			}
		}
	})
}
