package jq_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

// golden is what jq 1.6 answers to the corpus: TestReferee holds it to jq.
const golden = "testdata/answers.json.gz"

func readGolden(t *testing.T) (answers [][]string) {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(read(t, golden)))
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(r); ; {
		var a []string
		if err := dec.Decode(&a); errors.Is(err, io.EOF) {
			return answers
		} else if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
}

func packed(t *testing.T, answers [][]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, a := range answers {
		if err := enc.Encode(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What jq 1.6 answered to the corpus is answered here, but for what is listed.
func TestGolden(t *testing.T) {
	t.Parallel()
	judge(t, corpus(t), readGolden(t))
}

// judge compares answers with jq's. A difference must be in differs.tsv, and what is there must differ.
func judge(t *testing.T, questions []question, answers [][]string) {
	t.Helper()
	listed := differences(t)
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	compared := 0
	for i, q := range questions {
		how, where := compare(t, q, answers[i])
		if compared += len(answers[i]); how != listed[q.program] {
			t.Errorf("%s: %q, and listed as %q: %s", q.program, how, listed[q.program], where)
		}
		delete(listed, q.program)
	}
	for program := range listed {
		t.Errorf("%s is listed, and not in the corpus", program)
	}
	if compared < 300*50 {
		t.Errorf("%d answers were compared", compared)
	}
}

func differences(t *testing.T) map[string]string {
	t.Helper()
	listed := map[string]string{}
	for line := range strings.Lines(read(t, "testdata/differs.tsv")) {
		if how, program, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			listed[program] = how
		}
	}
	return listed
}

// compare tells how our answers differ from jq's, and where.
func compare(t *testing.T, q question, want []string) (how, where string) {
	t.Helper()
	got, why := ours(t, q)
	fails := !slices.ContainsFunc(want, func(s string) bool { return s != failed })
	if f, byName := errors.AsType[*jq.Fault](why); why != nil {
		if want[0] != refused && byName && strings.Contains(f.Reason, "cannot be used here") {
			return "refused", f.Reason
		}
		if want[0] != refused && !fails {
			return "wrong", why.Error()
		}
		return "", ""
	}
	if want[0] == refused { // as what jq computes when it compiles, which may fail
		if slices.ContainsFunc(got, func(s string) bool { return s != failed }) {
			return "taken", "jq refuses it"
		}
		return "", ""
	}
	for i, w := range want {
		where = q.inputs[i] + ": " + got[i] + "; jq: " + w
		switch {
		case got[i] == w, w == hangs && got[i] == failed:
		case w == hangs:
			return "stopped", where
		case got[i] == failed && (strings.Contains(q.program, "match") || strings.Contains(q.program, "test(") || strings.Contains(q.program, "fromjson")):
			return "unsupported", where
		case got[i] != failed && strings.Contains(q.program, "catch"):
			how = "text"
		default:
			return "wrong", where
		}
	}
	return how, where
}
