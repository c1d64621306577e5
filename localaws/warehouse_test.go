package localaws_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/shardmill/shardmill/localaws"
)

const loaderRole = "arn:aws:iam::000000000000:role/loader"

// house is a warehouse to a test, with the table events (id bigint).
type house struct {
	*localaws.Warehouse
	stack *localaws.Stack
}

func newHouse(t *testing.T, o localaws.Options) house {
	t.Helper()
	stack, err := localaws.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Close)
	h := house{stack.Warehouse(), stack}
	if err := h.CreateTable("events", "id bigint"); err != nil {
		t.Fatal(err)
	}
	h.AttachRole(loaderRole)
	return h
}

// config is how to connect in this process; parameters are of the URL's query.
func (h house) config(t *testing.T, parameters string) *pgconn.Config {
	t.Helper()
	user, password, database := h.Login()
	c, err := pgconn.ParseConfig("postgres://" + user + ":" + password + "@127.0.0.1:5439/" + database + "?sslmode=disable" + parameters)
	if err != nil {
		t.Fatal(err)
	}
	c.DialFunc = h.Dial
	return c
}

func (h house) connect(t *testing.T) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.ConnectConfig(t.Context(), h.config(t, "&application_name=loader"))
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	t.Cleanup(func() { _ = conn.Conn().Close() })
	return conn
}

func exec(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}

// count is how many rows events has.
func (h house) count(t *testing.T) string {
	t.Helper()
	found, err := h.Query(t.Context(), "SELECT count(*) FROM events")
	if err != nil {
		t.Fatal(err)
	}
	return *found.Rows[0][0]
}

func (h house) wantCount(t *testing.T, want string) {
	t.Helper()
	if got := h.count(t); got != want {
		t.Errorf("there are %s rows, want %s", got, want)
	}
}

func wantState(t *testing.T, err error, state, text string) {
	t.Helper()
	told, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || told.Code != state || !strings.Contains(told.Message+told.Detail, text) {
		t.Errorf("the error is %v, want SQLSTATE %s, …%s…", err, state, text)
	}
}

// wantCut fails the test unless an error is that of a connection that was cut.
func wantCut(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*pgconn.PgError](err); ok || err == nil {
		t.Errorf("the error is %v, want a connection that was cut", err)
	}
}

const insertion = "INSERT INTO events VALUES (1)"

func fault(operation string, k localaws.Kind) localaws.Fault {
	return localaws.Fault{Service: localaws.Redshift, Operation: operation, Times: 1, Kind: k}
}

func TestWarehouseCuts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		fault     localaws.Fault
		statement string
		want      string // rows
	}{
		{"before it is run", fault("INSERT", localaws.Refuse()), insertion, "0"},
		{"after it was run", fault("INSERT", localaws.LostAnswer()), insertion, "1"},
		{"after a part of the answer", fault("INSERT", localaws.Cut(1)), insertion, "1"},
		{"before COMMIT", fault("COMMIT", localaws.Refuse()), "BEGIN; " + insertion + "; COMMIT", "0"},
		{"after COMMIT by another word", fault("COMMIT", localaws.LostAnswer()), "BEGIN; " + insertion + "; END", "1"},
		{"in a transaction", fault("INSERT", localaws.LostAnswer()), "BEGIN; " + insertion, "0"},
		{"by its text", localaws.Fault{Body: "(1)", Kind: localaws.Refuse()}, insertion, "0"},
		{"by who runs it", localaws.Fault{UserAgent: "loader", Operation: "INSERT", Kind: localaws.Refuse()}, insertion, "0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, localaws.Options{})
			conn := h.connect(t)
			h.stack.Faults().Add(test.fault)
			wantCut(t, exec(t.Context(), conn, test.statement))
			again := h.connect(t)
			if err := exec(t.Context(), again, "BEGIN; LOCK events; COMMIT"); err != nil { // what was cut is over
				t.Fatal(err)
			}
			h.wantCount(t, test.want)
		})
	}
}

func TestWarehouseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ state, message, text string }{
		{"40001", "", "Serializable isolation violation on table"},
		{"53100", "", "Disk Full"},
		{"25006", "", "read-only"},
		{"XX000", "of my own", "of my own"},
	}
	for _, test := range tests {
		t.Run(test.state, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, localaws.Options{})
			conn := h.connect(t)
			h.stack.Faults().Add(fault("COMMIT", localaws.SQLError(test.state, test.message)))
			wantState(t, exec(t.Context(), conn, "BEGIN; "+insertion+"; COMMIT"), test.state, test.text)
			if status := conn.TxStatus(); status != 'I' {
				t.Errorf("after COMMIT the status is %c, want I", status)
			}
			h.stack.Faults().Add(fault("INSERT", localaws.SQLError(test.state, test.message)))
			wantState(t, exec(t.Context(), conn, "BEGIN; "+insertion), test.state, test.text)
			wantState(t, exec(t.Context(), conn, insertion), "25P02", "aborted")
			if err := exec(t.Context(), conn, "ROLLBACK; "+insertion); err != nil {
				t.Error(err)
			}
			h.wantCount(t, "1")
		})
	}
	t.Run("57P01", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, localaws.Options{})
		conn := h.connect(t)
		h.stack.Faults().Add(fault("INSERT", localaws.SQLError("57P01", "")))
		wantState(t, exec(t.Context(), conn, insertion), "57P01", "administrator")
		wantCut(t, exec(t.Context(), conn, insertion))
	})
}

func TestWarehouseLogin(t *testing.T) {
	t.Parallel()
	h := newHouse(t, localaws.Options{})
	f := h.stack.Faults()
	_, _, database := h.Login()
	for _, k := range []struct {
		kind localaws.Kind
		want func(error)
	}{
		{localaws.Refuse(), func(err error) { wantCut(t, err) }},
		{localaws.SQLError("28000", ""), func(err error) { wantState(t, err, "28000", `password authentication failed for user "`) }},
		{localaws.SQLError("57P01", "restarting"), func(err error) { wantState(t, err, "57P01", "restarting") }},
	} {
		f.Add(localaws.Fault{Service: localaws.Redshift, Operation: "Login", Path: "/" + database, Times: 1, Kind: k.kind})
		_, err := pgconn.ConnectConfig(t.Context(), h.config(t, ""))
		k.want(err)
	}
	user, _, _ := h.Login()
	h.SetUser(user, "another")
	config := h.config(t, "")
	h.connect(t)
	h.SetUser(user, "rotated")
	_, err := pgconn.ConnectConfig(t.Context(), config)
	wantState(t, err, "28000", "password authentication failed")
	found, err := h.Query(t.Context(), "SELECT TRIM(event), TRIM(username) FROM stl_connection_log ORDER BY recordtime DESC LIMIT 1")
	if err != nil || *found.Rows[0][0] != "authentication failure" || *found.Rows[0][1] != user {
		t.Errorf("the log of connections has %v, %v", found.Rows, err)
	}
}

// TestWarehouseSilence has statements that are never answered, in virtual time.
func TestWarehouseSilence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		kind       localaws.Kind
	}{
		{"not run", "0", localaws.Swallow()},
		{"run", "1", localaws.NoAnswer()},
		{"late", "1", localaws.Stall(time.Hour)},
		{"slow", "0", localaws.Latency(time.Hour)}, // it is cancelled
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, localaws.Options{})
				conn := h.connect(t)
				h.stack.Faults().Add(fault("INSERT", test.kind))
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				begun := time.Now()
				wantCut(t, exec(ctx, conn, insertion))
				if took := time.Since(begun); took < time.Minute || took > 2*time.Minute {
					t.Errorf("the statement ended after %v, want a minute", took)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				h.wantCount(t, test.want)
				if n := h.Connections(); n != 0 {
					t.Errorf("there are %d connections, want none", n)
				}
			})
		})
	}
}

func TestWarehouseStall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, localaws.Options{})
	conn := h.connect(t)
	stall := h.stack.Faults().Add(fault("INSERT", localaws.Stall(0)))
	done := make(chan error, 1)
	go func() { done <- exec(t.Context(), conn, insertion) }()
	<-stall.Struck()
	h.wantCount(t, "0")
	stall.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	h.wantCount(t, "1")
}

