package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
	"github.com/shardmill/shardmill/processors/redshiftarchive/internal/ledger"
)

// A literal is one, whatever the text has: with its ends taken off, each quote has another.
func TestLiteral(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`['\\a;-]{0,20}`), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		got, err := ledger.Literal(text)
		if err != nil {
			if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\\' || r >= 0x7f }) {
				t.Fatalf("%q is refused: %v", text, err)
			}
			return
		}
		inner, ok := strings.CutPrefix(got, "'")
		inner, closed := strings.CutSuffix(inner, "'")
		if !ok || !closed || strings.ReplaceAll(inner, "''", "'") != text || strings.Contains(strings.ReplaceAll(inner, "''", ""), "'") || strings.Contains(got, `\`) {
			t.Fatalf("%q became %s", text, got)
		}
	})
	for _, bad := range []string{`a\`, "a\nb", "a\x00", "\xff", "a\x7f"} {
		if got, err := ledger.Literal(bad); err == nil {
			t.Errorf("%q became %s", bad, got)
		}
	}
}

// However many objects there are, all are asked for and entered, once, in statements that the
// Data API takes.
func TestStatements(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 128, 999, 1000} {
		long := ""
		if n == 128 { // one cut with the longest keys
			long = strings.Repeat("k", 1000)
		}
		in := redshiftarchive.LedgerTry{Table: `"a b".ledger`, Manifest: "s3://b/" + strings.Repeat("m", 200)}
		for i := range n {
			in.Objects = append(in.Objects, fmt.Sprintf("s3://b/o'%05d%s.gz", i, long))
		}
		s, err := ledger.For(in)
		if err != nil {
			t.Fatal(err)
		}
		all, known, guard := strings.Join(s.Insert, "\n"), strings.Join(s.Known, "\n"), strings.Join(s.Guard, "\n")
		for _, o := range in.Objects {
			quoted := "'" + strings.ReplaceAll(o, "'", "''") + "'"
			if strings.Count(all, "("+quoted+", ") != 1 || strings.Count(known, quoted) != 1 || strings.Count(guard, quoted) != 1 {
				t.Fatalf("%s is not there once", o)
			}
		}
		for _, sql := range slices.Concat(s.Insert, []string{s.Lock}, s.Known, s.Guard) {
			if len(sql) > 100_000 || !strings.Contains(sql, ` "a b".ledger`) {
				t.Errorf("%d bytes: %.80s", len(sql), sql)
			}
		}
		if n == 1000 && len(s.Insert) < 2 {
			t.Errorf("%d objects are entered by %d statements", n, len(s.Insert))
		}
		if n == 128 && (len(s.Known) < 2 || len(s.Guard) < 2) {
			t.Errorf("%d objects with long keys are asked for by %d and %d statements", n, len(s.Known), len(s.Guard))
		}
	}
	for _, bad := range []redshiftarchive.LedgerTry{{Table: "l", Manifest: "m"}, {Table: "l", Objects: []string{`\`}}, {Table: "l", Objects: []string{"o"}, Manifest: "\n"}} {
		if _, err := ledger.For(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	if got, err := ledger.Known([]string{"a", "b"}, []string{"b  ", "b"}); err != nil || !slices.Equal(got, []string{"b"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := ledger.Known([]string{"a"}, nil); err != nil || len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := ledger.Known([]string{"a"}, []string{"A"}); err == nil {
		t.Error("another object is taken")
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"events": "events", "public.events": "public.events", "a b": `"a b"`, `"A".b`: `"A".b`, "s.a-b": `s."a-b"`, "1a": `"1a"`, "": `""`,
	} {
		if got := ledger.Name(name); got != want {
			t.Errorf("%q became %s; want %s", name, got, want)
		}
	}
}
