package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxPrefix    = 1024 // characters as given
	maxEvaluated = 512  // characters for Firehose, bytes for us: S3 allows a key 1024
)

func (l *loader) prefix(p place) {
	s, ok := checkPrefix(p, "Length of evaluated prefix cannot be greater than 512")
	if ok && slices.Contains(strings.Split(s+"2016", "/"), "..") { // the date follows
		p.bad(`remove the ".." between slashes: to who reads keys as paths it names another place`)
		return
	}
	warnOfMarks(p, s)
	l.config.Prefix = s
}

// errorOutputPrefix checks a prefix that no object gets.
func errorOutputPrefix(p place) {
	if s, ok := checkPrefix(p, "Length of evaluated ErrorOutputPrefix cannot be greater than 512"); ok && s != "" {
		p.warn("it has no effect: this version writes no error records")
	}
}

func checkPrefix(p place, tooLong string) (string, bool) {
	s, ok := p.string()
	if !ok {
		return "", false
	}
	switch n := utf8.RuneCountInString(s); {
	case n > maxPrefix:
		p.fault("%s", says(fmt.Sprintf("has %d characters; it may have at most %d", n, maxEvaluated),
			p.constraint("Member must have length less than or equal to 1024")))
	case strings.Contains(s, "!{"):
		expression(p, s)
	case n > maxEvaluated:
		p.fault("%s", says(fmt.Sprintf("has %d characters; it may have at most %d", n, maxEvaluated), prefixRule(tooLong)))
	case len(s) > maxEvaluated:
		p.fault("has %d bytes of UTF-8; it may have at most %d", len(s), maxEvaluated)
	default:
		return s, true
	}
	return "", false
}

// expression refuses a prefix with an expression, and adds what Firehose says
// if it would refuse it too.
func expression(p place, s string) {
	remedy := "expressions, !{…}, are not built yet; give a literal prefix"
	if rule := brokenRule(s, last(p.path) == "ErrorOutputPrefix"); rule != "" {
		remedy = says(remedy, prefixRule(rule))
	}
	p.bad("%s", remedy)
}

// brokenRule returns Firehose's text for a rule that the expressions of a
// prefix break whatever else is configured, or "".
func brokenRule(prefix string, inError bool) string {
	for _, part := range strings.Split(prefix, "!{")[1:] {
		inner, _, closed := strings.Cut(part, "}")
		namespace, value, ok := strings.Cut(inner, ":")
		if !closed || !ok {
			return "Invalid expression usage: " + prefix + ".Must be of the form !{<namespace>:<value>}"
		}
		if rule := namespaceRule(namespace, value, inError); rule != "" {
			return rule
		}
	}
	if inError && !strings.Contains(prefix, "!{firehose:error-output-type}") {
		return "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"
	}
	return ""
}

func namespaceRule(namespace, value string, inError bool) string {
	switch namespace {
	case "timestamp":
	case "firehose":
		if value == "error-output-type" && !inError {
			return "Prefix must not contain any occurrence of !{firehose:error-output-type}"
		}
	case "partitionKeyFromQuery", "partitionKeyFromLambda":
		if inError {
			return "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
		}
	default:
		return "Namespace to the left of colon (" + namespace + ") is an invalid keyword!"
	}
	return ""
}
