package jq_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/partition/internal/corpus"
	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

// What jq 1.6 answered to the corpus is answered here, but for what is listed.
func TestGolden(t *testing.T) {
	t.Parallel()
	judge(t, corpus.Questions(), corpus.Answers(t))
}

// judge compares answers with jq's. A difference must be in differs.tsv, and what is there must differ.
func judge(t *testing.T, questions []corpus.Question, answers [][]string) {
	t.Helper()
	listed := corpus.Differences()
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	compared := 0
	for i, q := range questions {
		how, where := compare(t, q, answers[i])
		if compared += len(answers[i]); how != listed[q.Program] {
			t.Errorf("%s: %q, and listed as %q: %s", q.Program, how, listed[q.Program], where)
		}
		delete(listed, q.Program)
	}
	for program := range listed {
		t.Errorf("%s is listed, and not in the corpus", program)
	}
	if compared < 300*50 {
		t.Errorf("%d answers were compared", compared)
	}
}

// compare tells how our answers differ from jq's, and where.
func compare(t *testing.T, q corpus.Question, want []string) (how, where string) {
	t.Helper()
	got, why := ours(t, q)
	fails := !slices.ContainsFunc(want, func(s string) bool { return s != corpus.Failed })
	if f, byName := errors.AsType[*jq.Fault](why); why != nil {
		if want[0] != corpus.Refused && byName && strings.Contains(f.Reason, "cannot be used here") {
			return "refused", f.Reason
		}
		if want[0] != corpus.Refused && !fails {
			return "wrong", why.Error()
		}
		return "", ""
	}
	if want[0] == corpus.Refused { // as what jq computes when it compiles, which may fail
		if slices.ContainsFunc(got, func(s string) bool { return s != corpus.Failed }) {
			return "taken", "jq refuses it"
		}
		return "", ""
	}
	for i, w := range want {
		where = q.Inputs[i] + ": " + got[i] + "; jq: " + w
		switch {
		case got[i] == w, w == corpus.Hangs && got[i] == corpus.Failed:
		case w == corpus.Hangs:
			return "stopped", where
		case got[i] == corpus.Failed && (strings.Contains(q.Program, "match") || strings.Contains(q.Program, "test(") || strings.Contains(q.Program, "fromjson")):
			return "unsupported", where
		case got[i] == corpus.Failed && w == "[[]]":
			return "caught", where
		case got[i] != corpus.Failed && strings.Contains(q.Program, "catch"):
			how = "text"
		default:
			return "wrong", where
		}
	}
	return how, where
}
