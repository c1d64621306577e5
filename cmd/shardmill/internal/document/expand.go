package document

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	// reference is what stands for a variable, what stands for "${" itself, and
	// what was probably meant as either.
	reference = regexp.MustCompile(`\$\$\{|\$\{[^}]*\}?`)

	variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

	// secret is in the names of variables whose values are nobody's to see.
	secret = regexp.MustCompile(`(?i)SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|PRIVATE_?KEY|ACCESS_?KEY|API_?KEY`)
)

// IsSecret reports whether a variable of this name may hold what is nobody's to see.
func IsSecret(name string) bool { return secret.MatchString(name) }

// Literally returns what is to be written for a text without variables.
func Literally(s string) string { return strings.ReplaceAll(s, "${", "$${") }

// text returns a text in which each ${NAME} is replaced by the variable of that
// name, once: what comes of it is not looked at again, and is text whatever is in
// it. All that is wrong with it is reported.
func (c converter) text(path, written string, line int) Value {
	wrong, expanded := map[string]bool{}, false
	at := Place{Report: c.Report, Path: path, Line: line, shown: path}
	meant := reference.ReplaceAllStringFunc(written, func(ref string) string {
		if ref == "$${" {
			return "${"
		}
		expanded = true
		s, remedy := c.lookUp(ref, slices.Contains(c.secrets, path))
		if remedy != "" && !wrong[ref] {
			at.Fault("has %s, %s", quote(ref), remedy)
			wrong[ref] = true
		}
		return s
	})
	if len(wrong) > 0 {
		return Value{Line: line}
	}
	v := Value{Kind: Text, Text: meant, Line: line}
	if expanded {
		v.Written = written
	}
	return v
}

// lookUp returns the value of a variable, or what is wrong and what to do.
func (c converter) lookUp(ref string, secret bool) (s, remedy string) {
	name := variable.FindStringSubmatch(ref)
	if name == nil {
		return "", "which is not the ${NAME} of an environment variable, of letters, digits and _; write $${ for a ${ that is none"
	}
	if !secret && IsSecret(name[1]) {
		return "", "whose name is a secret's; nothing here is secret, and logs show it: use a variable of another name if it is none, and leave credentials to the AWS SDK's environment"
	}
	s, set := "", false
	if c.env != nil {
		s, set = c.env(name[1])
	}
	*c.room -= len(s)
	switch {
	case !set:
		return "", "which is not set in the environment; set it, or write $${ for a ${ that is no variable"
	case !utf8.ValidString(s):
		return "", "whose value is not UTF-8; set it to a text"
	case *c.room < 0:
		return "", "and with it the variables of the file have more than " + strconv.Itoa(MaxBytes) + " bytes; set it to a shorter text"
	}
	return s, ""
}
