//go:build conformance

package jq_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/partition/internal/corpus"
)

var update = flag.Bool("update", false, "write what jq answers to testdata")

// referee returns the path of jq 1.6, which JQ names.
func referee(t *testing.T) string {
	t.Helper()
	path := os.Getenv("JQ")
	if path == "" {
		t.Fatal("JQ must be the path of jq 1.6: scripts/conformance.sh sets it")
	}
	version, err := exec.CommandContext(t.Context(), path, "--version").Output()
	if err != nil || strings.TrimSpace(string(version)) != "jq-1.6" {
		t.Fatalf("%s is %q, %v; it must be jq-1.6", path, version, err)
	}
	return path
}

// theirs answers a question as jq does: by one process for all inputs, if that gives each an
// answer, else by one for each.
func theirs(t *testing.T, path string, q corpus.Question) []string {
	t.Helper()
	if answers, ok := ask(t, path, q.Program, q.Inputs, 5*time.Second); ok {
		return answers
	}
	var answers []string
	for _, in := range q.Inputs {
		one, ok := ask(t, path, q.Program, []string{in}, 3*time.Second)
		if !ok {
			one = []string{corpus.Hangs}
		}
		answers = append(answers, one...)
	}
	return answers
}

func ask(t *testing.T, path, program string, inputs []string, limit time.Duration) (answers []string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	// What does not end takes all memory meanwhile. There are programs that look at the
	// environment.
	cmd := exec.CommandContext(ctx, "bash", "-c", `ulimit -v 500000; exec env -i TZ=UTC PATH=/usr/bin:/bin "$0" "$@"`, path, "-c", "[try ["+program+"\n] catch \"error\"]")
	cmd.Stdin = strings.NewReader(strings.Join(inputs, "\n"))
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 3 {
		for range inputs {
			answers = append(answers, corpus.Refused)
		}
		return answers, true
	}
	if err != nil {
		return nil, false
	}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		if line == `["error"]` {
			line = "[" + corpus.Failed + "]"
		}
		answers = append(answers, line[1:len(line)-1])
	}
	return answers, len(answers) == len(inputs)
}

// jq 1.6 agrees on the corpus, but for what is listed; and what is kept of it is what it answers.
func TestReferee(t *testing.T) {
	t.Parallel()
	path, questions := referee(t), corpus.Questions()
	answers := make([][]string, len(questions))
	var asking sync.WaitGroup
	for worker := range 4 {
		asking.Go(func() {
			for i := worker; i < len(questions); i += 4 {
				answers[i] = theirs(t, path, questions[i])
			}
		})
	}
	asking.Wait()
	if *update {
		if err := os.WriteFile("../corpus/testdata/answers.json.gz", corpus.Pack(t, answers), 0o600); err != nil {
			t.Fatal(err)
		}
		return // what is embedded here is what was kept before
	}
	judge(t, questions, answers)
	for i, kept := range corpus.Answers(t) {
		if !slices.Equal(kept, answers[i]) {
			t.Errorf("%s: jq answers %.200q; kept is %.200q", questions[i].Program, answers[i], kept)
		}
	}
}
