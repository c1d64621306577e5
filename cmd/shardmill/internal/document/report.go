package document

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Report collects what is to be said about a file. One goroutine uses it.
type Report struct {
	file     string
	faults   notes
	warnings notes
	idle     map[string]bool // names of members of which it was said that they do nothing
	spelling func(string) string

	commandLine []string // texts that were given there
}

// NewReport returns an empty report about a file. spelling returns how the file
// spells the name of a member; nil if it has the names of its reader.
func NewReport(file string, spelling func(string) string) *Report {
	return &Report{file: file, spelling: spelling}
}

// OnCommandLine says that texts were given beside the file, on the command line, where
// others can see them: so is what is made of one, but for those that are too short to say so.
func (r *Report) OnCommandLine(texts []string) {
	const least = 6
	for _, s := range texts {
		if len(s) >= least {
			r.commandLine = append(r.commandLine, s)
		}
	}
}

// spelled returns a name as the file has it.
func (r *Report) spelled(key string) string {
	if r.spelling == nil {
		return key
	}
	return r.spelling(key)
}

// note is a fault or a warning: one line of text.
type note struct {
	line int
	text string
}

type notes []note

// lines returns the notes in the order of the file's lines, and those of one
// line in the order in which they were made.
func (n notes) lines(file string) []string {
	slices.SortStableFunc(n, func(a, b note) int { return cmp.Compare(a.line, b.line) })
	var lines []string
	for _, each := range n {
		if each.line == 0 {
			lines = append(lines, fmt.Sprintf("%s: %s", file, each.text))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s:%d: %s", file, each.line, each.text))
	}
	return lines
}

func (r *Report) fault(line int, format string, args ...any) {
	r.faults = append(r.faults, note{line, fmt.Sprintf(format, args...)})
}

// FaultAt reports what is wrong in a line of the file; 0 is none.
func (r *Report) FaultAt(line int, format string, args ...any) { r.fault(line, format, args...) }

// WarnAt reports a warning about a line of the file; 0 is none.
func (r *Report) WarnAt(line int, format string, args ...any) { r.warn(line, format, args...) }

func (r *Report) warn(line int, format string, args ...any) {
	r.warnings = append(r.warnings, note{line, fmt.Sprintf(format, args...)})
}

// Err joins one error for each fault, in the order of the file's lines; nil if
// there is none. Each is one line of text, and begins with file and line.
func (r *Report) Err() error {
	var errs []error
	for _, line := range r.faults.lines(r.file) {
		errs = append(errs, errors.New(line))
	}
	return errors.Join(errs...)
}

// Warnings returns the warnings in the order and form of faults.
func (r *Report) Warnings() []string { return r.warnings.lines(r.file) }

// longest is how many characters of a value are shown.
const longest = 80

// quote shows a string on one line, shortened if it is long.
func quote(s string) string {
	if n := utf8.RuneCountInString(s); n > longest {
		return fmt.Sprintf("%q… (%d characters)", string([]rune(s)[:longest]), n)
	}
	return strconv.Quote(s)
}

// Join returns the path of a member of the object at path.
func Join(path, key string) string { return join(path, key) }

// Name shows a name that may have dots and colons: as it is if it can be read.
func Name(s string) string {
	odd := func(c rune) bool { return !unicode.IsPrint(c) || c == '\'' || c == utf8.RuneError }
	if s == "" || len(s) > 4*longest || strings.ContainsFunc(s, odd) {
		return quote(s)
	}
	return s
}

// join returns the path of a member of the object at path.
func join(path, key string) string {
	odd := func(c rune) bool {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letter && c != '_' && c != '-'
	}
	if key == "" || len(key) > longest || strings.ContainsFunc(key, odd) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
