// Package prefix evaluates the prefixes that Firehose puts before the names of
// objects, and has the rules of them and of what else makes a key: time zones,
// file extensions, and keys themselves.
//
// A prefix may have expressions, !{namespace:value}:
//
//	!{timestamp:PATTERN}            an instant, printed as java.time's DateTimeFormatter does
//	!{firehose:random-string}       11 characters of a-z A-Z 0-9, others at each occurrence
//	!{firehose:error-output-type}   in an ErrorOutputPrefix: why records failed
//	!{partitionKeyFromQuery:KEY}    a partition key that a query found in the record
//	!{partitionKeyFromLambda:KEY}   a partition key that a transformation gave the record
//
// With none of them, "yyyy/MM/dd/HH/" follows the prefix with nothing between;
// before it, in an ErrorOutputPrefix, "!{firehose:error-output-type}/". That a
// prefix with any expression gets no date is observed; Firehose's guide says so
// of timestamp expressions only. What follows a literal ErrorOutputPrefix is
// inferred from what is observed without one.
//
// Source: Firehose "Custom prefixes for Amazon S3 objects", and what the service
// answers to CreateDeliveryStream.
package prefix

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind says what a prefix is for.
type Kind int

// The kinds of a prefix.
const (
	Objects Kind = iota // Firehose's Prefix
	Errors              // Firehose's ErrorOutputPrefix
)

// Prefix is one that can be evaluated. The zero value evaluates to nothing. It
// is safe for concurrent use.
type Prefix struct {
	segments []segment
	literal  bool   // as given, it has no expression
	given    string // for the error prefix that follows from it
}

// segment is a literal or an expression.
type segment struct {
	literal   string
	namespace string // "": a literal
	value     string
	pattern   pattern // of a timestamp
}

// Values are what a prefix is evaluated from. Those that it does not mention
// need not be given.
type Values struct {
	// At is printed in its own time zone. The year must be 1-9998.
	At time.Time

	// Random returns 64 random bits, for each random string once.
	Random func() uint64

	// ErrorOutputType is why records failed, such as "processing-failed".
	ErrorOutputType string

	// FromQuery and FromLambda are the partition keys of the records.
	FromQuery, FromLambda map[string]string
}

// ErrPartitionKey is in the errors of Evaluate that other partition keys would
// not have had.
var ErrPartitionKey = errors.New("partition keys")

// Evaluate returns what stands before the name of an object. The result depends
// on v alone. Of a prefix without partition keys it never fails; else the error
// is an [ErrPartitionKey]: one is missing or empty, or the result has more than
// 512 bytes of UTF-8 or cannot begin a key (see [CheckKey]).
func (p Prefix) Evaluate(v Values) (string, error) {
	var b strings.Builder
	for _, s := range p.segments {
		text, err := s.evaluate(v)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	if !p.partitioned() {
		return b.String(), nil
	}
	if n := b.Len(); n > maxEvaluated {
		return "", fmt.Errorf("%w: the evaluated prefix has %d bytes of UTF-8; it may have at most %d", ErrPartitionKey, n, maxEvaluated)
	}
	if why := wrongKey(b.String() + anyName); why != "" {
		return "", fmt.Errorf("%w: the evaluated prefix %.255q %s", ErrPartitionKey, b.String(), why)
	}
	return b.String(), nil
}

// anyName stands for the name that follows a prefix.
const anyName = "k"

func (s segment) evaluate(v Values) (string, error) {
	switch s.namespace {
	case "":
		return s.literal, nil
	case timestamp:
		return s.pattern.print(v.At), nil
	case PartitionKeyFromQuery:
		return s.partitionKey(v.FromQuery)
	case PartitionKeyFromLambda:
		return s.partitionKey(v.FromLambda)
	}
	if s.value == errorOutputType {
		return v.ErrorOutputType, nil
	}
	return randomString(v.Random()), nil
}

func (s segment) partitionKey(keys map[string]string) (string, error) {
	value := keys[s.value]
	if value == "" {
		return "", fmt.Errorf("%w: partitionKeys values must not be null or empty: %q", ErrPartitionKey, s.value)
	}
	return value, nil
}

func (s segment) isRandom() bool { return s.namespace == firehose && s.value == randomText }

// randomString writes bits in base 62, the least first: 11 digits hold 64 bits.
func randomString(bits uint64) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var s [11]byte
	for i := range s {
		s[i] = digits[bits%62]
		bits /= 62
	}
	return string(s[:])
}

// Literal tells whether the prefix was given without expressions.
func (p Prefix) Literal() bool { return p.literal }

// Longest returns a text that has at least as many bytes as Evaluate ever returns.
func (p Prefix) Longest() string {
	if p.partitioned() {
		return strings.Repeat("k", maxEvaluated)
	}
	return p.longest()
}

func (p Prefix) longest() string {
	var b strings.Builder
	for _, s := range p.segments {
		switch {
		case s.namespace == "":
			b.WriteString(s.literal)
		case s.namespace == timestamp:
			b.WriteString(s.pattern.longest())
		case s.value == errorOutputType:
			b.WriteString(longestErrorOutputType)
		case s.isRandom():
			b.WriteString(randomString(0))
		default:
			b.WriteString("k") // a partition key has at least one character
		}
	}
	return b.String()
}

// longestErrorOutputType is the longest that is known.
const longestErrorOutputType = "AmazonOpenSearchService-failed"

func (p Prefix) partitioned() bool { return len(p.PartitionKeys()) > 0 }

// PartitionKey is a partition key that a prefix mentions.
type PartitionKey struct {
	Namespace string // PartitionKeyFromQuery or PartitionKeyFromLambda
	Name      string
}

// KeysOf returns the names of the partition keys of a namespace that the prefix mentions,
// each once, in order.
func (p Prefix) KeysOf(namespace string) (names []string) {
	for _, key := range p.PartitionKeys() {
		if key.Namespace == namespace && !slices.Contains(names, key.Name) {
			names = append(names, key.Name)
		}
	}
	return names
}

// PartitionKeys returns the partition keys that the prefix mentions, in order.
func (p Prefix) PartitionKeys() []PartitionKey {
	var keys []PartitionKey
	for _, s := range p.segments {
		if s.namespace == PartitionKeyFromQuery || s.namespace == PartitionKeyFromLambda {
			keys = append(keys, PartitionKey{s.namespace, s.value})
		}
	}
	return keys
}
