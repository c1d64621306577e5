package pgwire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
)

// LOCK is the first statement of the transaction, and nothing was before it on the connection.
func TestStatements(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"alone": {try(false).Copy.SQL()},
		"with a ledger": {
			"BEGIN", "LOCK TABLE ledger", "SELECT object FROM ledger WHERE object IN ('" + first + "')", try(true).Copy.SQL(),
			"INSERT INTO ledger (object, manifest, loaded_at) VALUES ('" + first + "', 's3://bucket/manifests/1', GETDATE())", "COMMIT",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := new(database)
				if err := connectTo(t, d).Load(t.Context(), try(len(want) > 1)); err != nil {
					t.Fatal(err)
				}
				d.end(t)
				if _, _, seen := d.is(); !slices.Equal(seen, want) {
					t.Error(cmp.Diff(want, seen))
				}
				if diff := cmp.Diff([]map[string]string{{"user": "loader", "database": "dev", "application_name": "shardmill", "client_encoding": "UTF8"}}, d.startup); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Each statement fails in each way. What is said to be undone is; what was done before
// COMMIT, or COPY alone, was sent is said to be undone; the next try leaves the object loaded,
// with a ledger once; no text has a secret; and all ends in time.
func TestEachStatementFails(t *testing.T) {
	t.Parallel()
	for _, hasLedger := range []bool{false, true} {
		verbs := []string{"login", "COPY"}
		if hasLedger {
			verbs = []string{"login", "BEGIN", "LOCK", "SELECT", "COPY", "INSERT", "COMMIT"}
		}
		for _, verb := range verbs {
			for _, k := range kinds() {
				name := "alone"
				if hasLedger {
					name = "with a ledger"
				}
				t.Run(name+"/"+verb+"/"+string(k), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { oneFails(t, hasLedger, verb, k) })
				})
			}
		}
	}
}

func oneFails(t *testing.T, hasLedger bool, verb string, k kind) {
	t.Helper()
	d := &database{faults: map[string]kind{verb: k}}
	db := connectTo(t, d)
	limited, stop := context.WithTimeout(t.Context(), time.Hour)
	defer stop()
	begun := time.Now()
	err := db.Load(limited, try(hasLedger))
	if took := time.Since(begun); took > time.Hour+5*time.Second || verb != "COPY" && verb != "LOCK" && took > 2*time.Minute+10*time.Second {
		t.Errorf("took %v", took)
	}
	isLoginAlone := verb == "login" && slices.Contains([]kind{fails, fatal, fatalAfter, garbled}, k) // those are of statements
	if isLoginAlone {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if err == nil {
		t.Fatal("there is no error")
	}
	hasNoSecret(t, err)
	f := faultOf(t, err)
	time.Sleep(2 * time.Hour) // what is to come later has come
	loaded, entered, _ := d.is()
	if f.Undone && len(loaded)+len(entered) > 0 {
		t.Errorf("undone, and %v are loaded, %v in the ledger: %v", loaded, entered, f)
	}
	if isUnanswered := verb == "LOCK" && k != fails && k != garbled && k != fatal && k != fatalAfter; f.NoLock != isUnanswered {
		t.Errorf("no lock: %v, %v", f.NoLock, f)
	}
	isLast := verb == "COMMIT" || verb == "COPY" && !hasLedger
	if !f.Undone && (!isLast || k == fails || k == garbled) {
		t.Errorf("is not known to be undone: %v", f)
	}
	if isLast && f.Undone && slices.Contains([]kind{fatal, fatalAfter, cut, cutAfter, hang, hangAfter, garbage, other}, k) {
		t.Errorf("is said to be undone, and nobody can know: %v", f)
	}
	if (k == hang || k == hangAfter) && verb != "login" && d.cancelled == 0 {
		t.Error("the statement was not cancelled")
	}
	again := db.Load(t.Context(), try(hasLedger))
	known := new(redshiftarchive.KnownError)
	if again != nil && (!hasLedger || !errors.As(again, &known) || !slices.Equal(known.Objects, []string{first})) {
		t.Errorf("the next try: %v", again)
	}
	d.end(t)
	loaded, entered, _ = d.is()
	if hasLedger && (len(loaded) != 1 || len(entered) != 1) || len(loaded) == 0 {
		t.Errorf("after the next try %v are loaded, %v in the ledger", loaded, entered)
	}
}

// An object that the ledger has is not loaded, and nothing is left open.
func TestKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{ledger: []string{first, "s3://bucket/another"}}
		in := try(true)
		in.Ledger.Objects = []string{"s3://bucket/new", first}
		err := connectTo(t, d).Load(t.Context(), in)
		known, ok := errors.AsType[*redshiftarchive.KnownError](err)
		if !ok || !slices.Equal(known.Objects, []string{first}) {
			t.Fatal(err)
		}
		d.end(t)
		loaded, _, seen := d.is()
		if len(loaded) > 0 || seen[len(seen)-1] != "ROLLBACK" {
			t.Errorf("%v are loaded, the last statement is %q", loaded, seen[len(seen)-1])
		}
	})
}

