// Package prefix has the rules of the prefixes that Firehose puts before the
// names of objects, what they evaluate to, and the rules of the keys that begin
// with them. Expressions, !{namespace:value}, are parsed as far as Firehose's
// refusals need; this version evaluates literal prefixes only.
//
// Source: Firehose "Custom prefixes for Amazon S3 objects", and what the service
// answers to CreateDeliveryStream.
package prefix

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind says what a prefix is for.
type Kind int

// The kinds of a prefix.
const (
	Objects Kind = iota // Firehose's Prefix
	Errors              // Firehose's ErrorOutputPrefix
)

// name is how Firehose's texts call a prefix of a kind.
func (k Kind) name() string {
	if k == Errors {
		return "ErrorOutputPrefix"
	}
	return "prefix"
}

const (
	maxGiven     = 1024 // characters as given
	maxEvaluated = 512  // characters for Firehose, bytes for us: S3 allows a key 1024
)

// dates is the layout of the path that follows a literal prefix, in UTC.
const dates = "2006/01/02/15/"

// Prefix is one that can be evaluated. The zero value is the empty one.
type Prefix struct{ literal string }

// Error says why a prefix cannot be used.
type Error struct {
	Reason string // what is wrong: follows the name of the prefix; "" if Remedy says it
	Remedy string // what to do about the value; "" if Reason says it
	Rule   string // Firehose's text, if it refuses the prefix; follows "The supplied prefix(es) do not satisfy the following constraint: "
	Member string // Firehose's text, if its validation of members does: follows the member's name
}

// Error returns the reason or the remedy.
func (e *Error) Error() string { return e.Reason + e.Remedy }

// Parse returns the prefix that s is. The error is an [*Error].
func Parse(s string, k Kind) (Prefix, error) {
	evaluated := fmt.Sprintf("Length of evaluated %s cannot be greater than %d", k.name(), maxEvaluated)
	switch n := utf8.RuneCountInString(s); {
	case n > maxGiven:
		return Prefix{}, &Error{
			Reason: fmt.Sprintf("has %d characters; it may have at most %d", n, maxEvaluated),
			Member: fmt.Sprintf("Member must have length less than or equal to %d", maxGiven),
		}
	case strings.Contains(s, "!{"):
		return Prefix{}, &Error{Remedy: "expressions, !{…}, are not built yet; give a literal prefix", Rule: brokenRule(s, k)}
	case n > maxEvaluated:
		return Prefix{}, &Error{Reason: fmt.Sprintf("has %d characters; it may have at most %d", n, maxEvaluated), Rule: evaluated}
	case len(s) > maxEvaluated:
		return Prefix{}, &Error{Reason: fmt.Sprintf("has %d bytes of UTF-8; it may have at most %d", len(s), maxEvaluated)}
	}
	p := Prefix{s}
	if k == Errors {
		return p, nil // it gets no object
	}
	switch why := wrongKey(p.At(time.Time{})); why {
	case "":
		return p, nil
	case upwards:
		return Prefix{}, &Error{Remedy: `remove the ".." between slashes: to who reads keys as paths it names another place`}
	default:
		return Prefix{}, &Error{Remedy: "it " + why}
	}
}

// At returns what stands before the name of an object whose first record arrived
// at at: a literal prefix, and the date path with nothing between.
func (p Prefix) At(at time.Time) string { return p.literal + at.UTC().Format(dates) }

// Longest returns what At returns if that has as many bytes as it ever has.
func (p Prefix) Longest() string { return p.At(time.Time{}) } // a literal one never grows

// maxKey is how many bytes a key of S3 may have.
const maxKey = 1024

// upwards is what wrongKey says of a key that leads elsewhere.
const upwards = `has ".." between slashes` //nolint:gosec // no credentials

// CheckKey refuses keys that S3 does not take, or that name another place to
// who reads them as a path or a line of text: of no or more than 1024 bytes, not
// UTF-8, with a control character, or with ".." between slashes. Any prefix
// will do.
func CheckKey(key string) error {
	if why := wrongKey(key); why != "" {
		return fmt.Errorf("%.255q: it %s", key, why)
	}
	return nil
}

func wrongKey(key string) string {
	switch {
	case key == "" || len(key) > maxKey:
		return fmt.Sprintf("has %d bytes, must have 1-%d", len(key), maxKey)
	case !utf8.ValidString(key):
		return "is not UTF-8"
	case strings.ContainsFunc(key, unicode.IsControl):
		return "has a control character"
	case slices.Contains(strings.Split(key, "/"), ".."):
		return upwards
	}
	return ""
}
