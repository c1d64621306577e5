package processors_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
)

func gz(c *processors.Config) { c.Compression = processors.GZIP }

func plain(*processors.Config) {}

func zone(name string) func(*processors.Config) {
	return func(c *processors.Config) { c.CustomTimeZone = name }
}

func extension(s string, f processors.Compression) func(*processors.Config) {
	return func(c *processors.Config) { c.FileExtension, c.Compression = s, f }
}

func prefixed(s string) func(*processors.Config) {
	return func(c *processors.Config) {
		c.Prefix = s
		if strings.Contains(s, "!{") {
			c.ErrorOutputPrefix = "e/"
		}
	}
}

// wantKey compares a key with one in which U stands for a UUID and R for a random
// string.
func wantKey(t *testing.T, got, want string) {
	t.Helper()
	pattern := strings.NewReplacer("-U", "-"+uuidPattern, "=R", "=[0-9A-Za-z]{11}").Replace(regexp.QuoteMeta(want))
	if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		t.Errorf("key %s, want %s", got, want)
	}
}

// keysOf returns the keys of all objects that a configuration gives two records.
func keysOf(t *testing.T, change func(*processors.Config), at ...time.Time) []string {
	t.Helper()
	s := begin(t, with(config(), change), arrived([]string{"a", "b"}, at...))
	s.put(2)
	s.stop()
	keys := s.keys()
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], "b/")
	}
	return keys
}

// instants of the statements, beside start.
func guide() time.Time   { return time.Date(2018, 8, 27, 10, 30, 0, 0, time.UTC) }
func newYear() time.Time { return time.Date(2024, 12, 29, 0, 0, 0, 0, time.UTC) } // a Sunday

