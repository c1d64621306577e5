package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// trial tells what becomes of records, and counts it.
type trial struct {
	json bool
	s    stdio

	index    *esarchive.Index // nil if records go into objects
	stream   string           // ARN
	delivery processors.Config
	records  []kcl.Record

	delivered, failed, dropped, nothing int
	prefixes                            map[string]bool // of what is delivered, or names of indices
	broken                              error           // the first write that failed
}

// reported is what is printed of a fate: that of a document with where it goes.
type reported struct {
	processors.Fate

	document *esarchive.Preview // nil if it is none
}

// fate is what is printed of a fate as JSON.
type fate struct {
	Record int    `json:"record"`
	Part   int    `json:"part"`
	Prefix string `json:"prefix,omitempty"`
	Index  string `json:"index,omitempty"`
	ID     string `json:"id,omitempty"`
	Action string `json:"action,omitempty"` // line of a bulk request

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
func (t *trial) tell(fate processors.Fate) {
	f := t.document(fate)
	switch {
	case f.Dropped:
		t.dropped++
	case f.Nothing:
		t.nothing++
	case f.ErrorOutputType != "":
		t.failed++
	default:
		t.delivered++
		where := f.Prefix
		if f.document != nil {
			where = f.document.Index
		}
		t.prefixes[where] = true
	}
	text := visible(asLine(f))
	if t.json {
		text = asObject(f)
	}
	if _, err := fmt.Fprintln(t.s.out, text); err != nil && t.broken == nil {
		t.broken = fmt.Errorf("printing what becomes of a record: %w", err)
	}
}

// document adds to a fate where the document goes, if it is one.
func (t *trial) document(f processors.Fate) reported {
	if t.index == nil || f.Dropped || f.Nothing || f.ErrorOutputType != "" {
		return reported{Fate: f}
	}
	r := t.records[f.Record]
	p := t.index.Preview(t.stream, fmt.Sprintf("%s.%d", r.SequenceNumber, r.SubSequenceNumber), f.Data, r.ApproximateArrivalTimestamp)
	if p.Malformed == "" {
		f.Data = p.Document
		return reported{f, &p}
	}
	f.ErrorOutputType, f.ErrorCode, f.ErrorMessage, f.Data = t.index.FailedType(), p.Code, p.Malformed, nil
	var err error
	if f.Prefix, err = errorPrefix(t.delivery, f.ErrorOutputType, r.ApproximateArrivalTimestamp); err != nil && t.broken == nil {
		t.broken = err
	}
	return reported{Fate: f}
}

// end says what there was in all, and returns an error if a record failed.
func (t *trial) end(records int) error {
	said := []string{fmt.Sprintf("%d delivered under %s", t.delivered, counted(len(t.prefixes), "prefix", "prefixes"))}
	if t.index != nil {
		said[0] = fmt.Sprintf("%s for %s", counted(t.delivered, "document", "documents"), counted(len(t.prefixes), "index", "indices"))
	}
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
func asLine(f reported) string {
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
	case f.document != nil:
		id := "an id of the cluster's"
		if f.document.ID != "" {
			id = "id " + oneLine(f.document.ID)
		}
		return fmt.Sprintf("%s -> index %s, %s: %s", which, oneLine(f.document.Index), id, shownData(f.Data))
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
func asObject(f reported) string {
	o := fate{
		Record: f.Record + 1, Part: f.Part + 1, Prefix: f.Prefix, ErrorOutputType: f.ErrorOutputType, ErrorCode: f.ErrorCode, ErrorMessage: f.ErrorMessage,
		Dropped: f.Dropped, Nothing: f.Nothing,
	}
	if d := f.document; d != nil {
		o.Index, o.ID, o.Action = d.Index, d.ID, d.Line
	}
	if !f.Dropped && !f.Nothing && (f.Data != nil || f.ErrorOutputType == "") {
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
