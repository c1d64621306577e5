package copyfront

import (
	"strconv"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/sqltext"
	"github.com/shardmill/shardmill/localaws/internal/warehoused"
)

// translation is a statement as PostgreSQL reads it.
type translation struct {
	sql           string
	isLog         bool // it is about a table that is not PostgreSQL's
	asksAboutLast bool
}

// translated puts PostgreSQL's words where Redshift has others.
func (e *Session) translated(text string) (translation, error) {
	out := translation{sql: text}
	tokens, err := sqltext.Tokens(text)
	if err != nil {
		return out, err
	}
	switch tokens[0].Text {
	case "copy", "insert", "delete", "select":
	default:
		out.asksAboutLast = true
	}
	isCreate := tokens[0].Text == "create"
	var b strings.Builder
	from := 0
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if t.Kind != sqltext.Word {
			continue
		}
		by, count := e.replacement(tokens[i:], isCreate)
		if strings.HasPrefix(t.Text, "pg_last_") {
			out.asksAboutLast = true
		}
		if warehoused.IsLog(t.Text) {
			out.isLog, out.asksAboutLast = true, true
		}
		if count == 0 {
			continue
		}
		b.WriteString(text[from:t.At] + by)
		i += count - 1
		from = tokens[i].Next
	}
	out.sql = b.String() + text[from:]
	return out, nil
}

// replacement is what stands for the tokens that come first, and how many of them; 0 if
// they stay.
func (e *Session) replacement(tokens []sqltext.Token, isCreate bool) (by string, count int) {
	switch tokens[0].Text {
	case "getdate":
		return "LOCALTIMESTAMP(0)", call(tokens)
	case "sysdate":
		return "LOCALTIMESTAMP", 1
	case "pg_last_query_id":
		return strconv.FormatInt(e.lastQuery, 10), call(tokens)
	case "pg_last_copy_id":
		return strconv.FormatInt(e.lastCopy, 10), call(tokens)
	case "pg_last_copy_count":
		return strconv.FormatInt(e.lastCopyCount, 10), call(tokens)
	}
	if !isCreate {
		return "", 0
	}
	switch tokens[0].Text {
	case "diststyle", "encode", "backup":
		return "", 2
	case "compound", "interleaved":
		return "", 1
	case "distkey", "sortkey":
		return "", 1 + list(tokens[1:])
	case "max":
		return "65535", 1
	}
	return "", 0
}

// call is how many tokens a call without arguments has.
func call(tokens []sqltext.Token) int {
	if len(tokens) > 2 && tokens[1].Text == "(" && tokens[2].Text == ")" {
		return 3
	}
	return 0
}

// list is how many tokens a list in parentheses has, or AUTO; 0 if there is neither.
func list(tokens []sqltext.Token) int {
	if tokens[0].Text == "auto" {
		return 1
	}
	if tokens[0].Text != "(" {
		return 0
	}
	for i, t := range tokens {
		if t.Text == ")" {
			return i + 1
		}
	}
	return 0
}