// TestWarehouseEnds has a stack end while statements wait.
func TestWarehouseEnds(t *testing.T) {
	t.Parallel()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := house{stack.Warehouse(), stack}
	if err = h.CreateTable("events", "id bigint"); err != nil {
		t.Fatal(err)
	}
	address, err := h.Addr()
	if err != nil {
		t.Fatal(err)
	}
	config := h.config(t, "")
	config.DialFunc = nil
	config, err = pgconn.ParseConfig("postgres://" + config.User + ":" + config.Password + "@" + address + "/" + config.Database + "?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	overTCP, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	holder, waiter, held := h.connect(t), h.connect(t), h.connect(t)
	if err := exec(t.Context(), holder, "BEGIN; LOCK events"); err != nil {
		t.Fatal(err)
	}
	stall := stack.Faults().Add(fault("SELECT", localaws.Stall(0)))
	waited, stalled := make(chan error, 2), make(chan error, 1)
	go func() { waited <- exec(t.Context(), waiter, insertion) }()
	go func() { stalled <- exec(t.Context(), held, "SELECT 1") }()
	go func() { waited <- exec(t.Context(), overTCP, insertion) }()
	<-stall.Struck()
	for n := 0; n < 2; {
		time.Sleep(time.Millisecond)
		if n, err = h.Waiting(t.Context(), "events"); err != nil {
			t.Fatal(err)
		}
	}
	stack.Close()
	if err := <-stalled; err == nil {
		t.Error("a statement that was held was answered at the end of the stack")
	}
	for range 2 {
		<-waited // done, if the holder ended first
	}
}

// TestWarehouseCancelSecret asks for the cancellation of somebody else's statement.
func TestWarehouseCancelSecret(t *testing.T) {
	t.Parallel()
	h := newHouse(t, localaws.Options{})
	conn := h.connect(t)
	stall := h.stack.Faults().Add(fault("INSERT", localaws.Latency(time.Hour)))
	done := make(chan error, 1)
	go func() { done <- exec(t.Context(), conn, insertion) }()
	<-stall.Struck()
	secret := conn.SecretKey()
	for _, key := range [][]byte{{secret[0] + 1, secret[1], secret[2], secret[3]}, secret} {
		c, err := h.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		text, err := (&pgproto3.CancelRequest{ProcessID: conn.PID(), SecretKey: key}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Write(text); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, c) // until it was read
		_ = c.Close()
		if key[0] != secret[0] {
			select {
			case err = <-done:
				t.Fatalf("the statement ended: %v", err)
			default:
			}
		}
	}
	wantState(t, <-done, "57014", "cancelled")
}

// certificate is that of net/http/httptest's servers.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	return s.TLS.Certificates[0]
}

func TestWarehouseTLS(t *testing.T) {
	t.Parallel()
	h := newHouse(t, localaws.Options{Warehouse: localaws.WarehouseOptions{TLS: &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MinVersion: tls.VersionTLS12}}})
	config := h.config(t, "")
	config.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err = exec(t.Context(), conn, insertion); err != nil {
		t.Error(err)
	}
	h.wantCount(t, "1")
	plain := newHouse(t, localaws.Options{})
	config = plain.config(t, "")
	config.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	if _, err = pgconn.ConnectConfig(t.Context(), config); err == nil || !strings.Contains(err.Error(), "refused TLS") {
		t.Errorf("connecting with TLS to a warehouse without: %v", err)
	}
}

func TestWarehouseExtendedQueries(t *testing.T) {
	t.Parallel()
	h := newHouse(t, localaws.Options{})
	conn := h.connect(t)
	wantState(t, conn.ExecParams(t.Context(), "SELECT 1", nil, nil, nil, nil).Read().Err, "0A000", "use simple queries")
	if err := exec(t.Context(), conn, insertion); err != nil {
		t.Errorf("a simple query after that: %v", err)
	}
}

// copying stages a row and returns a COPY of it, with an access.
func (h house) copying(t *testing.T, access string) string {
	t.Helper()
	client := s3.NewFromConfig(h.stack.AWSConfig())
	for key, body := range map[string]string{"row": "1\n", "manifest": `{"entries":[{"url":"s3://staging/row","mandatory":true}]}`} {
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("staging"), Key: &key, Body: strings.NewReader(body)}); err != nil {
			t.Fatal(err)
		}
	}
	return "COPY events FROM 's3://staging/manifest' CREDENTIALS '" + access + "' MANIFEST"
}

