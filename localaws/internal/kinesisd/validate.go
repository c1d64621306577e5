package kinesisd

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// checker gathers what a request does wrong, as the service does: all of it in
// one ValidationException.
type checker struct{ faults []string }

func (k *checker) fault(value, field, constraint string) {
	k.faults = append(k.faults, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, field, constraint))
}

// err is the exception, or nil if nothing was wrong.
func (k *checker) err() error {
	switch n := len(k.faults); n {
	case 0:
		return nil
	case 1:
		return refuse("ValidationException", "1 validation error detected: %s", k.faults[0])
	default:
		return refuse("ValidationException", "%d validation errors detected: %s", n, strings.Join(k.faults, "; "))
	}
}

// pattern is a form that a string must have.
type pattern struct {
	text  string // as the service spells it
	match func(string) bool
}

func namePattern() pattern { return pattern{"[a-zA-Z0-9_.-]+", isName} }

func digitsPattern() pattern { return pattern{`0|([1-9]\d{0,38})`, isDecimal} }

func sequencePattern() pattern { return pattern{`0|([1-9]\d{0,128})`, isDecimal} }

// required reports a member that is absent.
func required[T any](k *checker, field string, value *T) {
	if value == nil {
		k.fault("null", field, "Member must not be null")
	}
}

// text checks the length and, unless the pattern is empty, the form of a string
// that is present.
func (k *checker) text(field string, value *string, shortest, longest int, form pattern) {
	if value == nil {
		return
	}
	quoted := "'" + *value + "'"
	length := utf8.RuneCountInString(*value)
	if form.match != nil && !form.match(*value) {
		k.fault(quoted, field, "Member must satisfy regular expression pattern: "+form.text)
	}
	if length < shortest {
		k.fault(quoted, field, fmt.Sprintf("Member must have length greater than or equal to %d", shortest))
	}
	if length > longest {
		k.fault(quoted, field, fmt.Sprintf("Member must have length less than or equal to %d", longest))
	}
}

// number checks the range of an integer that is present.
func (k *checker) number(field string, value *int64, least, most int64) {
	if value == nil {
		return
	}
	quoted := fmt.Sprintf("'%d'", *value)
	if *value < least {
		k.fault(quoted, field, fmt.Sprintf("Member must have value greater than or equal to %d", least))
	}
	if *value > most {
		k.fault(quoted, field, fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
}

// oneOf checks an enumeration that is present.
func (k *checker) oneOf(field string, value *string, allowed ...string) {
	if value == nil || slices.Contains(allowed, *value) {
		return
	}
	k.fault("'"+*value+"'", field, "Member must satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
}

func isName(text string) bool {
	for _, c := range []byte(text) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return text != ""
}

func isDecimal(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text == "0" || (text != "" && text[0] != '0')
}

// streamRef is how requests name a stream: by name, by ARN, or by both.
type streamRef struct {
	StreamName *string
	StreamARN  *string
}

func (ref streamRef) checkStream(k *checker) {
	k.text("streamName", ref.StreamName, 1, 128, namePattern())
	k.text("streamARN", ref.StreamARN, 1, 2048, pattern{`arn:aws.*:kinesis:.*:\d{12}:stream/\S+`, isStreamARN})
}

func (ref streamRef) given() bool { return ref.StreamName != nil || ref.StreamARN != nil }

// resolve checks the whole request with k and gives the stream's name. Only the
// name in an ARN counts: this server is every account and region.
func (ref streamRef) resolve(k *checker) (string, error) {
	ref.checkStream(k)
	if err := k.err(); err != nil {
		return "", err
	}
	switch {
	case ref.StreamARN == nil && ref.StreamName == nil:
		return "", invalidArgument("Either StreamName or StreamARN should be provided.")
	case ref.StreamARN == nil:
		return *ref.StreamName, nil
	}
	name := nameInARN(*ref.StreamARN)
	if ref.StreamName != nil && *ref.StreamName != name {
		return "", invalidArgument("StreamName %s does not match the StreamARN %s.", *ref.StreamName, *ref.StreamARN)
	}
	return name, nil
}

// streamInput is a request that has nothing but a stream.
type streamInput struct{ streamRef }

func (*streamInput) check(*checker) {}

func isStreamARN(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "kinesis" {
		return false
	}
	name, ok := strings.CutPrefix(parts[5], "stream/")
	return ok && isName(name) && len(parts[4]) == 12 && strings.Trim(parts[4], "0123456789") == ""
}

func nameInARN(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
