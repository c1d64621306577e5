package warehousetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/jackc/pgx/v5/pgconn"
)

// Warehouse is what the suite talks to.
type Warehouse struct {
	// Config is how to connect as a user who may do everything.
	Config *pgconn.Config

	// Other is how to connect as one who was granted nothing.
	Other *pgconn.Config

	// Data is the Redshift Data API, whose statements are run as Config's user.
	Data *redshiftdata.Client

	// Put stores an object that COPY can read, in Bucket.
	Put    func(t *testing.T, key string, body []byte)
	Bucket string

	// Credentials are the text of COPY's CREDENTIALS.
	Credentials string

	// Waiting is how many transactions wait for a table.
	Waiting func(t *testing.T, table string) int

	// PostgreSQL says that the SQL is that of PostgreSQL: what only Redshift has is not
	// asked.
	PostgreSQL bool
}

// test is a test of the suite's, with a table's name of its own.
type test struct {
	Warehouse
	table string // of "id bigint NOT NULL, name varchar(8), at timestamp"
}

// connection is a client.
type connection struct{ *pgconn.PgConn }

// limit is for how long anything may take.
const limit = time.Minute

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), limit)
	t.Cleanup(stop)
	return ctx
}

func (w Warehouse) connect(t *testing.T) connection {
	t.Helper()
	c, err := pgconn.ConnectConfig(within(t), w.Config.Copy())
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
		defer stop()
		_ = c.Close(ctx) // it may be broken
	})
	return connection{c}
}

// null is how rows have NULL.
const null = "∅"

// try runs statements, and returns the rows of the last one.
func (c connection) try(t *testing.T, sql string) ([]string, error) {
	t.Helper()
	results, err := c.Exec(within(t), sql).ReadAll()
	for _, r := range results {
		if err == nil {
			err = r.Err
		}
	}
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var rows []string
	for _, row := range results[len(results)-1].Rows {
		var fields []string
		for _, v := range row {
			if v == nil {
				v = []byte(null)
			}
			fields = append(fields, string(v))
		}
		rows = append(rows, strings.Join(fields, "|"))
	}
	return rows, nil
}

// run runs statements, which must succeed.
func (c connection) run(t *testing.T, sql string) []string {
	t.Helper()
	rows, err := c.try(t, sql)
	if err != nil {
		t.Fatalf("%s: %v", shortened(sql), err)
	}
	return rows
}

// want fails the test unless statements have these rows.
func (c connection) want(t *testing.T, sql string, want ...string) {
	t.Helper()
	got := c.run(t, sql)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: rows are %q, want %q", shortened(sql), got, want)
	}
}

// refused fails the test unless statements fail with a SQLSTATE, and a message that has a
// text.
func (c connection) refused(t *testing.T, sql, state, text string) {
	t.Helper()
	_, err := c.try(t, sql)
	wantError(t, sql, err, state, text)
}

func wantError(t *testing.T, what string, err error, state, text string) {
	t.Helper()
	told, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		t.Errorf("%s: the error is %v, want SQLSTATE %s", shortened(what), err, state)
		return
	}
	if told.Code != state || !strings.Contains(told.Message+told.Detail, text) {
		t.Errorf("%s: the error is %s, %q, %q; want %s, …%s…", shortened(what), told.Code, told.Message, told.Detail, state, text)
	}
}

func shortened(s string) string { return s[:min(len(s), 160)] }

// start runs statements while the test goes on; what the returned function waits for is
// their error.
func (c connection) start(t *testing.T, sql string) func() error {
	t.Helper()
	done := make(chan error, 1)
	ctx := within(t)
	go func() { _, err := c.Exec(ctx, sql).ReadAll(); done <- err }()
	return func() error { return <-done }
}

// untilWaiting waits until a transaction waits for a table.
func (w Warehouse) untilWaiting(t *testing.T, table string) {
	t.Helper()
	for ctx := within(t); w.Waiting(t, table) == 0; {
		select {
		case <-ctx.Done():
			t.Fatalf("after %v nobody waits for %s", limit, table)
		case <-time.After(time.Millisecond):
		}
	}
}

// entry is one of a manifest.
type entry struct {
	URL       string `json:"url"`
	Mandatory bool   `json:"mandatory"`
}

// stage stores objects and a manifest of them, and returns the manifest's URL.
func (x test) stage(t *testing.T, bodies ...string) string {
	t.Helper()
	var entries []entry
	for i, body := range bodies {
		key := x.table + "/object-" + string(rune('a'+i))
		x.Put(t, key, []byte(body))
		entries = append(entries, entry{"s3://" + x.Bucket + "/" + key, true})
	}
	return x.manifest(t, entries)
}

func (x test) manifest(t *testing.T, entries []entry) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"entries": entries})
	if err != nil {
		t.Fatal(err)
	}
	key := x.table + "/manifests/" + random()
	x.Put(t, key, text)
	return "s3://" + x.Bucket + "/" + key
}

// copy is a COPY of a manifest into the test's table.
func (x test) copy(manifest, options string) string {
	return "COPY " + x.table + " FROM '" + manifest + "' CREDENTIALS '" + x.Credentials + "' MANIFEST " + options
}

func random() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Run checks a warehouse. Every test uses a table of its own, with a random name, and leaves
// it there.
func Run(t *testing.T, w Warehouse) {
	t.Helper()
	for _, row := range slices.Concat(sqlRows(), copyRows(), failureRows(), dataRows()) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			x := test{w, "t" + random()}
			c := w.connect(t)
			c.run(t, "CREATE TABLE "+x.table+" (id bigint NOT NULL, name varchar(8), at timestamp)")
			row.run(t, x, c)
		})
	}
}

// row is a sentence about the warehouse, and what shows it.
type row struct {
	name string
	run  func(t *testing.T, x test, c connection)
}
