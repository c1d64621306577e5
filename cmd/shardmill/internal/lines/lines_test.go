package lines_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", lines.MaxBytes-21)
	tests := []struct {
		name, in string
		want     []string
		err      string
	}{
		{name: "lines keep their newline", in: "a\nb\n", want: []string{"a\n", "b\n"}},
		{name: "a last line without one gets it", in: "a\nb", want: []string{"a\n", "b\n"}},
		{name: "CRLF and empty lines are kept", in: "a\r\n\n\r\nb\n", want: []string{"a\r\n", "\n", "\r\n", "b\n"}},
		{name: "nothing", in: ""},
		{name: "the longest line", in: long + "\nb\n", want: []string{long + "\n", "b\n"}},
		{name: "the longest line, at the end", in: long, want: []string{long + "\n"}},
		{name: "one byte more stops", in: "a\n" + long + "x\nb\n", want: []string{"a\n"}, err: "-:2: line is longer than a record may be: at most 1048556 bytes with its newline"},
		{name: "and without a newline", in: "a\n" + long + "x", want: []string{"a\n"}, err: "-:2: line is longer than a record may be: at most 1048556 bytes with its newline"},
		{name: "a line that never ends", in: strings.Repeat("x", 3*lines.MaxBytes), err: "-:1: line is longer than a record may be: at most 1048556 bytes with its newline"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			var failed error
			for r, err := range (lines.Input{Files: []string{"-"}, Stdin: strings.NewReader(tt.in)}).Records() {
				if failed = err; err == nil {
					got = append(got, string(r.Data))
				}
			}
			if fmt.Sprintf("%.60q", got) != fmt.Sprintf("%.60q", tt.want) || len(got) != len(tt.want) {
				t.Errorf("got %.60q, want %.60q", got, tt.want)
			}
			if msg := ""; failed != nil || tt.err != "" {
				if failed != nil {
					msg = failed.Error()
				}
				if msg != tt.err || !errors.Is(failed, lines.ErrTooLong) {
					t.Errorf("got  %q\nwant %q", msg, tt.err)
				}
			}
		})
	}
}

func TestCheckNamesEveryFault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if err := os.WriteFile(good, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := lines.Input{Files: []string{good, "-", filepath.Join(dir, "none"), dir, "-"}}.Check()
	want := fmt.Sprintf("stat %s: no such file or directory\n%s is a directory; name files, or - for standard input\n"+
		"- is given more than once; standard input can be read only once", filepath.Join(dir, "none"), dir)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := (lines.Input{Files: []string{good, "-"}}).Check(); err != nil {
		t.Error(err)
	}
}
