package dataapi_test

import (
	gocmp "cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/dataapi"
)

const first = "s3://bucket/first.gz"

// try returns a try to load an object.
func try(hasLedger bool, number string) redshiftarchive.Try {
	const sql = "COPY events FROM '" + first + "' CREDENTIALS '%s' MANIFEST json 'auto' gzip;"
	t := redshiftarchive.Try{
		Copy:  redshiftarchive.NewStatement(fmt.Sprintf(sql, "aws_access_key_id="+keyID+";aws_secret_access_key="+key+";token="+token), fmt.Sprintf(sql, "<redacted>")),
		Token: "56371982-2375-4b28-8d79-45f01952667e-" + number,
	}
	if hasLedger {
		t.Ledger = &redshiftarchive.LedgerTry{Table: "ledger", Objects: []string{first}, Manifest: "s3://bucket/manifests/1"}
	}
	return t
}

func faultOf(t *testing.T, err error) *redshiftarchive.Fault {
	t.Helper()
	f, ok := errors.AsType[*redshiftarchive.Fault](err)
	if !ok {
		t.Fatalf("%T is no fault: %v", err, err)
	}
	return f
}

func hasNoSecret(t *testing.T, v any) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", v, v, v)
	for _, secret := range []string{awsKey, keyID, key, token} {
		for i := 0; i+8 <= len(secret); i++ {
			if strings.Contains(text, secret[i:i+8]) {
				t.Fatalf("has a part of a secret: %s", text)
			}
		}
	}
}

// What is sent, to whom.
func TestStatements(t *testing.T) {
	t.Parallel()
	cluster := map[string]any{"ClusterIdentifier": "c", "Database": "dev", "DbUser": "loader", "StatementName": "shardmill"}
	workgroup := map[string]any{"WorkgroupName": "w", "Database": "dev", "SecretArn": "arn:secret", "StatementName": "shardmill"}
	toWorkgroup := func(c *dataapi.Config) {
		c.ClusterIdentifier, c.DbUser, c.WorkgroupName, c.SecretARN = "", "", "w", "arn:secret"
	}
	for name, tt := range map[string]struct {
		change    func(*dataapi.Config)
		hasLedger bool
		operation string
		to        map[string]any
	}{
		"a cluster":                {func(*dataapi.Config) {}, false, "ExecuteStatement", cluster},
		"a workgroup":              {toWorkgroup, false, "ExecuteStatement", workgroup},
		"a cluster, with ledger":   {func(*dataapi.Config) {}, true, "BatchExecuteStatement", cluster},
		"a workgroup, with ledger": {toWorkgroup, true, "BatchExecuteStatement", workgroup},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{takes: time.Minute}
				in := try(tt.hasLedger, "1")
				if err := database(t, s, tt.change).Load(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				got, want := s.inputs[0], map[string]any{"ClientToken": in.Token}
				maps.Copy(want, tt.to)
				if tt.hasLedger {
					want["Sqls"] = []any{
						"LOCK TABLE ledger", "SELECT 1/(CASE WHEN COUNT(*)=0 THEN 1 ELSE 0 END) FROM ledger WHERE object IN ('" + first + "')", in.Copy.SQL(),
						"INSERT INTO ledger (object, manifest, loaded_at) VALUES ('" + first + "', 's3://bucket/manifests/1', GETDATE())",
					}
				} else {
					want["Sql"] = in.Copy.SQL()
				}
				if diff := cmp.Diff(want, got); diff != "" || s.seen[0] != tt.operation {
					t.Error(s.seen[0], diff)
				}
				if n := s.count("DescribeStatement"); n < 10 || n > 20 { // 0.5 s to 5 s in a minute
					t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

// Each request and each statement fails in each way. What is said to be undone is; the next try
// leaves the object loaded, with a ledger once; no text has a secret; and all ends in time.
func TestEachRequestFails(t *testing.T) {
	t.Parallel()
	for _, hasLedger := range []bool{false, true} {
		execute, name := "ExecuteStatement", "alone"
		if hasLedger {
			execute, name = "BatchExecuteStatement", "with a ledger"
		}
		for _, always := range []bool{false, true} {
			for _, operation := range []string{execute, "DescribeStatement"} {
				for _, f := range []fault{silent, lost, refused, throttled, active, failing, doneFails} {
					t.Run(fmt.Sprintf("%s/%s/%s/always %v", name, operation, f, always), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							oneFails(t, &service{takes: 2 * time.Minute, faults: map[string]fault{operation: f}, always: always}, hasLedger, operation)
						})
					})
				}
			}
		}
		for _, verb := range []string{"LOCK", "SELECT", "COPY", "INSERT"} {
			for _, f := range []fault{fails, endless, stubborn} {
				t.Run(fmt.Sprintf("%s/%s/%s", name, verb, f), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						if hasLedger || verb == "COPY" {
							oneFails(t, &service{takes: 2 * time.Minute, faults: map[string]fault{verb: f}}, hasLedger, verb)
						}
					})
				})
			}
		}
	}
}

