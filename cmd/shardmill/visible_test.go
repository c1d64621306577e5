package main

import "testing"

func TestCell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "-", "-": `"-"`, "worker-1": "worker-1", "日本 é": "日本 é", `a "quoted" one`: `a "quoted" one`,
		"\x1b[2Jx": `"\x1b[2Jx"`, "a\tb\nc": `"a\tb\nc"`, "a\u202eb": `"a\u202eb"`, "a\u200b": `"a\u200b"`, "a\u00a0b": `"a\u00a0b"`, "\x9b1m": `"\x9b1m"`, "\u009b1m": `"\u009b1m"`,
	} {
		if got := cell(text); got != want {
			t.Errorf("cell(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a\n\tb \"c\" \\\n": "a\n\tb \"c\" \\\n", "日本 é": "日本 é",
		"\x1b[2J\nx\r": `\x1b[2J` + "\n" + `x\r`, "a\u202eb": `a\u202eb`, "\u009b1m": `\u009b1m`, "\x9b": "\ufffd", "\a": `\a`, "a\u00a0b": `a\u00a0b`,
	} {
		if got := visible(text); got != want {
			t.Errorf("visible(%q) = %q, want %q", text, got, want)
		}
	}
}
