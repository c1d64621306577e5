package redshiftarchive

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/shardmill/shardmill/processors"
)

// options are CopyOptions, and the words in them that stand outside of quotes.
type options struct {
	text  string
	words []string // in upper case
}

// parseOptions reads CopyOptions. The error says why they cannot be a part of the statement.
func parseOptions(text string) (options, error) {
	o := options{text: text}
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return o, errors.New("must be UTF-8, and not have the character 0")
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			n, err := quotedLength(text[i:])
			if err != nil {
				return o, err
			}
			i += n
		case isWord(c):
			end := i
			for end < len(text) && isWord(text[end]) {
				end++
			}
			o.words = append(o.words, strings.ToUpper(text[i:end]))
			i = end
		default:
			if err := outsideQuotes(text[i:]); err != nil {
				return o, err
			}
			i++
		}
	}
	return o, nil
}

// isWord reports whether c is of a word. What is not ASCII is of no option.
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// outsideQuotes refuses what would end the statement, or hide its end, by what text
// begins with.
func outsideQuotes(text string) error {
	switch {
	case text[0] == ';':
		return errors.New(`must not have ";" outside of quotes: the statement ends by itself`)
	case text[0] == '$':
		return errors.New(`must not have "$" outside of quotes: write literals in single quotes`)
	case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "/*"):
		return errors.New("must not have comments")
	}
	return nil
}

// quotedLength returns how long the literal, or quoted name, is that text begins with.
// Whether a backslash escapes the quote behind it depends on how the text is read, so that
// what would make a difference is refused.
func quotedLength(text string) (int, error) {
	quote, backslashes := text[0], 0
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			backslashes++
			continue
		case c == quote && quote == '\'' && backslashes%2 == 1:
			return 0, errors.New(`must not have a backslash before a single quote in a literal: write two single quotes for one`)
		case c == quote && i+1 < len(text) && text[i+1] == quote:
			i++
		case c == quote:
			return i + 1, nil
		}
		backslashes = 0
	}
	return 0, fmt.Errorf("has a %c that is not closed", quote)
}

// foreign are the words that would make another statement, and why.
func foreign(word string) string {
	switch word {
	case "MANIFEST":
		return "the statement has it already"
	case "CREDENTIALS", "IAM_ROLE", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN":
		return "it says what COPY reads the bucket with, which the statement has already"
	case "SSH":
		return "it has COPY read from hosts, not from the bucket"
	case "NOLOAD":
		return "nothing would be loaded, and nothing kept to be loaded"
	}
	return ""
}

// keyWord is a word that may be a key, or go before one.
var keyWord = regexp.MustCompile(`^(?:AWS_|ACCESS_KEY|SECRET|SESSION_TOKEN)`)

// keyText is of a key wherever it stands, also in a literal.
var keyText = regexp.MustCompile(`(?i)aws_(secret_)?access_key`)

// mayHoldKey reports whether a word that is no option has a name of a key, as CREDENTIALS
// takes them.
func mayHoldKey(word string) bool {
	return foreign(word) == "" && keyWord.MatchString(word)
}

// check returns what is wrong with the words. It shows none that may be a key.
func (o options) check() []error {
	var errs []error
	if slices.ContainsFunc(o.words, mayHoldKey) || keyText.MatchString(o.text) {
		errs = append(errs, errors.New("CopyOptions has a key of AWS, or what looks like one, which is not shown: remove it: it says what COPY reads the bucket with, which the statement has already"))
	}
	for i, word := range o.words {
		if why := foreign(word); why != "" && !slices.Contains(o.words[:i], word) {
			errs = append(errs, fmt.Errorf("CopyOptions has %s: remove it: %s", word, why))
		}
	}
	return errs
}

// isSecret reports whether the options have a key.
func (o options) isSecret() bool { return slices.Contains(o.words, "MASTER_SYMMETRIC_KEY") }

// mismatch is Firehose's code for options that name another compression than that of the
// objects.
const mismatch = "Redshift.CompressionMismatch"

// checkCompression refuses options by which COPY would read the objects wrong.
func (o options) checkCompression(staged processors.Compression) error {
	var named []string
	for _, word := range []string{"GZIP", "BZIP2", "LZOP", "ZSTD"} {
		if slices.Contains(o.words, word) {
			named = append(named, strings.ToLower(word))
		}
	}
	switch says := strings.Join(named, ", "); {
	case staged == processors.Uncompressed && says != "":
		return fmt.Errorf("CopyOptions has %s: %s: the delivery stream is configured with UNCOMPRESSED, but CopyOptions include a compression format: remove it, or set CompressionFormat to GZIP and CopyOptions to gzip", says, mismatch)
	case staged == processors.GZIP && says != "gzip":
		if says == "" {
			says = "no gzip"
		}
		return fmt.Errorf("CopyOptions has %s: %s: the delivery stream is configured with GZIP: have gzip alone in CopyOptions, or set CompressionFormat to UNCOMPRESSED", says, mismatch)
	}
	return nil
}
