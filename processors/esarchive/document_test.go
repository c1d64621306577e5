package esarchive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// faultyRecords are data that are never sent, and a word of why.
func faultyRecords() map[string]string {
	return map[string]string{
		"": "empty", " \r\n\t ": "empty", "{\"a\":1}\n{\"b\":2}": "line break", "{\"a\":\n1}": "line break", "{\"a\":\r1}": "line break", "{\"a\":\"\r\"}": "line break",
		`{"index":{"_id":"1"}}` + "\n" + `{"a":1}`: "line break", `{"a":1}{"b":2}`: "exactly one", `{"a":1} {"b":2}`: "exactly one", `{"a":1},`: "exactly one",
		`[{"a":1}]`: "exactly one", `"text"`: "exactly one", "1": "exactly one", "null": "exactly one", "true": "exactly one", "text": "exactly one", "{": "exactly one",
		`{"a"}`: "exactly one", `{"a":}`: "exactly one", `{a:1}`: "exactly one", `{'a':1}`: "exactly one", `{"a":1,}`: "exactly one", `{,"a":1}`: "exactly one",
		`{"a":01}`: "exactly one", `{"a":+1}`: "exactly one", `{"a":1.}`: "exactly one", `{"a":.5}`: "exactly one", `{"a":1e}`: "exactly one", `{"a":-}`: "exactly one", `{"a":0x1}`: "exactly one",
		`{"a":NaN}`: "exactly one", `{"a":Infinity}`: "exactly one", `{"a":tru}`: "exactly one", `{"a":nul}`: "exactly one", `{"a":True}`: "exactly one",
		"{\"a\":\"\x00\"}": "exactly one", "{\"a\":\"\x1f\"}": "exactly one", "{\"a\":\"\t\"}": "exactly one", `{"a":"\x"}`: "exactly one", `{"a":"\u12"}`: "exactly one", `{"a":"\u12g4"}`: "exactly one",
		`{"a":"\`: "exactly one", `{"a":"\"}`: "exactly one", `{"a":"b}`: "exactly one", "{\"a\":1}\x00": "exactly one", "\x00{\"a\":1}": "exactly one", "{\"a\":1\x00}": "exactly one",
		"\xef\xbb\xbf{\"a\":1}": "exactly one", "{\"a\":1}\xc2\xa0": "exactly one", "\v{\"a\":1}": "exactly one", `{"a":1} // b`: "exactly one", `{"a":1/**/}`: "exactly one", `{"a":[1,]}`: "exactly one", `{"a":[,1]}`: "exactly one",
		`{"a":[1}`: "exactly one", `{"a":{"b":1]}`: "exactly one", `{"a":1]`: "exactly one", `{"a" 1}`: "exactly one", `{"a"::1}`: "exactly one", `{1:1}`: "exactly one", `{"a":1 "b":2}`: "exactly one", `{"a":truefalse}`: "exactly one",
		"{\"a\":\"\xff\"}": "UTF-8", "{\"a\":\"\xc3\"}": "UTF-8", "{\"\xed\xa0\x80\":1}": "UTF-8",
		`{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`:         "nested",
		strings.Repeat(`{"a":`, 1001) + "1" + strings.Repeat("}", 1001):               "nested",
		strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000):         "", // one of two reasons
		strings.Repeat(`{"a":[`, 1_000_000):                                           "exactly one",
		`{"a":` + strings.Repeat(`[],`, 2000)[:5999] + `}`:                            "exactly one",
		"{\"a\":\"" + strings.Repeat(`"[{`, 2000) + `"}`:                              "exactly one",
		"{\"a\":1}" + strings.Repeat("\n", 3) + "{\"b\":2}" + strings.Repeat("\n", 3): "line break",
	}
}

