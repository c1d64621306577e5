package processors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/transform"
)

// keyed is a transform that gives a record of KEY:DATA the key k, and leaves it as it is.
func keyed() transform.Function {
	return transform.Func("keyed", func(_ context.Context, b *transform.Batch) (results []transform.Result, err error) {
		for _, r := range b.Records {
			key, _, _ := strings.Cut(string(r.Data), ":")
			results = append(results, transform.Result{ID: r.ID, Status: transform.Ok, Data: r.Data, PartitionKeys: map[string]string{"k": key}})
		}
		return results, nil
	})
}

// divided returns a configuration with partitions of records of KEY:DATA.
func divided(changes ...func(*processors.DynamicPartitioning)) processors.Config {
	return with(config(), func(c *processors.Config) {
		c.Transform = &processors.Transform{Function: keyed()}
		c.Prefix, c.ErrorOutputPrefix = "k=!{partitionKeyFromLambda:k}/", "errors/!{firehose:error-output-type}/"
		c.Hints = processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 60}
		c.DynamicPartitioning = &processors.DynamicPartitioning{}
		for _, change := range changes {
			change(c.DynamicPartitioning)
		}
	})
}

// put returns what is under each prefix after records were delivered in one cut, object
// by object, and what was told of the cut.
func put(t *testing.T, cfg processors.Config, records []kcl.Record) (map[string][]string, processors.ProcessedEvent) {
	t.Helper()
	s := new(shelf)
	var told processors.ProcessedEvent
	cfg.Hooks.Processed = func(e processors.ProcessedEvent) { told = e }
	archiver, err := processors.New(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	deliverAll(t, archiver, records)
	got := map[string][]string{}
	for _, o := range s.objects {
		before, _, isNamed := strings.Cut(o.Key, "orders-1-")
		body, err := stored{body: o.body, encoding: o.ContentEncoding}.inflated()
		if err != nil {
			t.Error(err)
		}
		if isNamed {
			got[before] = append(got[before], body)
		}
	}
	for _, bodies := range got {
		slices.Sort(bodies)
	}
	return got, told
}

func recordsOf(data ...string) (records []kcl.Record) {
	for i, d := range data {
		records = append(records, record(3*i, d))
	}
	return records
}

// Records of one partition are in one object, until that has its size.
func TestPartitions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got, told := put(t, divided().WithSize(10), recordsOf("1:aaa", "2:bb", "1:cc", "3:d", "2:e", "1:f", "1:ggg", "/:h", "x/y:i"))
		want := map[string][]string{
			"k=1/": {"1:aaa1:cc1:f", "1:ggg"}, "k=2/": {"2:bb2:e"}, "k=3/": {"3:d"}, "k=//": {"/:h"}, "k=x/y/": {"x/y:i"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if told.Objects != 6 || told.Transformed != 9 || len(told.Failed) > 0 || told.PartitionsExceeded > 0 {
			t.Errorf("told %+v", told)
		}
	})
}

// A record without a partition is a line of an error object, before it joins an object.
func TestRecordsWithoutAPartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := []string{":empty", "a\x01b:control", "../..:up", "\xff:not UTF-8", strings.Repeat("k", 510) + ":long", "a\x00b:zero"}
		got, told := put(t, divided(), recordsOf(append(bad, "1:good")...))
		lines := strings.Count(strings.Join(got["errors/metadata-extraction-failed/"], ""), `"errorCode":"DynamicPartitioning.MetadataExtractionFailed"`)
		if len(got) != 2 || !slices.Equal(got["k=1/"], []string{"1:good"}) || lines != len(bad) || told.Failed["metadata-extraction-failed"] != int64(len(bad)) {
			t.Errorf("got %q, told %+v", got, told)
		}
		if !strings.Contains(got["errors/metadata-extraction-failed/"][0], `"errorMessage":"partitionKeys values must not be null or empty"`) {
			t.Errorf("lines %s", got["errors/metadata-extraction-failed/"][0])
		}
	})
}