// A COMMIT of a transaction that had failed is answered without an error.
func TestCommitThatIsNone(t *testing.T) {
	t.Parallel()
	for tag, isUndone := range map[string]bool{"ROLLBACK": true, "SELECT": false, "": false} {
		t.Run(tag, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &database{answer: func(sql string) []pgproto3.BackendMessage {
					if sql == "COMMIT" {
						return []pgproto3.BackendMessage{&pgproto3.CommandComplete{CommandTag: []byte(tag)}}
					}
					return nil
				}}
				err := connectTo(t, d).Load(t.Context(), try(true))
				d.end(t)
				if err == nil || faultOf(t, err).Undone != isUndone {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// A ledger that answers what it was not asked for is not believed, nor is its transaction used.
func TestLedgerThatAnswersAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{answer: func(sql string) []pgproto3.BackendMessage {
			if !strings.HasPrefix(sql, "SELECT object") {
				return nil
			}
			return []pgproto3.BackendMessage{
				&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("object")}}},
				&pgproto3.DataRow{Values: [][]byte{[]byte(strings.ToUpper(first))}}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT")},
			}
		}}
		err := connectTo(t, d).Load(t.Context(), try(true))
		d.end(t)
		loaded, _, _ := d.is()
		if f := faultOf(t, err); !f.Undone || !strings.Contains(f.Message, "VARCHAR") || len(loaded) > 0 {
			t.Errorf("%v, %v", err, loaded)
		}
	})
}

// All objects are entered, in however many statements.
func TestManyObjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(database)
		in := try(true)
		for i := range 1000 {
			in.Ledger.Objects = append(in.Ledger.Objects, fmt.Sprintf("s3://bucket/%s/%d.gz", strings.Repeat("x", 200), i))
		}
		if err := connectTo(t, d).Load(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		d.end(t)
		_, _, seen := d.is()
		entered := 0
		for _, sql := range seen {
			if strings.HasPrefix(sql, "INSERT ") {
				entered += len(literals(sql)) / 2 // the object, and the manifest
			}
		}
		if entered != 1001 {
			t.Errorf("%d objects are entered", entered)
		}
	})
}

// Two loaders at once: one waits for the other's lock, and then finds the object.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(database)
		errs := make(chan error, 2)
		for range 2 {
			db := connectTo(t, d)
			go func() { errs <- db.Load(t.Context(), try(true)) }()
		}
		one, two := <-errs, <-errs
		d.end(t)
		known := new(redshiftarchive.KnownError)
		if loaded, entered, _ := d.is(); (one == nil) == (two == nil) || !errors.As(errors.Join(one, two), &known) || len(loaded) != 1 || len(entered) != 1 {
			t.Errorf("%v, %v; %v, %v", one, two, loaded, entered)
		}
	})
}