func conformKeys(t *testing.T) {
	t.Helper()
	const name = "orders-1-2016-02-25-13-00-00-U"
	early := start().Add(-100 * time.Millisecond)
	for _, row := range []struct {
		number string
		change func(*processors.Config)
		at     []time.Time
		want   string
	}{
		{"K1", plain, nil, "2016/02/25/13/" + name},
		{"K2", prefixed("logs/"), nil, "logs/2016/02/25/13/" + name},
		{"K3", prefixed("logs"), nil, "logs2016/02/25/13/" + name},
		{"K4", prefixed("year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"), nil, "year=2016/month=02/day=25/hour=13/" + name},
		{"K5", prefixed("!{timestamp:yyyy/MM/dd}"), nil, "2016/02/25" + name},
		{"K6", prefixed("dt=!{timestamp:yyyy-MM-dd}/h=!{timestamp:HH}/"), nil, "dt=2016-02-25/h=13/" + name},
		{"K7", prefixed("!{timestamp:'day='yyyy-MM-dd'T'HH}/"), nil, "day=2016-02-25T13/" + name},
		{"K8", prefixed("r=!{firehose:random-string}/"), nil, "r=R/" + name},
		{"K11", zone("Asia/Tokyo"), nil, "2016/02/25/22/orders-1-2016-02-25-22-00-00-U"},
		{"K12", zone("America/New_York"), nil, "2016/02/25/08/orders-1-2016-02-25-08-00-00-U"},
		{"K13", zone("Asia/Tokyo"), []time.Time{start().Add(150 * time.Minute), start().Add(151 * time.Minute)}, "2016/02/26/00/orders-1-2016-02-26-00-30-00-U"},
		{"K14/the first", plain, []time.Time{early, start().Add(10 * time.Second)}, "2016/02/25/12/orders-1-2016-02-25-12-59-59-U"},
		{"K14/wherever it stands", plain, []time.Time{start().Add(10 * time.Second), early}, "2016/02/25/12/orders-1-2016-02-25-12-59-59-U"},
		{"K15", func(c *processors.Config) { c.Version = 2 }, nil, "2016/02/25/13/orders-2-2016-02-25-13-00-00-U"},
		{"K17/none", plain, nil, "2016/02/25/13/" + name},
		{"K17/GZIP", gz, nil, "2016/02/25/13/" + name + ".gz"},
		{"K17/ZIP", compression("ZIP"), nil, "2016/02/25/13/" + name + ".zip"},
		{"K17/Snappy", compression("Snappy"), nil, "2016/02/25/13/" + name + ".snappy"},
		{"K17/ours", compression("ZSTD"), nil, "2016/02/25/13/" + name + ".zst"},
		{"K18", compression("HADOOP_SNAPPY"), nil, "2016/02/25/13/" + name + ".snappy"},
		{"K19/the key", extension(".json.gz", "GZIP"), nil, "2016/02/25/13/" + name + ".json.gz"},
		{"K20", extension(".log", "UNCOMPRESSED"), nil, "2016/02/25/13/" + name + ".log"},
		{"K21", extension("", "GZIP"), nil, "2016/02/25/13/" + name + ".gz"},
		{"K31", prefixed("!{timestamp:yyyy}/!{timestamp:YYYY}/!{timestamp:ww}/"), []time.Time{newYear(), newYear()}, "2024/2025/01/orders-1-2024-12-29-00-00-00-U"},
		{"K32", prefixed("!{timestamp:DDD}/!{timestamp:MM}/!{timestamp:mm}/"), []time.Time{guide(), guide()}, "239/08/30/orders-1-2018-08-27-10-30-00-U"},
		{
			"K33", prefixed("myFirehose/DeliveredYear=!{timestamp:yyyy}/anyMonth/rand=!{firehose:random-string}"),
			[]time.Time{guide(), guide()},
			"myFirehose/DeliveredYear=2018/anyMonth/rand=Rorders-1-2018-08-27-10-30-00-U",
		},
		{"K37", prefixed("!{timestamp:yyyy'/week='ww}/"), nil, "2016/week=09/" + name},
		{"K38", prefixed("!{timestamp:hh a}/!{timestamp:EEE}/!{timestamp:MMM}/"), nil, "01 PM/Thu/Feb/" + name},
		{"K28/the longest", prefixed(strings.Repeat("p", 512)), nil, strings.Repeat("p", 512) + "2016/02/25/13/" + name},
	} {
		statement(t, row.number, func(t *testing.T) {
			t.Helper()
			keys := keysOf(t, row.change, row.at...)
			if len(keys) != 1 {
				t.Fatalf("objects %v, want one", keys)
			}
			wantKey(t, keys[0], row.want)
		})
	}
	statement(t, "K19/the object", func(t *testing.T) {
		t.Helper()
		s := begin(t, with(config(), extension(".json.gz", "GZIP")), arrived([]string{"{}"}))
		s.put(1)
		s.stop()
		_, o := s.one()
		if got, err := o.inflated(); o.encoding != "gzip" || got != "{}" || err != nil {
			t.Errorf("encoded as %q, body %q, %v", o.encoding, got, err)
		}
	})
	statement(t, "K9", func(t *testing.T) {
		t.Helper()
		keys := keysOf(t, prefixed("!{firehose:random-string}/!{firehose:random-string}/"))
		if parts := strings.Split(keys[0], "/"); len(parts) != 3 || len(parts[0]) != 11 || len(parts[1]) != 11 || parts[0] == parts[1] {
			t.Errorf("key %s", keys[0])
		}
	})
	statement(t, "K10", eachObjectHasItsRandomString)
	statement(t, "K16", whatABufferHoldsGoesWhereTheHolderSays)
	statement(t, "K34", oneInstantForAKey)
	conformErrorKeys(t)
}

func eachObjectHasItsRandomString(t *testing.T) {
	t.Helper()
	s := begin(t, with(config().WithSize(1), prefixed("r=!{firehose:random-string}/")), arrived([]string{"a", "b"}))
	s.put(2)
	s.stop()
	keys := s.keys()
	if len(keys) != 2 || keys[0][:len("b/r=")+11] == keys[1][:len("b/r=")+11] {
		t.Errorf("keys %v", keys)
	}
}