// Once an answer was lost, the refusal of a repetition says nothing about the rows.
func TestLostAndThenRefused(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"ExecuteStatement", "BatchExecuteStatement"} {
		for _, f := range []fault{refused, throttled, active, failing} {
			t.Run(operation+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := &service{faults: map[string]fault{operation: lost}, then: map[string]fault{operation: f}}
					fault := faultOf(t, database(t, s).Load(t.Context(), try(operation == "BatchExecuteStatement", "1")))
					if loaded, _ := s.is(); fault.Undone || len(loaded) != 1 {
						t.Errorf("undone: %v, and %v are loaded: %v", fault.Undone, loaded, fault)
					}
					hasNoSecret(t, fault)
				})
			})
		}
	}
}

// When the time is over the statement is cancelled, and it is told why.
func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{faults: map[string]fault{"COPY": endless}}
		limited, stop := context.WithTimeoutCause(t.Context(), time.Hour, errors.New("the try is over"))
		defer stop()
		f := faultOf(t, database(t, s).Load(limited, try(true, "1")))
		if f.Code != "Redshift.QueryCancelled" || !f.Undone || !strings.Contains(f.Message, "by this program: the try is over") || s.count("CancelStatement") != 1 {
			t.Error(f)
		}
	})
}

// It is told that LOCK was not answered, or ended while it waited, as COPY was not asked then.
func TestNoLock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		verb   string
		fault  fault
		answer string
		bare   bool
		want   bool
	}{
		{"LOCK", endless, "", false, true},
		{"LOCK", endless, "", true, false}, // nobody says that it is not COPY
		{"SELECT", endless, "", false, false},
		{"COPY", endless, "", false, false},
		{"LOCK", "", "ERROR: Query (4711) cancelled on user's request", false, true},
		{"COPY", "", "ERROR: Query (4711) cancelled on user's request", false, false},
		{"LOCK", "", "ERROR: permission denied for relation ledger", false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &service{bare: tt.bare, faults: map[string]fault{tt.verb: tt.fault}}
			if tt.answer != "" {
				s.answer = func(sql string) ([][]string, string) {
					if strings.HasPrefix(sql, tt.verb) {
						return nil, tt.answer
					}
					return nil, ""
				}
			}
			limited, stop := context.WithTimeout(t.Context(), time.Hour)
			defer stop()
			f := faultOf(t, database(t, s).Load(limited, try(true, "1")))
			if f.NoLock != tt.want || !f.Undone {
				t.Errorf("%+v: %+v", tt, f)
			}
		})
	}
}

// Codes and remedies of requests that are refused.
func TestCodes(t *testing.T) {
	t.Parallel()
	for f, want := range map[fault][2]string{
		refused: {"Redshift.AccessDenied", "permit redshift-data:"}, throttled: {"Redshift.TooManyConnectionsException", "throttles"},
		active: {"Redshift.ConnectionsLimitExceeded", "too many statements"}, failing: {"Redshift.InternalError", "the next try"},
		silent: {"Redshift.ConnectionFailed", "no answer within 30s"},
	} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{faults: map[string]fault{"ExecuteStatement": f}, always: true}
				err := faultOf(t, database(t, s).Load(t.Context(), try(false, "1")))
				if err.Code != want[0] || !strings.Contains(err.Message, want[1]) {
					t.Error(err)
				}
			})
		})
	}
}

// An error of the execution does not say that nothing was executed.
func TestUnclear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{faults: map[string]fault{"BatchExecuteStatement": unclear}, always: true}
		f := faultOf(t, database(t, s).Load(t.Context(), try(true, "1")))
		if loaded, _ := s.is(); f.Undone || len(loaded) != 1 {
			t.Errorf("undone: %v, and %v are loaded: %v", f.Undone, loaded, f)
		}
	})
}