func TestFaultyDocuments(t *testing.T) {
	t.Parallel()
	for data, want := range faultyRecords() {
		text, why := esarchive.Source([]byte(data))
		if text != nil || why == "" || !strings.Contains(why, want) {
			t.Errorf("%.60q: sent as %q, %q, want %s", data, text, why, want)
		}
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{}`, `{"a":1}`, `{"":""}`, `{"a":{"a":[1,2,{"b":null}]},"b":true,"c":-0.5e+10}`, `{"a":"\u00e4\ud83d\ude00\"\\\/\b\f\n\r\t"}`, `{"a":"ä😀 "}`, `{"a":"\ud800"}`,
		`{ "a" :	[ 1 , 2 ] }`, `{"a":1,"a":2}`, `{"a":"// [{"}`, "{\"a\":\"\u2028\x7f\"}", `{"index":{"_id":"1"}}`, `{"a":123456789012345678901234567890}`, `{"a":1e400}`,
		`{"a":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + `}`,
		`{"a":"` + strings.Repeat("[{", 5000) + `"}`, `{"a":[` + strings.Repeat("[],", 5000) + `{}]}`, `{"a":"\\` + strings.Repeat(`\"[`, 2000) + `"}`,
	} {
		for _, around := range []string{"", " ", "\n", "\r\n", "\t \n"} {
			if text, why := esarchive.Source([]byte(around + data + around)); string(text) != data || why != "" {
				t.Errorf("%.60q: sent as %.60q, %q", data, text, why)
			}
		}
	}
}

// What is sent is what encoding/json takes for one object, on one line and not too deep.
func FuzzSource(f *testing.F) {
	for data := range faultyRecords() {
		f.Add([]byte(data[:min(len(data), 2000)]))
	}
	f.Add([]byte(`{"a":[1,{"b":"\u00e4\"","c":[true,false,null,-1.5e3]}],"a":{"b":2}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		given := bytes.Clone(data)
		text, why := esarchive.Source(data)
		trimmed := bytes.Trim(given, " \t\r\n")
		var object map[string]json.RawMessage
		want := json.Unmarshal(trimmed, &object) == nil && object != nil && utf8.Valid(trimmed) && !bytes.ContainsAny(trimmed, "\r\n") && !tooDeep(trimmed)
		if (why == "") != want || want && !bytes.Equal(text, trimmed) {
			t.Errorf("%q is sent as %q, %q; want %v", given, text, why, want)
		}
		if !want {
			return
		}
		for name, value := range object {
			if name == "" || strings.Contains(name, ".") || !utf8.ValidString(name) || strings.Contains(name, "\ufffd") {
				continue
			}
			if got := esarchive.Find(text, name); !bytes.Equal(got, value) {
				t.Errorf("%q at %q: %q, want %q", given, name, got, value)
			}
			var inner map[string]json.RawMessage
			if json.Unmarshal(value, &inner) != nil {
				continue
			}
			for member, value := range inner {
				if member != "" && !strings.Contains(member, ".") && !strings.Contains(member, "\ufffd") {
					if got := esarchive.Find(text, name+"."+member); !bytes.Equal(got, value) {
						t.Errorf("%q at %q in %q: %q, want %q", given, member, name, got, value)
					}
				}
			}
		}
	})
}

// tooDeep reports whether a valid text is nested deeper than 1000.
func tooDeep(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	depth := 0
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > 1000 {
				return true
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, path, want string }{
		{`{"id":"x"}`, "id", `"x"`},
		{`{"a":{"b":{"c":1}}}`, "a.b.c", "1"},
		{`{"a":{"b":1}}`, "a", `{"b":1}`},
		{`{"a.b":1}`, "a.b", ""},
		{`{"a":1}`, "a.b", ""},
		{`{"a":[{"b":1}]}`, "a.b", ""},
		{`{"id":1,"id":2}`, "id", "2"},
		{`{"a":{"b":1},"a":{}}`, "a.b", ""},
		{`{"a":{"b":1},"a":null}`, "a.b", ""},
		{`{"x":{"id":1},"y":["id",{"id":2}]}`, "id", ""},
		{`{ "i\u0064" : [1, {"a":"]}"}] , "z":1}`, "id", `[1, {"a":"]}"}]`},
		{`{"ä":"\"","id":-1.5e3}`, "id", "-1.5e3"},
		{`{"a":"\\","id":true}`, "id", "true"},
		{`{"a":"\\\"","id":null}`, "id", "null"},
		{`{}`, "id", ""},
	} {
		if got := string(esarchive.Find([]byte(row.text), row.path)); got != row.want {
			t.Errorf("%s at %s: %s, want %s", row.text, row.path, got, row.want)
		}
	}
}

func TestQuotedTexts(t *testing.T) {
	t.Parallel()
	var all []byte
	for c := range 128 {
		all = append(all, byte(c))
	}
	for _, text := range []string{"", "a", `"\/`, "ä😀\u2028", string(all)} {
		var got string
		if err := json.Unmarshal([]byte(esarchive.Quoted(text)), &got); err != nil || got != text {
			t.Errorf("%q: %s, %v", text, esarchive.Quoted(text), err)
		}
	}
}

// fieldRow is a document, and what its fields come to: a line, or why it is not sent.
type fieldRow struct{ name, data, want, why string }

func TestFields(t *testing.T) {
	t.Parallel()
	cfg := esarchive.Config{IndexName: "i", IndexRotationPeriod: esarchive.NoRotation, IDs: esarchive.IDs{Field: "k.id", VersionField: "v"}, RoutingField: "r", Pipeline: `p"1`}
	const tail = `,"version_type":"external"`
	const pipe = `,"pipeline":"p\"1"}}`
	doc := func(id, v, r string) string { return `{"k":{"id":` + id + `},"v":` + v + r + `}` }
	secret := "secret-value"
	for _, row := range []fieldRow{
		{"text", doc(`"a"`, "1", ""), `{"index":{"_index":"i","_id":"a","version":1` + tail + pipe, ""},
		{"integer", doc(`17`, "0", ""), `{"index":{"_index":"i","_id":"17","version":0` + tail + pipe, ""},
		{"negative", doc(`-17`, "9223372036854775807", `,"r":1.5`), `{"index":{"_index":"i","_id":"-17","version":9223372036854775807` + tail + `,"routing":"1.5"` + pipe, ""},
		{"escapes", doc(`"\u0041\"\\\n"`, "1", `,"r":"\/"`), `{"index":{"_index":"i","_id":"A\"\\\u000a","version":1` + tail + `,"routing":"/"` + pipe, ""},
		{"512 bytes", doc(`"`+strings.Repeat("ä", 256)+`"`, "1", `,"r":null`), `{"index":{"_index":"i","_id":"` + strings.Repeat("ä", 256) + `","version":1` + tail + pipe, ""},
		{"the last counts", `{"k":{"id":"a","id":"b"},"v":1,"v":2}`, `{"index":{"_index":"i","_id":"b","version":2` + tail + pipe, ""},
		{"513 bytes", doc(`"`+strings.Repeat("ä", 256)+`a"`, "1", ""), "", "k.id must have at most 512"},
		{"escapes count once", doc(`"`+strings.Repeat(`\u0061`, 513)+`"`, "1", ""), "", "k.id must have at most 512"},
		{"absent", `{"v":1}`, "", "k.id must be a text"},
		{"null", doc(`null`, "1", ""), "", "k.id must be a text"},
		{"empty", doc(`""`, "1", ""), "", "k.id must be a text"},
		{"fraction", doc(`1.0`, "1", ""), "", "k.id must be a text"},
		{"exponent", doc(`1E3`, "1", ""), "", "k.id must be a text"},
		{"object", doc(`{"`+secret+`":1}`, "1", ""), "", "k.id must be a text"},
		{"array", doc(`["`+secret+`"]`, "1", ""), "", "k.id must be a text"},
		{"true", doc(`true`, "1", ""), "", "k.id must be a text"},
		{"half a pair", doc(`"\ud800`+secret+`"`, "1", ""), "", "k.id must not have U+FFFD"},
		{"no version", `{"k":{"id":"` + secret + `"}}`, "", "v must be an integer"},
		{"text as a version", doc(`"`+secret+`"`, `"1"`, ""), "", "v must be an integer"},
		{"negative version", doc(`"a"`, "-1", ""), "", "v must be an integer"},
		{"fraction as a version", doc(`"a"`, "1.0", ""), "", "v must be an integer"},
		{"large version", doc(`"a"`, "9223372036854775808", ""), "", "v must be an integer"},
		{"larger version", doc(`"a"`, "10000000000000000000", ""), "", "v must be an integer"},
		{"object as routing", doc(`"a"`, "1", `,"r":{"`+secret+`":1}`), "", "r must be a text"},
		{"empty routing", doc(`"a"`, "1", `,"r":""`), "", "r must be a text"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &answering{answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
				return all(list, 201), nil
			}}
			o := run(t, cfg, s, cut{{"1.0", row.data, arrivedAt()}})
			switch {
			case row.why == "":
				if len(o.Failed) > 0 || s.requests[0][0].Line != row.want {
					t.Errorf("%+v %+v, want %s", o.Failed, s.requests, row.want)
				}
			case len(o.Failed) != 1 || len(s.requests) > 0 || o.Failed[0].Code != "OS.MalformedData" || o.Failed[0].Attempts != 0 || !strings.HasPrefix(o.Failed[0].Message, row.why) || strings.Contains(o.Failed[0].Message, secret):
				t.Errorf("%+v, want %s", o, row.why)
			}
		})
	}
}

