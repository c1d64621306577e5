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

// The statements of docs/conformance.md on what stands before names.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*testing.T){
		"K1": evaluates(t0, "", "2016/02/25/13/"),
		"K2": evaluates(t0, "logs/", "logs/2016/02/25/13/"),
		"K3": evaluates(t0, "logs", "logs2016/02/25/13/"),
		"K4": evaluates(t0, "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/", "year=2016/month=02/day=25/hour=13/"),
		"K5": evaluates(t0, "!{timestamp:yyyy/MM/dd}", "2016/02/25"),
		"K6": evaluates(t0, "dt=!{timestamp:yyyy-MM-dd}/h=!{timestamp:HH}/", "dt=2016-02-25/h=13/"),
		"K7": evaluates(t0, "!{timestamp:'day='yyyy-MM-dd'T'HH}/", "day=2016-02-25T13/"),
		"K8": evaluates(t0, "r=!{firehose:random-string}/", "r=10000000000/"),
		"K9": evaluates(t0, "!{firehose:random-string}/!{firehose:random-string}/", "10000000000/20000000000/"),
		"K22": func(t *testing.T) {
			t.Parallel()
			extensions(t)
		},
		"K23": func(t *testing.T) {
			t.Parallel()
			p := parse(t, "!{timestamp:yyyy}/", prefix.Objects)
			wantRule(t, second(p.ForErrors("")), "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
			wantRule(t, second(p.ForErrors("plainerror/")), "")
		},
		"K24": refuses("a/!{firehose:error-output-type}/", prefix.Objects, "Prefix must not contain any occurrence of !{firehose:error-output-type}"),
		"K25": refuses("err/!{timestamp:yyyy}/", prefix.Errors, "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"),
		"K26": refuses("!{firehose:error-output-type}/!{partitionKeyFromQuery:k}", prefix.Errors, "Dynamic Partitioning Namespaces can't be part of an error prefix expression"),
		"K27": func(t *testing.T) {
			t.Parallel()
			wantRule(t, second(prefix.Parse("my!{prefix/", prefix.Objects)), "Invalid expression usage: my!{prefix/.Must be of the form !{<namespace>:<value>}")
			wantRule(t, second(prefix.Parse("!{unknown:x}", prefix.Objects)), "Namespace to the left of colon (unknown) is an invalid keyword!")
		},
		"K28": refuses(strings.Repeat("p", 513), prefix.Objects, "Length of evaluated prefix cannot be greater than 512"),
		"K29": failed("orders/", "e/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/", "e/processing-failed/2016/02/25/"),
		"K30": func(t *testing.T) {
			t.Parallel()
			failed("p/", "", "p/processing-failed/2016/02/25/13/")(t)
		},
		"K31": evaluates(newYear, "!{timestamp:yyyy}/!{timestamp:YYYY}/!{timestamp:ww}", "2024/2025/01"),
		"K32": evaluates(guide, "!{timestamp:DDD}/!{timestamp:MM}/!{timestamp:mm}", "239/08/30"),
		"K33": evaluates(guide, "myFirehose/DeliveredYear=!{timestamp:yyyy}/anyMonth/rand=!{firehose:random-string}", "myFirehose/DeliveredYear=2018/anyMonth/rand=10000000000"),
		"K35": letters,
		"K36": timeZones,
		"K37": evaluates(t0, "!{timestamp:yyyy'/week='ww}", "2016/week=09"),
		"K38": evaluates(t0, "!{timestamp:hh a}/!{timestamp:EEE}/!{timestamp:MMM}", "01 PM/Thu/Feb"),
	} {
		t.Run(name, run)
	}
}

func second[T any](_ T, err error) error { return err }

func evaluates(at time.Time, s, want string) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		if got := evaluate(t, parse(t, s, prefix.Objects), at); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func failed(objects, given, want string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		p, err := parse(t, objects, prefix.Objects).ForErrors(given)
		if err != nil {
			t.Fatal(err)
		}
		if got := evaluate(t, p, t0); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// wantRule checks Firehose's text in an error; "" is no error.
func wantRule(t *testing.T, err error, rule string) {
	t.Helper()
	if e, _ := errors.AsType[*prefix.Error](err); (err == nil) != (rule == "") || err != nil && e.Rule != rule {
		t.Errorf("%+v, want the rule %q", e, rule)
	}
}

func refuses(s string, k prefix.Kind, rule string) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		wantRule(t, second(prefix.Parse(s, k)), rule)
	}
}

func letters(t *testing.T) {
	t.Parallel()
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" {
		rule := ""
		if strings.ContainsRune("CIJPRTUVbfijloprt", c) {
			rule = "Invalid conversion character used in the value of the expression in Prefix"
		}
		wantRule(t, second(prefix.Parse("!{timestamp:"+string(c)+"}", prefix.Objects)), rule)
	}
}

func timeZones(t *testing.T) {
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

func extensions(t *testing.T) {
	t.Helper()
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
