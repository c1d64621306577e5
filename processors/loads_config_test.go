package processors_test

import (
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// TestLoadIsRefused: all that does not go with a load, in Firehose's words, at once.
func TestLoadIsRefused(t *testing.T) {
	t.Parallel()
	const formats, prefixes = stagedFormats, stagedPrefixes
	for _, row := range []struct {
		name   string
		change func(*processors.Config)
		want   []string // none: accepted
		not    string
	}{
		{"the shortest", func(c *processors.Config) { c.Load = &processors.Load{} }, nil, ""},
		{"a literal prefix", func(c *processors.Config) { c.Prefix = "logs/" }, nil, ""},
		{"uncompressed, at least once", func(c *processors.Config) { c.Compression = processors.Uncompressed; atLeastOnce(c) }, nil, ""},
		{"stages and a backup", func(c *processors.Config) { c.Decompression, c.Backup = true, backedUp().Backup }, nil, ""},
		{"UTC by name", zone("UTC"), nil, ""},
		{"Snappy", compression(processors.Snappy), []string{`Compression "Snappy"`, formats}, ""},
		{"ZIP", compression(processors.ZIP), []string{formats}, ""},
		{"ZSTD", compression(processors.ZSTD), []string{formats}, ""},
		{"an expression", prefixed("!{timestamp:yyyy}/"), []string{"Prefix", prefixes}, "must be given"},
		{"an expression, and another prefix", func(c *processors.Config) { c.Prefix, c.ErrorOutputPrefix = "!{timestamp:yyyy}/", "e/" }, []string{"Prefix", "ErrorOutputPrefix", prefixes}, ""},
		{"another prefix", errorsPrefixed("errors/"), []string{"ErrorOutputPrefix", prefixes}, ""},
		{"a time zone", zone("Asia/Calcutta"), []string{`CustomTimeZone "Asia/Calcutta": must be UTC`}, ""},
		{"an extension", func(c *processors.Config) { c.FileExtension = ".x" }, []string{"FileExtension"}, ""},
		{"the prefix of markers", prefixed("_shardmill/load/orders/x"), []string{"Prefix", "where markers are"}, ""},
		{"what to wait for", func(c *processors.Config) { c.Load.CommitOn = "copy" }, []string{`Load.CommitOn "copy"`, `"stage" or "load"`}, ""},
		{
			"all of it",
			func(c *processors.Config) {
				*c = partitioned()
				c.Load, c.Index, c.Compression, c.FileExtension = &processors.Load{CommitOn: "x"}, index{}, processors.ZIP, ".x"
				c.CustomTimeZone = "Asia/Calcutta"
			},
			[]string{"Load.CommitOn", formats, prefixes, "ErrorOutputPrefix", "CustomTimeZone", "DynamicPartitioning", "Index", "FileExtension"},
			"",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := processors.New(with(loading(""), row.change), new(shelf))
			if (err == nil) != (len(row.want) == 0) {
				t.Fatalf("got %v", err)
			}
			for _, part := range row.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\nlacks %q", err, part)
				}
			}
			if row.not != "" && strings.Contains(err.Error(), row.not) {
				t.Errorf("%v\nhas %q", err, row.not)
			}
		})
	}
}

// TestPlansOfLoadsFit: with the longest names that there may be.
func TestPlansOfLoadsFit(t *testing.T) {
	t.Parallel()
	for _, on := range []processors.CommitOn{processors.CommitOnStage, processors.CommitOnLoad} {
		cfg := with(loading(on), func(c *processors.Config) {
			c.DeliveryStreamName, c.Bucket = strings.Repeat("d", 64), strings.Repeat("b", 63)
			c.Staging = "s3://" + strings.Repeat("s", 63) + "/" + strings.Repeat("p", 99) + "/"
		})
		if _, err := processors.New(cfg, new(shelf)); err != nil {
			t.Fatal(err)
		}
		pl := cfg.LargestPlan()
		bucket, prefix := cfg.Markers()
		announced := pl.Announce(exactlyonce.Target{Bucket: bucket, Key: prefix + pl.UUID.String()})
		if a, b := len(pl.Encode()), len(announced.Encode()); a > exactlyonce.MaxBytes || b > exactlyonce.MaxBytes || pl.Bundle == nil {
			t.Errorf("%d and %d bytes", a, b)
		}
	}
}