func TestActionLines(t *testing.T) {
	t.Parallel()
	old := esarchive.Cluster{Engine: "Elasticsearch", Major: 6}
	place := "4955.3"
	for _, row := range []struct {
		name    string
		cfg     esarchive.Config
		cluster esarchive.Cluster
		want    string
	}{
		{"plain", esarchive.Config{}, esarchive.Cluster{}, `{"index":{"_index":"a-2016-02-25","_id":"4955.3"}}`},
		{"type", esarchive.Config{TypeName: "log"}, old, `{"index":{"_index":"a-2016-02-25","_type":"log","_id":"4955.3"}}`},
		{"no type of Elasticsearch 6", esarchive.Config{}, old, `{"index":{"_index":"a-2016-02-25","_id":"4955.3"}}`},
		{"type of Elasticsearch 7", esarchive.Config{TypeName: "log"}, esarchive.Cluster{Engine: "Elasticsearch", Major: 7}, `{"index":{"_index":"a-2016-02-25","_id":"4955.3"}}`},
		{"type of who does not say", esarchive.Config{TypeName: "log"}, esarchive.Cluster{}, `{"index":{"_index":"a-2016-02-25","_type":"log","_id":"4955.3"}}`},
		{"no ids", esarchive.Config{IDs: esarchive.IDs{None: true}, Operation: esarchive.OpCreate}, esarchive.Cluster{}, `{"create":{"_index":"a-2016-02-25"}}`},
		{"prefix", esarchive.Config{IDs: esarchive.IDs{Prefix: true}}, esarchive.Cluster{}, `{"index":{"_index":"a-2016-02-25","_id":"dca83e717b1f64eb-4955.3"}}`},
		{"routing and pipeline", esarchive.Config{RoutingField: "r", Pipeline: "p"}, esarchive.Cluster{}, `{"index":{"_index":"a-2016-02-25","_id":"4955.3","routing":"x\u0001","pipeline":"p"}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.cfg.IndexName = "a"
			s := &answering{cluster: row.cluster, answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
				return all(list, 201), nil
			}}
			run(t, row.cfg, s, cut{{place, `{"r":"x\u0001"}`, arrivedAt()}})
			if got := s.requests[0][0].Line; got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

// Names of arrivals that are hours apart do not cost more than they are many.
func TestManyHours(t *testing.T) {
	t.Parallel()
	c := plain("s", 300)
	want := make([]string, len(c))
	for i := range c {
		c[i].arrival = arrivedAt().Add(time.Duration(i%150) * time.Hour)
		want[i] = "i" + c[i].arrival.Format("-2006-01-02-15")
	}
	s := &answering{answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		return all(list, 201), nil
	}}
	run(t, esarchive.Config{IndexName: "i", IndexRotationPeriod: esarchive.OneHour}, s, c)
	var got []string
	for _, a := range slices.Concat(s.requests...) {
		got = append(got, a.Index)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
