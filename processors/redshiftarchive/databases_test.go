package redshiftarchive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/dataapi"
	"github.com/shardmill/shardmill/processors/redshiftarchive/login"
	"github.com/shardmill/shardmill/processors/redshiftarchive/pgwire"
)

// databases are the two ways to the local warehouse.
func databases() map[string]func(*testing.T, *localaws.Stack) redshiftarchive.Database {
	return map[string]func(*testing.T, *localaws.Stack) redshiftarchive.Database{
		"pgwire": func(t *testing.T, s *localaws.Stack) redshiftarchive.Database {
			t.Helper()
			_, _, database := s.Warehouse().Login()
			d, err := pgwire.New(pgwire.Config{URL: "jdbc:redshift://127.0.0.1:5439/" + database, Dial: s.Warehouse().Dial, Login: login.Password{
				Read: func(context.Context) (user, password string, err error) {
					user, password, _ = s.Warehouse().Login()
					return user, password, nil
				},
			}})
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
		"Data API": func(t *testing.T, s *localaws.Stack) redshiftarchive.Database {
			t.Helper()
			user, _, database := s.Warehouse().Login()
			d, err := dataapi.New(dataapi.Config{AWS: s.AWSConfig(), ClusterIdentifier: "c", Database: database, DbUser: user})
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
	}
}

const loaderRole = "arn:aws:iam::000000000000:role/loader"

// house is a warehouse with a table of events, a ledger, and staged objects.
type house struct {
	*localaws.Stack
	database redshiftarchive.Database
	tries    int
}

// each runs a test for each of the databases, with a warehouse of its own.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { in(t, localaws.Options{}, open, f) })
		})
	}
}

// in runs a test in a warehouse with these options.
func in(t *testing.T, o localaws.Options, open func(*testing.T, *localaws.Stack) redshiftarchive.Database, f func(t *testing.T, h *house)) {
	t.Helper()
	s, err := localaws.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Warehouse().AttachRole(loaderRole)
	h := &house{Stack: s, database: open(t, s)}
	h.query(t, "CREATE TABLE public.events (id bigint not null, name varchar(20))")
	h.query(t, redshiftarchive.LedgerDDL("ledger"))
	f(t, h)
}

func (h *house) query(t *testing.T, sql string) [][]*string {
	t.Helper()
	r, err := h.Warehouse().Query(t.Context(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r.Rows
}

// stage puts an object, and a manifest of it, and returns a try to load it.
func (h *house) stage(t *testing.T, name, body, credentials string) redshiftarchive.Try {
	t.Helper()
	store := s3.NewFromConfig(h.AWSConfig(), h.S3Options)
	for key, text := range map[string]string{name: body, "manifests/" + name: `{"entries":[{"url":"s3://staging/` + name + `","mandatory":true}]}`} {
		if _, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("staging"), Key: &key, Body: strings.NewReader(text)}); err != nil {
			t.Fatal(err)
		}
	}
	return h.try(name, credentials)
}

func (h *house) try(name, credentials string) redshiftarchive.Try {
	h.tries++
	const sql = "COPY public.events (id,name) FROM 's3://staging/manifests/%s' CREDENTIALS '%s' MANIFEST json 'auto';"
	return redshiftarchive.Try{
		Copy:   redshiftarchive.NewStatement(fmt.Sprintf(sql, name, credentials), fmt.Sprintf(sql, name, "<redacted>")),
		Ledger: &redshiftarchive.LedgerTry{Table: "ledger", Objects: []string{"s3://staging/" + name}, Manifest: "s3://staging/manifests/" + name},
		Token:  fmt.Sprint("56371982-2375-4b28-8d79-45f01952667e-", h.tries),
	}
}

func (h *house) is(t *testing.T, events, ledger string) {
	t.Helper()
	for table, want := range map[string]string{"public.events": events, "ledger": ledger} {
		if got := *h.query(t, "SELECT count(*) FROM "+table)[0][0]; got != want {
			t.Errorf("%s has %s rows; want %s", table, got, want)
		}
	}
}

const role = "aws_iam_role=" + loaderRole

// Objects are loaded, with and without the ledger, and with it once.
func TestDatabases(t *testing.T) {
	t.Parallel()
	each(t, loadsIt)
}