// oneFails makes a try whose operation, or statement, fails, and one that succeeds.
func oneFails(t *testing.T, s *service, hasLedger bool, at string) {
	t.Helper()
	f, always := s.faults[at], s.always
	d := database(t, s)
	limited, stop := context.WithTimeout(t.Context(), 6*time.Minute)
	defer stop()
	begun := time.Now()
	err := d.Load(limited, try(hasLedger, "1"))
	if took := time.Since(begun); took > 6*time.Minute+5*time.Second {
		t.Errorf("took %v", took)
	}
	if isPassing := strings.HasSuffix(at, "Statement") && !always && (f != refused || at == "DescribeStatement"); isPassing != (err == nil) {
		t.Fatalf("%v", err)
	}
	s.mu.Lock()
	clear(s.faults)
	s.mu.Unlock()
	time.Sleep(10 * time.Hour) // what is to come later has come
	loaded, entered := s.is()
	if err != nil {
		hasNoSecret(t, err)
		fault := faultOf(t, err)
		if fault.Undone && len(loaded)+len(entered) > 0 {
			t.Errorf("undone, and %v are loaded, %v in the ledger: %v", loaded, entered, err)
		}
		isKnown := f == fails || f == endless || (f == refused || f == throttled || f == active) && at != "DescribeStatement"
		if fault.Undone != isKnown {
			t.Errorf("undone: %v, %v", fault.Undone, err)
		}
	} else if len(loaded) != 1 {
		t.Errorf("%v are loaded", loaded)
	}
	again := d.Load(t.Context(), try(hasLedger, "2"))
	known := new(redshiftarchive.KnownError)
	if again != nil && (!hasLedger || !errors.As(again, &known) || !slices.Equal(known.Objects, []string{first})) {
		t.Errorf("the next try: %v", again)
	}
	loaded, entered = s.is()
	if hasLedger && (len(loaded) != 1 || len(entered) != 1) || len(loaded) == 0 {
		t.Errorf("after the next try %v are loaded, %v in the ledger", loaded, entered)
	}
}

// What the ledger has is read page by page, whatever the service tells of the batch.
func TestKnown(t *testing.T) {
	t.Parallel()
	for _, bare := range []bool{false, true} {
		for _, f := range []fault{"", silent, throttled, failing} {
			t.Run(fmt.Sprint(bare, f), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := &service{bare: bare, ledger: []string{"a", "b", "c", "d"}, faults: map[string]fault{"GetStatementResult": f}}
					in := try(true, "1")
					in.Ledger.Objects = []string{"new", "a", "c", "d"}
					err := database(t, s).Load(t.Context(), in)
					known, ok := errors.AsType[*redshiftarchive.KnownError](err)
					if !ok || !slices.Equal(known.Objects, []string{"a", "c", "d"}) {
						t.Fatal(err)
					}
					if loaded, ledger := s.is(); len(loaded) > 0 || len(ledger) != 4 {
						t.Errorf("%v are loaded", loaded)
					}
				})
			})
		}
	}
}

// A ledger that cannot be read, or whose rows have gone, is no reason to load.
func TestKnownCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		faults map[string]fault
		rows   [][]string
		want   string
	}{
		"refused": {map[string]fault{"GetStatementResult": refused}, nil, "Redshift.AccessDenied"},
		"fails":   {nil, nil, "Redshift.InsufficientPrivilege"},
		"gone":    {nil, [][]string{}, "Redshift.PSQLException"},
		"another": {nil, [][]string{{strings.ToUpper(first)}}, "Redshift.PSQLException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{faults: tt.faults, answer: func(sql string) ([][]string, string) {
					switch {
					case strings.Contains(sql, "COUNT(*)"):
						return nil, "ERROR: Divide by zero"
					case strings.HasPrefix(sql, "SELECT") && tt.rows == nil && tt.faults == nil:
						return nil, "ERROR: permission denied for relation ledger"
					}
					return tt.rows, ""
				}}
				err := database(t, s).Load(t.Context(), try(true, "1"))
				if f := faultOf(t, err); f.Code != tt.want || !f.Undone {
					t.Errorf("%v, undone: %v", err, f.Undone)
				}
				hasNoSecret(t, err)
			})
		})
	}
}

