package jq_test

import (
	"testing"

	"github.com/shardmill/shardmill/processors/partition/internal/corpus"
)

// What Go's expressions would answer otherwise fails.
func TestExpressionsThatFail(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]string{
		`"ß"|test("ss";"i")`:             corpus.Failed,
		`"ss"|test("ß";"i")`:             corpus.Failed,
		`"Straße"|test("str")`:           "[false]",
		`"É"|test("é";"i")`:              "[true]",
		`"é"|test("[[:alpha:]]")`:        corpus.Failed,
		`"e"|test("[[:alpha:]]")`:        "[true]",
		`"é"|test("[^[:alpha:]]")`:       corpus.Failed,
		`"x\u00a0y"|test("[[:space:]]")`: "[true]",
		`"é"|test("[[:xdigit:]]")`:       "[false]",
		`"x"|test("[[:^space:]]")`:       corpus.Failed,
		`"\u000b"|test("\\v")`:           corpus.Failed,
		`[range(128)|[.]|implode|test("[[:punct:]]")|select(.)]|length`: "[23]",
		`"é"|test("\\w")`:             "[true]",
		`"a\n"|test("a$")`:            corpus.Failed,
		`"é b"|test("\\bb")`:          corpus.Failed,
		`"ab"|test("(?=b)")`:          corpus.Failed,
		`"aa"|test("(a)\\1")`:         corpus.Failed,
		`"a]"|test("[]a]")`:           corpus.Failed,
		`"a"|test("[a&&b]")`:          corpus.Failed,
		`"a"|test("^*a")`:             corpus.Failed,
		`"x"*1048577|test("x")`:       corpus.Failed,
		`"a b#c"|test("a b # x";"x")`: "[false]",
		`"ab"|test("a b # x";"x")`:    "[true]",
	} {
		got, why := ours(t, corpus.Question{Program: program, Inputs: []string{"null"}})
		if why != nil || got[0] != want {
			t.Errorf("%s is %v, %v; want %s", program, got, why, want)
		}
	}
}
