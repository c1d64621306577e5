package judge

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

const (
	// gram is how many bytes of a secret, one after another, are a part of it that must
	// not be seen. Databases quote parts of statements, cut where they like.
	gram = 8

	// longest is how much of a text of others is shown.
	longest = 1000
)

// Secrets are what no text may show. The zero value knows none, but those that look like one.
type Secrets struct {
	whole []string            // shorter than a gram
	grams map[string]struct{} // in lower case
}

// NewSecrets returns secrets that are these texts; empty ones are none.
func NewSecrets(texts ...string) Secrets { return Secrets{}.With(texts...) }

// OfStatement returns the secrets of a statement: what its text without secrets lacks.
func OfStatement(s redshiftarchive.Statement) Secrets {
	sql, shown := s.SQL(), s.String()
	if sql == shown {
		return Secrets{}
	}
	for sql != "" && shown != "" && sql[0] == shown[0] {
		sql, shown = sql[1:], shown[1:]
	}
	for sql != "" && shown != "" && sql[len(sql)-1] == shown[len(shown)-1] {
		sql, shown = sql[:len(sql)-1], shown[:len(shown)-1]
	}
	var parts []string
	for part := range strings.FieldsFuncSeq(sql, func(r rune) bool { return strings.ContainsRune(`'";=,`, r) || unicode.IsSpace(r) }) {
		switch strings.ToLower(part) {
		case "credentials", "aws_iam_role", "aws_access_key_id", "aws_secret_access_key", "token", "master_symmetric_key",
			"access_key_id", "secret_access_key", "session_token", "manifest":
		default:
			parts = append(parts, part)
		}
	}
	return NewSecrets(parts...)
}

// With returns s and these besides.
func (s Secrets) With(texts ...string) Secrets {
	out := Secrets{whole: append([]string(nil), s.whole...), grams: map[string]struct{}{}}
	for g := range s.grams {
		out.grams[g] = struct{}{}
	}
	for _, text := range texts {
		text = lower(text)
		if text != "" && len(text) < gram {
			out.whole = append(out.whole, text)
		}
		for i := 0; i+gram <= len(text); i++ {
			out.grams[text[i:i+gram]] = struct{}{}
		}
	}
	return out
}

// Redact returns a text of others, in one line, without secrets and parts of them, and cut
// where it gets long.
func (s Secrets) Redact(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	text = access.Hide(s.covered(text))
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + " …"
	}
	return text
}

// covered replaces what is of a secret.
func (s Secrets) covered(text string) string {
	small := lower(text)
	hide := make([]bool, len(text))
	for i := 0; i+gram <= len(small); i++ {
		if _, ok := s.grams[small[i:i+gram]]; ok {
			mark(hide[i : i+gram])
		}
	}
	for _, secret := range s.whole {
		for i := 0; i+len(secret) <= len(small); i++ {
			if strings.HasPrefix(small[i:], secret) {
				mark(hide[i : i+len(secret)])
			}
		}
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hide[i]:
			b.WriteByte(text[i])
		case i == 0 || !hide[i-1]:
			b.WriteString(access.Hidden)
		}
	}
	return b.String()
}

func mark(hide []bool) {
	for i := range hide {
		hide[i] = true
	}
}

// lower changes the case of ASCII alone, which keeps the length.
func lower(text string) string {
	b := []byte(text)
	for i := range b {
		if 'A' <= b[i] && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(bytes.Clone(b))
}
