package processors_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
)

// partitionsOf returns what is under each prefix after records were delivered in one cut.
func partitionsOf(t *testing.T, query, prefix string, data []string, changes ...func(*processors.Config)) map[string][]string {
	t.Helper()
	got, _ := put(t, with(with(config(), byQuery(query, prefix)), changes...), recordsOf(data...))
	return got
}

const (
	notExtracted = "errors/metadata-extraction-failed/"
	extraction   = "DynamicPartitioning.MetadataExtractionFailed"
)

// conformPartitions is about dynamic partitioning.
func conformPartitions(t *testing.T) {
	t.Helper()
	statement(t, "P1", func(t *testing.T) {
		t.Helper()
		const (
			query = `{customer_id:.customer_id,device:.type.device,year:.event_timestamp|strftime("%Y"),month:.event_timestamp|strftime("%m"),` +
				`day:.event_timestamp|strftime("%d"),hour:.event_timestamp|strftime("%H")}`
			keys = "customer_id=!{partitionKeyFromQuery:customer_id}/device=!{partitionKeyFromQuery:device}/year=!{partitionKeyFromQuery:year}/" +
				"month=!{partitionKeyFromQuery:month}/day=!{partitionKeyFromQuery:day}/hour=!{partitionKeyFromQuery:hour}/"
			record = `{"type":{"device":"mobile","event":"user_clicked_submit_button"},"customer_id":"1234567890","event_timestamp":1565382027,"region":"sample_region"}`
		)
		s := begin(t, with(config(), byQuery(query, keys)), arrived([]string{record}))
		s.put(1)
		s.stop()
		key, o := s.one()
		if before, ok := strings.CutPrefix(key, "customer_id=1234567890/device=mobile/year=2019/month=08/day=09/hour=20/orders-1-2016-02-25-13-00-00-"); !ok || len(before) != 36 || string(o.body) != record {
			t.Errorf("%s has %s", key, o.body)
		}
	})
	statement(t, "P2", func(t *testing.T) {
		t.Helper()
		got := partitionsOf(t, "{c:.c}", "c=!{partitionKeyFromQuery:c}/", []string{`{"c":1}`, `{"c":2}`, `{"c":1,"n":2}`})
		if fmt.Sprint(got) != `map[c=1/:[{"c":1}{"c":1,"n":2}] c=2/:[{"c":2}]]` {
			t.Errorf("got %q", got)
		}
	})
	for number, row := range map[string]struct {
		data    []string
		message string
	}{
		"P3": {[]string{"not json"}, "Non JSON record provided"},
		"P4": {[]string{`{"c":null}`, `{"c":""}`, `{}`}, "partitionKeys values must not be null or empty"},
	} {
		statement(t, number, func(t *testing.T) {
			t.Helper()
			got := partitionsOf(t, "{c:.c}", "c=!{partitionKeyFromQuery:c}/", row.data)
			lines := failedLines(t, got[notExtracted]...)
			if len(got) != 1 || len(lines) != len(row.data) {
				t.Errorf("got %q", got)
			}
			for i, l := range lines {
				if want := (failedLine{[]byte(row.data[i]), extraction, row.message, 1, ""}); fmt.Sprint(l) != fmt.Sprint(want) {
					t.Errorf("got %+v, want %+v", l, want)
				}
			}
		})
	}
	statement(t, "P5", func(t *testing.T) {
		t.Helper()
		data := make([]string, 0, 502)
		for i := range 501 {
			data = append(data, fmt.Sprintf(`{"c":"c%d"}`, i))
		}
		got := partitionsOf(t, "{c:.c}", "c=!{partitionKeyFromQuery:c}/", append(data, data[0]))
		lines := failedLines(t, got["errors/activePartitionExceeded/"]...)
		if len(got) != 501 || len(lines) != 1 || string(lines[0].RawData) != data[500] || got["c=c0/"][0] != data[0]+data[0] {
			t.Errorf("%d prefixes, failed %+v, the first one has %q", len(got), lines, got["c=c0/"])
		}
	})
	statement(t, "P12", func(t *testing.T) {
		t.Helper()
		f := answering(func(string) string { return unchanged + `,"metadata":{"partitionKeys":{"customerId":"1"}}` })
		got := partitionsOf(t, "", "c=!{partitionKeyFromLambda:customerId}/", []string{"a"}, withFunction(f))
		if fmt.Sprint(got) != "map[c=1/:[a]]" {
			t.Errorf("got %q", got)
		}
	})
	statement(t, "P13", func(t *testing.T) {
		t.Helper()
		got := partitionsOf(t, "", "c=!{partitionKeyFromLambda:customerId}/", []string{"a"}, withFunction(answering(func(string) string { return unchanged })))
		if lines := failedLines(t, got[notExtracted]...); len(got) != 1 || len(lines) != 1 || string(lines[0].RawData) != "a" || lines[0].ErrorCode != extraction {
			t.Errorf("got %q", got)
		}
	})
	conformDeAggregation(t)
	statement(t, "B13", partitionsAreActiveUntilTheirInterval)
}