// A ledger that another loader has locked is waited for as long as the try may take: the other
// one's COPY may take as long.
func TestLockThatIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{faults: map[string]kind{"LOCK": hang}}
		const whole = 3 * time.Hour
		limited, stop := context.WithTimeoutCause(t.Context(), whole, errors.New("the try is over"))
		defer stop()
		begun := time.Now()
		err := connectTo(t, d, func(c *pgwire.Config) { c.StatementTimeout = time.Minute }).Load(limited, try(true))
		d.end(t)
		if f := faultOf(t, err); !f.Undone || !strings.Contains(f.Message, "another loader") || !strings.Contains(f.Message, "the try is over") {
			t.Error(err)
		}
		if took := time.Since(begun); took < whole || took > whole+5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// A database that ends a LOCK that waits is one that gives no lock; one that refuses it is not.
func TestLockThatIsEnded(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{"57014": true, "55P03": true, "42501": false, "40P01": false} {
		synctest.Test(t, func(t *testing.T) {
			for _, verb := range []string{"LOCK", "COPY"} {
				d := &database{answer: func(sql string) []pgproto3.BackendMessage {
					if !strings.HasPrefix(sql, verb) {
						return nil
					}
					return []pgproto3.BackendMessage{&pgproto3.ErrorResponse{Severity: "ERROR", Code: state, Message: "no"}}
				}}
				f := faultOf(t, connectTo(t, d).Load(t.Context(), try(true)))
				d.end(t)
				if f.NoLock != (want && verb == "LOCK") || !f.Undone {
					t.Errorf("%s of %s: %+v", state, verb, f)
				}
			}
		})
	}
}

// COPY has no limit but the context's; when that ends the connection is given up at once, and
// a database that does not let itself be asked to cancel holds nobody up for long.
func TestCopyTakesLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{faults: map[string]kind{"COPY": hang}}
		dials := 0
		db := connectTo(t, d, func(c *pgwire.Config) {
			dial := c.Dial
			c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials++; dials > 1 {
					<-ctx.Done() // nobody is there
					return nil, ctx.Err()
				}
				return dial(ctx, network, address)
			}
		})
		limited, stop := context.WithTimeout(t.Context(), 4*time.Hour)
		defer stop()
		begun := time.Now()
		err := db.Load(limited, try(false))
		took := time.Since(begun)
		d.end(t)
		if f := faultOf(t, err); f.Undone || f.Code != "Redshift.ConnectionFailed" || took < 4*time.Hour || took > 4*time.Hour+5*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// It is told what a try waits for; and who failed behind the look in the ledger says that it had
// none of the objects, which ends the doubts of earlier tries.
func TestProgressAndLook(t *testing.T) {
	t.Parallel()
	steps := []string{"connecting", "LOCK of the ledger", "COPY", "INSERT into the ledger", "COMMIT"}
	for verb, want := range map[string]struct {
		told   []string
		behind bool
	}{
		"login": {steps[:1], false}, "BEGIN": {steps[:2], false}, "LOCK": {steps[:2], false}, "SELECT": {steps[:2], false}, "COPY": {steps[:3], true}, "INSERT": {steps[:4], true}, "COMMIT": {steps, true},
	} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := fails
				if verb == "login" {
					k = cut
				}
				d := &database{faults: map[string]kind{verb: k}}
				in := try(true)
				var told []string
				in.Progress = func(doing string, trouble error) {
					if told = append(told, doing); trouble != nil {
						t.Error(trouble)
					}
				}
				f := faultOf(t, connectTo(t, d).Load(t.Context(), in))
				d.end(t)
				if !slices.Equal(told, want.told) || f.NotInLedger != want.behind || !f.Undone {
					t.Errorf("told %q, %+v", told, f)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // a COMMIT whose answer is lost says nothing
		d := &database{faults: map[string]kind{"COMMIT": cut}}
		f := faultOf(t, connectTo(t, d).Load(t.Context(), try(true)))
		d.end(t)
		if f.Undone || f.NotInLedger {
			t.Errorf("%+v", f)
		}
	})
}
