package redshiftcopy

import (
	"strings"
	"time"
)

const auto = "auto"

// Layouts as package time has them, of what 'auto' reads. A fraction of a second is read
// wherever there may be one.
func autoDates() []string {
	return []string{"2006-01-02", "20060102", "2006/01/02", "01/02/2006", "2006.01.02", "Jan 2, 2006", "02 Jan 2006", "2006-Jan-02"}
}

func autoTimes() []string {
	return []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006/01/02 15:04:05", "01/02/2006 15:04:05", "20060102 150405"}
}

// zones are the ways of writing an offset from UTC, the empty one last.
func zones() []string { return []string{"Z07:00", " Z07:00", "-07", "-0700", " MST", ""} }

// layout is a format of Redshift's as package time has it.
func layout(format string) string {
	return strings.NewReplacer(
		"YYYY", "2006", "yyyy", "2006", "YY", "06", "MON", "Jan", "Mon", "Jan", "MM", "01", "DD", "02", "dd", "02",
		"HH24", "15", "HH12", "03", "HH", "15", "hh24", "15", "MI", "04", "mi", "04", "SS", "05", "ss", "05",
		".MS", ".999", ".US", ".999999", "OF", "-07", "TZ", "MST", "AM", "PM", `"T"`, "T", `"`, "",
	).Replace(format)
}

func parseAny(text string, layouts []string) (time.Time, bool) {
	for _, l := range layouts {
		if t, err := time.Parse(l, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func date(text string, s *Statement) (string, *valueError) {
	layouts := []string{time.DateOnly}
	reason := "Invalid Date Format - length must be 10 or more"
	switch {
	case strings.EqualFold(s.DateFormat, auto):
		layouts = append(autoDates(), autoTimes()...)
	case s.DateFormat != "":
		layouts = []string{layout(s.DateFormat)}
		reason = "Date format is invalid [" + s.DateFormat + "]"
	}
	if t, ok := parseAny(text, layouts); ok {
		return t.Format(time.DateOnly), nil
	}
	if len(text) >= len(time.DateOnly) {
		reason = "Invalid date format - DATE format must be " + "YYYY-MM-DD"
	}
	return "", &valueError{CodeDate, reason}
}

func timestamp(text string, hasZone bool, s *Statement) (string, *valueError) {
	t, ok := parseTimestamp(text, s.TimeFormat)
	if !ok {
		format := s.TimeFormat
		if format == "" || strings.EqualFold(format, auto) {
			format = "YYYY-MM-DD HH24:MI:SS"
		}
		return "", &valueError{CodeTimestamp, "Invalid timestamp format or value [" + format + "]"}
	}
	const precise = "2006-01-02 15:04:05.999999"
	if hasZone {
		return t.UTC().Format(precise) + "+00", nil
	}
	return t.Format(precise), nil // a zone is read, and left out
}

func parseTimestamp(text, format string) (time.Time, bool) {
	switch strings.ToLower(format) {
	case "":
		return parseAny(text, withZones([]string{time.DateTime, "2006-01-02 15:04", time.DateOnly}))
	case auto:
		return parseAny(text, withZones(append(autoTimes(), autoDates()...)))
	case "epochsecs", "epochmillisecs":
		return epoch(text, strings.EqualFold(format, "epochmillisecs"))
	}
	return parseAny(text, []string{layout(format)})
}

func withZones(layouts []string) []string {
	var all []string
	for _, l := range layouts {
		for _, z := range zones() {
			all = append(all, l+z)
		}
	}
	return all
}

func epoch(text string, isMillis bool) (time.Time, bool) {
	unit := time.Second
	if isMillis {
		unit = time.Millisecond
	}
	v, err := Type{Kind: Bigint}.integer(strings.SplitN(text, ".", 2)[0])
	if err != nil {
		return time.Time{}, false
	}
	d, parseErr := time.ParseDuration(v + map[bool]string{true: "ms", false: "s"}[isMillis])
	if parseErr != nil {
		return time.Time{}, false
	}
	return time.Unix(0, 0).UTC().Add(d.Truncate(unit)), true
}
