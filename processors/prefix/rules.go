package prefix

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxGiven     = 1024 // characters as given
	maxEvaluated = 512  // characters for Firehose, bytes for us: S3 allows a key 1024
)

// The namespaces of expressions.
const (
	timestamp = "timestamp"
	firehose  = "firehose"

	PartitionKeyFromQuery  = "partitionKeyFromQuery"  // of what a query found
	PartitionKeyFromLambda = "partitionKeyFromLambda" // of what a transform gave
)

// The values of the namespace firehose.
const (
	randomText      = "random-string"
	errorOutputType = "error-output-type"
)

// Error says why a prefix, a time zone or a file extension cannot be used.
type Error struct {
	Reason string // what is wrong: follows the name of the member; "" if Remedy says it
	Remedy string // what to do about the value; "" if Reason says it
	Rule   string // Firehose's text, if it refuses the prefix; follows "The supplied prefix(es) do not satisfy the following constraint: "
	Member string // Firehose's text, if its validation of members refuses the value: follows the member's name
	Answer string // Firehose's text, if it refuses the value with one that follows nothing
}

// Error returns the reason or the remedy.
func (e *Error) Error() string { return e.Reason + e.Remedy }

// name is how Firehose's texts call a prefix of a kind.
func (k Kind) name() string {
	if k == Errors {
		return "ErrorOutputPrefix"
	}
	return "Prefix"
}

func runes(s string) int { return utf8.RuneCountInString(s) }

// Parse returns the prefix that s is. The error is an [*Error]. Beside what
// Firehose refuses, this is refused:
//   - more than 512 bytes of UTF-8, evaluated
//   - what would begin a key that [CheckKey] refuses
//   - a timestamp that cannot be printed for every instant
//   - a timestamp without a pattern, or a partition key without a name
//
// In which order Firehose looks at the rules is not known; here it is that of the
// expressions, and then what concerns the whole.
func Parse(s string, k Kind) (Prefix, error) {
	if n := runes(s); n > maxGiven {
		return Prefix{}, &Error{
			Reason: fmt.Sprintf("has %d characters; it may have at most %d", n, maxEvaluated),
			Member: fmt.Sprintf("Member must have length less than or equal to %d", maxGiven),
		}
	}
	p := Prefix{literal: !strings.Contains(s, "!{"), given: s}
	whole := s
	if p.literal {
		whole += k.implied()
	}
	if err := p.parse(whole, k); err != nil {
		return Prefix{}, err
	}
	if err := p.check(s, k); err != nil {
		return Prefix{}, err
	}
	return p, nil
}

// parse appends the segments of s.
func (p *Prefix) parse(s string, k Kind) *Error {
	parts := strings.Split(s, "!{")
	p.add(parts[0])
	for _, part := range parts[1:] {
		inner, after, closed := strings.Cut(part, "}")
		namespace, value, ok := strings.Cut(inner, ":")
		if !closed || !ok {
			return &Error{
				Remedy: "begin a !{ only where an expression is, of the form !{namespace:value}",
				Rule:   "Invalid expression usage: " + s + ".Must be of the form !{<namespace>:<value>}",
			}
		}
		e, err := newExpression(namespace, value, k)
		if err != nil {
			return err
		}
		p.segments = append(p.segments, e)
		p.add(after)
	}
	return nil
}

// implied is what follows a prefix without expressions.
func (k Kind) implied() string {
	const dates = "!{timestamp:yyyy/MM/dd/HH/}"
	if k == Errors {
		return "!{firehose:error-output-type}/" + dates
	}
	return dates
}

func (p *Prefix) add(literal string) {
	if literal != "" {
		p.segments = append(p.segments, segment{literal: literal})
	}
}

func newExpression(namespace, value string, k Kind) (segment, *Error) {
	s := segment{namespace: namespace, value: value}
	switch namespace {
	case timestamp:
		return newTimestamp(value, k)
	case firehose:
		return s, checkFirehose(value, k)
	case PartitionKeyFromQuery, PartitionKeyFromLambda:
		switch {
		case k == Errors:
			return s, &Error{
				Remedy: "remove the partition keys: an ErrorOutputPrefix has none",
				Rule:   "Dynamic Partitioning Namespaces can't be part of an error prefix expression",
			}
		case value == "":
			return s, &Error{Remedy: "write the name of the partition key behind " + namespace + ":"}
		}
		return s, nil
	default:
		return s, &Error{
			Remedy: "write timestamp, firehose, partitionKeyFromQuery or partitionKeyFromLambda before the colon of an expression",
			Rule:   "Namespace to the left of colon (" + namespace + ") is an invalid keyword!",
		}
	}
}