// The reasons of a COPY that failed are read by the id of its query.
func TestReasons(t *testing.T) {
	t.Parallel()
	for _, view := range []string{"sys_load_error_detail WHERE query_id", "stl_load_errors WHERE query"} {
		for _, hasLedger := range []bool{false, true} {
			t.Run(fmt.Sprint(view, hasLedger), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					id := 815
					if hasLedger {
						id = 817
					}
					s := &service{answer: func(sql string) ([][]string, string) {
						switch {
						case strings.HasPrefix(sql, "COPY"):
							return nil, "ERROR: Load into table 'events' failed. Check 'sys_load_error_detail' system table for details."
						case strings.Contains(sql, fmt.Sprintf("%s = %d ", view, id)):
							return [][]string{{first, "17", "NULL", "1202", "Extra column(s) found " + key}}, ""
						case strings.Contains(sql, "load_error"):
							return nil, "ERROR: relation does not exist"
						}
						return nil, ""
					}}
					f := faultOf(t, database(t, s).Load(t.Context(), try(hasLedger, "1")))
					hasNoSecret(t, f)
					want := []redshiftarchive.LineReason{{Object: first, Line: 17, Code: 1202, Reason: "Extra column(s) found [redacted]"}}
					if diff := cmp.Diff(want, f.Reasons); diff != "" || f.Code != "Redshift.DataLoadFailed" || !f.Undone {
						t.Error(f, diff)
					}
					for _, st := range s.statements[1:] { // of no other cluster of the account, whose queries have the same ids
						if !strings.HasPrefix(st.token, try(hasLedger, "1").Token+"-reasons-") || len(st.token) > 64 {
							t.Errorf("the token %q", st.token)
						}
					}
				})
			})
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ at, right, failure, want string }{
		"all is well":  {},
		"no table":     {at: "'events', 'INSERT'", failure: `ERROR: relation "events" does not exist`, want: "Redshift.TableNotFound"},
		"no right":     {at: "'ledger', 'UPDATE'", right: "false", want: "Redshift.InsufficientPrivilege"},
		"no column":    {at: "SELECT id FROM events", failure: `ERROR: column "id" does not exist in events`, want: "Redshift.ColumnNotFound"},
		"may not read": {at: "SELECT id FROM events", failure: "ERROR: permission denied for relation events"},
		"no login":     {at: "'events', 'INSERT'", failure: `FATAL: password authentication failed for user "loader"`, want: "Redshift.AuthenticationFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: func(sql string) ([][]string, string) {
					if tt.at != "" && strings.Contains(sql, tt.at) {
						return [][]string{{tt.right}}, tt.failure
					}
					return [][]string{{"true"}}, ""
				}}
				err := database(t, s).Check(t.Context(), redshiftarchive.Tables{Table: "events", Columns: []string{"id"}, Ledger: "ledger"})
				if (err == nil) != (tt.want == "") || err != nil && faultOf(t, err).Code != tt.want {
					t.Error(err)
				}
				for _, st := range s.statements {
					if len(st.sqls) != 1 || !strings.HasPrefix(st.sqls[0], "SELECT ") {
						t.Errorf("sent %q", st.sqls)
					}
				}
			})
		})
	}
}

