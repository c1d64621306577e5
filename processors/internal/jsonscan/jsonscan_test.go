package jsonscan_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/internal/jsonscan"
)

// value reads a value as encoding/json does into an any, with numbers as they stand.
func value(s *jsonscan.Scanner, text []byte, kinds map[byte]bool) any {
	var v any
	at := strings.TrimLeft(string(text), " \t\r\n")
	if at == "" {
		s.Skip()
		return nil
	}
	kinds[at[0]] = true
	switch at[0] {
	case '{':
		m := map[string]any{}
		var members map[string]json.RawMessage
		_ = json.Unmarshal(text, &members)
		s.Object(func(name string) { m[name] = value(s, members[name], kinds) })
		v = m
	case '[':
		l := []any{}
		var elements []json.RawMessage
		_ = json.Unmarshal(text, &elements)
		s.Array(func() {
			var e json.RawMessage
			if len(l) < len(elements) {
				e = elements[len(l)]
			}
			l = append(l, value(s, e, kinds))
		})
		v = l
	case '"':
		v, _ = s.Text()
	case 'n':
		if s.Null() {
			return nil
		}
		s.Skip()
	default:
		raw, _ := s.Scalar()
		switch raw {
		case "true", "false":
			return raw == "true"
		}
		v = json.Number(raw)
	}
	return v
}

// check compares with encoding/json, which is the judge.
func check(t *testing.T, text []byte) {
	t.Helper()
	s := jsonscan.New(text)
	s.Skip()
	if got, want := s.End(), json.Valid(text); got != want {
		t.Fatalf("%q: JSON %v, want %v", text, got, want)
	}
	if !json.Valid(text) {
		return
	}
	if unambiguous(text) {
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		s = jsonscan.New(text)
		if got := value(s, text, map[byte]bool{}); !s.End() || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %#v, want %#v", text, got, want)
		}
	}
}

// unambiguous reports whether no object has a name twice: then the raw members that
// value asks encoding/json for are those that are read.
func unambiguous(text []byte) bool {
	d := json.NewDecoder(strings.NewReader(string(text)))
	names := map[string]bool{}
	for {
		token, err := d.Token()
		if err != nil {
			return true
		}
		if name, ok := token.(string); ok {
			if names[name] {
				return false
			}
			names[name] = true
		}
	}
}

func texts() []string {
	return []string{
		``, ` `, `{}`, `[]`, ` {"a" : [1 , -2.5e+3, true,false,null, "x\u0041\/\n"] } `, `{"a":{"b":{}},"c":[[],[[]]]}`,
		`{"a":1,}`, `{"a" 1}`, `{,}`, `{"a":}`, `[,]`, `[1,]`, `[1 2]`, `{a:1}`, `{1:1}`, `{"a":1}x`, `{"a":1}{}`, `tru`, `nul`, `nulll`, `01`, `1.`, `-`, `1e`, `+1`,
		`"`, `"\`, `"\u12"`, `"\u12g4"`, `"\x"`, "\"a\nb\"", "\"\x7f\xff\xfe\"", `"\ud800"`, `"\ud83d\ude00"`, `"a`, `{"a`, `{"a":"b`, `[`, `{`, `]`, `}`, `[}`, `{]`, `"a""b"`, "\ufeff{}",
		strings.Repeat("[", 999) + strings.Repeat("]", 999),
	}
}

func TestAsEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, text := range texts() {
		check(t, []byte(text))
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"[]", `{"a":}`} {
		open, end := kind[:len(kind)-1], kind[len(kind)-1:]
		for depth, want := range map[int]bool{1000: true, 1001: false, 1 << 20: false} {
			s := jsonscan.New([]byte(strings.Repeat(open, depth) + strings.Repeat("0", len(open)/4) + strings.Repeat(end, depth)))
			s.Skip()
			if s.End() != want {
				t.Errorf("%d deep in %s: read %v, want %v", depth, kind, s.End(), want)
			}
		}
	}
}

// What is asked for and is not there is passed over.
func TestOtherKinds(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"a":[{}]}`, `[1,"]"]`, `"t\"ext"`, `-1.5`, `true`, `null`} {
		for name, ask := range map[string]func(s *jsonscan.Scanner) bool{
			"object": func(s *jsonscan.Scanner) bool { return s.Object(func(string) { s.Skip() }) },
			"array":  func(s *jsonscan.Scanner) bool { return s.Array(s.Skip) },
			"text":   func(s *jsonscan.Scanner) bool { _, ok := s.Text(); return ok },
			"at text, and text": func(s *jsonscan.Scanner) bool {
				at := s.AtText()
				if _, ok := s.Text(); ok != at {
					t.Errorf("%s: at a text %v, and a text %v", text, at, ok)
				}
				return at
			},
			"scalar": func(s *jsonscan.Scanner) bool { _, ok := s.Scalar(); return ok },
		} {
			s := jsonscan.New([]byte(text))
			want := map[string]string{"object": "{", "array": "[", "text": `"`, "at text, and text": `"`, "scalar": `"-tn`}[name]
			if got := ask(s); got != strings.Contains(want, text[:1]) || !s.End() {
				t.Errorf("%s asked of %s: %v, and the end %v", name, text, got, s.End())
			}
		}
	}
}

// An integer is what strconv takes for one of what JSON has for a number.
func TestInt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "201": 201, "-7": -7, "9223372036854775807": 1<<63 - 1, "-9223372036854775808": -1 << 63,
	} {
		s := jsonscan.New([]byte(text))
		if got, ok := s.Int(); got != want || !ok || !s.End() {
			t.Errorf("%s is read as %d, %v; the end %v", text, got, ok, s.End())
		}
	}
	for _, text := range []string{`"201"`, "201.0", "2e2", "9223372036854775808", "true", "null", "[201]", `{"a":201}`} {
		s := jsonscan.New([]byte(text))
		if got, ok := s.Int(); ok || !s.End() {
			t.Errorf("%s is read as the integer %d; the end %v", text, got, s.End())
		}
	}
	for _, text := range []string{"", "01", "1_0", "+1", "0x1", "-"} {
		s := jsonscan.New([]byte(text))
		if got, _ := s.Int(); s.End() {
			t.Errorf("%q, which is no JSON, is read as %d", text, got)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range texts() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { check(t, text) })
}
