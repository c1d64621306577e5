package partition_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/partition"
)

const noFormat = "no format fits the event time, or it is not in the years 1970-9998"

func TestEventTime(t *testing.T) {
	t.Parallel()
	type formats = []string
	for _, row := range []struct {
		formats      formats
		record, want string
	}{
		// the default
		{nil, `{"t":"2026-01-02T03:04:05.678Z"}`, "2026-01-02T03:04:05.678Z"},
		{nil, `{"t":"2026-01-02T03:04:05.678+01:30"}`, "2026-01-02T01:34:05.678Z"},
		{nil, `{"t":1565382027}`, "2019-08-09T20:20:27Z"},
		{nil, `{"t":1565382027.25}`, "2019-08-09T20:20:27.25Z"},
		{nil, `{"t":"1565382027"}`, "2019-08-09T20:20:27Z"},
		{nil, `{"t":1565382027000}`, "2019-08-09T20:20:27Z"},
		{nil, `{"t":"1565382027001"}`, "2019-08-09T20:20:27.001Z"},
		{nil, `{"t":253339228799}`, "9997-12-31T23:59:59Z"},
		{nil, `{"t":0}`, "1970-01-01T00:00:00Z"},
		{nil, `{"t":-1}`, noFormat},
		{nil, `{"t":1e300}`, noFormat},
		{nil, `{"t":1e1000}`, noFormat},
		{nil, `{"t":"yesterday"}`, noFormat},
		{nil, `{"t":""}`, noFormat},
		{nil, `{"t":"1969-12-31T23:59:59Z"}`, noFormat},
		{nil, `{"t":"1970-01-01T00:00:00+00:01"}`, noFormat},
		{nil, `{"t":"9998-12-31T23:59:59Z"}`, "9998-12-31T23:59:59Z"},
		{nil, `{"t":"9999-01-01T00:00:00Z"}`, noFormat},
		{nil, `{"t":null}`, "the event time is null or missing"},
		{nil, `{}`, "the event time is null or missing"},
		{nil, `{"t":true}`, "the event time is neither a string nor a number"},
		{nil, `{"t":[1]}`, "the event time is neither a string nor a number"},
		{nil, `{"t":{}}`, "the event time is neither a string nor a number"},
		{nil, `[]`, "jq: the query for the event time fails on this record"},
		{nil, `"x"`, "jq: the query for the event time fails on this record"},
		{nil, `x`, notJSON},

		{formats{"rfc3339"}, `{"t":"2026-01-02T03:04:05Z"}`, "2026-01-02T03:04:05Z"},
		{formats{"rfc3339"}, `{"t":"2026-01-02t03:04:05z"}`, "2026-01-02T03:04:05Z"},
		{formats{"rfc3339"}, `{"t":"2026-01-02 03:04:05"}`, "2026-01-02T03:04:05Z"},
		{formats{"rfc3339"}, `{"t":"2026-01-02T03:04"}`, "2026-01-02T03:04:00Z"},
		{formats{"rfc3339"}, `{"t":"2026-01-02T03:04-08"}`, "2026-01-02T11:04:00Z"},
		{formats{"rfc3339"}, `{"t":"2026-01-02T03:04:05,5+0130"}`, "2026-01-02T01:34:05.5Z"},
		{formats{"rfc3339"}, `{"t":"2026-01-02"}`, "2026-01-02T00:00:00Z"},
		{formats{"rfc3339"}, `{"t":"2026-01-02T03:04:05.1234567891Z"}`, "2026-01-02T03:04:05.123456789Z"},
		{formats{"rfc3339"}, `{"t":"2016-12-31T23:59:60Z"}`, "2017-01-01T00:00:00Z"},
		{formats{"rfc3339"}, `{"t":"2026-02-29T00:00:00Z"}`, noFormat},
		{formats{"rfc3339"}, `{"t":"2024-02-29T00:00:00Z"}`, "2024-02-29T00:00:00Z"},
		{formats{"rfc3339"}, `{"t":"2026-13-01T00:00:00Z"}`, noFormat},
		{formats{"rfc3339"}, `{"t":"2026-01-02T24:00:00Z"}`, noFormat},
		{formats{"rfc3339"}, `{"t":"2026-01-02T03:04:05.Z"}`, noFormat},
		{formats{"rfc3339"}, `{"t":"2026-01-02T03:04:05+1:00"}`, noFormat},
		{formats{"rfc3339"}, `{"t":"2026-01-02T03:04:05+01:60"}`, noFormat},
		{formats{"rfc3339"}, `{"t":"2026-01-02T03:04:05Zx"}`, noFormat},
		{formats{"rfc3339"}, `{"t":"2026-1-02T03:04:05Z"}`, noFormat},
		{formats{"rfc3339"}, `{"t":20260102}`, noFormat},

		{formats{"epoch-seconds"}, `{"t":"1.5"}`, "1970-01-01T00:00:01.5Z"},
		{formats{"epoch-seconds"}, `{"t":"1."}`, noFormat},
		{formats{"epoch-seconds"}, `{"t":".5"}`, noFormat},
		{formats{"epoch-seconds"}, `{"t":"1.5.5"}`, noFormat},
		{formats{"epoch-seconds"}, `{"t":"1e3"}`, noFormat},
		{formats{"epoch-seconds"}, `{"t":"+1"}`, noFormat},
		{formats{"epoch-seconds"}, `{"t":"1565382027000"}`, noFormat},
		{formats{"epoch-milliseconds"}, `{"t":1565382027}`, "1970-01-19T02:49:42.027Z"},
		{formats{"epoch-milliseconds"}, `{"t":0.5}`, "1970-01-01T00:00:00.0005Z"},
		{formats{"epoch-seconds"}, `{"t":1565382027.999999999}`, "2019-08-09T20:20:28Z"},

		{formats{"yyyy-MM-dd"}, `{"t":"2026-01-02"}`, "2026-01-02T00:00:00Z"},
		{formats{"yyyyMMdd"}, `{"t":"20260102"}`, "2026-01-02T00:00:00Z"},
		{formats{"yyyyMMdd"}, `{"t":20260102}`, "2026-01-02T00:00:00Z"},
		{formats{"yyyyMMddHHmmssSSS"}, `{"t":"20260102030405678"}`, "2026-01-02T03:04:05.678Z"},
		{formats{"yyyy-MM-dd'T'HH:mm:ss.SSSXXX"}, `{"t":"2026-01-02T03:04:05.678+01:00"}`, "2026-01-02T02:04:05.678Z"},
		{formats{"yyyy-MM-dd'T'HH:mm:ss.SSSXXX"}, `{"t":"2026-01-02T03:04:05.678Z"}`, "2026-01-02T03:04:05.678Z"},
		{formats{"yyyy-MM-dd'T'HH:mm:ssxxx"}, `{"t":"2026-01-02T03:04:05Z"}`, noFormat},
		{formats{"yyyy-MM-dd'T'HH:mm:ssxxx"}, `{"t":"2026-01-02T03:04:05-00:30"}`, "2026-01-02T03:34:05Z"},
		{formats{"yyyy-MM-dd HH:mm:ss Z"}, `{"t":"2026-01-02 03:04:05 +0130"}`, "2026-01-02T01:34:05Z"},
		{formats{"yyyy-MM-dd HH:mm X"}, `{"t":"2026-01-02 03:04 +01"}`, "2026-01-02T02:04:00Z"},
		{formats{"yyyy-MM-dd HH:mm XX"}, `{"t":"2026-01-02 03:04 +01"}`, noFormat},
		{formats{"d/M/yy H:m"}, `{"t":"2/1/26 3:04"}`, "2026-01-02T03:04:00Z"},
		{formats{"d/M/yy H:m"}, `{"t":"02/01/26 13:04"}`, "2026-01-02T13:04:00Z"},
		{formats{"uuuu"}, `{"t":"2026"}`, "2026-01-01T00:00:00Z"},
		{formats{"'y'yyyy''MM'it''s'"}, `{"t":"y2026'05it's"}`, "2026-05-01T00:00:00Z"},
		{formats{"yyyy年MM月"}, `{"t":"2026年05月"}`, "2026-05-01T00:00:00Z"},
		{formats{"yyyy-MM-dd"}, `{"t":"2026-02-30"}`, noFormat},
		{formats{"yyyy-MM-dd"}, `{"t":"2026-02-03 "}`, noFormat},
		{formats{"yyyy-MM-dd"}, `{"t":"2026-2-03"}`, noFormat},
		{formats{"yyyy-MM-dd HH:mm:ss"}, `{"t":"2026-01-02 03:04:60"}`, noFormat},
		{formats{"yyyy-MM-dd", "epoch-seconds", "dd.MM.yyyy"}, `{"t":"02.01.2026"}`, "2026-01-02T00:00:00Z"},
	} {
		for query, rules := range map[string]partition.Rules{
			".t":           {Query: `{k:"k"}`, EventTime: ".t", Formats: row.formats},
			".t alone":     {EventTime: ".t", Formats: row.formats},
			"(.t)":         {EventTime: "(.t)", Formats: row.formats},
			". as $x | .t": {EventTime: ". as $x | .t", Formats: row.formats},
		} {
			_, at, message := extract(t, compiled(t, rules), row.record)
			got := message
			if message == "" {
				got = at.Format(time.RFC3339Nano)
			}
			if got != row.want {
				t.Errorf("%s of %s by %v is %s; want %s", query, row.record, row.formats, got, row.want)
			}
		}
	}
}

