package prefix

import (
	"strings"
	"time"
)

// Locale is the one that is ported.
const Locale = locale

// Print prints at with a pattern, or says that the pattern is "refused", or
// "fails" for some instant.
func Print(s string, at time.Time) string {
	p, err := parsePattern(s)
	switch {
	case err != nil:
		return "refused"
	case p.unprintable() != "":
		return "fails"
	default:
		return "=" + p.print(at)
	}
}

// LongestPrint returns the longest text of a pattern that Print prints.
func LongestPrint(s string) string {
	p, err := parsePattern(s)
	if err != nil {
		return ""
	}
	return p.longest()
}

// Zones returns the names of all time zones that are taken.
func Zones() []string {
	var names []string
	for line := range strings.Lines(zones) {
		if name, _, ok := strings.Cut(line, "\t"); ok {
			names = append(names, name)
		}
	}
	return names
}

// IsSummer tells whether it is summer time.
func IsSummer(t time.Time) bool { return isSummer(t) }

// RandomString returns the random string of bits.
func RandomString(bits uint64) string { return randomString(bits) }