// invalid is Firehose's rule for the value of an expression.
func invalid(k Kind) string {
	return "Invalid conversion character used in the value of the expression in " + k.name()
}

func newTimestamp(value string, k Kind) (segment, *Error) {
	p, err := parsePattern(value)
	switch {
	case value == "":
		return segment{}, &Error{Remedy: "write a pattern behind timestamp:, such as yyyy"}
	case err != nil:
		return segment{}, &Error{Remedy: fmt.Sprintf("change the timestamp pattern %q: %v", value, err), Rule: invalid(k)}
	case p.unprintable() != "":
		return segment{}, &Error{Remedy: fmt.Sprintf("change the timestamp pattern %q: it %s", value, p.unprintable())}
	}
	return segment{namespace: timestamp, value: value, pattern: p}, nil
}

func checkFirehose(value string, k Kind) *Error {
	switch {
	case value == randomText || value == errorOutputType && k == Errors:
		return nil
	case value == errorOutputType:
		return &Error{
			Remedy: "remove !{firehose:error-output-type}: it is for ErrorOutputPrefix",
			Rule:   "Prefix must not contain any occurrence of !{firehose:error-output-type}",
		}
	default:
		return &Error{Remedy: "write random-string or error-output-type behind firehose:", Rule: invalid(k)}
	}
}

// check looks at the prefix as a whole.
func (p Prefix) check(s string, k Kind) *Error {
	if k == Errors && !p.literal && !strings.Contains(s, "!{firehose:error-output-type}") {
		return &Error{
			Remedy: "add !{firehose:error-output-type} to it, or remove the expressions",
			Rule:   "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}",
		}
	}
	if err := p.checkLength(s, k); err != nil {
		return err
	}
	switch why := wrongKey(p.longest() + anyName); why {
	case "":
		return nil
	case upwards:
		return &Error{Remedy: `remove the ".." between slashes: to who reads keys as paths it names another place`}
	default:
		return &Error{Remedy: "it " + why}
	}
}

// checkLength does not count what follows a literal, as Firehose seems not to.
func (p Prefix) checkLength(s string, k Kind) *Error {
	evaluated, has := s, "has"
	if !p.literal {
		evaluated, has = p.longest(), "can evaluate to"
	}
	name := k.name()
	if k == Objects {
		name = "prefix"
	}
	switch n := runes(evaluated); {
	case n > maxEvaluated:
		return &Error{
			Reason: fmt.Sprintf("%s %d characters; it may have at most %d", has, n, maxEvaluated),
			Rule:   fmt.Sprintf("Length of evaluated %s cannot be greater than %d", name, maxEvaluated),
		}
	case len(evaluated) > maxEvaluated:
		return &Error{Reason: fmt.Sprintf("%s %d bytes of UTF-8; it may have at most %d", has, len(evaluated), maxEvaluated)}
	}
	return nil
}

// ForErrors returns the prefix of error objects beside p, the Prefix, where
// ErrorOutputPrefix is given, or "" if it is not. Then it is
// "<Prefix>!{firehose:error-output-type}/yyyy/MM/dd/HH/", and only a Prefix
// without expressions may have none. The error is an [*Error].
func (p Prefix) ForErrors(given string) (Prefix, error) {
	switch {
	case given != "":
		return Parse(given, Errors)
	case !p.literal:
		return Prefix{}, &Error{
			Reason: "has expressions, and then ErrorOutputPrefix must be given; a literal one will do, such as errors/",
			Rule:   "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
		}
	default:
		return Parse(p.given, Errors)
	}
}

// CheckPartitioning refuses a Prefix that has partition keys without dynamic
// partitioning, or none with it. The error is an [*Error].
func (p Prefix) CheckPartitioning(enabled bool) error {
	switch {
	case enabled && !p.partitioned():
		return &Error{
			Remedy: "add a partition key, or turn dynamic partitioning off",
			Rule:   "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled",
		}
	case !enabled && p.partitioned():
		return &Error{
			Remedy: "remove the partition keys, or turn dynamic partitioning on",
			Rule:   "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled",
		}
	}
	return nil
}
