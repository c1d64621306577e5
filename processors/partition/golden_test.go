//go:build !race

// One goroutine asks all of these; under the race detector that takes minutes.

package partition_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/partition"
	"github.com/shardmill/shardmill/processors/partition/internal/corpus"
)

// The partition key that a program is the query of is what jq 1.6 answers, as it prints it.
func TestExtractAsJQ(t *testing.T) {
	t.Parallel()
	answers, differ, compared := corpus.Answers(t), corpus.Differences(), 0
	for i, q := range corpus.Questions() {
		if differ[q.Program] != "" {
			continue
		}
		x, err := partition.New(partition.Rules{Query: "{k:(" + q.Program + "\n)}"})
		if err != nil {
			if w := answers[i][0]; w != corpus.Refused && w != corpus.Failed {
				t.Errorf("%s: %v", q.Program, err)
			}
			continue
		}
		e := x.Within(time.Minute, 64<<20).Open()
		for j, in := range q.Inputs {
			want := outcome(t, answers[i][j])
			values, _, err := e.Extract(t.Context(), []byte(in))
			var got string
			if f, ok := errors.AsType[*partition.Failure](err); ok {
				got = f.Message
			} else if err != nil {
				t.Fatal(err)
			} else {
				got = string(values[0])
			}
			// After a second result nobody looks for an error, nor for an end.
			const several = "jq: the query has more than one result for this record"
			if got != want && (want != failed || got != several) && (want != corpus.Hangs || !strings.HasPrefix(got, "jq: ")) {
				t.Errorf("%s of %s is %q; jq: %s", q.Program, in, got, answers[i][j])
			}
			compared++
		}
	}
	if compared < 300*50 {
		t.Errorf("%d were compared", compared)
	}
}

// outcome is what follows from an answer of jq.
func outcome(t *testing.T, answer string) string {
	t.Helper()
	switch answer {
	case corpus.Failed, corpus.Refused:
		return failed
	case corpus.Hangs:
		return answer
	}
	var results []json.RawMessage
	if err := json.Unmarshal([]byte(answer), &results); err != nil {
		t.Fatal(err)
	}
	switch {
	case len(results) == 0:
		return "jq: the query has no result for this record"
	case len(results) > 1:
		return "jq: the query has more than one result for this record"
	}
	switch result := string(results[0]); result[0] {
	case '[', '{':
		return notScalar
	case 'n':
		return nullOrEmpty
	case '"':
		var s string
		if err := json.Unmarshal(results[0], &s); err != nil {
			t.Fatal(err)
		}
		if s == "" {
			return nullOrEmpty
		}
		return s
	default:
		return result
	}
}