// What is wrong with the keys is told before what is wrong with the time.
func TestKeysBeforeTime(t *testing.T) {
	t.Parallel()
	for _, query := range []string{`{k:.k}`, `{k:(.k)}`} {
		if _, _, message := extract(t, compiled(t, partition.Rules{Query: query, EventTime: ".t"}), `{}`); message != nullOrEmpty {
			t.Errorf("%s: %q", query, message)
		}
	}
}

// What package time prints is read as what it was.
func TestEventTimeProperty(t *testing.T) {
	t.Parallel()
	const last = 253339228799 // 9997
	layouts := map[string]struct {
		layout string
		unit   time.Duration
	}{
		"rfc3339":                       {time.RFC3339Nano, time.Nanosecond},
		"yyyy-MM-dd'T'HH:mm:ss.SSSXXX":  {"2006-01-02T15:04:05.000Z07:00", time.Millisecond},
		"yyyyMMddHHmmssxx":              {"20060102150405-0700", time.Second},
		"d.M.yyyy H:m:s.SSSSSSSSS Z":    {"2.1.2006 15:4:5.000000000 -0700", time.Nanosecond},
		"uuuu/MM/dd 'at' HH''mm''ss X":  {"2006/01/02 at 15'04'05 Z07", time.Second},
		"HH:mm:ss.SS, MM-dd-uuuu (xxx)": {"15:04:05.00, 01-02-2006 (-07:00)", 10 * time.Millisecond},
	}
	rapid.Check(t, func(t *rapid.T) {
		format := rapid.SampledFrom([]string{
			"rfc3339", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "yyyyMMddHHmmssxx", "d.M.yyyy H:m:s.SSSSSSSSS Z", "uuuu/MM/dd 'at' HH''mm''ss X",
			"HH:mm:ss.SS, MM-dd-uuuu (xxx)",
		}).Draw(t, "format")
		hours := rapid.IntRange(-12, 14).Draw(t, "hours")
		zone := time.FixedZone("", hours*3600)
		want := time.Unix(rapid.Int64Range(86400, last).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).In(zone)
		want = want.Truncate(layouts[format].unit)
		x, err := partition.New(partition.Rules{EventTime: ".t", Formats: []string{format}})
		if err != nil {
			t.Fatal(err)
		}
		text := want.Format(layouts[format].layout)
		_, at, err := x.Open().Extract(t.Context(), []byte(`{"t":"`+text+`"}`))
		if err != nil || !at.Equal(want) {
			t.Errorf("%s by %s is %v, %v; want %v", text, format, at, err, want)
		}
	})
}

// FuzzFormat: whatever the format and the text, it is refused, fails, or has a year that
// can be printed.
func FuzzFormat(f *testing.F) {
	for _, s := range []string{"rfc3339", "yyyy-MM-dd", "d/M/yy'x'''", "uuuuXXX", "SSyy", "''", "yyyyZ"} {
		f.Add(s, "2026-01-02")
		f.Add(s, "2/1/26x'")
	}
	f.Fuzz(func(t *testing.T, format, text string) {
		x, err := partition.New(partition.Rules{EventTime: ".", Formats: []string{format}})
		if err != nil {
			return
		}
		_, at, err := x.Open().Extract(t.Context(), quoted(text))
		if err == nil && (at.Year() < 1970 || at.Year() > 9998) {
			t.Errorf("%q by %q is %v", text, format, at)
		}
	})
}
