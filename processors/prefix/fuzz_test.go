package prefix_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/shardmill/shardmill/processors/prefix"
)

// FuzzPattern: whatever the pattern, it is refused or printed, within the length
// that is foretold.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"yyyy/MM/dd/HH", "'a''b'", "[d]]", "pppd", "ppdm", "YYYY'W'ww", "zzzz VV vvvv", "p", "'", "GGGGG B N", "ééé#", "\xff"} {
		f.Add(s, int64(1456405200))
	}
	zones := prefix.Zones()
	f.Fuzz(func(t *testing.T, s string, at int64) {
		zone, err := prefix.LoadZone(zones[uint64(at)%uint64(len(zones))])
		if err != nil {
			t.Fatal(err)
		}
		instant := time.Unix(at&0xffff_ffff, 0).In(zone) // 1970-2106
		got := prefix.Print(s, instant)
		text, printed := strings.CutPrefix(got, "=")
		if !printed {
			if got != "refused" && got != "fails" {
				t.Errorf("%q: %q", s, got)
			}
			return
		}
		if longest := prefix.LongestPrint(s); len(text) > len(longest) || len(longest) > 40*len(s) {
			t.Errorf("%q at %v is %q, longer than %q, or that is too long", s, instant, text, longest)
		}
		if again := prefix.Print(s+"-"+s, instant); again != "refused" && again != got+"-"+text {
			t.Errorf("%q twice is %q, once %q", s, again, got)
		}
	})
}

// FuzzPrefix: whatever is taken as a prefix begins a key that can be used, at any
// time and of any length it may have.
func FuzzPrefix(f *testing.F) {
	for _, s := range []string{
		"", "logs/", "!{timestamp:yyyy}/", "a!{firehose:random-string}", "!{firehose:error-output-type}/!{timestamp:HH}", "my!{prefix",
		"!{partitionKeyFromQuery:k}!{partitionKeyFromLambda:k}", "a/.!{timestamp:'.'}/", "!{timestamp:'\n'}", "!{x:y}", "../", "ä!{timestamp:zzzz}", "\xff",
	} {
		f.Add(s, "v", int64(0))
	}
	f.Fuzz(func(t *testing.T, s, key string, at int64) {
		for _, kind := range []prefix.Kind{prefix.Objects, prefix.Errors} {
			p, err := prefix.Parse(s, kind)
			if err != nil {
				if e, ok := errors.AsType[*prefix.Error](err); !ok || (e.Reason == "") == (e.Remedy == "") {
					t.Errorf("%q: %#v", s, err)
				}
				continue
			}
			v := values(time.Unix(at&0xffff_ffff, 0).UTC())
			v.FromQuery, v.FromLambda = keys(p, key), keys(p, key)
			got, err := p.Evaluate(v)
			if err != nil {
				if !errors.Is(err, prefix.ErrPartitionKey) || len(p.PartitionKeys()) == 0 {
					t.Errorf("%q: %v", s, err)
				}
				continue
			}
			if err := prefix.CheckKey(got + "k"); err != nil || len(got) > len(p.Longest()) {
				t.Errorf("%q is %q, %v; the longest has %d bytes", s, got, err, len(p.Longest()))
			}
			if !p.Literal() && utf8.RuneCountInString(got) > 512 {
				t.Errorf("%q has %d characters", s, utf8.RuneCountInString(got))
			}
		}
	})
}

func keys(p prefix.Prefix, value string) map[string]string {
	m := map[string]string{}
	for _, k := range p.PartitionKeys() {
		m[k.Name] = value
	}
	return m
}