func withFunction(f *lambda) func(*processors.Config) {
	return func(c *processors.Config) { c.Transform = &processors.Transform{Function: f} }
}

// conformDeAggregation is about records that have others in them.
func conformDeAggregation(t *testing.T) {
	t.Helper()
	whole := `{"c":"x"}` + strings.Repeat(`{"c":"y"}`, 500)
	for number, row := range map[string]struct {
		how  processors.RecordDeAggregation
		data string
		want string
	}{
		"P6": {processors.RecordDeAggregation{SubRecordType: processors.JSON}, `{"c":1}{"c":2}`, `map[c=1/:[{"c":1}] c=2/:[{"c":2}]]`},
		"P7": {processors.RecordDeAggregation{SubRecordType: processors.JSON}, `[{"c":1},{"c":2}]`, "map[" + notExtracted + `:[[{"c":1},{"c":2}]]]`},
		"P8": {processors.RecordDeAggregation{SubRecordType: processors.JSON}, whole, "map[" + notExtracted + ":[" + whole + "]]"},
		"P9": {processors.RecordDeAggregation{SubRecordType: processors.Delimited, Delimiter: "####"}, `{"c":1}####{"c":2}`, `map[c=1/:[{"c":1}] c=2/:[{"c":2}]]`},
	} {
		statement(t, number, func(t *testing.T) {
			t.Helper()
			got := partitionsOf(t, "{c:.c}", "c=!{partitionKeyFromQuery:c}/", []string{row.data}, func(c *processors.Config) { c.RecordDeAggregation = &row.how })
			if failed := got[notExtracted]; len(failed) == 1 {
				got[notExtracted] = rawData(t, failed[0])
			}
			if fmt.Sprint(got) != row.want {
				t.Errorf("got %.200v, want %.200s", got, row.want)
			}
		})
	}
}

// Three partitions a second, for a minute each.
func partitionsAreActiveUntilTheirInterval(t *testing.T) {
	t.Helper()
	data := make([]string, 0, 360)
	for i := range 360 {
		data = append(data, fmt.Sprintf(`{"c":"c%d"}`, i))
	}
	var most int
	s := begin(t, with(config(), byQuery("{c:.c}", "c=!{partitionKeyFromQuery:c}/"), func(c *processors.Config) {
		c.Hooks.Buffered = func(e processors.BufferedEvent) { most = max(most, e.ActivePartitions) }
	}), arrived(data))
	for range 120 {
		s.put(3)
		time.Sleep(time.Second)
	}
	s.stop()
	if most < 175 || most > 185 || len(s.objects) != 360 {
		t.Errorf("%d partitions were active, %d objects", most, len(s.objects))
	}
}
