//go:build conformance

package jq_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/partition/internal/corpus"
	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

// Classes that are taken beyond ASCII have what jq's have, of all characters; the others within ASCII.
func TestRefereeClasses(t *testing.T) {
	t.Parallel()
	path := referee(t)
	for limit, classes := range map[string]string{
		"128":     "alpha digit alnum upper lower space blank punct cntrl graph print xdigit word ascii",
		"1114112": "space blank cntrl xdigit ascii",
	} {
		for class := range strings.FieldsSeq(classes) {
			q := corpus.Question{
				Program: `[range(` + limit + `)|select(. < 55296 or . > 57343)|select([.]|implode|test("[[:` + class + `:]]"))]`,
				Inputs:  []string{"null"},
			}
			want, ok := ask(t, path, q.Program, q.Inputs, time.Minute)
			got := answer(t.Context(), runner(t, q.Program, jq.Limits{Time: time.Minute, Memory: 8 << 30}), "null")
			if !ok || want[0] == "[]" || got != want[0] {
				t.Errorf("%s below %s is %v; jq: %v", class, limit, got, want)
			}
		}
	}
}
