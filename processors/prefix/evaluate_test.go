package prefix_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/prefix"
)

// t0 is the instant of the list's statements, and the others are its examples'.
var (
	t0      = time.Date(2016, time.February, 25, 13, 0, 0, 0, time.UTC)
	guide   = time.Date(2018, time.August, 27, 10, 30, 0, 0, time.UTC)
	newYear = time.Date(2024, time.December, 29, 0, 0, 0, 0, time.UTC) // a Sunday
)

func parse(t *testing.T, s string, k prefix.Kind) prefix.Prefix {
	t.Helper()
	p, err := prefix.Parse(s, k)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return p
}

// values are those of records that failed at at; the random strings count.
func values(at time.Time) prefix.Values {
	count := uint64(0)
	return prefix.Values{At: at, ErrorOutputType: "processing-failed", Random: func() uint64 { count++; return count }}
}

func evaluate(t *testing.T, p prefix.Prefix, at time.Time) string {
	t.Helper()
	s, err := p.Evaluate(values(at))
	if err != nil {
		t.Fatal(err)
	}
	if longest := p.Longest(); len(longest) < len(s) {
		t.Errorf("%q is longer than %q", s, longest)
	}
	return s
}

// What stands before names; TestConformance of package processors has what keys are
// then.
func TestEvaluate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		prefix string
		at     time.Time
		want   string
	}{
		{"", t0, "2016/02/25/13/"},
		{"logs", t0, "logs2016/02/25/13/"},
		{"!{timestamp:yyyy/MM/dd}", t0, "2016/02/25"},
		{"!{timestamp:'day='yyyy-MM-dd'T'HH}/", t0, "day=2016-02-25T13/"},
		{"!{firehose:random-string}/!{firehose:random-string}/", t0, "10000000000/20000000000/"},
		{"!{timestamp:yyyy}/!{timestamp:YYYY}/!{timestamp:ww}", newYear, "2024/2025/01"},
		{"!{timestamp:DDD}/!{timestamp:MM}/!{timestamp:mm}", guide, "239/08/30"},
	} {
		if got := evaluate(t, parse(t, row.prefix, prefix.Objects), row.at); got != row.want {
			t.Errorf("%q: %q, want %q", row.prefix, got, row.want)
		}
	}
}

func TestEvaluateForErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ objects, given, want string }{
		{"orders/", "e/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/", "e/processing-failed/2016/02/25/"},
		{"p/", "", "p/processing-failed/2016/02/25/13/"},
		{"p/", "e", "eprocessing-failed/2016/02/25/13/"},
	} {
		p, err := parse(t, row.objects, prefix.Objects).ForErrors(row.given)
		if err != nil {
			t.Fatal(err)
		}
		if got := evaluate(t, p, t0); got != row.want {
			t.Errorf("%q, %q: %q, want %q", row.objects, row.given, got, row.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// wantRule checks Firehose's text in an error; "" is no error.
func wantRule(t *testing.T, err error, rule string) {
	t.Helper()
	if e, _ := errors.AsType[*prefix.Error](err); (err == nil) != (rule == "") || err != nil && e.Rule != rule {
		t.Errorf("%+v, want the rule %q", e, rule)
	}
}

func TestExpressionsNeedAPrefixOfErrors(t *testing.T) {
	t.Parallel()
	p := parse(t, "!{timestamp:yyyy}/", prefix.Objects)
	wantRule(t, second(p.ForErrors("")), "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
	wantRule(t, second(p.ForErrors("plainerror/")), "")
}

func TestLetters(t *testing.T) {
	t.Parallel()
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" {
		rule := ""
		if strings.ContainsRune("CIJPRTUVbfijloprt", c) {
			rule = "Invalid conversion character used in the value of the expression in Prefix"
		}
		wantRule(t, second(prefix.Parse("!{timestamp:"+string(c)+"}", prefix.Objects)), rule)
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	const unsupported = "Provided custom time zone is not supported. Custom time zones are limited to UTC and non-3-letter IANA time zones."
	const pattern = "Member must satisfy regular expression pattern: ^$|[a-zA-Z/_]+"
	for name, want := range map[string]prefix.Error{
		"": {}, "UTC": {}, "Asia/Calcutta": {}, "Asia/Tokyo": {}, "Europe/Kiev": {}, "America/New_York": {}, "Africa/Porto-Novo": {},
		"Asia/Kolkata": {Answer: unsupported}, "EST": {Answer: unsupported}, "Europe/Kyiv": {Answer: unsupported}, "Mars/Phobos": {Answer: unsupported},
		"utc": {Answer: unsupported}, "Local": {Answer: unsupported}, "Etc/UTC": {Answer: unsupported}, "Asia": {Answer: unsupported},
		"Etc/GMT+1": {Member: pattern}, "../etc": {Member: pattern}, "Asia/Tokyo\n": {Member: pattern}, "UTC\tCoordinated": {Member: pattern}, "Ä": {Member: pattern},
		strings.Repeat("a", 51): {Member: "Member must have length less than or equal to 50"},
	} {
		_, err := prefix.LoadZone(name)
		e, _ := errors.AsType[*prefix.Error](err)
		if e == nil {
			e = &prefix.Error{}
		}
		if e.Answer != want.Answer || e.Member != want.Member || (err == nil) != (want == prefix.Error{}) {
			t.Errorf("%q: %+v, want %+v", name, e, want)
		}
	}
	if n := len(prefix.Zones()); n != 295 {
		t.Errorf("%d zones", n)
	}
	for _, name := range prefix.Zones() {
		if _, err := prefix.LoadZone(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExtensions(t *testing.T) {
	t.Parallel()
	const long, pattern = "Member must have length less than or equal to 128", `Member must satisfy regular expression pattern: ^(|\.[0-9a-z!\-_.*'()]+)$`
	expression := regexp.MustCompile(`^(|\.[0-9a-z!\-_.*'()]+)$`)
	for s, want := range map[string]string{
		"": "", ".gz": "", ".json.gz": "", ".!-_.*'()09az": "", "." + strings.Repeat("a", 127): "",
		"log": pattern, ".LOG": pattern, ".": pattern, ".a/b": pattern, ".ä": pattern, ".a\n": pattern,
		"." + strings.Repeat("a", 128): long,
	} {
		err := prefix.CheckExtension(s)
		if e, _ := errors.AsType[*prefix.Error](err); (err == nil) != (want == "") || err != nil && e.Member != want {
			t.Errorf("%q: %+v, want %q", s, e, want)
		}
		if want != long && expression.MatchString(s) != (err == nil) {
			t.Errorf("%q: %v, which Firehose's expression does not say", s, err)
		}
	}
}

// The values of the JDK 17 that the fact sheet of DateTimeFormatter lists, at three
// instants of which the last is in Tokyo.
func TestGoldenPatterns(t *testing.T) {
	t.Parallel()
	tokyo, err := prefix.LoadZone("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	at := []time.Time{t0, time.Date(2021, 1, 1, 0, 5, 9, 123e6, time.UTC), time.Date(2024, 12, 30, 0, 30, 0, 0, tokyo)}
	for pattern, want := range map[string][3]string{
		"yyyy uuuu y yy": {"2016 2016 2016 16", "2021 2021 2021 21", "2024 2024 2024 24"},
		"YYYY w ww":      {"2016 9 09", "2021 1 01", "2025 1 01"},
		"W F":            {"4 4", "1 1", "5 2"},
		"M MM MMM MMMM":  {"2 02 Feb February", "1 01 Jan January", "12 12 Dec December"},
		"d dd D DDD":     {"25 25 56 056", "1 01 1 001", "30 30 365 365"},
		"H HH h hh":      {"13 13 1 01", "0 00 12 12", "0 00 12 12"},
		"K k kk":         {"1 13 13", "0 24 24", "0 24 24"},
		"m mm s ss":      {"0 00 0 00", "5 05 9 09", "30 30 0 00"},
		"S SS SSS":       {"0 00 000", "1 12 123", "0 00 000"},
		"SSSSSS A n":     {"000000 46800000 0", "123000 309123 123000000", "000000 1800000 0"},
		"a E EEEE e ee":  {"PM Thu Thursday 5 05", "AM Fri Friday 6 06", "AM Mon Monday 2 02"},
		"Q QQQ g":        {"1 Q1 57443", "1 Q1 59215", "4 Q4 60674"},
		"z VV O":         {"UTC UTC GMT", "UTC UTC GMT", "JST Asia/Tokyo GMT+9"},
		"X XX XXX":       {"Z Z Z", "Z Z Z", "+09 +0900 +09:00"},
		"x xxx Z":        {"+00 +00:00 +0000", "+00 +00:00 +0000", "+09 +09:00 +0900"},
		"''yyyy[MM]":     {"'201602", "'202101", "'202412"},
		"B":              {"in the afternoon", "at night", "at night"},
		"pppd mm":        {" 25 00", "  1 05", " 30 30"},
		"pppdmm":         {"refused", "refused", "refused"},
		"HHH":            {"refused", "refused", "refused"},
		"WW":             {"refused", "refused", "refused"},
	} {
		for i, instant := range at {
			if got := strings.TrimPrefix(prefix.Print(pattern, instant), "="); got != want[i] {
				t.Errorf("%q at %v: %q, want %q", pattern, instant, got, want[i])
			}
		}
	}
}
