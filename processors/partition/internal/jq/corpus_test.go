package jq_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

// question is a program and the inputs that it is run on.
type question struct {
	program string
	inputs  []string
}

// edges is on how many of the records our programs are run.
const edges = 8

// corpus reads the programs of jq's tests and manual, and ours: each with the common records and those that it has
// there.
func corpus(t testing.TB) []question {
	t.Helper()
	records := strings.Split(strings.TrimSuffix(read(t, "testdata/records.ndjson"), "\n"), "\n")
	unescape := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`)
	var questions []question
	own := false
	for line := range strings.Lines(read(t, "testdata/queries.tsv") + read(t, "testdata/edges.tsv")) {
		if strings.HasPrefix(line, "# ") {
			own = strings.Contains(line, "of ours")
			continue
		}
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i := range fields {
			fields[i] = unescape.Replace(fields[i])
		}
		if own {
			questions = append(questions, question{fields[0], append([]string{"null"}, records[:edges]...)})
			continue
		}
		questions = append(questions, question{fields[0], append(fields[1:], records...)})
	}
	if len(questions) < 400 || len(records) < 50 {
		t.Fatalf("the corpus has %d programs and %d records", len(questions), len(records))
	}
	return questions
}

func read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The answers that are no list of results.
const (
	refused = "refused" // the program cannot be compiled
	failed  = "error"
	hangs   = "hangs" // or takes more memory than there is
)

var limits = jq.Limits{Time: 3 * time.Second, Memory: 64 << 20}

// ours answers a question as the package does, with why a program is refused.
func ours(t testing.TB, q question) (answers []string, why error) {
	t.Helper()
	parsed, err := jq.Parse(q.program)
	if err != nil {
		return nil, err
	}
	p, err := jq.Compile(parsed)
	if err != nil {
		return nil, err
	}
	r, err := p.Open(limits)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range q.inputs {
		answers = append(answers, answer(t.Context(), r, in))
	}
	return answers, nil
}

func answer(ctx context.Context, r *jq.Runner, in string) string {
	text := []byte("[")
	err := r.Run(ctx, []byte(in), func(v any) bool {
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = r.Print(text, v)
		return true
	})
	switch {
	case errors.Is(err, jq.ErrFailed):
		return failed
	case errors.Is(err, jq.ErrTime), errors.Is(err, jq.ErrMemory):
		return hangs
	case err != nil:
		return err.Error()
	}
	return string(append(text, ']'))
}
