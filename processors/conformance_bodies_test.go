package processors_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/unpack"
)

// conformBodies is about what is in objects, and their headers.
func conformBodies(t *testing.T) {
	t.Helper()
	delimited := func(c *processors.Config) { c.AppendDelimiterToRecord = true }
	for _, row := range []struct {
		number string
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
			statement(t, row.number+"/"+string(f), func(t *testing.T) {
				t.Helper()
				s := begin(t, with(config(), row.change, compression(f)), arrived(row.data))
				s.put(len(row.data))
				s.stop()
				_, o := s.one()
				got, err := o.inflated()
				if err != nil || got != row.want {
					t.Errorf("body %q, %v; want %q", got, err, row.want)
				}
			})
		}
	}
	conformHeaders(t)
	statement(t, "F9", func(t *testing.T) {
		t.Helper()
		_, o := oneObject(t, processors.Snappy)
		const want = "\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
		if !strings.HasPrefix(string(o.body), want) {
			t.Errorf("it begins % x", o.body)
		}
	})
	statement(t, "F10", func(t *testing.T) {
		t.Helper()
		key, o := oneObject(t, processors.ZIP)
		content, entry, err := unpack.Zip(o.body)
		if err != nil || string(content) != "a" || entry.Method != 8 || !strings.HasSuffix(key, "-"+entry.Name+".zip") {
			t.Errorf("in %s: %q, %+v, %v", key, content, entry, err)
		}
	})
	statement(t, "F11", aggregatedRecordsAreTakenApart)
}

func conformHeaders(t *testing.T) {
	t.Helper()
	for f, encoding := range map[processors.Compression]string{
		processors.Uncompressed: "", processors.GZIP: "gzip", processors.ZIP: "zip",
		processors.Snappy: "snappy-java", processors.HadoopSnappy: "hadoop-snappy", processors.ZSTD: "zstd",
	} {
		statement(t, "F7/"+string(f), func(t *testing.T) {
			t.Helper()
			if _, o := oneObject(t, f); o.ctype != "application/octet-stream" {
				t.Errorf("Content-Type %q", o.ctype)
			}
		})
		statement(t, "F8/"+string(f), func(t *testing.T) {
			t.Helper()
			if _, o := oneObject(t, f); o.encoding != encoding {
				t.Errorf("Content-Encoding %q, want %q", o.encoding, encoding)
			}
		})
	}
}

// oneObject returns an object of a format, in which is "a".
func oneObject(t *testing.T, f processors.Compression) (key string, o stored) {
	t.Helper()
	s := begin(t, with(config(), compression(f)), arrived([]string{"a"}))
	s.put(1)
	s.stop()
	return s.one()
}

// formats are those that a body may have.
func formats() []processors.Compression {
	return []processors.Compression{
		processors.Uncompressed, processors.GZIP, processors.ZIP, processors.Snappy, processors.HadoopSnappy, processors.ZSTD,
	}
}

func aggregatedRecordsAreTakenApart(t *testing.T) {
	t.Helper()
	stream, s := kcltest.NewStream(1), new(shelf)
	var a kpl.Aggregator
	for _, word := range []string{"one,", "two,", "three"} {
		a.Add(kpl.UserRecord{PartitionKey: "k", Data: []byte(word)})
	}
	aggregated := string(a.Append(nil))
	if !strings.HasPrefix(aggregated, "\xf3\x89\x9a\xc2") {
		t.Errorf("the KPL's records do not begin %x", aggregated[:4])
	}
	stream.Put(0, aggregated)
	records := int64(0)
	archiveFor(t, time.Minute, "me", stream, new(lease.Mem), with(config(), func(c *processors.Config) {
		c.Hooks.Delivered = func(e processors.DeliveredEvent) { records += e.Records }
	}), s)
	if got := s.words(); len(got) != 1 || got[0] != "one,two,three" || records != 3 {
		t.Errorf("%d records, %q", records, got)
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
