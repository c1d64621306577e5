package judge

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// Answer is an error that a database answered.
type Answer struct {
	SQLState        string // "" if it is not told, as by the Data API
	Message, Detail string
}

// Fault returns what an answer means. doing is what was asked, "COPY". Undone is left false.
func (a Answer) Fault(doing string, s Secrets) *redshiftarchive.Fault {
	r := a.rule()
	return &redshiftarchive.Fault{
		Code:     "Redshift." + r.code,
		Message:  doing + ": " + join(s.Redact(a.shown()), r.remedy),
		SQLState: a.SQLState,
	}
}

// internalCode is Redshift's own code in the detail of its internal errors.
var internalCode = regexp.MustCompile(`(?m)^\s*code:\s+(\d+)`)

// shown is the part of the answer that people may see: the detail of others has data.
func (a Answer) shown() string {
	message, detail := a.parts()
	switch {
	case strings.HasPrefix(a.SQLState, "22"):
		message = withoutValues(message)
	case a.SQLState == "": // nobody says what it is about
		message = withNamesAlone(message)
	}
	switch found := internalCode.FindStringSubmatch(detail); {
	case strings.TrimSpace(message) == "1023": // "1023", and what it is follows
		message += " " + detail
	case found != nil:
		message += " (code " + found[1] + ")"
	}
	return message
}

// parts are the message and its detail; the Data API has both in one text.
func (a Answer) parts() (message, detail string) {
	message = strings.TrimPrefix(a.Message, "ERROR: ")
	if at := detailFollows.FindStringIndex(message); at != nil && a.Detail == "" {
		return message[:at[0]], message[at[1]:]
	}
	return message, a.Detail
}

var detailFollows = regexp.MustCompile(`\s*\n\s*(?i:details?):`)

// quoted is what stands in quotes.
var quoted = regexp.MustCompile(`"[^"]*"|'[^']*'`)

// shownValue is where a reason quotes what a line has: to the next comma, or the end.
var shownValue = regexp.MustCompile(`(?i)\b(value|char|character|string|sequence)(:| is|\s+(?:["'0-9]))[^,\]]*`)

// withoutValues takes values out of a text.
func withoutValues(text string) string {
	return shownValue.ReplaceAllString(quoted.ReplaceAllString(text, "…"), "$1 …")
}

// named is what stands in quotes, with the word before it that says that it is a name.
var named = regexp.MustCompile(`(?i)(\b(?:relation|table|column|schema|database|user|role|function|view|prefix|bucket|region|expecting|check|near|limit|skipping)\s+)?("[^"]*"|'[^']*')`)

// isOfValue is how texts about values begin.
var isOfValue = regexp.MustCompile(`(?i)invalid|value|out of range|overflow`)

// withNamesAlone takes what is quoted out of a text, but for names, and values.
func withNamesAlone(text string) string {
	if isOfValue.MatchString(text) {
		return withoutValues(text)
	}
	text = named.ReplaceAllStringFunc(text, func(found string) string {
		if found[0] != '"' && found[0] != '\'' {
			return found
		}
		return "…"
	})
	return shownValue.ReplaceAllString(text, "$1 …")
}

// Reason returns what a database says of a line that it could not load, without what the line has.
func Reason(text string, s Secrets) string { return s.Redact(withoutValues(text)) }

// rule says which code answers have.
type rule struct {
	states []string   // SQLSTATEs, or their classes; none for any
	texts  [][]string // one of these, all of whose parts the text has; none for any
	code   string
	remedy string
}

// rule returns the first one that fits.
func (a Answer) rule() rule {
	text := strings.ToLower(a.Message + "\n" + a.Detail)
	for _, r := range rules() {
		if r.fits(a.SQLState, text) {
			return r
		}
	}
	return rule{code: "PSQLException", remedy: "the database's documentation knows this error; COPY is tried again"}
}

func (r rule) fits(state, text string) bool {
	isState := slices.ContainsFunc(r.states, func(s string) bool { return state != "" && strings.HasPrefix(state, s) })
	isText := slices.ContainsFunc(r.texts, func(parts []string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
	})
	return isState || isText
}

// join puts a remedy behind a text.
func join(text, remedy string) string {
	text = strings.TrimRight(cmp.Or(text, "no text"), ". ")
	if remedy == "" {
		return text
	}
	return text + ": " + remedy
}