// TestWarehouseAccess has a COPY read S3 by roles and keys.
func TestWarehouseAccess(t *testing.T) {
	t.Parallel()
	const keys = "aws_access_key_id=local;aws_secret_access_key=local"
	tests := []struct {
		name, access, state, text string
		prepare                   func(house)
	}{
		{"the role", "aws_iam_role=" + loaderRole, "", "", nil},
		{"roles that follow one another", "aws_iam_role=" + loaderRole + ",arn:aws:iam::1:role/next", "", "", nil},
		{"a role that is not attached", "aws_iam_role=arn:aws:iam::1:role/other", "XX000", "is not authorized to assume IAM Role arn:aws:iam::1:role/other", nil},
		{"a role that was detached", "aws_iam_role=" + loaderRole, "XX000", "is not authorized to assume IAM Role", func(h house) { h.DetachRole(loaderRole) }},
		{
			"a role that may not", "aws_iam_role=" + loaderRole, "XX000", "S3ServiceException:",
			func(h house) { h.AttachRole(loaderRole, "s3:ListBucket") },
		},
		{"keys", keys, "", "", nil},
		{"keys with a token", keys + ";token=abc", "", "", nil},
		{"an expired token", keys + ";token=abc", "XX000", "Error ExpiredToken", func(h house) { h.ExpireToken("abc") }},
		{"an unknown key", "aws_access_key_id=x;aws_secret_access_key=local", "XX000", "Error InvalidAccessKeyId", nil},
		{"a wrong secret", "aws_access_key_id=local;aws_secret_access_key=x", "XX000", "Error SignatureDoesNotMatch", nil},
		{"temporary keys without their token", "aws_access_key_id=ASIALOCAL;aws_secret_access_key=local", "XX000", "Error InvalidAccessKeyId", nil},
		{"keys that may not", keys, "XX000", "Error AccessDenied", func(h house) { h.stack.Permit("local", "s3:PutObject") }},
		{"S3 that fails", keys, "XX000", "Error SlowDown", func(h house) {
			h.stack.Faults().Add(localaws.Fault{Operation: "GetObject", UserAgent: "Amazon Redshift", Path: "row", Kind: localaws.Throttle()})
		}},
		{"S3 that cuts the connection", keys, "XX000", "S3CurlException", func(h house) {
			h.stack.Faults().Add(localaws.Fault{Operation: "GetObject", UserAgent: "Amazon Redshift", Kind: localaws.Refuse()})
		}},
		{"a bucket in another region", keys, "XX000", "Error PermanentRedirect", func(h house) {
			_ = h.stack.SetBucket("staging", localaws.Bucket{Region: "eu-west-1"})
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, localaws.Options{Credentials: map[string]string{"local": "local", "ASIALOCAL": "local"}})
			statement := h.copying(t, test.access)
			if test.prepare != nil {
				test.prepare(h)
			}
			err := exec(t.Context(), h.connect(t), statement)
			if test.state == "" {
				if err != nil {
					t.Error(err)
				}
				h.wantCount(t, "1")
				return
			}
			wantState(t, err, test.state, test.text)
			if told, ok := errors.AsType[*pgconn.PgError](err); ok && strings.Contains(told.Message+told.Detail, "secret_access_key") {
				t.Errorf("the error has the statement: %q", told.Detail)
			}
			h.wantCount(t, "0")
		})
	}
}

// TestWarehouseSerializable has Redshift's other level: who read and was overtaken fails.
func TestWarehouseSerializable(t *testing.T) {
	t.Parallel()
	for _, serializable := range []bool{false, true} {
		h := newHouse(t, localaws.Options{Warehouse: localaws.WarehouseOptions{Serializable: serializable}})
		first, second := h.connect(t), h.connect(t)
		for _, conn := range []*pgconn.PgConn{first, second} {
			if err := exec(t.Context(), conn, "BEGIN; SELECT count(*) FROM events"); err != nil {
				t.Fatal(err)
			}
		}
		if err := exec(t.Context(), first, insertion+"; COMMIT"); err != nil {
			t.Fatal(err)
		}
		err := exec(t.Context(), second, insertion+"; COMMIT")
		if serializable {
			wantState(t, err, "40001", "1023Serializable isolation violation on table")
			h.wantCount(t, "1")
		} else {
			if err != nil {
				t.Error(err)
			}
			h.wantCount(t, "2")
		}
	}
}

