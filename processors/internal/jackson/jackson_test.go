package jackson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/internal/jackson"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "",
		"\"\\/\b\t\n\f\r\x00\x1f": `\"\\/\b\t\n\f\r\u0000\u001F`,
		"<&>é😀\u2028\x7f":         "<&>é😀\u2028\x7f",
		"a\xffb":                  "a\ufffdb",
	} {
		if got := string(jackson.Append([]byte("x"), text)); got != "x"+want {
			t.Errorf("%q became %q, want %q", text, got, "x"+want)
		}
	}
}

// Whatever the text, JSON has it.
func TestAppendIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		var got string
		if err := json.Unmarshal(append(jackson.Append([]byte{'"'}, text), '"'), &got); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(text, "\ufffd"); len(got) < len(want) || strings.ToValidUTF8(got, "") != got {
			t.Fatalf("%q came back as %q", text, got)
		} else if strings.ToValidUTF8(text, "") == text && got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}
