package jsontext_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/partition/internal/jsontext"
)

func TestAppendNumber(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]float64{
		"0": 0, "-0": math.Copysign(0, -1), "1": 1, "-17": -17, "0.1": 0.1, "0.5": 0.5, "123.456": 123.456, "1e-05": 1e-5, "0.0001": 1e-4, "0.00012": 1.2e-4,
		"1.5e-07": 1.5e-7, "999999999999999": 999999999999999, "1000000000000000": 1e15, "1e+16": 1e16, "1e+17": 1e17, "12e+100": math.NaN(),
		"12345678901234567000": 12345678901234567890, "1.7976931348623157e+308": math.Inf(1), "-1.7976931348623157e+308": math.Inf(-1), "5e-324": 5e-324,
		"9007199254740992": 9007199254740993, "1.2e+17": 1.2e17, "12000000000000000": 1.2e16, "1e+100": 1e100, "1.1e-100": 1.1e-100, "100000": 1e5,
	} {
		if f != f {
			want = "null"
		}
		if got := string(jsontext.AppendNumber([]byte("x"), f)); got != "x"+want {
			t.Errorf("%v is %s, want %s", f, got[1:], want)
		}
	}
}

// A number that is printed is read as what it was, and is one of JSON.
func TestNumberProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if f != f || math.IsInf(f, 0) {
			return
		}
		text := jsontext.AppendNumber(nil, f)
		if got := jsontext.ParseNumber(text); got != f || !json.Valid(text) || jsontext.Number(text, 0) != len(text) {
			t.Errorf("%v is %s, which is %v", f, text, got)
		}
	})
}

// What is skipped is what is decoded.
func FuzzDecode(f *testing.F) {
	deep := strings.Repeat("[", 256) + strings.Repeat("]", 256)
	for _, s := range []string{
		`{"a":[1,-2.5e+3,"x\n\u00e9\ud83d\ude00",true,false,null],"b":{}}`, " [ ] ", "1 2", "", "nul", `"\ud800"`, `"\udc00"`, "\"\xff\"", `{"a":1,"a":2}`, deep, "[" + deep + "]",
		`{"a":1,}`, `[1,]`, `{"a"}`, "01", "1.", "-", `"a`, "\"\x1f\"", "\"\x7f\"", `"\u00"`, `"eight by\"tes"`, `"é eight bytes"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := jsontext.Decode(data, func(object map[string]any, names []string) {
			if len(names) != len(object) {
				t.Errorf("%q: %d names of %d members", data, len(names), len(object))
			}
		}, func(int) error { return nil })
		ok := err == nil
		end := jsontext.Value(data, jsontext.Skip(data, 0), 0)
		if skipped := end >= 0 && jsontext.Skip(data, end) == len(data); skipped != ok {
			t.Errorf("%q is decoded: %v; skipped: %v", data, ok, skipped)
		}
		var want any
		valid := json.Unmarshal(data, &want) == nil
		switch {
		case ok && !json.Valid(data):
			t.Errorf("%q is not JSON", data)
		case valid && !ok && !strings.Contains(strings.ToLower(string(data)), `\ud`) && strings.Count(string(data), "[")+2*strings.Count(string(data), "{") <= 256:
			t.Errorf("%q is JSON", data)
		case ok && valid && !reflect.DeepEqual(v, want) && json.Valid(data) && strings.ToValidUTF8(string(data), "") == string(data) && !strings.Contains(string(data), `\u`):
			t.Errorf("%q is %v, want %v", data, v, want)
		}
	})
}

// What is refused its memory ends at once, and with that error.
func TestCharge(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	for _, text := range []string{`[1,2,3]`, `{"b":1,"a":{"c":"x"}}`, `"abc"`, `[{},[],null]`} {
		whole := 0
		decode := func(allowed int) (asked int, err error) {
			_, err = jsontext.Decode([]byte(text), func(map[string]any, []string) {}, func(n int) error {
				if asked++; asked > allowed {
					return no
				}
				whole += n
				return nil
			})
			return asked, err
		}
		all, err := decode(1000)
		if err != nil || whole < len(text) {
			t.Errorf("%s: %d bytes, %v", text, whole, err)
		}
		for allowed := range all {
			if asked, err := decode(allowed); !errors.Is(err, no) || asked != allowed+1 {
				t.Errorf("%s with %d is asked %d times: %v", text, allowed, asked, err)
			}
		}
	}
}

func TestValidText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", "é😀": "é😀", "\xff": "\ufffd", "a\xc0\x80b": "a\ufffd\ufffdb", "\xe2\x82": "\ufffd", "\xed\xa0\x80x": "\ufffdx", "\xf4\x90\x80\x80": "\ufffd", "\xf0\x9fa": "\ufffd", "\xf0\x9fabc": "\ufffdabc",
		"\ufffd": "\ufffd",
	} {
		if got := jsontext.ValidText(s); got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
		if got := string(jsontext.AppendText(nil, []byte(s))); got != want {
			t.Errorf("%q is %q as a text of JSON, want %q", s, got, want)
		}
	}
}