// TestWarehouseData has faults strike the Data API, and its statements.
func TestWarehouseData(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		fault      localaws.Fault
		status     types.StatusString
		text       string
	}{
		{"none", "1", localaws.Fault{Service: "none"}, types.StatusStringFinished, ""},
		{"an answer that is lost", "1", localaws.Fault{Service: localaws.RedshiftData, Operation: "BatchExecuteStatement", Times: 1, Kind: localaws.LostAnswer()}, types.StatusStringFinished, ""},
		{"throttling", "1", localaws.Fault{Service: localaws.RedshiftData, Times: 1, Kind: localaws.Throttle()}, types.StatusStringFinished, ""},
		{"a failure", "1", localaws.Fault{Service: localaws.RedshiftData, Times: 1, Kind: localaws.ServerError(500)}, types.StatusStringFinished, ""},
		{"a statement that fails", "0", fault("INSERT", localaws.SQLError("40001", "")), types.StatusStringFailed, "1023"},
		{"a connection that is cut", "0", fault("INSERT", localaws.Refuse()), types.StatusStringFailed, "connection"},
		{"a login that is refused", "0", fault("Login", localaws.SQLError("28000", "")), types.StatusStringFailed, "password"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, localaws.Options{})
			h.stack.Faults().Add(test.fault)
			client := redshiftdata.NewFromConfig(quick(h.stack.AWSConfig()))
			user, _, database := h.Login()
			out, err := client.BatchExecuteStatement(t.Context(), &redshiftdata.BatchExecuteStatementInput{
				Sqls: []string{insertion}, Database: &database, ClusterIdentifier: aws.String("any"), DbUser: &user, ClientToken: aws.String("token"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if status, text := ended(t, client, *out.Id); status != test.status || !strings.Contains(text, test.text) {
				t.Errorf("the statement is %s, %q; want %s, …%s…", status, text, test.status, test.text)
			}
			h.wantCount(t, test.want)
		})
	}
}

func ended(t *testing.T, client *redshiftdata.Client, id string) (types.StatusString, string) {
	t.Helper()
	for {
		out, err := client.DescribeStatement(t.Context(), &redshiftdata.DescribeStatementInput{Id: &id})
		if err != nil {
			t.Fatal(err)
		}
		switch out.Status {
		case types.StatusStringFinished, types.StatusStringFailed, types.StatusStringAborted:
			return out.Status, aws.ToString(out.Error)
		default:
			time.Sleep(time.Millisecond)
		}
	}
}

// TestWarehouseDataUsers has statements run as users and by secrets.
func TestWarehouseDataUsers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, localaws.Options{})
	h.SetUser("loader", "Loader-1")
	h.SetSecret("arn:secret", "loader")
	_, _, database := h.Login()
	client := redshiftdata.NewFromConfig(h.stack.AWSConfig())
	for _, test := range []struct{ user, secret, status, text string }{
		{"loader", "", "FAILED", "permission denied for relation events"},
		{"", "arn:secret", "FAILED", "permission denied for relation events"},
		{"nobody", "", "FAILED", `user "nobody" does not exist`},
		{"", "arn:other", "FAILED", "can't find the secret arn:other"},
		{"", "", "FINISHED", ""},
	} {
		in := &redshiftdata.ExecuteStatementInput{Sql: aws.String("SELECT id FROM events"), Database: &database, ClusterIdentifier: aws.String("any")}
		if test.user != "" {
			in.DbUser = &test.user
		}
		if test.secret != "" {
			in.SecretArn = &test.secret
		}
		out, err := client.ExecuteStatement(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if status, text := ended(t, client, *out.Id); string(status) != test.status || !strings.Contains(text, test.text) {
			t.Errorf("by %q, %q the statement is %s, %q; want %s, …%s…", test.user, test.secret, status, text, test.status, test.text)
		}
	}
}

// TestWarehouseDataForgets has a token used again after a day, in virtual time.
func TestWarehouseDataForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, localaws.Options{})
		client := redshiftdata.NewFromConfig(h.stack.AWSConfig())
		_, _, database := h.Login()
		in := &redshiftdata.ExecuteStatementInput{Sql: aws.String(insertion), Database: &database, ClusterIdentifier: aws.String("any"), ClientToken: aws.String("token")}
		for _, want := range []string{"1", "1", "2"} {
			if _, err := client.ExecuteStatement(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			h.wantCount(t, want)
			time.Sleep(13 * time.Hour)
		}
	})
}