func loadsIt(t *testing.T, h *house) {
	t.Helper()
	in := h.stage(t, "one", `{"id":1,"name":"a"}{"id":2,"name":"b"}`, role)
	if err := h.database.Load(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	h.is(t, "2", "1")
	in = h.try("one", role)
	in.Ledger.Objects = append(in.Ledger.Objects, "s3://staging/another")
	known := new(redshiftarchive.KnownError)
	if err := h.database.Load(t.Context(), in); !errors.As(err, &known) || !slices.Equal(known.Objects, []string{"s3://staging/one"}) {
		t.Fatal(err)
	}
	h.is(t, "2", "1")
	in = h.try("one", role)
	in.Ledger = nil
	if err := h.database.Load(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	h.is(t, "4", "1")
	if err := h.database.Check(t.Context(), redshiftarchive.Tables{Table: "public.events", Columns: []string{"id", "name"}, Ledger: "ledger"}); err != nil {
		t.Error(err)
	}
	for want, tables := range map[string]redshiftarchive.Tables{
		"Redshift.TableNotFound": {Table: "public.nothing"}, "Redshift.ColumnNotFound": {Table: "public.events", Columns: []string{"other"}},
	} {
		if err := h.database.Check(t.Context(), tables); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

// What the warehouse says of a COPY that fails has its code, and changed nothing.
func TestDatabasesFail(t *testing.T) {
	t.Parallel()
	each(t, failsAs)
}

func failsAs(t *testing.T, h *house) {
	t.Helper()
	const keys = "aws_access_key_id=ASIACANARYOFTHEKEY01;aws_secret_access_key=canary/of+the+secret+key;token=canaryOfTheToken"
	for name, tt := range map[string]struct{ body, credentials, change, code string }{
		"line":    {`{"id":1,"name":"a"}` + "\n" + `{"id":"Miller","name":"b"}`, role, "", "Redshift.DataLoadFailed"},
		"role":    {`{"id":1}`, "aws_iam_role=arn:aws:iam::000000000000:role/unknown", "", "Redshift.AccessDenied"},
		"keys":    {`{"id":1}`, keys, "", "Redshift.S3BucketAccessDenied"},
		"table":   {`{"id":1}`, role, "public.events>public.nothing", "Redshift.TableNotFound"},
		"schema":  {`{"id":1}`, role, "public.events>nowhere.events", ""},
		"column":  {`{"id":1}`, role, "(id,name)>(id,other)", "Redshift.ColumnNotFound"},
		"twice":   {`{"id":1}`, role, "(id,name)>(id,id)", "Redshift.ColumnSpecifiedMoreThanOnce"},
		"gzip":    {`{"id":1}`, role, ";>gzip;", ""},
		"syntax":  {`{"id":1}`, role, ";>gzipp;", "Redshift.SyntaxError"},
		"missing": {`{"id":1}`, role, "manifests/missing>manifests/none", "Redshift.MissingS3File"},
	} {
		in := h.stage(t, name, tt.body, tt.credentials)
		if from, to, ok := strings.Cut(tt.change, ">"); ok {
			at := strings.LastIndex(in.Copy.SQL(), from)
			in.Copy = redshiftarchive.NewStatement(in.Copy.SQL()[:at]+to+in.Copy.SQL()[at+len(from):], in.Copy.String())
		}
		err := h.database.Load(t.Context(), in)
		f, ok := errors.AsType[*redshiftarchive.Fault](err)
		if !ok || tt.code != "" && f.Code != tt.code || !f.Undone || f.Code == "Redshift.PSQLException" {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := fmt.Sprintf("%+v", f)
		for _, secret := range []string{"ASIACANARY", "canary/", "canaryOf", "Miller"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: shows %s: %s", name, secret, text)
			}
		}
		if name == "line" && (len(f.Reasons) != 1 || f.Reasons[0].Line != 2 || f.Reasons[0].Object != "s3://staging/line" || f.Reasons[0].Column != "id") {
			t.Errorf("reasons are %+v", f.Reasons)
		}
	}
	h.is(t, "0", "0")
}

// Each statement is refused, and the answer to each is lost: the next try leaves the object
// loaded once.
func TestDatabasesLoseAnswers(t *testing.T) {
	t.Parallel()
	each(t, losesAnswers)
}

func losesAnswers(t *testing.T, h *house) {
	t.Helper()
	for i, kind := range []localaws.Kind{localaws.LostAnswer(), localaws.Refuse()} {
		for j, at := range []string{"BEGIN", "LOCK", "SELECT object", "SELECT 1/", "COPY", "INSERT", "COMMIT"} {
			name := fmt.Sprint("o", i, j)
			in := h.stage(t, name, `{"id":1}`, role)
			a := h.Faults().Add(localaws.Fault{Service: "Redshift", Body: at, Times: 1, Kind: kind})
			limited, stop := context.WithTimeout(t.Context(), 20*time.Second)
			first := h.database.Load(limited, in)
			stop()
			a.Remove()
			second := h.database.Load(t.Context(), h.again(in))
			known := new(redshiftarchive.KnownError)
			if second != nil && !errors.As(second, &known) {
				t.Errorf("%v, %s: %v; %v", kind, at, first, second)
			}
			if f, ok := errors.AsType[*redshiftarchive.Fault](first); ok && f.Undone && known.Objects != nil {
				t.Errorf("%v, %s: undone, and it is there: %v", kind, at, first)
			}
		}
	}
	h.is(t, "14", "14")
}

func (h *house) again(in redshiftarchive.Try) redshiftarchive.Try {
	h.tries++
	in.Token = fmt.Sprint("again-", h.tries)
	return in
}