// A configuration is changed by a restart here. What a worker holds when it is told
// to stop is delivered before it does, as its own configuration says; what one held
// that died is delivered by the next, as that one's says.
func whatABufferHoldsGoesWhereTheHolderSays(t *testing.T) {
	t.Helper()
	second := with(config(), func(c *processors.Config) { c.Version, c.Bucket, c.Prefix = 2, "c", "new/" })
	for _, row := range []struct {
		how  string
		end  func(*shard)
		want string
	}{
		{"stopped", (*shard).stop, "b/2016/02/25/13/orders-1-2016-02-25-13-00-00-U"},
		{"died", func(s *shard) { s.crash() }, "c/new/2016/02/25/13/orders-2-2016-02-25-13-00-00-U"},
	} {
		s := begin(t, config(), arrived([]string{"a"}))
		s.put(1)
		row.end(s)
		next, p, ctx := s.take(t.Context(), t, second, theShard())
		if err := next.begin(ctx, p); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for range 300 { // the ordinary time
			if err := next.deliver(ctx, p, 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if err := next.deliver(ctx, p, 0); err != nil {
			t.Fatal(err)
		}
		keys := s.keys()
		if len(keys) != 1 {
			t.Fatalf("%s: objects %v", row.how, keys)
		}
		wantKey(t, keys[0], row.want)
		if at := s.objects[keys[0]].at; row.how == "died" && at.Sub(begun) != 300*time.Second {
			t.Errorf("delivered %v after it was buffered again", at.Sub(begun))
		}
	}
}

func oneInstantForAKey(t *testing.T) {
	t.Helper()
	time.Sleep(time.Until(start().Add(59*time.Minute + 59*time.Second))) // the clock, not only the records
	s := begin(t, with(config(), prefixed("!{timestamp:yyyy/MM/dd/HH}/!{timestamp:mm}/!{timestamp:ss.SSS}/")), arrived([]string{"a", "b"}, time.Now(), time.Now().Add(2*time.Second)))
	s.put(1)
	s.tick(2 * time.Second)
	s.put(1)
	s.tick(298 * time.Second)
	key, _ := s.one()
	wantKey(t, key, "2016/02/25/13/59/59.000/orders-1-2016-02-25-13-59-59-U")
}

// Keys of objects of records that failed: here in CloudWatchLogProcessing.
func conformErrorKeys(t *testing.T) {
	t.Helper()
	for _, row := range []struct{ number, objects, failed, zone, want string }{
		{"K29", "", "e/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/", "", "e/processing-failed/2016/02/25/orders-1-2016-02-25-13-00-00-U"},
		{"K30", "p/", "", "", "p/processing-failed/2016/02/25/13/orders-1-2016-02-25-13-00-00-U"},
		{"K23/a literal one, in a zone", "!{timestamp:d}", "plainerror/", "Asia/Tokyo", "plainerror/processing-failed/2016/02/25/22/orders-1-2016-02-25-22-00-00-U"},
	} {
		statement(t, row.number, func(t *testing.T) {
			t.Helper()
			s := new(shelf)
			archiver, err := processors.New(with(config(), gz, func(c *processors.Config) {
				c.Prefix, c.ErrorOutputPrefix, c.CustomTimeZone = row.objects, row.failed, row.zone
				c.Decompression, c.CloudWatchLogProcessing = true, true
			}), s)
			if err != nil {
				t.Fatal(err)
			}
			deliverAll(t, archiver, arrived([]string{zipped(t, "no payload")}))
			keys := s.keys()
			if len(keys) != 1 {
				t.Fatalf("objects %v", keys)
			}
			wantKey(t, keys[0], row.want)
		})
	}
}

// keys returns those of the objects, but of bundles.
func (s *shelf) keys() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if !isBundle(o.Key) {
			keys = append(keys, o.Key)
		}
	}
	return slices.Sorted(slices.Values(keys))
}

// The key is in UTC, wherever the time came from.
func TestKeysAreInUTC(t *testing.T) {
	t.Parallel()
	statement(t, "Tokyo", func(t *testing.T) {
		t.Helper()
		tokyo := time.FixedZone("Asia/Tokyo", 9*3600)
		keys := keysOf(t, plain, time.Date(2016, 1, 1, 8, 0, 0, 0, tokyo), start())
		wantKey(t, keys[0], "2015/12/31/23/orders-1-2015-12-31-23-00-00-U")
	})
}
