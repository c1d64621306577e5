package esarchive_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// indexOf returns an Index with an IndexName of "myindex".
func indexOf(t *testing.T, period esarchive.IndexRotationPeriod, weeks esarchive.Weeks) *esarchive.Index {
	t.Helper()
	x, err := esarchive.NewWith(esarchive.Config{IndexName: "myindex", IndexRotationPeriod: period, Weeks: weeks}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// The weeks are those that java.time computes.
func TestRotation(t *testing.T) {
	t.Parallel()
	type names map[esarchive.IndexRotationPeriod]string
	const iso = "iso"
	for at, want := range map[string]names{
		"2016-02-25T13:00:00Z":           {esarchive.NoRotation: "", esarchive.OneHour: "-2016-02-25-13", esarchive.OneDay: "-2016-02-25", esarchive.OneMonth: "-2016-02", "": "-2016-02-25", esarchive.OneWeek: "-2016-w09", iso: "-2016-w08"},
		"2015-12-31T23:59:59Z":           {esarchive.OneHour: "-2015-12-31-23", esarchive.OneWeek: "-2016-w01", iso: "-2015-w53"},
		"2016-01-01T00:00:00Z":           {esarchive.OneHour: "-2016-01-01-00", esarchive.OneWeek: "-2016-w01", iso: "-2015-w53"},
		"2016-01-03T00:00:00Z":           {esarchive.OneWeek: "-2016-w02", iso: "-2015-w53"},
		"2016-02-20T00:00:00Z":           {esarchive.OneWeek: "-2016-w08", iso: "-2016-w07"},
		"2020-08-12T00:00:00Z":           {esarchive.OneWeek: "-2020-w33", iso: "-2020-w33"},
		"2021-01-02T00:00:00Z":           {esarchive.OneWeek: "-2021-w01", iso: "-2020-w53"},
		"2021-01-03T00:00:00Z":           {esarchive.OneWeek: "-2021-w02", iso: "-2020-w53"},
		"2024-12-28T23:59:59Z":           {esarchive.OneWeek: "-2024-w52", iso: "-2024-w52"},
		"2024-12-29T00:00:00Z":           {esarchive.OneWeek: "-2025-w01", iso: "-2024-w52"},
		"2025-12-28T00:00:00Z":           {esarchive.OneWeek: "-2026-w01", iso: "-2025-w52"},
		"2026-01-01T00:00:00Z":           {esarchive.OneWeek: "-2026-w01", iso: "-2026-w01"},
		"2016-02-26T07:59:59.999+09:00":  {esarchive.OneHour: "-2016-02-25-22", esarchive.OneDay: "-2016-02-25"},
		"2016-02-29T20:00:00-05:00":      {esarchive.OneHour: "-2016-03-01-01", esarchive.OneDay: "-2016-03-01", esarchive.OneMonth: "-2016-03"},
		"2016-02-25T13:59:59.999999999Z": {esarchive.OneHour: "-2016-02-25-13"},
	} {
		arrival, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		for period, suffix := range want {
			weeks := esarchive.USWeeks
			if period == iso {
				period, weeks = esarchive.OneWeek, esarchive.ISOWeeks
			}
			if got := indexOf(t, period, weeks).IndexName(arrival); got != "myindex"+suffix {
				t.Errorf("%s, %q %s: %s, want myindex%s", at, period, weeks, got, suffix)
			}
		}
	}
}

// A week has seven days of one name, from Sunday or Monday on, and the names of all weeks
// of a year are others.
func TestWeeksProperty(t *testing.T) {
	t.Parallel()
	first := map[esarchive.Weeks]time.Weekday{esarchive.USWeeks: time.Sunday, esarchive.ISOWeeks: time.Monday}
	rapid.Check(t, func(rt *rapid.T) {
		weeks := rapid.SampledFrom([]esarchive.Weeks{esarchive.USWeeks, esarchive.ISOWeeks}).Draw(rt, "weeks")
		day := arrivedAt().AddDate(0, 0, rapid.IntRange(-20_000, 20_000).Draw(rt, "days"))
		x := indexOf(t, esarchive.OneWeek, weeks)
		isNew := x.IndexName(day) != x.IndexName(day.AddDate(0, 0, -1))
		if isNew != (day.Weekday() == first[weeks]) {
			rt.Errorf("%v, a %v: %s after %s", day, day.Weekday(), x.IndexName(day), x.IndexName(day.AddDate(0, 0, -1)))
		}
		if x.IndexName(day) >= x.IndexName(day.AddDate(0, 0, 7)) {
			rt.Errorf("%v: %s is not before %s", day, x.IndexName(day), x.IndexName(day.AddDate(0, 0, 7)))
		}
	})
}
