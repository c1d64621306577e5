package sqltext_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/localaws/internal/sqltext"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{" ; ;\n", nil},
		{"SELECT 1", []string{"SELECT 1"}},
		{"BEGIN; SELECT ';' -- a;b\n; END;", []string{"BEGIN", "SELECT ';' -- a;b", "END"}},
		{`SELECT "a;""b" /* ; */ FROM t;`, []string{`SELECT "a;""b" /* ; */ FROM t`}},
		{"SELECT 'it''s;'", []string{"SELECT 'it''s;'"}},
	} {
		got, err := sqltext.Split(test.text)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("Split(%q) = %q, %v; want %q", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{"SELECT 'a", `SELECT "a`, "SELECT #", "\x00"} {
		if got, err := sqltext.Split(text); err == nil {
			t.Errorf("Split(%q) = %q, want an error", text, got)
		}
	}
}

// FuzzTokens reads texts: tokens lie one after another, and statements that are put together
// again are the same ones.
func FuzzTokens(f *testing.F) {
	for _, text := range []string{"", "SELECT 'a''b', \"c\" FROM d.e; -- x", "1.5e3::int <> /* */ -.5", "é''\x00", "COPY a FROM 's3://b' x;"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := sqltext.Tokens(text)
		if err != nil {
			return
		}
		at := 0
		for _, token := range tokens {
			if token.At < at || token.Next < token.At || token.Next > len(text) {
				t.Fatalf("the token %+v of %q begins before %d", token, text, at)
			}
			at = token.Next
		}
		if last := tokens[len(tokens)-1]; last.Kind != sqltext.End {
			t.Fatalf("the last token of %q is %+v", text, last)
		}
		list, err := sqltext.Split(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := sqltext.Split(strings.Join(list, "\n;"))
		if err != nil || cmp.Diff(list, again) != "" {
			t.Errorf("of %q the statements are %q, and once more %q, %v", text, list, again, err)
		}
	})
}
