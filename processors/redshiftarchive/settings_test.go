package redshiftarchive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Everything that is wrong is told at once, by field, value and remedy.
func TestConfig(t *testing.T) {
	t.Parallel()
	seconds := func(n float64) *time.Duration { d := time.Duration(n * float64(time.Second)); return &d }
	type cfg = redshiftarchive.Config
	for _, row := range []struct {
		name   string
		change func(*cfg)
		errs   []string
	}{
		{"as it is", func(*cfg) {}, nil},
		{"the largest", func(c *cfg) {
			c.DataTableName, c.DataTableColumns = strings.Repeat("ü", 512), strings.Repeat("ä", 10_240)
			c.CopyOptions = "gzip " + strings.Repeat("ö", 10_235)
			c.RetryDuration, c.CopyTimeout, c.Ledger = seconds(7200), time.Minute, "public.ledger"
		}, nil},
		{"one more", func(c *cfg) {
			c.DataTableName, c.DataTableColumns = strings.Repeat("ü", 513), strings.Repeat("ä", 10_241)
			c.CopyOptions = "gzip " + strings.Repeat("ö", 10_236)
			c.RetryDuration, c.CopyTimeout, c.Ledger = seconds(7201), time.Minute-1, strings.Repeat("l", 513)
		}, []string{
			`DataTableName "üüü`, "must have 1-512 characters; it has 513", `DataTableColumns "äää`, "must have 0-10240 characters; it has 10241", "CopyOptions must have at most 10240 characters; it has 10241",
			`RetryDuration "2h0m1s": must be 0-7200 s`, `CopyTimeout "59.999999999s": must be at least 1m0s`, `Ledger "lll`,
		}},
		{"nothing", func(c *cfg) { *c = cfg{} }, []string{"Staging.DeliveryStreamName", "Staging.Bucket", "DataTableName", "Access must be"}},
		{"a table of no name", func(c *cfg) { c.DataTableName = "" }, []string{`DataTableName "": must have 1-512 characters; it has 0`}},
		{"parts of seconds", func(c *cfg) { c.RetryDuration = seconds(1.5) }, []string{`RetryDuration "1.5s": must be 0-7200 s, in whole seconds`}},
		{"negative", func(c *cfg) { c.RetryDuration = seconds(-1) }, []string{"RetryDuration"}},
		{"no time", func(c *cfg) { c.RetryDuration = seconds(0) }, nil},
		{"the ledger is the table of the same name", func(c *cfg) { c.Ledger = "events" }, []string{`Ledger "events": must be another table than DataTableName, which is public.events; if they are of two schemas, name both`}},
		{"the ledger is the table in quotes", func(c *cfg) { c.Ledger = `"events"` }, []string{`must be another table`}},
		{"the ledger is the table in a database", func(c *cfg) { c.Ledger = `dev."PUBLIC"."events"` }, []string{`must be another table`}},
		{"the ledger is the table, without a schema", func(c *cfg) { c.DataTableName, c.Ledger = `"my ""table"`, `s."MY ""table"` }, []string{`must be another table`}},
		{"the ledger is in another schema", func(c *cfg) { c.Ledger = "ledgers.events" }, nil},
		{"the ledger is another table of one schema", func(c *cfg) { c.Ledger = `public."eventsloaded"` }, nil},
		{"the ledger is the table", func(c *cfg) { c.Ledger = "Public.Events" }, []string{`Ledger "Public.Events": must be another table`}},
		{"a ledger of what may be staged twice", func(c *cfg) { c.Ledger, c.Staging.Delivery = "public.ledger", processors.AtLeastOnce }, []string{`Ledger "public.ledger": with at-least-once delivery a record may be staged in two objects`}},
		{"no ledger of what may be staged twice", func(c *cfg) { c.Staging.Delivery = processors.AtLeastOnce }, nil},
		{"a ledger that is no name", func(c *cfg) { c.Ledger = "a.b.c.d" }, []string{`Ledger "a.b.c.d"`}},
		{"a prefix with a backslash", func(c *cfg) { c.Staging.Prefix = `a\b/` }, []string{`Staging.Prefix "a\\b/": must have no backslash`}},
		{"a prefix with a line", func(c *cfg) { c.Staging.Prefix = "a\nb/" }, []string{`Staging.Prefix "a\nb/"`}},
		{"staging that is none", func(c *cfg) { c.Staging.Staging = "x" }, []string{`Staging.Staging "x"`}},
		{"a role that is none", func(c *cfg) { c.Access = redshiftarchive.RoleAccess{ARN: "R"} }, []string{`Access.ARN "R": must be the ARN of a role`}},
		{"two roles", func(c *cfg) { c.Access = redshiftarchive.RoleAccess{ARN: roleR + "," + roleR} }, nil},
		{"a role with a quote", func(c *cfg) { c.Access = redshiftarchive.RoleAccess{ARN: roleR + "'"} }, []string{"Access.ARN"}},
		{"nobody has keys", func(c *cfg) { c.Access = redshiftarchive.SessionAccess{} }, []string{"Access.Provider must be"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			has(t, redshiftarchive.Settle(changed(row.change)), row.errs...)
		})
	}
	_, err := redshiftarchive.New(redshiftarchive.Config{}, nil, nil)
	has(t, err, "the store must not be nil", "the database must not be nil", "DataTableName")
}

// How the objects are compressed and how COPY reads them must be the same.
func TestCompression(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		staged  processors.Compression
		options string
		refused bool
	}{
		{"", "json 'auto'", false},
		{processors.Uncompressed, "json 's3://gzip/lzop'", false},
		{processors.Uncompressed, `quote "gzip"`, false},
		{processors.Uncompressed, "my_gzip", false},
		{processors.Uncompressed, "json 'auto' gzip", true},
		{processors.Uncompressed, "GZIP", true},
		{processors.Uncompressed, "json'auto'Bzip2", true},
		{processors.Uncompressed, "lzop", true},
		{"", "zstd", true},
		{processors.GZIP, "json 'auto' GZip", false},
		{processors.GZIP, "json 'auto'", true},
		{processors.GZIP, "", true},
		{processors.GZIP, "json 'gzip'", true},
		{processors.GZIP, "lzop", true},
		{processors.GZIP, "gzip lzop", true},
	} {
		var want []string
		if row.refused {
			want = []string{"CopyOptions has ", "Redshift.CompressionMismatch"}
		}
		has(t, redshiftarchive.Settle(changed(func(c *redshiftarchive.Config) { c.Staging.Compression, c.CopyOptions = row.staged, row.options })), want...)
	}
}

// An error about options does not show them: they may have a key.
func TestOptionsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, options := range []string{"master_symmetric_key 'CANARY'", "gzip master_symmetric_key 'CANARY", "gzip;'CANARY'", "gzip manifest 'CANARY'", "gzip 'CANARY'" + strings.Repeat(" ", 10_240)} {
		err := redshiftarchive.Settle(changed(func(c *redshiftarchive.Config) { c.CopyOptions = options }))
		if err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%v", err)
		}
	}
}
