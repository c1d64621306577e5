package prefix

import (
	_ "embed"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // where the system has no zones, as in a scratch image
	"unicode/utf8"
)

//go:embed zones.tsv
var zones string

// LoadZone returns the time zone of a CustomTimeZone; "" is UTC. The error is an
// [*Error] if Firehose does not take the name either: it has a list of older IANA
// names, and UTC. Two names of that list, America/Port-au-Prince and
// Africa/Porto-Novo, have a hyphen, which the pattern in Firehose's API excludes:
// here they are taken.
//
// The rules of a zone are those of the system, or if it has none those of the Go
// release that the program was built with.
//
// Source: Firehose "Configure Amazon S3 object name format";
// ExtendedS3DestinationConfiguration.
func LoadZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if _, ok := zoneRow(name); !ok {
		return nil, wrongZone(name)
	}
	at, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the time zone %s: %w", name, err)
	}
	return at, nil
}

func wrongZone(name string) *Error {
	const longest = 50
	e := &Error{Remedy: "use UTC, or a name of Firehose's list, which has older ones: Asia/Calcutta, not Asia/Kolkata"}
	other := func(c rune) bool { return c != '/' && c != '_' && (c > 'z' || !isLetter(byte(c))) }
	switch {
	case utf8.RuneCountInString(name) > longest:
		e.Member = fmt.Sprintf("Member must have length less than or equal to %d", longest)
	case strings.ContainsFunc(name, other):
		e.Member = "Member must satisfy regular expression pattern: ^$|[a-zA-Z/_]+"
	default:
		e.Answer = "Provided custom time zone is not supported. Custom time zones are limited to UTC and non-3-letter IANA time zones."
	}
	return e
}

// The columns of zones.tsv.
const (
	standard = iota + 1
	summer
	generic

	short = 3 // behind the full one
)

// zoneRow returns what is known of a zone.
func zoneRow(name string) (columns []string, ok bool) {
	_, rest, ok := strings.Cut(zones, "\n"+name+"\t")
	row, _, _ := strings.Cut(rest, "\n")
	return strings.Split(name+"\t"+row, "\t"), ok
}

func zoneID(t time.Time) string { return t.Location().String() }

// zoneName returns the name of a zone, that of the season unless it is to be the one of always.
// A zone that is not Firehose's has its own.
func zoneName(full, always bool) func(time.Time) string {
	return func(t time.Time) string {
		row, ok := zoneRow(zoneID(t))
		if !ok {
			return zoneID(t)
		}
		column := standard
		switch {
		case always:
			column = generic
		case isSummer(t):
			column = summer
		}
		if !full {
			column += short
		}
		return row[column]
	}
}

// isSummer tells whether Java says so: for it, time is never set back in winter,
// as IANA's data has it for three of Firehose's zones.
func isSummer(t time.Time) bool {
	_, offset := t.Zone()
	switch zoneID(t) {
	case "Africa/Casablanca", "Europe/Dublin":
		return offset != 0
	case "Africa/Windhoek":
		return offset == 2*3600 && !t.Before(time.Date(1990, time.March, 20, 22, 0, 0, 0, time.UTC))
	default:
		return t.IsDST()
	}
}

// zoneText is a field that prints a name of a zone.
func zoneText(text func(time.Time) string) field {
	longest := ""
	for _, word := range strings.FieldsFunc(zones[strings.Index(zones, "\nUTC\t"):], func(c rune) bool { return c == '\t' || c == '\n' }) {
		if len(word) > len(longest) {
			longest = word
		}
	}
	return field{print: text, longest: longest}
}
