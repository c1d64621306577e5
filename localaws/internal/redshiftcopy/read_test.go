package redshiftcopy_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/sqltext"
)

// objects are S3's, by "bucket/key".
type objects map[string]string

// Get implements redshiftcopy.Source.
func (o objects) Get(_ context.Context, bucket, key string) ([]byte, error) {
	text, ok := o[bucket+"/"+key]
	if !ok {
		return nil, redshiftcopy.ErrNotFound
	}
	return []byte(text), nil
}

// List implements redshiftcopy.Source.
func (o objects) List(_ context.Context, bucket, prefix string) ([]string, error) {
	var keys []string
	for name := range o {
		if key, ok := strings.CutPrefix(name, bucket+"/"); ok && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func columns(tb testing.TB, definition string) []redshiftcopy.Column {
	tb.Helper()
	p, err := sqltext.Parse(definition)
	if err != nil {
		tb.Fatal(err)
	}
	var list []redshiftcopy.Column
	for {
		name, err := p.NeedName()
		if err != nil {
			tb.Fatal(err)
		}
		kind, err := redshiftcopy.ParseType(p)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, redshiftcopy.Column{Name: name, Type: kind})
		if !p.AcceptSymbol(",") {
			return list
		}
	}
}

// read reads one object, by a COPY with these options.
func read(tb testing.TB, options, body string, into []redshiftcopy.Column) (redshiftcopy.Rows, error) {
	tb.Helper()
	s, err := redshiftcopy.Parse("COPY t FROM 's3://b/o' IAM_ROLE 'r' " + options)
	if err != nil {
		tb.Fatal(err)
	}
	return redshiftcopy.Read(tb.Context(), s, into, objects{"b/o": body})
}

// row is a row of id and two texts.
type row struct {
	ID   int64
	A, B *string
}

// TestRoundTrip writes rows as other writers do, and reads them.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	into := columns(t, "id bigint, a varchar(1000), b varchar(1000)")
	writers := map[string]func(*rapid.T, []row) string{
		"JSON 'auto'": func(t *rapid.T, rows []row) string {
			var b strings.Builder
			for _, r := range rows {
				text, err := json.Marshal(map[string]any{"id": r.ID, "a": r.A, "b": r.B, "c": []int{1}})
				if err != nil {
					t.Fatal(err)
				}
				b.WriteString(string(text) + rapid.SampledFrom([]string{"", "\n", " ", "\r\n"}).Draw(t, "between"))
			}
			return b.String()
		},
		`CSV NULL AS '\N'`: func(_ *rapid.T, rows []row) string {
			var b strings.Builder
			w := csv.NewWriter(&b)
			for _, r := range rows {
				_ = w.Write([]string{strconv.FormatInt(r.ID, 10), orNull(r.A), orNull(r.B)})
			}
			w.Flush()
			return b.String()
		},
		"ESCAPE": func(_ *rapid.T, rows []row) string {
			var b strings.Builder
			escape := strings.NewReplacer(`\`, `\\`, "|", `\|`, "\n", "\\\n", "\r", "\\\r")
			for _, r := range rows {
				b.WriteString(strconv.FormatInt(r.ID, 10))
				for _, v := range []*string{r.A, r.B} {
					b.WriteByte('|')
					if v == nil {
						b.WriteString(`\N`)
					} else {
						b.WriteString(escape.Replace(*v))
					}
				}
				b.WriteByte('\n')
			}
			return b.String()
		},
	}
	for options, write := range writers {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				text := rapid.Ptr(rapid.StringOf(rapid.SampledFrom([]rune("aé|,\"'\\ \n{}"))).
					Filter(func(s string) bool { return options == "JSON 'auto'" || !strings.Contains(s, `\N`) }), true)
				rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
					return row{rapid.Int64().Draw(t, "id"), text.Draw(t, "a"), text.Draw(t, "b")}
				}), 0, 5).Draw(rt, "rows")
				body := write(rt, rows)
				got, err := read(t, options, body, into)
				if err != nil || len(got.Errors) > 0 {
					rt.Fatalf("%q: %v, %+v", body, err, got.Errors)
				}
				var want [][]*string
				for _, r := range rows {
					id := strconv.FormatInt(r.ID, 10)
					want = append(want, []*string{&id, r.A, r.B})
				}
				if diff := cmp.Diff(want, got.Values); diff != "" {
					rt.Errorf("%q is read otherwise (-want +got):\n%s", body, diff)
				}
			})
		})
	}
}

func orNull(s *string) string {
	if s == nil {
		return `\N`
	}
	return *s
}

// FuzzParse reads statements: what is wrong with one is an error of SQL.
func FuzzParse(f *testing.F) {
	f.Add("COPY a.b (c, d) FROM 's3://e/f' CREDENTIALS 'aws_iam_role=g' MANIFEST json 'auto' gzip;")
	f.Add("copy t from 's3://b/k' credentials 'aws_access_key_id=a;aws_secret_access_key=b;token=c' delimiter '\\t' maxerror 10 null as 'x'")
	f.Add("COPY t FROM 's3://b/k' IAM_ROLE 'r' CSV QUOTE '%' ACCEPTINVCHARS AS '?' DELIMITER '\\999'")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := redshiftcopy.Parse(text)
		if err == nil {
			if !redshiftcopy.IsCopy(text) || s.Table.Table == "" || !strings.HasPrefix(s.From, "s3://") {
				t.Errorf("%q is read as %+v", text, s)
			}
			return
		}
		_, isSyntax := errors.AsType[*sqltext.Error](err)
		told, isTold := errors.AsType[*redshiftcopy.Error](err)
		if !isSyntax && (!isTold || len(told.Code) != 5) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzRead reads objects: each line is a row, or an error with a place and a code.
func FuzzRead(f *testing.F) {
	options := []string{"", "CSV", "JSON 'auto'", "ESCAPE REMOVEQUOTES MAXERROR 5", "FILLRECORD IGNOREBLANKLINES ACCEPTINVCHARS", "JSON 's3://b/o'", "TIMEFORMAT 'auto' DATEFORMAT 'auto' TRUNCATECOLUMNS"}
	for _, body := range []string{"", "1|2|3\n", "1,\"a\"\"\n\",2016-02-25\r\n", `{"a":1}{"b":{"c":[1]}}`, `{"jsonpaths":["$.a[0]['b']","$","$.c"]}`, "\x1f\x8b", "\\\n\\N|''|\xff"} {
		for i := range options {
			f.Add(i, body)
		}
	}
	f.Fuzz(func(t *testing.T, which int, body string) {
		into := columns(t, "a int, b varchar(3), c timestamp")
		rows, err := read(t, options[uint(which)%uint(len(options))], body, into)
		if err != nil {
			if told, ok := errors.AsType[*redshiftcopy.Error](err); !ok || told.Code != "XX000" {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		for _, r := range rows.Values {
			if len(r) != len(into) {
				t.Errorf("%q has a row of %d values", body, len(r))
			}
		}
		for _, e := range rows.Errors {
			if e.Line < 1 || e.Line > int64(strings.Count(body, "\n")+1) || e.Code < 1200 || e.Reason == "" || len(e.Reason) > 100 || e.File != "s3://b/o" {
				t.Errorf("%q has the error %+v", body, e)
			}
		}
	})
}
