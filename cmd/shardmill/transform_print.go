package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/shardmill/shardmill/processors"
)

// trial tells what becomes of records, and counts it.
type trial struct {
	json bool
	s    stdio

	delivered, failed, dropped, nothing int
	prefixes                            map[string]bool // of what is delivered
	broken                              error           // the first write that failed
}

// fate is what is printed of a fate as JSON.
type fate struct {
	Record int    `json:"record"`
	Part   int    `json:"part"`
	Prefix string `json:"prefix,omitempty"`

	Data       *string `json:"data,omitempty"` // nil if it is no text, or there is none
	DataBase64 string  `json:"dataBase64,omitempty"`
	Bytes      *int    `json:"bytes,omitempty"`

	ErrorOutputType string `json:"errorOutputType,omitempty"`
	ErrorCode       string `json:"errorCode,omitempty"`
	ErrorMessage    string `json:"errorMessage,omitempty"`

	Dropped bool `json:"dropped,omitempty"`
	Nothing bool `json:"nothing,omitempty"`
}

// tell prints a fate.
func (t *trial) tell(f processors.Fate) {
	switch {
	case f.Dropped:
		t.dropped++
	case f.Nothing:
		t.nothing++
	case f.ErrorOutputType != "":
		t.failed++
	default:
		t.delivered++
		t.prefixes[f.Prefix] = true
	}
	text := visible(asLine(f))
	if t.json {
		text = asObject(f)
	}
	if _, err := fmt.Fprintln(t.s.out, text); err != nil && t.broken == nil {
		t.broken = fmt.Errorf("printing what becomes of a record: %w", err)
	}
}

// end says what there was in all, and returns an error if a record failed.
func (t *trial) end(records int) error {
	said := []string{fmt.Sprintf("%d delivered under %s", t.delivered, counted(len(t.prefixes), "prefix", "prefixes"))}
	for _, each := range []struct {
		n    int
		what string
	}{{t.failed, "failed"}, {t.dropped, "dropped"}, {t.nothing, "without anything to deliver"}} {
		if each.n > 0 {
			said = append(said, fmt.Sprintf("%d %s", each.n, each.what))
		}
	}
	t.s.notef("%s: %s\n", counted(records, "record", "records"), strings.Join(said, ", "))
	switch {
	case t.broken != nil:
		return t.broken
	case t.failed > 0:
		return fmt.Errorf("transform: %s would go into error objects", counted(t.failed, "record", "records"))
	}
	return nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// asLine returns a fate for people. A newline at the end of data is not shown.
func asLine(f processors.Fate) string {
	which := fmt.Sprintf("record %d", f.Record+1)
	if f.Part > 0 {
		which += fmt.Sprintf(", part %d", f.Part+1)
	}
	switch {
	case f.Dropped:
		return which + ": dropped by the transform"
	case f.Nothing:
		return which + ": nothing to deliver"
	case f.ErrorOutputType != "":
		return fmt.Sprintf("%s: FAILED -> %s: %s: %s", which, shownPrefix(f.Prefix), f.ErrorCode, oneLine(f.ErrorMessage))
	default:
		return fmt.Sprintf("%s -> %s: %s", which, shownPrefix(f.Prefix), shownData(f.Data))
	}
}

func shownPrefix(s string) string {
	if s == "" {
		return "(no prefix)"
	}
	return oneLine(s)
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }

// longestShown is how many bytes of a record are shown to people.
const longestShown = 200

func shownData(data []byte) string {
	text := strings.TrimSuffix(string(data), "\n")
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fmt.Sprintf("%d bytes that are no text", len(data))
	}
	if len(text) <= longestShown {
		return oneLine(text)
	}
	cut := longestShown
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", oneLine(text[:cut]), len(data))
}

// asObject returns a fate for programs.
func asObject(f processors.Fate) string {
	o := fate{
		Record: f.Record + 1, Part: f.Part + 1, Prefix: f.Prefix, ErrorOutputType: f.ErrorOutputType, ErrorCode: f.ErrorCode, ErrorMessage: f.ErrorMessage,
		Dropped: f.Dropped, Nothing: f.Nothing,
	}
	if !f.Dropped && !f.Nothing {
		text, n := string(f.Data), len(f.Data)
		o.Bytes = &n
		if utf8.ValidString(text) {
			o.Data = &text
		} else {
			o.DataBase64 = base64.StdEncoding.EncodeToString(f.Data)
		}
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(o) //nolint:errchkjson // texts and numbers
	return strings.TrimSuffix(b.String(), "\n")
}
