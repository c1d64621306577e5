package errorlines_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/internal/errorlines"
)

const arn = "arn:aws:lambda:us-west-2:123456789012:function:floci-probe-fn-09101322lt"

func encoded(t *testing.T, g errorlines.Generation, lines ...errorlines.Line) string {
	t.Helper()
	var out bytes.Buffer
	e := errorlines.Encoder{Generation: g}
	for i := range lines {
		if err := e.Encode(&out, &lines[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// captured is a record whose line was captured from Firehose.
func captured() errorlines.Line {
	return errorlines.Line{
		Data: []byte("FAIL this one\n"), ErrorCode: "Lambda.ProcessingFailedStatus", ErrorMessage: "ProcessingFailed status set for record",
		AttemptsMade: 1, Arrival: time.UnixMilli(1789014240448), Ended: time.UnixMilli(1789014301529), LambdaARN: arn,
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	const newest = `{"rawData":"RkFJTCB0aGlzIG9uZQo=","errorCode":"Lambda.ProcessingFailedStatus","errorMessage":"ProcessingFailed status set for record",` +
		`"attemptsMade":1,"arrivalTimestamp":1789014240448,"attemptEndingTimestamp":1789014301529,"lambdaARN":"` + arn + `"}` + "\n"
	timedOut := errorlines.Line{
		Data: []byte("a"), ErrorCode: "Lambda.FunctionTimedOut",
		ErrorMessage: "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.",
		AttemptsMade: 4, Arrival: time.UnixMilli(1654710150135), Ended: time.UnixMilli(1654710238263), LambdaARN: arn,
	}
	const older = `{"attemptsMade":4,"arrivalTimestamp":1654710150135,"errorCode":"Lambda.FunctionTimedOut",` +
		`"errorMessage":"The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.",` +
		`"attemptEndingTimestamp":1654710238263,"rawData":"YQ==","lambdaArn":"` + arn + `"}` + "\n"
	for _, row := range []struct {
		name       string
		generation errorlines.Generation
		lines      []errorlines.Line
		want       string
	}{
		{"L3", errorlines.Newest, []errorlines.Line{captured()}, newest},
		{"L4", errorlines.Older, []errorlines.Line{timedOut}, older},
		{"L14", errorlines.Newest, []errorlines.Line{captured(), captured()}, newest + newest},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := encoded(t, row.generation, row.lines...); got != row.want {
				t.Errorf("got  %swant %s", got, row.want)
			}
		})
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                              "",
		"a \"quote\" and \\":            `a \"quote\" and \\`,
		"<a href='x'>&amp;</a>/":        "<a href='x'>&amp;</a>/",
		"\b\t\n\f\r\x00\x1f\x7f":        `\b\t\n\f\r\u0000\u001F` + "\x7f",
		"Grüße 日本 😀 \u2028\u00a0\ufeff": "Grüße 日本 😀 \u2028\u00a0\ufeff",
		"not \xff\xc3 UTF-8":            "not \ufffd\ufffd UTF-8",
	} {
		for _, g := range []errorlines.Generation{errorlines.Newest, errorlines.Older} {
			got := encoded(t, g, errorlines.Line{ErrorCode: "c", ErrorMessage: s})
			if !strings.Contains(got, `"errorMessage":"`+want+`",`) {
				t.Errorf("%q is written as %s", s, got)
			}
		}
	}
}

func TestWithoutATransformAndATime(t *testing.T) {
	t.Parallel()
	l := errorlines.Line{ErrorCode: "c", ErrorMessage: "m", AttemptsMade: 1, Ended: time.UnixMilli(5)}
	for g, want := range []string{
		`{"rawData":"","errorCode":"c","errorMessage":"m","attemptsMade":1,"arrivalTimestamp":0,"attemptEndingTimestamp":5}` + "\n",
		`{"attemptsMade":1,"arrivalTimestamp":0,"errorCode":"c","errorMessage":"m","attemptEndingTimestamp":5,"rawData":""}` + "\n",
	} {
		if got := encoded(t, errorlines.Generation(g), l); got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	}
}

// full fails from the nth write on.
type full struct{ left int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestNoWriteIsLost: whichever write fails, the caller learns of it.
func TestNoWriteIsLost(t *testing.T) {
	t.Parallel()
	for _, g := range []errorlines.Generation{errorlines.Newest, errorlines.Older} {
		e := errorlines.Encoder{Generation: g}
		l := errorlines.Line{Data: make([]byte, 100_000)}
		writes := 0
		for ; ; writes++ {
			err := e.Encode(&full{writes}, &l)
			if err == nil {
				break
			}
			if !errors.Is(err, errFull) {
				t.Fatal(err)
			}
		}
		if writes < 2 {
			t.Errorf("generation %d: a line of 133 KB in %d writes", g, writes)
		}
	}
}

func TestNoAllocations(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	for _, g := range []errorlines.Generation{errorlines.Newest, errorlines.Older} {
		e := errorlines.Encoder{Generation: g}
		l := captured()
		l.Data = make([]byte, 1<<20)
		if n := testing.AllocsPerRun(100, func() { _ = e.Encode(io.Discard, &l) }); n > 0 {
			t.Errorf("generation %d: %v allocations for a line", g, n)
		}
	}
}

// FuzzLines: what encoding/json reads is what was written, each time on one line.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a"), "c", "m", 1, int64(5), int64(6), arn, false)
	f.Add(bytes.Repeat([]byte{0xff}, 24<<10+1), "\x00", "\xff\"\\\u2028", 4, int64(0), int64(0), "", true)
	f.Add(bytes.Repeat([]byte{1, 2}, 40_000), "c", "m", 1, int64(5), int64(6), "", false)
	f.Fuzz(func(t *testing.T, data []byte, code, message string, attempts int, arrival, ended int64, lambda string, older bool) {
		l := errorlines.Line{
			Data: data, ErrorCode: code, ErrorMessage: message, AttemptsMade: attempts,
			Arrival: time.UnixMilli(arrival % 1e15), Ended: time.UnixMilli(ended % 1e15), LambdaARN: lambda,
		}
		g := errorlines.Newest
		if older {
			g = errorlines.Older
		}
		line := encoded(t, g, l)
		if !strings.HasSuffix(line, "}\n") || strings.Count(line, "\n") != 1 {
			t.Fatalf("not one line: %q", line)
		}
		var got struct {
			RawData                                  []byte
			ErrorCode, ErrorMessage                  string
			AttemptsMade                             int
			ArrivalTimestamp, AttemptEndingTimestamp int64
			LambdaARN                                string `json:"lambdaArn"`
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if !bytes.Equal(got.RawData, data) || got.AttemptsMade != attempts || got.ArrivalTimestamp != l.Arrival.UnixMilli() || got.AttemptEndingTimestamp != l.Ended.UnixMilli() {
			t.Errorf("%+v was read as %+v", l, got)
		}
		for text, read := range map[string]string{code: got.ErrorCode, message: got.ErrorMessage, lambda: got.LambdaARN} {
			if string([]rune(text)) != read {
				t.Errorf("%q was read as %q", text, read)
			}
		}
	})
}