// What the service would refuse is not sent.
func TestLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(service)
		d := database(t, s)
		long := try(false, "1")
		long.Copy = redshiftarchive.NewStatement("COPY "+strings.Repeat("x", 100_000), "COPY")
		many := try(true, "1")
		for i := range 40_000 {
			many.Ledger.Objects = append(many.Ledger.Objects, fmt.Sprintf("s3://bucket/%0100d", i))
		}
		odd := try(true, "1")
		odd.Ledger.Manifest = `\`
		noToken := try(false, "1")
		noToken.Token = ""
		for want, in := range map[string]redshiftarchive.Try{"100000": long, "40": many, "literal": odd, "token": noToken} {
			err := d.Load(t.Context(), in)
			if f := faultOf(t, err); !f.Undone || !strings.Contains(f.Message, want) {
				t.Errorf("%v; want %s", err, want)
			}
		}
		if len(s.seen) > 0 {
			t.Errorf("sent %v", s.seen)
		}
	})
}

// All that is wrong is named at once.
func TestConfig(t *testing.T) {
	t.Parallel()
	_, none := dataapi.New(dataapi.Config{DbUser: "u", SecretARN: "s"})
	_, both := dataapi.New(dataapi.Config{ClusterIdentifier: "c", WorkgroupName: "w", DbUser: "u", Database: "d"})
	for want, err := range map[string]error{
		"ClusterIdentifier and WorkgroupName are missing": none, "Database is missing": none, `DbUser is "u" and SecretARN "s"`: none, "AWS_REGION": none,
		`ClusterIdentifier is "c" and WorkgroupName "w"`: both, "a workgroup has none": both,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// Keys that expire, or a policy that is changed, while a COPY is under way do not end it; it is
// told that it cannot be asked about.
func TestDeniedInMidCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{takes: time.Hour, faults: map[string]fault{"DescribeStatement": refused}, always: true}
		time.AfterFunc(90*time.Minute, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			clear(s.faults)
		})
		in := try(true, "1")
		var told []string
		in.Progress = func(doing string, trouble error) {
			if trouble != nil {
				hasNoSecret(t, trouble)
				told = append(told, doing+": "+trouble.Error())
			}
		}
		err := database(t, s).Load(t.Context(), in)
		if loaded, _ := s.is(); err != nil || len(loaded) != 1 || s.count("CancelStatement") > 0 {
			t.Errorf("%v are loaded: %v", loaded, err)
		}
		if len(told) < 100 || !strings.HasPrefix(told[0], "the batch of LOCK, SELECT, COPY and INSERT: Redshift.AccessDenied: DescribeStatement: ") || !strings.Contains(told[0], "permit redshift-data:") {
			t.Errorf("told %d times: %.3q", len(told), told)
		}
	})
}

// What fails is undone if the database says that it failed. What a connection, or something
// internal, did to a COPY alone is not known.
func TestFailedIsNotAlwaysUndone(t *testing.T) {
	t.Parallel()
	for text, isUndone := range map[string]bool{
		"ERROR: 1023 \n  Detail: Serializable isolation violation on table - 1": true,
		"ERROR: Load into table 'events' failed. Check 'sys_load_error_detail'": true,
		"ERROR: something that nobody has seen":                                 true,
		"ERROR: connection limit \"500\" exceeded for non-superusers":           true,
		"FATAL: password authentication failed for user \"loader\"":             true,
		"An I/O error occurred while sending to the backend.":                   false,
		"FATAL: terminating connection due to administrator command":            false,
		"ERROR: the connection to the leader was lost":                          false,
		"ERROR: Internal error":                                                 false,
		"Something is wrong":                                                    false,
		"":                                                                      false,
	} {
		for _, hasLedger := range []bool{false, true} {
			for _, bare := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					s := &service{bare: bare, answer: func(sql string) ([][]string, string) {
						if strings.HasPrefix(sql, "COPY") {
							return nil, gocmp.Or(text, " ")
						}
						return nil, ""
					}}
					f := faultOf(t, database(t, s).Load(t.Context(), try(hasLedger, "1")))
					isPlaced := hasLedger && !bare
					if want := isUndone || isPlaced; f.Undone != want || f.NotInLedger != isPlaced {
						t.Errorf("%q, ledger %v, bare %v: %+v", text, hasLedger, bare, f)
					}
				})
			}
		}
	}
}

// One cut whose objects have the longest keys fits into a batch, and its guard is whole: one
// that the ledger has is found wherever it stands.
func TestLongKeys(t *testing.T) {
	t.Parallel()
	for _, has := range []int{-1, 0, 64, 127} {
		synctest.Test(t, func(t *testing.T) {
			s := new(service)
			in := try(true, "1")
			in.Ledger.Objects = nil
			for i := range 128 {
				in.Ledger.Objects = append(in.Ledger.Objects, fmt.Sprintf("s3://bucket/%01000d", i))
			}
			if has >= 0 {
				s.ledger = []string{in.Ledger.Objects[has]}
			}
			err := database(t, s).Load(t.Context(), in)
			loaded, _ := s.is()
			if has < 0 {
				if err != nil || len(loaded) != 1 {
					t.Errorf("%v are loaded: %v", loaded, err)
				}
				return
			}
			known, ok := errors.AsType[*redshiftarchive.KnownError](err)
			if !ok || !slices.Equal(known.Objects, s.ledger) || len(loaded) > 0 {
				t.Errorf("%v are loaded: %v", loaded, err)
			}
		})
	}
}
