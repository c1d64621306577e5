package prefix_test

import (
	"errors"
	"strings"
	"testing"

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
	const (
		form    = "begin a !{ only where an expression is, of the form !{namespace:value}"
		names   = "write timestamp, firehose, partitionKeyFromQuery or partitionKeyFromLambda before the colon of an expression"
		letters = "Invalid conversion character used in the value of the expression in Prefix"
		dots    = `remove the ".." between slashes: to who reads keys as paths it names another place`
		long    = "Length of evaluated prefix cannot be greater than 512"
		errType = "!{firehose:error-output-type}"
	)
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
		{prefix: "../a", err: dots},
		{prefix: "a/.."}, // the year follows it
		{prefix: "a/../", err: dots},
		{prefix: "a/../", kind: prefix.Errors, err: dots},
		{prefix: "a/!{timestamp:'../'yyyy}", err: dots},
		{prefix: "a/.!{timestamp:'.'}/", err: dots},
		{prefix: "a/.!{timestamp:'.'d}/"},
		{prefix: "a\x00", err: "it has a control character"},
		{prefix: "!{timestamp:'\n'}", err: "it has a control character"},
		{prefix: "a\xff", err: "it is not UTF-8"},
		{prefix: "errors/", kind: prefix.Errors},
		{prefix: strings.Repeat("p", 513), kind: prefix.Errors, err: "has 513 characters; it may have at most 512", rule: "Length of evaluated ErrorOutputPrefix cannot be greater than 512"},
		{prefix: "!{timestamp:yyyy}" + strings.Repeat("p", 508)},
		{prefix: "!{timestamp:yyyy}" + strings.Repeat("p", 509), err: "can evaluate to 513 characters; it may have at most 512", rule: long},
		{prefix: "!{timestamp:M}" + strings.Repeat("p", 511), err: "can evaluate to 513 characters; it may have at most 512", rule: long},
		{prefix: errType + strings.Repeat("p", 483), kind: prefix.Errors, err: "can evaluate to 513 characters; it may have at most 512", rule: "Length of evaluated ErrorOutputPrefix cannot be greater than 512"},
		{
			prefix: "!{timestamp:yyyy}/", kind: prefix.Errors, err: "add " + errType + " to it, or remove the expressions",
			rule: "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}",
		},
		{prefix: "my!{prefix/", err: form, rule: "Invalid expression usage: my!{prefix/.Must be of the form !{<namespace>:<value>}"},
		{prefix: "!{timestamp/yyyy}/", err: form, rule: "Invalid expression usage: !{timestamp/yyyy}/.Must be of the form !{<namespace>:<value>}"},
		{prefix: "!{timestamp:yyyy", err: form, rule: "Invalid expression usage: !{timestamp:yyyy.Must be of the form !{<namespace>:<value>}"},
		{prefix: "!{timestamp:yyyy}/!{x:y}/", err: names, rule: "Namespace to the left of colon (x) is an invalid keyword!"},
		{prefix: "!{timestamp:}", err: "write a pattern behind timestamp:, such as yyyy"},
		{prefix: "!{timestamp:b}", err: `change the timestamp pattern "b": b is no letter of patterns; put texts in single quotes`, rule: letters},
		{prefix: "!{timestamp:'d}", err: `change the timestamp pattern "'d": a quote is not closed`, rule: letters},
		{prefix: "!{timestamp:#}", err: `change the timestamp pattern "#": the character # is reserved`, rule: letters},
		{prefix: "!{timestamp:d]}", err: `change the timestamp pattern "d]": there is a ] without a [ before it`, rule: letters},
		{prefix: "!{timestamp:pd}", err: `change the timestamp pattern "pd": it pads to 1 characters what can have 2, which Java takes and then cannot print`},
		{prefix: "!{timestamp:yyyyyyyyyyy}", err: `change the timestamp pattern "yyyyyyyyyyy": it has a year of 11 to 18 letters, which Java takes and then cannot print`},
		{prefix: "!{firehose:random-string}/"},
		{prefix: "!{firehose:bogus}/", err: "write random-string or error-output-type behind firehose:", rule: letters},
		{prefix: "!{firehose:bogus}/", kind: prefix.Errors, err: "write random-string or error-output-type behind firehose:", rule: "Invalid conversion character used in the value of the expression in ErrorOutputPrefix"},
		{prefix: errType, err: "remove " + errType + ": it is for ErrorOutputPrefix", rule: "Prefix must not contain any occurrence of " + errType},
		{prefix: errType, kind: prefix.Errors},
		{prefix: "!{partitionKeyFromQuery:k}/"},
		{prefix: "!{partitionKeyFromLambda:k}/"},
		{prefix: "!{partitionKeyFromLambda:}/", err: "write the name of the partition key behind partitionKeyFromLambda:"},
		{
			prefix: errType + "/!{partitionKeyFromQuery:k}/", kind: prefix.Errors, err: "remove the partition keys: an ErrorOutputPrefix has none",
			rule: "Dynamic Partitioning Namespaces can't be part of an error prefix expression",
		},
		{
			prefix: errType + "/!{partitionKeyFromLambda:k}/", kind: prefix.Errors, err: "remove the partition keys: an ErrorOutputPrefix has none",
			rule: "Dynamic Partitioning Namespaces can't be part of an error prefix expression",
		},
	} {
		_, err := prefix.Parse(row.prefix, row.kind)
		if row.err == "" {
			if err != nil {
				t.Errorf("%.30q: %v", row.prefix, err)
			}
			continue
		}
		e, ok := errors.AsType[*prefix.Error](err)
		if !ok || e.Error() != row.err || e.Rule != row.rule || e.Member != row.member {
			t.Errorf("%.30q: got %+v, want %+v", row.prefix, e, row)
		}
	}
}

