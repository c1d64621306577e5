package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/check"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
)

// In the example key of a partition names stand for values, whatever else the prefix
// has, and the name of the object follows.
func TestExampleKeysOfPartitions(t *testing.T) {
	t.Parallel()
	at := time.Date(2016, 2, 25, 13, 0, 0, 0, time.UTC)
	const name = "orders-1-2016-02-25-13-00-00-00000000-0000-0000-0000-000000000000"
	for given, row := range map[string]struct{ zone, want string }{
		"a=!{partitionKeyFromQuery:a}/":                            {"UTC", "a={a}/" + name},
		"!{partitionKeyFromLambda:b}!{partitionKeyFromQuery:a}":    {"UTC", "{b}{a}" + name},
		"!{partitionKeyFromQuery:a}/!{timestamp:yyyy-MM-dd'T'HH}/": {"Asia/Tokyo", "{a}/2016-02-25T22/" + strings.Replace(name, "-13-", "-22-", 1)},
		"logs/": {"UTC", "logs/2016/02/25/13/" + name}, // by the time of events
	} {
		c := processors.Config{
			DeliveryStreamName: "orders", Bucket: "b", Prefix: given, ErrorOutputPrefix: "e/", CustomTimeZone: row.zone,
			DynamicPartitioning: &processors.DynamicPartitioning{MetadataExtractionQuery: "{a:.a}"}, RecordDeAggregation: &processors.RecordDeAggregation{},
		}
		keys, err := exampleKeys(c.WithDefaults(), []time.Time{at})
		if err != nil || len(keys) != 1 || keys[0].Key != row.want {
			t.Errorf("%s: %v, %v, want %s", given, keys, err, row.want)
		}
	}
}

// A command that is not there is found before the archiver starts.
func TestLookAtCommand(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	tool := write(t, "tool", "")
	for name, row := range map[string]struct {
		of     config.CommandTransform
		status check.Status
		says   string // a part of it
	}{
		"a command":                 {byCommand("", "sh"), check.OK, "is there to be run"},
		"no command":                {byCommand("", "no-such-tool"), check.Wrong, `"no-such-tool": executable file not found in $PATH`},
		"a file that is no program": {byCommand(filepath.Dir(tool), "./tool"), check.Wrong, `"` + tool + `": permission denied`},
		"no directory":              {byCommand(none, "sh"), check.Wrong, none + ": no such file or directory"},
	} {
		got := lookAtCommand(&row.of)
		told := strings.HasSuffix(got.Text, "; correct shardmill.transform")
		if got.What != "command "+row.of.Argv[0] || got.Status != row.status || !strings.Contains(got.Text, row.says) || told != (row.status == check.Wrong) {
			t.Errorf("%s: %+v, want %s and %s", name, got, row.status, row.says)
		}
	}
}

func byCommand(dir string, argv ...string) config.CommandTransform {
	return config.CommandTransform{Argv: argv, Directory: dir}
}

// That objects are counted without partitions is said, and that a cut may have several.
func TestEstimateOfPartitions(t *testing.T) {
	t.Parallel()
	cfg := config.Config{Delivery: processors.Config{DeliveryStreamName: "o", Bucket: "b", DynamicPartitioning: &processors.DynamicPartitioning{}}.WithDefaults()}
	var out bytes.Buffer
	found := checked{}
	found.estimate(cfg, configFlags{rate: 1 << 20, shards: 1}, 0, stdio{out: &out})
	if found.Estimate.Deletes == 0 || !strings.HasSuffix(out.String(), "estimate     objects and PUT requests are those of one partition; each that is active in a cut has its own\n") {
		t.Errorf("%+v\n%s", found.Estimate, &out)
	}
	cfg.Delivery.DynamicPartitioning, cfg.Transform = nil, &config.Transform{}
	out.Reset()
	found.estimate(cfg, configFlags{rate: 1 << 20, shards: 1}, 0, stdio{out: &out})
	if found.Estimate.Deletes == 0 || strings.Contains(out.String(), "partition") {
		t.Errorf("with a transform: %+v\n%s", found.Estimate, &out)
	}
}
