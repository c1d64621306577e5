package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
	"github.com/shardmill/shardmill/processors"
)

// fates are one of each kind, of six records.
func fates() []processors.Fate {
	return []processors.Fate{
		{Record: 0, Data: []byte("{\"a\":\"<é>\"}\n"), Prefix: "a=1/"},
		{Record: 1, Part: 0, Data: []byte("x\ny\x1b[31m"), Prefix: ""},
		{Record: 1, Part: 1, Data: []byte{0xff, 0, 1}, Prefix: "a=1/"},
		{Record: 2, Data: []byte(`{"rawData":"eA=="}` + "\n"), Prefix: "errors/", ErrorOutputType: "processing-failed", ErrorCode: "Lambda.FunctionError", ErrorMessage: "it\nfailed"},
		{Record: 3, Dropped: true},
		{Record: 4, Nothing: true},
		{Record: 5, Data: []byte(strings.Repeat("é", 150)), Prefix: "b/"},
		{Record: 6, Data: []byte{}, Prefix: "b/"},
	}
}

// told prints fates, and returns what is printed, what is said of all of it, and how it ends.
func told(asJSON bool, all []processors.Fate) (out, said string, err error) {
	var o, e bytes.Buffer
	t := trial{json: asJSON, s: stdio{out: &o, err: &e}, prefixes: map[string]bool{}}
	records := 0
	for _, f := range all {
		t.tell(f)
		records = max(records, f.Record+1)
	}
	err = t.end(records)
	return o.String(), e.String(), err
}

func TestTrialForPeople(t *testing.T) {
	t.Parallel()
	out, said, err := told(false, fates())
	want := `record 1 -> a=1/: {"a":"<é>"}
record 2 -> (no prefix): x\ny\x1b[31m
record 2, part 2 -> a=1/: 3 bytes that are no text
record 3: FAILED -> errors/: Lambda.FunctionError: it\nfailed
record 4: dropped by the transform
record 5: nothing to deliver
record 6 -> b/: ` + strings.Repeat("é", 100) + `… (300 bytes)
record 7 -> b/: ` + `
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if said != "7 records: 5 delivered under 3 prefixes, 1 failed, 1 dropped, 1 without anything to deliver\n" {
		t.Errorf("it says %q", said)
	}
	if err == nil || err.Error() != "transform: 1 record would go into error objects" {
		t.Errorf("it ends with %v", err)
	}
	if _, said, err := told(false, fates()[:1]); err != nil || said != "1 record: 1 delivered under 1 prefix\n" {
		t.Errorf("of one: %q, %v", said, err)
	}
}

func TestTrialForPrograms(t *testing.T) {
	t.Parallel()
	out, _, err := told(true, fates())
	want := `{"record":1,"part":1,"prefix":"a=1/","data":"{\"a\":\"<é>\"}\n","bytes":13}
{"record":2,"part":1,"data":"x\ny\u001b[31m","bytes":8}
{"record":2,"part":2,"prefix":"a=1/","dataBase64":"/wAB","bytes":3}
{"record":3,"part":1,"prefix":"errors/","data":"{\"rawData\":\"eA==\"}\n","bytes":19,"errorOutputType":"processing-failed","errorCode":"Lambda.FunctionError","errorMessage":"it\nfailed"}
{"record":4,"part":1,"dropped":true}
{"record":5,"part":1,"nothing":true}
{"record":6,"part":1,"prefix":"b/","data":"` + strings.Repeat("é", 150) + `","bytes":300}
{"record":7,"part":1,"prefix":"b/","data":"","bytes":0}
`
	if diff := cmp.Diff(want, out); diff != "" || err == nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

// A write that fails is no success.
func TestTrialThatCannotBePrinted(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	one := trial{s: stdio{out: failing{full}, err: &bytes.Buffer{}}, prefixes: map[string]bool{}}
	one.tell(processors.Fate{})
	if err := one.end(1); !errors.Is(err, full) {
		t.Errorf("it ends with %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// What is read of the input, and what of it is refused.
func TestRecordsOfATrial(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"two": "a\nb", "empty": "", "base64": "YQ==\n\r\n" + base64.StdEncoding.EncodeToString([]byte("b\n")) + "\r\n", "large": strings.Repeat("x", mostTriedBytes+1), "full": strings.Repeat("x", mostTriedBytes), "rest": strings.Repeat("x", mostTried-6*mostTriedBytes)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2016, 2, 25, 13, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		flags trialFlags
		files []string
		want  []string // the data, or one error
		fails bool
	}{
		"lines":                {trialFlags{}, []string{"two", "-"}, []string{"a\n", "b\n", "in\n"}, false},
		"nothing":              {trialFlags{}, []string{"empty"}, nil, false},
		"files":                {trialFlags{raw: true}, []string{"two", "empty", "-"}, []string{"a\nb", "", "in"}, false},
		"base64":               {trialFlags{base64: true}, []string{"base64"}, []string{"a", "", "b\n"}, false},
		"no base64":            {trialFlags{base64: true}, []string{"base64", "two"}, []string{"two:1: it is not base64: illegal base64 data at input byte 0"}, true},
		"a record too large":   {trialFlags{raw: true}, []string{"large"}, []string{"transform: large has more than 10 MiB; a record has at most so many"}, true},
		"a line too long":      {trialFlags{}, []string{"large"}, []string{"large:1: line is longer than a record may be: at most 10485740 bytes with its newline"}, true},
		"more than are tried":  {trialFlags{raw: true}, many("full", 7), []string{"transform: the records have more than 64 MiB; give fewer"}, true},
		"as many as are tried": {trialFlags{raw: true}, append(many("full", 6), "rest"), append(many(strings.Repeat("x", mostTriedBytes), 6), strings.Repeat("x", mostTried-6*mostTriedBytes)), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := lines.Input{Stdin: strings.NewReader("in"), MaxBytes: mostTriedBytes}
			for _, f := range row.files {
				if f != "-" {
					f = filepath.Join(dir, f)
				}
				in.Files = append(in.Files, f)
			}
			row.flags.at = instant{at, true}
			records, err := row.flags.read(t.Context(), in, stdio{in: strings.NewReader("in"), err: &bytes.Buffer{}})
			var got []string
			for _, r := range records {
				got = append(got, string(r.Data))
				if !r.ApproximateArrivalTimestamp.Equal(at) {
					t.Errorf("it arrived at %v", r.ApproximateArrivalTimestamp)
				}
			}
			if err != nil {
				got = []string{strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")}
			}
			if !cmp.Equal(row.want, got) || (err != nil) != row.fails {
				t.Errorf("got %.300q, %v\nwant %.300q", got, err, row.want)
			}
		})
	}
}

func many(s string, n int) (out []string) {
	for range n {
		out = append(out, s)
	}
	return out
}
