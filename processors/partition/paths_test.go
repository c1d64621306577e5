package partition_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/partition"
)

// bothWays is rules around jq, and by jq alone.
type bothWays struct {
	rules       partition.Rules
	plain, slow *partition.Extractor
}

// pathRules are those of which both ways must find the same.
func pathRules(tb testing.TB) []bothWays {
	tb.Helper()
	var list []bothWays
	for _, r := range []partition.Rules{
		{Query: `{k:.a}`, EventTime: ".b"},
		{Query: `{k:.a.b,l:.a["c"],m:.a}`, EventTime: ".a.b"},
		{Query: `{k:.a[0].b,l:.a[1],m:."é\n"}`, EventTime: ".a[0]"},
		{Query: `{k:.,l:.a}`, EventTime: "."},
		{Query: `{a,"b",c:.a.b.a.b[1][0]}`, EventTime: ".c"},
		{EventTime: ".a"},
	} {
		plain, err := partition.New(r)
		if err != nil {
			tb.Fatal(err)
		}
		slow, err := partition.Slow(r)
		if err != nil {
			tb.Fatal(err)
		}
		if !plain.Plain() || slow.Plain() {
			tb.Fatalf("%+v: not both ways", r)
		}
		list = append(list, bothWays{r, plain.Open(), slow.Open()})
	}
	return list
}

type fataler interface {
	Context() context.Context
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// same finds what is in a record both ways.
func (w bothWays) same(t fataler, record []byte) {
	if got, want := find(t, w.plain, record), find(t, w.slow, record); got != want {
		t.Errorf("%+v of %q is %q; by jq %q", w.rules, record, got, want)
	}
}

func find(t fataler, e *partition.Extractor, record []byte) string {
	values, at, err := e.Extract(t.Context(), record)
	if err != nil {
		f, ok := errors.AsType[*partition.Failure](err)
		if !ok {
			t.Fatal(err)
		}
		return f.Message
	}
	return string(bytes.Join(values, []byte("|"))) + " at " + at.String()
}

func quoted(s string) []byte {
	data, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`)
	}
	return data
}

// text draws a JSON text: members of few names, which occur again, escapes, numbers of all
// spellings, and now and then what is none.
func text(t *rapid.T, depth int) string {
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n\t"}).Draw(t, "space")
	kinds := 8
	if depth == 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0:
		return space + rapid.SampledFrom([]string{"null", "true", "false", "nul", "tru", "", "NaN"}).Draw(t, "word")
	case 1, 2:
		return space + rapid.SampledFrom([]string{
			"0", "-0", "1", "-1", "1.0", "1e5", "1E-7", "1e17", "123456789012345", "1234567890123456", "9007199254740993", "1e1000", "-1e400", "0.1",
			"1565382027", "1565382027000.5", "01", "1.", "-", "1e", "5e-324", "1.7976931348623157e308", "100000000000000000000000",
		}).Draw(t, "number")
	case 3, 4, 5, 6:
		return space + `"` + rapid.SampledFrom([]string{
			"", "x", "x/y", "é", `\u00e9`, `\n`, `\"`, `\\`, "a|b", "2026-01-02T03:04:05Z", "12345", `\ud83d\ude00`, `\udc00`, `\ud800`, "\xff", "\xe2\x82",
			`\u0000`, "\x1f", "a long one, longer than eight bytes", "a long one with é in it, and more", "long, with an escape \\t in it", "\x7f", `\x`,
		}).Draw(t, "string") + `"`
	case 7:
		elements := make([]string, rapid.IntRange(0, 3).Draw(t, "elements"))
		for i := range elements {
			elements[i] = text(t, depth-1)
		}
		return space + "[" + strings.Join(elements, ",") + space + "]"
	}
	members := make([]string, rapid.IntRange(0, 4).Draw(t, "members"))
	for i := range members {
		name := rapid.SampledFrom([]string{`"a"`, `"b"`, `"c"`, `"\u0061"`, `"\u0062"`, `"é\n"`, `"\u00e9\u000a"`, `"aa"`, `""`, "\"\xff\"", "a"}).Draw(t, "name")
		members[i] = name + space + ":" + text(t, depth-1)
	}
	return space + "{" + strings.Join(members, ","+space) + "}" + space
}

// Plain paths find what jq finds.
func TestPlainPaths(t *testing.T) {
	t.Parallel()
	list := pathRules(t)
	rapid.Check(t, func(t *rapid.T) {
		record := text(t, 5)
		for _, w := range list {
			w.same(t, []byte(record))
		}
	})
}

// FuzzFastPath: plain paths find what jq finds in whatever a record is.
func FuzzFastPath(f *testing.F) {
	for _, s := range []string{
		`{"a":{"b":1},"b":2,"c":"x"}`, `{"a":[{"b":"x"},2],"\u0061":3}`, `{"a":1,"a":{"b":1e5,"c":-0.0}}`, `"x"`, `1e1000`, `[]`, `{"é\n":"\ud83d\ude00"}`,
		`{"a":"\udc00","b":"2026-01-02T03:04:05Z"}`, "{\"a\":\"\xff\"}", `{"a":{"b":{"a":{"b":[1,[2]]}}}}`, `{} {}`, "not json", `{"a":null}`, ``,
	} {
		f.Add([]byte(s))
	}
	list := pathRules(f)
	f.Fuzz(func(t *testing.T, record []byte) {
		for _, w := range list {
			w.same(t, record)
		}
	})
}