// What partition keys have done to a prefix is an error of theirs.
func TestPartitionKeys(t *testing.T) {
	t.Parallel()
	p := parse(t, "q=!{partitionKeyFromQuery:k}/l=!{partitionKeyFromLambda:k}/!{timestamp:d}/", prefix.Objects)
	for _, row := range []struct{ query, lambda, want string }{
		{"a", "b", "q=a/l=b/25/"},
		{"ä/ ", "b", "q=ä/ /l=b/25/"},
		{"", "b", `partition keys: partitionKeys values must not be null or empty: "k"`},
		{"a", "", `partition keys: partitionKeys values must not be null or empty: "k"`},
		{"a/../b", "b", `partition keys: the evaluated prefix "q=a/../b/l=b/25/" has ".." between slashes`},
		{"a\n", "b", `partition keys: the evaluated prefix "q=a\n/l=b/25/" has a control character`},
		{"a\xff", "b", `partition keys: the evaluated prefix "q=a\xff/l=b/25/" is not UTF-8`},
		{strings.Repeat("a", 502), "b", "q=" + strings.Repeat("a", 502) + "/l=b/25/"},
		{strings.Repeat("a", 503), "b", "partition keys: the evaluated prefix has 513 bytes of UTF-8; it may have at most 512"},
	} {
		got, err := p.Evaluate(prefix.Values{At: t0, FromQuery: map[string]string{"k": row.query}, FromLambda: map[string]string{"k": row.lambda}})
		if err != nil {
			got = err.Error()
			if !errors.Is(err, prefix.ErrPartitionKey) {
				t.Errorf("%v is no ErrPartitionKey", err)
			}
		}
		if got != row.want {
			t.Errorf("%.20q, %q: %q, want %q", row.query, row.lambda, got, row.want)
		}
	}
	if n := len(p.Longest()); n != 512 {
		t.Errorf("at most %d bytes", n)
	}
	if keys := p.PartitionKeys(); len(keys) != 2 || keys[0] != (prefix.PartitionKey{Namespace: "partitionKeyFromQuery", Name: "k"}) {
		t.Errorf("its keys are %v", keys)
	}
}

func TestCheckPartitioning(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		prefix  string
		enabled bool
		rule    string
	}{
		{"a/", false, ""},
		{"!{partitionKeyFromQuery:k}/", true, ""},
		{"!{partitionKeyFromQuery:k}/", false, "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled"},
		{"!{timestamp:yyyy}/", true, `S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled`},
	} {
		err := parse(t, row.prefix, prefix.Objects).CheckPartitioning(row.enabled)
		if e, _ := errors.AsType[*prefix.Error](err); (err != nil) != (row.rule != "") || err != nil && e.Rule != row.rule {
			t.Errorf("%q, %v: %+v", row.prefix, row.enabled, e)
		}
	}
}

func TestRandomString(t *testing.T) {
	t.Parallel()
	for bits, want := range map[uint64]string{0: "00000000000", 61: "z0000000000", 62: "01000000000", 1<<64 - 1: "FYHA61aHgyL"} {
		if got := prefix.RandomString(bits); got != want {
			t.Errorf("%d: %s, want %s", bits, got, want)
		}
	}
}
