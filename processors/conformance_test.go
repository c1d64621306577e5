package processors_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// The rows of this file are statements about what Firehose does; the names of
// the tests are those of the list they come from.

const uuidPattern = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`

// arrived returns records with given data, the ith at the ith instant.
func arrived(data []string, at ...time.Time) []kcl.Record {
	records := make([]kcl.Record, len(data))
	for i, d := range data {
		records[i] = record(3*i, d)
		if i < len(at) {
			records[i].ApproximateArrivalTimestamp = at[i]
		}
	}
	return records
}

// shard is a world in which nothing fails, and its only holder.
type shard struct {
	*world
	*holding
	tb        testing.TB
	processor kcl.RecordProcessor
}

func begin(t *testing.T, cfg processors.Config, records []kcl.Record) *shard {
	t.Helper()
	w := newWorld(records)
	h, p, ctx := w.take(t.Context(), t, cfg, theShard())
	if err := h.begin(ctx, p); err != nil {
		t.Fatal(err)
	}
	return &shard{w, h, t, p}
}

// put delivers the next n records, or a tick.
func (s *shard) put(n int) {
	s.tb.Helper()
	if err := s.deliver(s.tb.Context(), s.processor, n); err != nil {
		s.tb.Fatal(err)
	}
}

// tick lets d pass, with a tick each second.
func (s *shard) tick(d time.Duration) {
	s.tb.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Second, time.Until(end)))
		s.put(0)
	}
}

func (s *shard) stop() {
	s.tb.Helper()
	if err := s.processor.ShutdownRequested(s.tb.Context(), kcl.ShutdownRequestedInput{Checkpointer: s.cp}); err != nil {
		s.tb.Fatal(err)
	}
	s.processor.LeaseLost(s.tb.Context(), kcl.LeaseLostInput{})
}

// one returns the only object.
func (s *shard) one() (string, stored) {
	s.tb.Helper()
	if len(s.objects) != 1 {
		s.tb.Fatalf("%d objects, want 1: %v", len(s.objects), s.keys())
	}
	name := s.keys()[0]
	return strings.TrimPrefix(name, "b/"), s.objects[name]
}

func gz(c *processors.Config) { c.Compression = processors.GZIP }

func zone(name string) func(*processors.Config) {
	return func(c *processors.Config) { c.CustomTimeZone = name }
}

func prefixes(objects, failed string) func(*processors.Config) {
	return func(c *processors.Config) { c.Prefix, c.ErrorOutputPrefix = objects, failed }
}

func TestKeys(t *testing.T) {
	t.Parallel()
	tokyo := time.FixedZone("Asia/Tokyo", 9*3600)
	for _, row := range []struct {
		name   string
		change func(*processors.Config)
		at     []time.Time
		want   string // U stands for a UUID
	}{
		{"K1 no prefix", func(*processors.Config) {}, nil, "2016/02/25/13/orders-1-2016-02-25-13-00-00-U"},
		{"K2 a prefix with a slash", func(c *processors.Config) { c.Prefix = "logs/" }, nil, "logs/2016/02/25/13/orders-1-2016-02-25-13-00-00-U"},
		{"K3 a prefix without a slash gets none", func(c *processors.Config) { c.Prefix = "logs" }, nil, "logs2016/02/25/13/orders-1-2016-02-25-13-00-00-U"},
		{
			"K14 the first record's arrival names the object",
			func(*processors.Config) {},
			[]time.Time{start().Add(-100 * time.Millisecond), start().Add(10 * time.Second)},
			"2016/02/25/12/orders-1-2016-02-25-12-59-59-U",
		},
		{
			"K14 the oldest record's arrival names the object, wherever it stands",
			func(*processors.Config) {},
			[]time.Time{start().Add(10 * time.Second), start().Add(-100 * time.Millisecond)},
			"2016/02/25/12/orders-1-2016-02-25-12-59-59-U",
		},
		{"K4 a prefix of timestamps", prefixes("year=!{timestamp:yyyy}/hour=!{timestamp:HH}/", "e/"), nil, "year=2016/hour=13/orders-1-2016-02-25-13-00-00-U"},
		{"K5 a timestamp without a slash gets none", prefixes("!{timestamp:yyyy/MM/dd}", "e/"), nil, "2016/02/25orders-1-2016-02-25-13-00-00-U"},
		{"K11 Tokyo", zone("Asia/Tokyo"), nil, "2016/02/25/22/orders-1-2016-02-25-22-00-00-U"},
		{"K12 New York", zone("America/New_York"), nil, "2016/02/25/08/orders-1-2016-02-25-08-00-00-U"},
		{
			"K13 Tokyo, the next day",
			zone("Asia/Tokyo"),
			[]time.Time{start().Add(150 * time.Minute), start().Add(151 * time.Minute)},
			"2016/02/26/00/orders-1-2016-02-26-00-30-00-U",
		},
		{
			"K19 an extension in place of GZIP's",
			func(c *processors.Config) { c.Compression, c.FileExtension = processors.GZIP, ".json.gz" },
			nil,
			"2016/02/25/13/orders-1-2016-02-25-13-00-00-U.json.gz",
		},
		{"K20 an extension", func(c *processors.Config) { c.FileExtension = ".log" }, nil, "2016/02/25/13/orders-1-2016-02-25-13-00-00-U.log"},
		{"K15 a later version", func(c *processors.Config) { c.Version = 2 }, nil, "2016/02/25/13/orders-2-2016-02-25-13-00-00-U"},
		{"K17 GZIP has an extension", gz, nil, "2016/02/25/13/orders-1-2016-02-25-13-00-00-U.gz"},
		{"K17 ZIP has an extension", compression("ZIP"), nil, "2016/02/25/13/orders-1-2016-02-25-13-00-00-U.zip"},
		{"K17 Snappy has an extension", compression("Snappy"), nil, "2016/02/25/13/orders-1-2016-02-25-13-00-00-U.snappy"},
		{
			"the longest literal prefix of K28",
			func(c *processors.Config) { c.Prefix = strings.Repeat("p", 512) },
			nil,
			strings.Repeat("p", 512) + "2016/02/25/13/orders-1-2016-02-25-13-00-00-U",
		},
		{
			"the key is in UTC, wherever the time came from",
			func(*processors.Config) {},
			[]time.Time{time.Date(2016, 1, 1, 8, 0, 0, 0, tokyo), start()},
			"2015/12/31/23/orders-1-2015-12-31-23-00-00-U",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, with(config(), row.change), arrived([]string{"a", "b"}, row.at...))
				s.put(2)
				s.stop()
				key, _ := s.one()
				want := "^" + strings.ReplaceAll(regexp.QuoteMeta(row.want), "-U", "-"+uuidPattern) + "$"
				if !regexp.MustCompile(want).MatchString(key) {
					t.Errorf("key %s, want %s", key, row.want)
				}
			})
		})
	}
}

func TestKeysOfErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, objects, failed, zone, want string }{
		{"K29 the type and a timestamp, without an extension", "", "e/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/", "", "e/processing-failed/2016/02/25/orders-1-2016-02-25-13-00-00-U"},
		{"K30 none is given", "p/", "", "", "p/processing-failed/2016/02/25/13/orders-1-2016-02-25-13-00-00-U"},
		{"a literal one, in a zone", "!{timestamp:d}", "errors/", "Asia/Tokyo", "errors/processing-failed/2016/02/25/22/orders-1-2016-02-25-22-00-00-U"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cfg := with(config(), gz)
			cfg.Prefix, cfg.ErrorOutputPrefix, cfg.CustomTimeZone = row.objects, row.failed, row.zone
			got, err := cfg.ErrorKey(start(), "processing-failed")
			want := "^" + strings.ReplaceAll(regexp.QuoteMeta(row.want), "-U", "-"+uuidPattern) + "$"
			if err != nil || !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("%s, %v, want %s", got, err, row.want)
			}
		})
	}
}

// TestConformance has the statements about buffers, bodies and headers by their numbers.
func TestConformance(t *testing.T) {
	t.Parallel()
	conformingBuffers(t)
	delimited := func(c *processors.Config) { c.AppendDelimiterToRecord = true }
	plain := func(*processors.Config) {}
	for _, row := range []struct {
		name   string
		change func(*processors.Config)
		data   []string
		want   string
	}{
		{"F1", plain, []string{"abc", "abc", "abc"}, "abcabcabc"},
		{"F2", plain, []string{"{\"a\":1}\n", "{\"a\":2}\n"}, "{\"a\":1}\n{\"a\":2}\n"},
		{"F3", delimited, []string{"{\"a\":1}", "{\"a\":2}"}, "{\"a\":1}\n{\"a\":2}\n"},
		{"F4", delimited, []string{"{\"a\":1}\n", "b"}, "{\"a\":1}\n\nb\n"},
		{"F5", plain, []string{"\xff\x00\x0a"}, "\xff\x00\x0a"},
		{"F6", plain, []string{"a", "", "b"}, "ab"},
		{"F6/empty records only", plain, []string{"", ""}, ""},
		{"F6/delimited", delimited, []string{"", ""}, "\n\n"},
	} {
		for _, f := range formats() {
			t.Run(row.name+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := begin(t, with(config(), row.change, compression(f)), arrived(row.data))
					s.put(len(row.data))
					s.stop()
					_, o := s.one()
					got, err := o.inflated()
					if err != nil || got != row.want {
						t.Errorf("body %q, %v; want %q", got, err, row.want)
					}
				})
			})
		}
	}
	for f, encoding := range map[processors.Compression]string{
		processors.Uncompressed: "", processors.GZIP: "gzip", processors.ZIP: "zip",
		processors.Snappy: "snappy-java", processors.HadoopSnappy: "hadoop-snappy", processors.ZSTD: "zstd",
	} {
		t.Run("F7/"+string(f), func(t *testing.T) {
			t.Parallel()
			if o := delivered(t, f); o.ctype != "application/octet-stream" {
				t.Errorf("Content-Type %q", o.ctype)
			}
		})
		t.Run("F8/"+string(f), func(t *testing.T) {
			t.Parallel()
			if o := delivered(t, f); o.encoding != encoding {
				t.Errorf("Content-Encoding %q, want %q", o.encoding, encoding)
			}
		})
	}
}

// delivered returns an object of a format.
func delivered(t *testing.T, f processors.Compression) (o stored) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, with(config(), compression(f)), arrived([]string{"a"}))
		s.put(1)
		s.stop()
		_, o = s.one()
	})
	return o
}

// formats are those that a body may have.
func formats() []processors.Compression {
	return []processors.Compression{
		processors.Uncompressed, processors.GZIP, processors.ZIP, processors.Snappy, processors.HadoopSnappy, processors.ZSTD,
	}
}

// TestGZIPIsOneMember: some readers stop after the first member.
func TestGZIPIsOneMember(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, with(config(), gz), arrived([]string{"a", "b"}))
		s.put(1)
		s.tick(time.Minute)
		s.put(1)
		s.stop()
		_, o := s.one()
		if n := bytes.Count(o.body, []byte{0x1f, 0x8b, 8}); n != 1 {
			t.Errorf("%d gzip headers", n)
		}
		if got, err := o.inflated(); err != nil || got != "ab" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestW1TheSameObjectIsPutAfterAnOutage: the key is fixed at the first try.
func TestW1TheSameObjectIsPutAfterAnOutage(t *testing.T) {
	t.Parallel()
	for _, delivery := range []processors.Delivery{processors.ExactlyOnce, processors.AtLeastOnce} {
		t.Run(string(delivery), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, with(config(), func(c *processors.Config) { c.Delivery = delivery }), arrived([]string{"a", "b"}))
				s.put(2)
				s.downUntil = time.Now().Add(10 * time.Minute)
				s.stop()
				key, o := s.one()
				if string(o.body) != "ab" {
					t.Errorf("body %q", o.body)
				}
				if len(s.failures) < 100 || s.failures[0].Key != key {
					t.Errorf("%d failures, the first with key %s; the object has %s", len(s.failures), s.failures[0].Key, key)
				}
			})
		})
	}
}
