package redshiftarchive_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Names that are plain, or quoted, stay as they are; others are quoted, or refused.
func TestNames(t *testing.T) {
	t.Parallel()
	const refused = ""
	for name, want := range map[string]string{
		"events": "events", "public.events": "public.events", "dev.public.events": "dev.public.events", "_a$1.B2": "_a$1.B2", " events ": "events",
		`"My Table"`: `"My Table"`, `public."a.b"`: `public."a.b"`, `"a""b".c`: `"a""b".c`, `public . events`: `public.events`,
		"my table": `"my table"`, "public.1st": `public."1st"`, "ümläut": `"ümläut"`, "a-b.c;d": `"a-b"."c;d"`, "a'b": `"a'b"`, `a\b`: `"a\b"`, "a--b": `"a--b"`, "a/*": `"a/*"`, "$a": `"$a"`,
		"a.b.c.d": refused, "": refused, "a.": refused, ".a": refused, "a..b": refused, `"a`: refused, `a"`: refused, `a"b"`: refused, `"a"b`: refused, `""`: refused, `"a"b"`: refused,
		"a)": refused, "a(b)": refused, "a\nb": refused, "a\x00": refused, "a\xff": refused, `"a` + "\n" + `"`: refused, `"a" "b"`: refused,
	} {
		c := changed(func(c *redshiftarchive.Config) { c.DataTableName, c.Ledger = name, "" })
		got, err := redshiftarchive.TablesOf(c)
		if (err != nil) != (want == refused) || err == nil && got.Table != want {
			t.Errorf("table %q: %q, %v; want %q", name, got.Table, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "DataTableName ") {
			t.Errorf("table %q: %v does not name the field", name, err)
		}
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil, "  ": nil, "id": {"id"}, "id,ts": {"id", "ts"}, "id , ts": {"id", "ts"}, `id,"a,b",c d`: {"id", `"a,b"`, `"c d"`}, `"a"",b",c`: {`"a"",b"`, "c"}, "a.b": {`"a.b"`},
		"a,": {}, ",a": {}, "a,,b": {}, `a,"b`: {}, "a) FROM 's3://x/": {}, "a\tb": {},
	} {
		got, err := redshiftarchive.TablesOf(changed(func(c *redshiftarchive.Config) { c.DataTableColumns = text }))
		if isRefused := want != nil && len(want) == 0; (err != nil) != isRefused || err == nil && !slices.Equal(got.Columns, want) {
			t.Errorf("columns %q: %q, %v; want %q", text, got.Columns, err, want)
		} else if isRefused {
			has(t, err, "DataTableColumns")
		}
	}
}

func TestStatement(t *testing.T) {
	t.Parallel()
	const m, arn = "s3://b/logs/manifests/m", "aws_iam_role=" + roleR
	for _, row := range []struct {
		name                  string
		change                func(*redshiftarchive.Config)
		manifest, credentials string
		isSecret              bool
		sql, shown            string // shown "" if it is sql; sql "" if it is refused
	}{
		{"columns", func(c *redshiftarchive.Config) { c.DataTableColumns = "id, ts" }, m, arn, false, "COPY public.events (id,ts) FROM '" + m + "' CREDENTIALS '" + arn + "' MANIFEST json 'auto' gzip;", ""},
		{"no columns", func(*redshiftarchive.Config) {}, m, arn, false, "COPY public.events FROM '" + m + "' CREDENTIALS '" + arn + "' MANIFEST json 'auto' gzip;", ""},
		{
			"no options", func(c *redshiftarchive.Config) { c.CopyOptions, c.Staging.Compression = "", "" }, m, arn, false,
			"COPY public.events FROM '" + m + "' CREDENTIALS '" + arn + "' MANIFEST;", "",
		},
		{
			"options as they are", func(c *redshiftarchive.Config) { c.CopyOptions = " gzip  delimiter '\t'\nMAXERROR 10 " }, m, arn, false,
			"COPY public.events FROM '" + m + "' CREDENTIALS '" + arn + "' MANIFEST  gzip  delimiter '\t'\nMAXERROR 10 ;", "",
		},
		{"a quote in the key", func(*redshiftarchive.Config) {}, "s3://b/it's/m", arn, false, "COPY public.events FROM 's3://b/it''s/m' CREDENTIALS '" + arn + "' MANIFEST json 'auto' gzip;", ""},
		{
			"secrets", func(*redshiftarchive.Config) {}, m, "aws_access_key_id=A;token=T", true, "COPY public.events FROM '" + m + "' CREDENTIALS 'aws_access_key_id=A;token=T' MANIFEST json 'auto' gzip;",
			"COPY public.events FROM '" + m + "' CREDENTIALS '<redacted>' MANIFEST json 'auto' gzip;",
		},
		{
			"a key in the options", func(c *redshiftarchive.Config) { c.CopyOptions = "gzip encrypted master_symmetric_key 'KEY'" }, m, arn, false,
			"COPY public.events FROM '" + m + "' CREDENTIALS '" + arn + "' MANIFEST gzip encrypted master_symmetric_key 'KEY';",
			"COPY public.events FROM '" + m + "' CREDENTIALS '" + arn + "' MANIFEST <redacted>;",
		},
		{"a backslash in the key", func(*redshiftarchive.Config) {}, `s3://b/a\b`, arn, false, "", ""},
		{"a line in the key", func(*redshiftarchive.Config) {}, "s3://b/a\nb", arn, false, "", ""},
		{"no UTF-8 in the key", func(*redshiftarchive.Config) {}, "s3://b/a\xff", arn, false, "", ""},
		{"a backslash in the credentials", func(*redshiftarchive.Config) {}, m, `CANARY\`, true, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := redshiftarchive.CopyOf(changed(row.change), row.manifest, row.credentials, row.isSecret)
			if row.shown == "" {
				row.shown = row.sql
			}
			if got.SQL() != row.sql || got.String() != row.shown || fmt.Sprintf("%v", got) != row.shown || (err != nil) != (row.sql == "") || err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%v\ngot  %s\nand  %v\nwant %s\nand  %s", err, got.SQL(), got, row.sql, row.shown)
			}
		})
	}
}

// Options that would make another statement, or end it, are refused by name.
func TestOptions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ options, refused string }{
		{"gzip", ""},
		{"json 's3://b/manifest;--.json' GZIP region 'us-west-2'", ""},
		{`gzip delimiter '|' quote '"' null '\\N' escape`, ""},
		{`gzip delimiter '\t' null ''''`, ""},
		{`gzip "CREDENTIALS;"`, ""},
		{"gzip /", ""},
		{"gzip manifest", "CopyOptions has MANIFEST: remove it"},
		{"gzip CREDENTIALS 'x'", "CopyOptions has CREDENTIALS: remove it"},
		{"gzip with credentials as 'x'", "CopyOptions has CREDENTIALS: remove it"},
		{"gzip iam_role 'x'", "CopyOptions has IAM_ROLE: remove it"},
		{"gzip access_key_id 'x' secret_access_key 'y' session_token 'z'", "CopyOptions has SECRET_ACCESS_KEY: remove it"},
		{"gzip aws_secret_access_key=X", "CopyOptions has a key of AWS, or what looks like one, which is not shown: remove it"},
		{"gzip AWS_IAM_ROLE=X", "CopyOptions has a key of AWS"},
		{"gzip Access_Key=X", "CopyOptions has a key of AWS"},
		{"gzip secretX", "CopyOptions has a key of AWS"},
		{"gzip session_token2 X", "CopyOptions has a key of AWS"},
		{"gzip 'aws_access_key_id=A;aws_secret_access_key=X'", "CopyOptions has a key of AWS"},
		{"gzip json 's3://b/aws_secret/access_key.json'", ""},
		{"gzip ssh", "CopyOptions has SSH: remove it"},
		{"gzip NOLOAD", "CopyOptions has NOLOAD: remove it"},
		{"gzip;", `CopyOptions must not have ";"`},
		{"gzip; drop table x", `CopyOptions must not have ";"`},
		{"gzip -- x", "CopyOptions must not have comments"},
		{"gzip /* x", "CopyOptions must not have comments"},
		{"gzip $$;$$", `CopyOptions must not have "$"`},
		{"gzip json 'auto", "CopyOptions has a ' that is not closed"},
		{`gzip "auto`, `CopyOptions has a " that is not closed`},
		{`gzip null '\'; drop table x; --'`, "CopyOptions must not have a backslash before a single quote"},
		{"gzip \x00", "must be UTF-8"},
		{"gzip \xff", "must be UTF-8"},
	} {
		var want []string
		if row.refused != "" {
			want = append(want, row.refused)
		}
		has(t, redshiftarchive.Settle(changed(func(c *redshiftarchive.Config) { c.CopyOptions = row.options })), want...)
	}
}

// tokens reads a statement as a database would: with backslashes that escape, or without.
// Words are in upper case, literals are "'" and their value, names in quotes begin with a
// double quote.
func tokens(sql string, escapes bool) (out []string, err error) {
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == '\'' || c == '"':
			var value strings.Builder
			for i++; ; i++ {
				if i >= len(sql) {
					return nil, errors.New("not closed")
				}
				if escapes && c == '\'' && sql[i] == '\\' && i+1 < len(sql) {
					value.WriteString(sql[i : i+2])
					i++
					continue
				}
				if sql[i] != c {
					value.WriteByte(sql[i])
					continue
				}
				if i+1 >= len(sql) || sql[i+1] != c {
					break
				}
				value.WriteByte(c)
				i++
			}
			out = append(out, string(c)+value.String())
			i++
		case strings.ContainsRune(" \t\r\n\v\f", rune(c)):
			i++
		case strings.HasPrefix(sql[i:], "--") || strings.HasPrefix(sql[i:], "/*"):
			return nil, errors.New("a comment")
		case strings.ContainsRune("();,.", rune(c)):
			out = append(out, string(c))
			i++
		default:
			end := i
			for end < len(sql) && !strings.ContainsRune(" \t\r\n\v\f'\"();,.", rune(sql[end])) && !strings.HasPrefix(sql[end:], "--") && !strings.HasPrefix(sql[end:], "/*") {
				end++
			}
			out = append(out, strings.ToUpper(sql[i:end]))
			i = end
		}
	}
	return out, nil
}

// isCopy checks that tokens are those of one COPY, and returns its literals.
func isCopy(tokens []string) (from, credentials string, err error) {
	next := func() string {
		if len(tokens) == 0 {
			return ""
		}
		first := tokens[0]
		tokens = tokens[1:]
		return first
	}
	wants := func(want string) {
		if got := next(); got != want && err == nil {
			err = fmt.Errorf("%q where %q should be", got, want)
		}
	}
	name := func() {
		if got := next(); err == nil && (got == "" || strings.ContainsAny(got[:1], "'();,.")) {
			err = fmt.Errorf("%q where a name should be", got)
		}
	}
	wants("COPY")
	for name(); len(tokens) > 0 && tokens[0] == "."; name() {
		next()
	}
	if len(tokens) > 0 && tokens[0] == "(" {
		next()
		for name(); len(tokens) > 0 && tokens[0] == ","; name() {
			next()
		}
		wants(")")
	}
	wants("FROM")
	from = next()
	wants("CREDENTIALS")
	credentials = next()
	wants("MANIFEST")
	for len(tokens) > 1 {
		if word := next(); slices.Contains([]string{";", "MANIFEST", "CREDENTIALS", "IAM_ROLE", "NOLOAD", "SSH", "ACCESS_KEY_ID"}, word) {
			return "", "", fmt.Errorf("%q among the options", word)
		}
	}
	wants(";")
	return from, credentials, err
}

// FuzzStatement: whatever is configured, the statement is one COPY of that manifest with
// those credentials, however backslashes are read.
func FuzzStatement(f *testing.F) {
	f.Add("public.events", "id,ts", "json 'auto' gzip", "m", "aws_iam_role=R")
	f.Add(`"a""b"`, `"x,y",z`, `delimiter '\t' null '\\'`, "it's", "a;b")
	f.Add("a b.c", "", `null '\''`, `\`, `'`)
	f.Add("a;drop table x", "a) FROM 's3://x' --", "'; drop", "/*", "\n")
	f.Fuzz(func(t *testing.T, table, columns, options, manifest, credentials string) {
		c := changed(func(c *redshiftarchive.Config) {
			c.DataTableName, c.DataTableColumns, c.CopyOptions, c.Staging.Compression = table, columns, options, processors.Uncompressed
		})
		s, err := redshiftarchive.CopyOf(c, manifest, credentials, false)
		if err != nil {
			return
		}
		for _, escapes := range []bool{false, true} {
			list, err := tokens(s.SQL(), escapes)
			if err != nil {
				t.Fatalf("%s: %v", s.SQL(), err)
			}
			from, with, err := isCopy(list)
			if err != nil || from != "'"+manifest || with != "'"+credentials {
				t.Fatalf("%s\nread as %q: %v", s.SQL(), list, err)
			}
		}
	})
}
