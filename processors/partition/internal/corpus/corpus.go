// Package corpus has questions to jq 1.6 and its answers, for tests: programs of jq's own tests and
// manual, and some of ours, with the inputs that each is run on.
package corpus

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

var (
	//go:embed testdata/queries.tsv
	queries string
	//go:embed testdata/edges.tsv
	edges string
	//go:embed testdata/records.ndjson
	records string
	//go:embed testdata/differs.tsv
	differs string
	//go:embed testdata/answers.json.gz
	answers []byte
)

// Question is a program and the inputs that it is run on.
type Question struct {
	Program string
	Inputs  []string
}

// The answers that are no list of results.
const (
	Refused = "refused" // the program cannot be compiled
	Failed  = "error"
	Hangs   = "hangs" // or the process ends
)

// few is on how many of the records our programs are run.
const few = 8

// Questions returns jq's programs, each on the inputs that it has there and on the common
// records, and then ours, on few.
func Questions() []Question {
	common := strings.Split(strings.TrimSuffix(records, "\n"), "\n")
	return append(read(queries, common), read(edges, append([]string{"null"}, common[:few]...))...)
}

func read(text string, common []string) (list []Question) {
	unescape := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# ") {
			continue
		}
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i := range fields {
			fields[i] = unescape.Replace(fields[i])
		}
		list = append(list, Question{fields[0], append(fields[1:], common...)})
	}
	return list
}

// Differences returns how the answers here differ from jq's, by programs, as it is written.
func Differences() map[string]string {
	listed := map[string]string{}
	for line := range strings.Lines(differs) {
		if how, program, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			listed[program] = how
		}
	}
	return listed
}

// Answers returns what jq 1.6 answered to each question, for each input: a list of results as it prints
// them, or one of the others.
func Answers(t testing.TB) (list [][]string) {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(answers))
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(r); ; {
		var a []string
		if err := dec.Decode(&a); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
}

// Pack is the reverse of Answers.
func Pack(t testing.TB, list [][]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, a := range list {
		if err := enc.Encode(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
