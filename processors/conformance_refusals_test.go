package processors_test

import (
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors"
)

func errorsPrefixed(s string) func(*processors.Config) {
	return func(c *processors.Config) { c.ErrorOutputPrefix = s }
}

// What Firehose says of the staging bucket of Redshift.
const (
	stagedFormats  = "Only the following compression formats are allowed when using Redshift: [UNCOMPRESSED, GZIP]"
	stagedPrefixes = "Prefix Expressions or ErrorOutputPrefix is currently not supported for this destination"
)

// staged is a change of a configuration of what is to be loaded.
func staged(change func(*processors.Config)) func(*processors.Config) {
	return func(c *processors.Config) {
		c.Load = &processors.Load{}
		change(c)
	}
}

func stagedAs(s processors.Compression) func(*processors.Config) { return staged(compression(s)) }

// conformRefusals is about what Firehose refuses when a delivery stream is created:
// New does, and says it in Firehose's words too.
func conformRefusals(t *testing.T) {
	t.Helper()
	const (
		pattern = `Member must satisfy regular expression pattern: ^(|\.[0-9a-z!\-_.*'()]+)$`
		zones   = "Provided custom time zone is not supported. Custom time zones are limited to UTC and non-3-letter IANA time zones."
		tooLong = "Length of evaluated prefix cannot be greater than 512"
	)
	for _, row := range []struct {
		number string
		change func(*processors.Config)
		want   string // "": it is accepted
	}{
		{"K22/no point", extension("log", "UNCOMPRESSED"), pattern},
		{"K22/a capital letter", extension(".LOG", "UNCOMPRESSED"), pattern},
		{"K22/128", extension("."+strings.Repeat("a", 127), "UNCOMPRESSED"), ""},
		{"K22/129", extension("."+strings.Repeat("a", 128), "UNCOMPRESSED"), "Member must have length less than or equal to 128"},
		{"K23/none", func(c *processors.Config) { c.Prefix = "!{timestamp:yyyy}/" }, "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"},
		{"K23/a plain one", func(c *processors.Config) { c.Prefix, c.ErrorOutputPrefix = "!{timestamp:yyyy}/", "plainerror/" }, ""},
		{"K24", prefixed("a/!{firehose:error-output-type}/"), "Prefix must not contain any occurrence of !{firehose:error-output-type}"},
		{"K25", errorsPrefixed("err/!{timestamp:yyyy}/"), "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"},
		{"K26", errorsPrefixed("!{firehose:error-output-type}/!{partitionKeyFromQuery:k}/"), "Dynamic Partitioning Namespaces can't be part of an error prefix expression"},
		{"K27/no colon", prefixed("my!{prefix/"), "Invalid expression usage: my!{prefix/.Must be of the form !{<namespace>:<value>}"},
		{"K27/another namespace", prefixed("!{unknown:x}"), "Namespace to the left of colon (unknown) is an invalid keyword!"},
		{"K28/one more", prefixed(strings.Repeat("p", 513)), tooLong},
		{"K36/an older name", zone("Asia/Calcutta"), ""},
		{"K36/UTC", zone("UTC"), ""},
		{"K36/its name today", zone("Asia/Kolkata"), zones},
		{"K36/three letters", zone("EST"), zones},
		{"R11/GZIP", stagedAs(processors.GZIP), ""},
		{"R11/UNCOMPRESSED", stagedAs(processors.Uncompressed), ""},
		{"R11/Snappy", stagedAs(processors.Snappy), stagedFormats},
		{"R11/ZIP", stagedAs(processors.ZIP), stagedFormats},
		{"R11/HADOOP_SNAPPY", stagedAs(processors.HadoopSnappy), stagedFormats},
		{"R12/literal", staged(prefixed("logs/")), ""},
		{"R12/expression", staged(prefixed("logs/!{timestamp:yyyy}/")), stagedPrefixes},
		{"R12/stray", staged(prefixed("my!{prefix/")), stagedPrefixes},
		{"R12/error prefix", staged(errorsPrefixed("errors/")), stagedPrefixes},
	} {
		t.Run(row.number, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, row.change, row.want)
		})
	}
	const letters = "Invalid conversion character used in the value of the expression in Prefix"
	for c := 'A'; c <= 'z'; c++ {
		if c > 'Z' && c < 'a' {
			continue
		}
		want := ""
		if strings.ContainsRune("CIJPRTUVbfijloprt", c) {
			want = letters
		}
		t.Run("K35/"+string(c), func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, prefixed("!{timestamp:"+string(c)+"}/"), want)
		})
	}
}

// wantRefusal checks that New refuses a configuration with these words, or, if there
// are none, takes it.
func wantRefusal(t *testing.T, change func(*processors.Config), words string) {
	t.Helper()
	_, err := processors.New(with(config(), change), new(shelf))
	switch {
	case words == "" && err != nil:
		t.Errorf("refused: %v", err)
	case words != "" && (err == nil || !strings.Contains(err.Error(), words)):
		t.Errorf("got %v, want %q", err, words)
	}
}
