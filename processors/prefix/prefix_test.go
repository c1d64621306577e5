package prefix_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/prefix"
)

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for key, good := range map[string]bool{
		"k":                          true,
		"2016/02/25/13/x.gz":         true,
		"any prefix, even !{x}/y?":   true,
		"/":                          true,
		"a//b":                       true,
		"./a/...":                    true,
		"..a/b../c..d/..e":           true,
		"ä/日本":                       true,
		strings.Repeat("k", 1024):    true,
		"":                           false,
		strings.Repeat("k", 1025):    false,
		"..":                         false,
		"../a":                       false,
		"a/..":                       false,
		"a/../b":                     false,
		"a\nb":                       false,
		"a\x00":                      false,
		"\x7f":                       false,
		"\u009b31m":                  false,
		"a\xff":                      false,
		"\xed\xa0\x80":               false,
		strings.Repeat("ä", 512):     true,
		strings.Repeat("ä", 513):     false,
		"a\\..\\b":                   true,
		"%2e%2e/%2e%2e/is no escape": true,
	} {
		if err := prefix.CheckKey(key); (err == nil) != good {
			t.Errorf("%.40q: %v", key, err)
		}
	}
}

// What is refused, and what Firehose says to it; the texts for a file are tested
// in the program's configuration.
func TestParse(t *testing.T) {
	t.Parallel()
	const unbuilt = "expressions, !{…}, are not built yet; give a literal prefix"
	long := "Length of evaluated prefix cannot be greater than 512"
	for _, row := range []struct {
		prefix       string
		kind         prefix.Kind
		err          string // "": it is taken
		rule, member string
	}{
		{prefix: ""},
		{prefix: "logs"},
		{prefix: "a{b}!c/$"},
		{prefix: strings.Repeat("p", 512)},
		{prefix: strings.Repeat("p", 513), err: "has 513 characters; it may have at most 512", rule: long},
		{prefix: strings.Repeat("ä", 256)},
		{prefix: strings.Repeat("ä", 257), err: "has 514 bytes of UTF-8; it may have at most 512"},
		{prefix: strings.Repeat("p", 1024), err: "has 1024 characters; it may have at most 512", rule: long},
		{prefix: strings.Repeat("p", 1025), err: "has 1025 characters; it may have at most 512", member: "Member must have length less than or equal to 1024"},
		{prefix: "!{timestamp:yyyy}/", err: unbuilt},
		{prefix: "my!{prefix/", err: unbuilt, rule: "Invalid expression usage: my!{prefix/.Must be of the form !{<namespace>:<value>}"},
		{prefix: "../a", err: `remove the ".." between slashes: to who reads keys as paths it names another place`},
		{prefix: "a/../", kind: prefix.Errors}, // it gets no object
		{prefix: "a/.."},                       // the year follows it
		{prefix: "a/../", err: `remove the ".." between slashes: to who reads keys as paths it names another place`},
		{prefix: "a\x00", err: "it has a control character"},
		{prefix: "a\xff", err: "it is not UTF-8"},
		{prefix: "errors/", kind: prefix.Errors},
		{prefix: strings.Repeat("p", 513), kind: prefix.Errors, err: "has 513 characters; it may have at most 512", rule: "Length of evaluated ErrorOutputPrefix cannot be greater than 512"},
		{
			prefix: "!{timestamp:yyyy}/", kind: prefix.Errors, err: unbuilt,
			rule: "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}",
		},
		{prefix: "!{timestamp/yyyy}/", err: unbuilt, rule: "Invalid expression usage: !{timestamp/yyyy}/.Must be of the form !{<namespace>:<value>}"},
		{prefix: "!{timestamp:yyyy", err: unbuilt, rule: "Invalid expression usage: !{timestamp:yyyy.Must be of the form !{<namespace>:<value>}"},
		{prefix: "!{timestamp:yyyy}/!{x:y}/", err: unbuilt, rule: "Namespace to the left of colon (x) is an invalid keyword!"},
		{prefix: "!{firehose:random-string}/", err: unbuilt},
		{prefix: "!{firehose:error-output-type}/", err: unbuilt, rule: "Prefix must not contain any occurrence of !{firehose:error-output-type}"},
		{prefix: "!{firehose:error-output-type}/", kind: prefix.Errors, err: unbuilt},
		{prefix: "!{partitionKeyFromQuery:k}/", err: unbuilt},
		{prefix: "!{partitionKeyFromLambda:k}/", err: unbuilt},
		{
			prefix: "!{firehose:error-output-type}/!{partitionKeyFromQuery:k}/", kind: prefix.Errors, err: unbuilt,
			rule: "Dynamic Partitioning Namespaces can't be part of an error prefix expression",
		},
		{
			prefix: "!{firehose:error-output-type}/!{partitionKeyFromLambda:k}/", kind: prefix.Errors, err: unbuilt,
			rule: "Dynamic Partitioning Namespaces can't be part of an error prefix expression",
		},
	} {
		_, err := prefix.Parse(row.prefix, row.kind)
		if row.err == "" {
			if err != nil {
				t.Errorf("%.20q: %v", row.prefix, err)
			}
			continue
		}
		e, ok := errors.AsType[*prefix.Error](err)
		if !ok || e.Error() != row.err || e.Rule != row.rule || e.Member != row.member {
			t.Errorf("%.20q: got %+v, want %+v", row.prefix, e, row)
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	at := time.Date(2016, 2, 25, 14, 0, 0, 0, time.FixedZone("CET", 3600))
	for given, want := range map[string]string{"": "2016/02/25/13/", "logs": "logs2016/02/25/13/", "logs/": "logs/2016/02/25/13/"} {
		p, err := prefix.Parse(given, prefix.Objects)
		if err != nil || p.At(at) != want || len(p.Longest()) != len(want) {
			t.Errorf("%q: %q, %v, at most %d bytes", given, p.At(at), err, len(p.Longest()))
		}
	}
}
