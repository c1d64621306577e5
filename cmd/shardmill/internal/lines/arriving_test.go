package lines_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/lines"
)

const waits = 100 * time.Millisecond

// sentence says what a sequence yields and when.
func sentence(ctx context.Context, in io.Reader) string {
	var out []string
	begun := time.Now()
	for r, err := range (lines.Input{Files: []string{"-"}, Stdin: in}).Arriving(ctx, waits) {
		switch {
		case err != nil:
			out = append(out, err.Error())
		case r.Data == nil:
			out = append(out, fmt.Sprint("waited ", time.Since(begun)))
		default:
			out = append(out, fmt.Sprintf("%s %v", strings.TrimSpace(string(r.Data)), time.Since(begun)))
		}
	}
	return strings.Join(out, ", ")
}

// What arrived is there at once, and after a while it is said that it waits,
// whether or not more arrives meanwhile, once for all that waits.
func TestArriving(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		write func(w io.Writer)
		want  string
	}{
		"nothing":                {func(io.Writer) {}, ""},
		"all at once":            {func(w io.Writer) { say(w, "a\nb\n") }, "a 0s, b 0s"},
		"a line, and silence":    {func(w io.Writer) { say(w, "a\nb\n"); time.Sleep(time.Hour) }, "a 0s, b 0s, waited 100ms"},
		"half a line is no line": {func(w io.Writer) { say(w, "a\nb"); time.Sleep(time.Second); say(w, "c\n") }, "a 0s, waited 100ms, bc 1s"},
		"a steady log": {func(w io.Writer) {
			for range 5 {
				say(w, "a\n")
				time.Sleep(40 * time.Millisecond)
			}
		}, "a 0s, a 40ms, a 80ms, waited 100ms, a 120ms, a 160ms"},
		"a line too long": {func(w io.Writer) { say(w, "a\n"+strings.Repeat("x", lines.MaxBytes)) }, "a 0s, -:2: line is longer than a record may be: at most 1048556 bytes with its newline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, w := io.Pipe()
				go func() { row.write(w); _ = w.Close() }()
				defer func() { _ = r.Close() }()
				if got := sentence(t.Context(), r); got != row.want {
					t.Errorf("got  %s\nwant %s", got, row.want)
				}
			})
		})
	}
}

func say(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

// It ends with its context while its input is silent.
func TestArrivingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		defer func() { _ = w.Close() }()
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(errors.New("told to")) })
		go say(w, "a\n")
		if got, want := sentence(ctx, r), "a 0s, waited 100ms, told to"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// What was read when the context ends is not dropped, be it more than one arrival,
// and nothing more is read.
func TestArrivingYieldsWhatWasRead(t *testing.T) {
	t.Parallel()
	const each = 20_000 // lines of a write: 200 KiB
	for name, then := range map[string]func(io.Writer){
		"and then silence": func(io.Writer) {},
		"and much more":    func(w io.Writer) { say(w, strings.Repeat("some line\n", 100*each)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, w := io.Pipe()
				defer func() { _ = r.Close(); _ = w.Close() }()
				go func() { say(w, strings.Repeat("some line\n", each)); then(w) }()
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				n, ended := 0, false
				for record, err := range (lines.Input{Files: []string{"-"}, Stdin: r}).Arriving(ctx, 100*time.Millisecond) {
					switch {
					case err != nil:
						ended = errors.Is(err, context.Canceled)
					case record.Data != nil:
						n++
						cancel(context.Canceled)
					}
				}
				if n < each || n > 10*each || !ended {
					t.Errorf("%d lines, want the %d that were read; did it say why it ended? %v", n, each, ended)
				}
			})
		})
	}
}

// A reader that hears of larger records reads them.
func TestRecordsOfAStreamWithLargeOnes(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 3*lines.MaxBytes) + "\nb\n"
	n := 0
	for r, err := range (lines.Input{Files: []string{"-"}, Stdin: strings.NewReader(text), MaxBytes: 4 * lines.MaxBytes}).Records() {
		if n += len(r.Data); err != nil {
			t.Error(err)
		}
	}
	if n != len(text) {
		t.Errorf("%d bytes of %d", n, len(text))
	}
}