// One active partition too many makes an error of the record, or completes the object that
// began first.
func TestActivePartitions(t *testing.T) {
	t.Parallel()
	records := recordsOf("1:a", "2:b", "3:c", "1:d", "3:e", "2:f")
	for overflow, want := range map[processors.Overflow]map[string][]string{
		processors.OverflowFail:   {"k=1/": {"1:a1:d"}, "k=2/": {"2:b2:f"}, "errors/activePartitionExceeded/": {"3:c", "3:e"}},
		processors.OverflowFinish: {"k=1/": {"1:a", "1:d"}, "k=2/": {"2:b", "2:f"}, "k=3/": {"3:c3:e"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			got, told := put(t, divided(func(d *processors.DynamicPartitioning) { d.ActivePartitions, d.Overflow = 2, overflow }), records)
			if failed := got["errors/activePartitionExceeded/"]; len(failed) == 1 {
				got["errors/activePartitionExceeded/"] = rawData(t, failed[0])
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", overflow, diff)
			}
			if exceeded := map[processors.Overflow]int64{processors.OverflowFail: 2, processors.OverflowFinish: 3}[overflow]; told.PartitionsExceeded != exceeded {
				t.Errorf("%s: told %+v", overflow, told)
			}
		})
	}
}

// The default is Firehose's quota, divided by the shards of the stream.
func TestTheQuotaIsTheStreams(t *testing.T) {
	t.Parallel()
	for shards, want := range map[int]int{0: 500, 1: 500, 3: 166, 500: 1, 501: 1} {
		synctest.Test(t, func(t *testing.T) {
			var last processors.BufferedEvent
			cfg := with(divided(), func(c *processors.Config) {
				c.Hooks.Buffered = func(e processors.BufferedEvent) { last = e }
				c.Transform.Hints = processors.TransformHints{SizeInMBs: 1}
			})
			archiver, err := processors.New(cfg, new(shelf))
			if err != nil {
				t.Fatal(err)
			}
			p, in := calledWith(t, archiver.Processor(theShard()), recordsOf("1:a", "2:b", "1:c"))
			in.OpenShards = shards
			for range 2 {
				if err := p.ProcessRecords(t.Context(), in); err != nil {
					t.Fatal(err)
				}
				in.Records = nil
				synctest.Wait()
			}
			active := min(2, want)
			if last.ActivePartitionsLimit != want || last.ActivePartitions != active {
				t.Errorf("%d shards: told %+v", shards, last)
			}
			p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
		})
	}
}

// Whatever the keys are, each record is in one object, with others of its partition alone
// and in order.
func TestAnyPartitions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "a/b", "", "é"}), 1, 60).Draw(rt, "keys")
		limit := rapid.IntRange(1, 5).Draw(rt, "active")
		overflow := rapid.SampledFrom([]processors.Overflow{processors.OverflowFail, processors.OverflowFinish}).Draw(rt, "overflow")
		size := rapid.Int64Range(1, 60).Draw(rt, "size")
		data := make([]string, 0, len(keys))
		for i, k := range keys {
			data = append(data, fmt.Sprintf("%s:<%d>", k, i))
		}
		var failed string
		synctest.Test(t, func(t *testing.T) {
			got, told := put(t, divided(func(d *processors.DynamicPartitioning) { d.ActivePartitions, d.Overflow = limit, overflow }).WithSize(size), recordsOf(data...))
			seen := map[string]int{}
			for before, bodies := range got {
				for _, body := range bodies {
					if strings.HasPrefix(before, "errors/") {
						for _, d := range rawData(t, body) {
							seen[d]++
						}
						continue
					}
					last := -1
					for i, d := range data {
						if !strings.Contains(body, d) || before != "k="+keys[i]+"/" {
							continue
						}
						seen[d]++
						if at := strings.Index(body, d); at < last {
							failed = "out of order: " + body
						} else {
							last = at
						}
					}
				}
			}
			for _, d := range data {
				if seen[d] != 1 {
					failed = fmt.Sprintf("%q is in %d places of %v", d, seen[d], got)
				}
			}
			if n := told.Failed["activePartitionExceeded"]; overflow == processors.OverflowFinish && n > 0 {
				failed = fmt.Sprintf("%d records met a limit", n)
			}
		})
		if failed != "" {
			rt.Fatal(failed)
		}
	})
}

