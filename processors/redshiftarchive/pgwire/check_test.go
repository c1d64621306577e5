package pgwire_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// rows answers a SELECT.
func rows(values ...[]string) []pgproto3.BackendMessage {
	fields := make([]pgproto3.FieldDescription, 0, 5)
	for range 5 {
		fields = append(fields, pgproto3.FieldDescription{Name: []byte("c")})
	}
	out := []pgproto3.BackendMessage{&pgproto3.RowDescription{Fields: fields}}
	for _, row := range values {
		r := new(pgproto3.DataRow)
		for _, v := range row {
			r.Values = append(r.Values, []byte(v))
		}
		out = append(out, r)
	}
	return append(out, &pgproto3.CommandComplete{CommandTag: []byte("SELECT")})
}

func refusal(code, message string) []pgproto3.BackendMessage {
	return []pgproto3.BackendMessage{&pgproto3.ErrorResponse{Severity: "ERROR", Code: code, Message: message}}
}

// What is wrong with the tables is told, and nothing but SELECTs is sent.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at     string // part of a statement
		answer []pgproto3.BackendMessage
		want   string // the code
	}{
		"all is well":                   {},
		"no table":                      {`'public.events', 'INSERT'`, refusal("42P01", `relation "public.events" does not exist`), "Redshift.TableNotFound"},
		"no right":                      {`'public.events', 'INSERT'`, rows([]string{"f"}), "Redshift.InsufficientPrivilege"},
		"no column":                     {`SELECT id, "a b" FROM public.events`, refusal("42703", `column "a b" does not exist`), "Redshift.ColumnNotFound"},
		"a table that may not be read":  {`SELECT id, "a b" FROM public.events`, refusal("42501", `permission denied for relation events`), ""},
		"no ledger":                     {`'audit.ledger', 'SELECT'`, refusal("42P01", `relation "audit.ledger" does not exist`), "Redshift.TableNotFound"},
		"a ledger that may not be lock": {`'audit.ledger', 'UPDATE'`, rows([]string{"f"}), "Redshift.InsufficientPrivilege"},
		"a ledger of another shape":     {`SELECT object, manifest, loaded_at FROM audit.ledger WHERE false`, refusal("42703", `column "object" does not exist`), "Redshift.ColumnNotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &database{answer: func(sql string) []pgproto3.BackendMessage {
					switch {
					case tt.at != "" && strings.Contains(sql, tt.at):
						return tt.answer
					case strings.Contains(sql, "has_table_privilege"):
						return rows([]string{"t"})
					}
					return rows()
				}}
				err := connectTo(t, d).Check(t.Context(), redshiftarchive.Tables{Table: "public.events", Columns: []string{"id", " a b"}, Ledger: "audit.ledger"})
				d.end(t)
				_, _, seen := d.is()
				for _, sql := range seen {
					if !strings.HasPrefix(sql, "SELECT ") {
						t.Errorf("sent %q", sql)
					}
				}
				if tt.want == "" && err != nil || tt.want == "" && len(seen) != 6 {
					t.Errorf("%v after %q", err, seen)
				}
				if tt.want != "" && faultOf(t, err).Code != tt.want {
					t.Error(err)
				}
			})
		})
	}
}

// The reasons of a COPY that failed are read: by the id of the query, else by the session,
// from the SYS view, else the STL one; without what the lines have, and without secrets.
func TestReasons(t *testing.T) {
	t.Parallel()
	row := []string{first + "   ", "17 ", "ts", "1206", "Invalid timestamp format or value '" + "Miller's data" + "' for " + key}
	want := []redshiftarchive.LineReason{{Object: first, Line: 17, Column: "ts", Code: 1206, Reason: "Invalid timestamp format or value …"}}
	for name, known := range map[string]string{
		"SYS by query": "sys_load_error_detail WHERE query_id = 815 ", "STL by query": "stl_load_errors WHERE query = 815 ",
		"SYS by session": "sys_load_error_detail WHERE session_id = 4711 AND start_time > DATEADD(second, -60, GETDATE())", "STL by session": "stl_load_errors WHERE session = 4711 AND starttime > ",
	} {
		for _, hasLedger := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := &database{answer: func(sql string) []pgproto3.BackendMessage {
						switch {
						case strings.HasPrefix(sql, "COPY"):
							return refusal("XX000", "Load into table 'events' failed.  Check 'stl_load_errors' system table for details.")
						case sql == "SELECT pg_last_query_id()":
							return rows([]string{"815"})
						case strings.Contains(sql, known):
							return rows(row)
						case strings.Contains(sql, "sys_load_error_detail"):
							return refusal("42P01", `relation "sys_load_error_detail" does not exist`)
						case strings.Contains(sql, "stl_load_errors"):
							return rows()
						}
						return nil
					}}
					err := connectTo(t, d).Load(t.Context(), try(hasLedger))
					d.end(t)
					f := faultOf(t, err)
					if f.Code != "Redshift.DataLoadFailed" || !f.Undone {
						t.Error(err)
					}
					hasNoSecret(t, f)
					if len(f.Reasons) == 1 && strings.HasPrefix(f.Reasons[0].Reason, "Invalid timestamp") && !strings.Contains(f.Reasons[0].Reason, "Miller") {
						f.Reasons[0].Reason = want[0].Reason
					}
					if diff := cmp.Diff(want, f.Reasons); diff != "" {
						t.Error(diff)
					}
				})
			})
		}
	}
}

// That the reasons cannot be read is not in the way.
func TestNoReasons(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &database{answer: func(sql string) []pgproto3.BackendMessage {
					if strings.HasPrefix(sql, "COPY") {
						return refusal("XX000", "Load into table 'events' failed.  Check 'stl_load_errors' system table for details.")
					}
					return nil
				}, faults: map[string]kind{"SELECT": k}}
				err := connectTo(t, d).Load(t.Context(), try(false))
				d.end(t)
				hasNoSecret(t, err)
				if f := faultOf(t, err); f.Code != "Redshift.DataLoadFailed" || !f.Undone || len(f.Reasons) > 0 {
					t.Error(err)
				}
			})
		})
	}
}