// What a prefix prints of a record's arrival is part of its partition; a random string is
// drawn for each object.
func TestPartitionsOfTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		records := recordsOf("1:a", "1:b", "1:c", "1:d")
		for i, minutes := range []int{0, 59, 60, 1} {
			records[i].ApproximateArrivalTimestamp = start().Add(time.Duration(minutes) * time.Minute)
		}
		got, _ := put(t, with(divided().WithSize(7), func(c *processors.Config) {
			c.Prefix = "k=!{partitionKeyFromLambda:k}/h=!{timestamp:HH}/!{firehose:random-string}/"
		}), records)
		bodies := map[string]string{}
		for before, b := range got {
			hour, random, _ := strings.Cut(strings.TrimPrefix(before, "k=1/h="), "/")
			if len(b) != 1 || len(random) != 12 {
				t.Errorf("%s has %q", before, b)
			}
			bodies[b[0]] = hour
		}
		if want := map[string]string{"1:a1:b1:d": "13", "1:c": "14"}; !cmp.Equal(bodies, want) {
			t.Errorf("got %v", got)
		}
	})
}

// rawData returns what the lines of an error object are about.
func rawData(t *testing.T, lines string) (data []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var l struct {
			RawData []byte `json:"rawData"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Error(err)
		}
		data = append(data, string(l.RawData))
	}
	return data
}

// Without hints they are those with which partitions make sense.
func TestHintsOfPartitions(t *testing.T) {
	t.Parallel()
	cfg := with(divided(), func(c *processors.Config) { c.Hints = processors.BufferingHints{} })
	if got, want := cfg.WithDefaults().Hints, (processors.BufferingHints{SizeInMBs: 128, IntervalInSeconds: 300}); got != want {
		t.Errorf("got %+v", got)
	}
	if _, err := processors.New(cfg, new(shelf)); err != nil {
		t.Error(err)
	}
}

// Each fault of the stages is told, with its field, and with Firehose's words where these
// are known.
func TestFaultsOfStages(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*processors.Config)
		want   []string
	}{
		"a transform": {
			func(c *processors.Config) {
				c.Transform = &processors.Transform{NumberOfRetries: new(-1), Hints: processors.TransformHints{SizeInMBs: 5, IntervalInSeconds: 901}, Timeout: time.Hour}
			},
			[]string{
				"Transform.Function: must not be nil", "Transform.NumberOfRetries -1", "Transform.Hints.SizeInMBs 5: must be 0.2-3", "BufferSizeInMBs for lambda processor must be between 0.2 and 3.",
				"Transform.Hints.IntervalInSeconds 901: must be 0-900", `Transform.Timeout "1h0m0s": must be at most 5m`,
			},
		},
		"no transform": {
			func(c *processors.Config) { c.Transform = nil },
			[]string{"remove the key k of partitionKeyFromLambda, or set Transform"},
		},
		"partitions": {
			func(c *processors.Config) {
				c.Hints = processors.BufferingHints{SizeInMBs: 5, IntervalInSeconds: 30}
				c.DynamicPartitioning = &processors.DynamicPartitioning{MetadataExtractionQuery: "{b:.b}", ActivePartitions: -1, Overflow: "?"}
				c.Prefix = "!{partitionKeyFromQuery:a}/"
			},
			[]string{
				"remove the key b", "can't contain keys that are not present in the S3 Prefix expression", "remove the key a of partitionKeyFromQuery",
				`DynamicPartitioning.Overflow "?"`, "DynamicPartitioning.ActivePartitions -1", "SizeInMBs must be at least 64 when", "IntervalInSeconds must be at least 60 seconds when",
			},
		},
		"a query": {
			func(c *processors.Config) {
				c.DynamicPartitioning = &processors.DynamicPartitioning{MetadataExtractionQuery: "{"}
			},
			[]string{"DynamicPartitioning"},
		},
		"no keys": {
			func(c *processors.Config) { c.Prefix = "data/plain/" },
			[]string{"Firehose: S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"},
		},
		"keys without partitions": {
			func(c *processors.Config) { c.DynamicPartitioning = nil },
			[]string{"Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled"},
		},
		"no prefix for errors": {
			func(c *processors.Config) { c.ErrorOutputPrefix = "" },
			[]string{"ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"},
		},
		"de-aggregation": {
			func(c *processors.Config) {
				c.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: "XML"}
			},
			[]string{`RecordDeAggregation.SubRecordType "XML"`, "SubRecordType has to be one of JSON, DELIMITED"},
		},
		"no delimiter": {
			func(c *processors.Config) {
				c.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.Delimited}
			},
			[]string{"RecordDeAggregation.Delimiter", "Delimiter should be present for DELIMITED"},
		},
		"a delimiter of JSON": {
			func(c *processors.Config) {
				c.RecordDeAggregation = &processors.RecordDeAggregation{SubRecordType: processors.JSON, Delimiter: ","}
			},
			[]string{"RecordDeAggregation.Delimiter"},
		},
	} {
		_, err := processors.New(with(divided(), row.change), new(shelf))
		for _, want := range row.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
	good := with(divided(), func(c *processors.Config) {
		c.Prefix, c.ErrorOutputPrefix = "at/", ""
		c.DynamicPartitioning = &processors.DynamicPartitioning{EventTime: &processors.EventTime{Query: ".t"}}
	})
	if _, err := processors.New(good, new(shelf)); err != nil {
		t.Errorf("partitions by time alone: %v", err)
	}
}

// With an event's time that is what the prefix prints, and the name has the arrival.
func TestEventTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := with(config(), func(c *processors.Config) {
			c.Prefix, c.CustomTimeZone = "at/", "Asia/Tokyo"
			c.Hints = processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 60}
			c.DynamicPartitioning = &processors.DynamicPartitioning{EventTime: &processors.EventTime{Query: ".t"}}
		})
		got, _ := put(t, cfg, recordsOf(`{"t":"2020-01-01T00:30:00Z"}`, `{"t":1577838600}`, `{"t":"2020-01-01T15:30:00+00:00"}`, `{"u":1}`))
		want := map[string][]string{
			"at/2020/01/01/09/": {`{"t":"2020-01-01T00:30:00Z"}{"t":1577838600}`}, "at/2020/01/02/00/": {`{"t":"2020-01-01T15:30:00+00:00"}`},
		}
		failed := rawData(t, strings.Join(got["at/metadata-extraction-failed/2016/02/25/22/"], ""))
		delete(got, "at/metadata-extraction-failed/2016/02/25/22/")
		if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(failed, []string{`{"u":1}`}) {
			t.Errorf("failed %q (-want +got):\n%s", failed, diff)
		}
	})
}

// An object that is complete by size makes room for another partition.
func TestACompleteObjectIsNotActive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := divided(func(d *processors.DynamicPartitioning) { d.ActivePartitions, d.Overflow = 2, processors.OverflowFinish }).WithSize(8)
		got, told := put(t, cfg, recordsOf("1:aaaaaa", "2:b", "3:c", "2:d", "3:e"))
		want := map[string][]string{"k=1/": {"1:aaaaaa"}, "k=2/": {"2:b2:d"}, "k=3/": {"3:c3:e"}}
		if diff := cmp.Diff(want, got); diff != "" || told.PartitionsExceeded > 0 {
			t.Errorf("told %+v (-want +got):\n%s", told, diff)
		}
	})
}
