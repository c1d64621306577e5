//go:build conformance

package jq_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/partition/internal/corpus"
)

// pick returns one of some.
func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// scalar, list and value are JSON texts.
func scalar(r *rand.Rand) string {
	switch r.IntN(6) {
	case 0:
		return pick(r, "null", "true", "false")
	case 1, 2:
		return number(r)
	}
	return text(r)
}

func number(r *rand.Rand) string {
	switch r.IntN(5) {
	case 0:
		return strconv.Itoa(r.IntN(12) - 4)
	case 1:
		return strconv.FormatFloat(r.NormFloat64()*3, 'f', r.IntN(4), 64)
	case 2:
		return strconv.FormatInt(int64(r.Uint64())>>r.IntN(63), 10)
	case 3:
		f := math.Float64frombits(r.Uint64())
		if f != f || math.IsInf(f, 0) {
			return "0"
		}
		return strconv.FormatFloat(f, pick(r, byte('e'), byte('g')), pick(r, -1, 3, 17, 25), 64)
	}
	return fmt.Sprintf("%d%se%d", r.IntN(100), pick(r, "", ".0", ".5", ".125"), r.IntN(60)-30)
}

func text(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString(pick(r, "a", "b", "B", ",", " ", "é", "x", "1", "-", "😀", "\t", "'", `"`, "\\", "<", "&", "/", "\u007f", "\u0001", "%", "="))
	}
	data, err := json.Marshal(b.String())
	if err != nil {
		return `""`
	}
	return string(data)
}

func ascii(r *rand.Rand) string {
	return strings.Map(func(c rune) rune {
		if c > 0x7f {
			return 'z'
		}
		return c
	}, text(r))
}

func list(r *rand.Rand, of func(*rand.Rand) string) string {
	parts := make([]string, r.IntN(5))
	for i := range parts {
		parts[i] = of(r)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func value(r *rand.Rand) string {
	switch r.IntN(5) {
	case 0:
		return list(r, scalar)
	case 1:
		parts := make([]string, r.IntN(4))
		for i := range parts {
			parts[i] = pick(r, `"b"`, `"a"`, `"c d"`, `"é"`) + ":" + pick(r, scalar(r), list(r, scalar), `{"z":1,"y":2}`)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return scalar(r)
}

func times(r *rand.Rand) string {
	return pick(r, strconv.Itoa(r.IntN(1<<33)-1<<31), strconv.FormatFloat(r.Float64()*2e9-1e8, 'f', 3, 64), strconv.Itoa(r.IntN(60)*86400*365))
}

func format(r *rand.Rand) string {
	const letters = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%"
	var b strings.Builder
	for range 1 + r.IntN(5) {
		b.WriteString("%" + pick(r, "", "", "", "", "-", "_", "0", "^", "#", "E", "O") + string(letters[r.IntN(len(letters))]) + pick(r, "", " ", "/", "x"))
	}
	return b.String()
}

// written is a time as some formats want it, or nearly.
func written(r *rand.Rand) string {
	year, month, day := 1969+r.IntN(100), 1+r.IntN(13), 1+r.IntN(32)
	hour, minute, second := r.IntN(25), r.IntN(61), r.IntN(63)
	date := fmt.Sprintf(pick(r, "%d-%02d-%02d", "%d-%d-%d", "%d- %d-%2d"), year, month, day)
	clock := fmt.Sprintf("%02d:%02d:%02d", hour, minute, second)
	names := pick(r, "Mon", "monday", "SAT", "Sunx") + " " + pick(r, "Jan", "March", "DECEMBER", "Ju")
	s, f := date+"T"+clock+"Z", "%Y-%m-%dT%H:%M:%SZ"
	switch r.IntN(12) {
	case 0:
		s, f = date, pick(r, "%Y-%m-%d", "%F", "%y-%m-%d", "%Y")
	case 1:
		s, f = clock, pick(r, "%H:%M:%S", "%T", "%I:%M:%S", "%H:%M")
	case 2:
		s, f = names+" "+strconv.Itoa(day), pick(r, "%a %b %d", "%A %B %e")
	case 3:
		s, f = fmt.Sprintf("%d %03d", year, r.IntN(368)), "%Y %j"
	case 4:
		s, f = strconv.Itoa(r.IntN(1<<33)), "%s"
	case 5:
		s, f = date+" "+pick(r, "+0100", "-01:30", "Z", "+01", "+1", "UTC", "CEST", ""), pick(r, "%Y-%m-%d %z", "%Y-%m-%d %Z")
	case 6:
		s, f = fmt.Sprintf("%d:%02d %s", r.IntN(14), minute, pick(r, "AM", "pm", "xm")), "%I:%M %p"
	case 7:
		s, f = date+pick(r, "  ", " x", "x", "\t", ""), "%Y-%m-%d"
	case 8:
		s, f = fmt.Sprintf("%02d/%02d/%02d", month, day, year%100), pick(r, "%D", "%x", "%m/%d/%y")
	case 9:
		s, f = fmt.Sprintf("%d %d", r.IntN(9), day), pick(r, "%u %d", "%w %d", "%w %m")
	}
	return fmt.Sprintf("[%q,%q]", s, f)
}

func expression(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(5) {
		b.WriteString(pick(r, "a", "b", "[ab]", "[^a]", ".", "\\d", "\\w", "\\s", "\\D", "(a)", "(?<n>b|x)", "(?:a|é)", "^", "$", "\\b", "a?", "(x)?", "\\W", "[\\w-]", "\\h", "é", "\\A", "\\z") +
			pick(r, "", "", "", "*", "+", "?", "*?", "{1,2}"))
	}
	data, _ := json.Marshal(b.String())
	return string(data)
}

func TestRefereeRandom(t *testing.T) {
	t.Parallel()
	path := referee(t)
	two := func(a, b func(*rand.Rand) string) func(*rand.Rand) string {
		return func(r *rand.Rand) string { return "[" + a(r) + "," + b(r) + "]" }
	}
	quoted := func(f func(*rand.Rand) string) func(*rand.Rand) string {
		return func(r *rand.Rand) string { return strconv.Quote(f(r)) }
	}
	at := func(r *rand.Rand) string {
		return pick(r, `"a"`, `"b"`, number(r), `{"start":`+number(r)+`,"end":`+pick(r, "null", number(r))+`}`, strconv.Itoa(r.IntN(5)-2), strconv.Itoa(r.IntN(4)))
	}
	route := func(r *rand.Rand) string { return pick(r, "["+at(r)+"]", "["+at(r)+","+at(r)+"]", "[]") }
	lossy := func(r *rand.Rand) string { // numbers of many spellings
		s := []byte(pick(r, number(r), "nan", "-NaN", "Infinity", "inf", "1.", ".5", "+1", "0x1", " 1 ", "1e", "", "-", "1 2", "true", "null", "[1]", "00012", "1_0"))
		if r.IntN(2) == 0 && len(s) > 0 {
			s[r.IntN(len(s))] = pick(r, []byte("0123456789.eE+- xXnN")...)
		}
		return strconv.Quote(string(s))
	}
	for _, row := range []struct {
		program string
		input   func(*rand.Rand) string
		lenient bool // ours may fail where jq does not: docs/jq.md
	}{
		{`.`, value, false},
		{`.[0] as $a|.[1] as $b|def t(f): try f catch "error"; [t($a+$b),t($a-$b),t($a*($b|if type=="number" then (if .>9 then 9 else . end) else . end)),t($a/$b),t($a%$b),$a<$b,$a==$b,$a<=$b]`, two(value, value), false},
		{`[.[]|-(numbers)]`, func(r *rand.Rand) string { return list(r, value) }, false},
		{`[tojson,tostring,@text,@json]`, value, false},
		{`[@uri,@html,@base64,(try @csv catch "e"),(try @tsv catch "e"),(try @sh catch "e")]`, func(r *rand.Rand) string { return pick(r, value(r), list(r, scalar)) }, false},
		{`@base64d`, func(r *rand.Rand) string {
			return strconv.Quote(pick(r, "YWJj", "YWI=", "YQ==", "YQ", "/+8=", "w6k=", "YWJ", "a", "=", "a=bc", "YW Jj", "YWJj\nYWJj", "_-8="))
		}, false},
		{`tonumber`, lossy, false},
		{`.[0] as $t|.[1] as $f|$t|strftime($f)`, two(times, quoted(format)), false},
		{`.[0] as $t|.[1] as $f|$t|strptime($f)|.,(try mktime catch "error")`, written, false},
		{`gmtime|.,mktime,todate`, times, false},
		{`mktime`, func(r *rand.Rand) string {
			return fmt.Sprintf("[%d,%d,%d,%d,%d,%d,0,0]", 1900+r.IntN(300), r.IntN(15)-1, r.IntN(40), r.IntN(30), r.IntN(70), r.IntN(70))
		}, false},
		{`.[0] as $s|.[1] as $r|$s|[match($r;"g")],test($r),[match($r;"i")]`, two(ascii, expression), true},
		{`.[0] as $s|.[1] as $r|$s|[splits($r)],sub($r;"<\(.n)>")`, two(ascii, expression), true},
		{`.[0] as $v|.[1] as $p|$v|def t(f): try f catch "error"; t(getpath($p)),t(setpath($p;[7])),t(delpaths([$p])),t(del(.[$p[0]]))`, two(value, route), false},
		{`.[0] as $v|.[1] as $p|$v|delpaths($p)`, two(func(r *rand.Rand) string { return list(r, scalar) }, func(r *rand.Rand) string { return list(r, route) }), false},
		{`.[0] as $v|.[1] as $i|$v|def t(f): try f catch "error"; t(.[$i]),t(.[$i:]),t(.[:$i]),t(has($i)),t(.[$i]=1),t(.[$i:]=[9,9]),t(.[$i]|=empty),t(.[$i]?)`, two(value, func(r *rand.Rand) string { return pick(r, scalar(r), strconv.Itoa(r.IntN(5)-2)) }), false},
		{`def t(f): try f catch "error"; [t(keys),t(keys_unsorted),t([.[]]),t(to_entries),t(length),t(utf8bytelength),t(add),t(sort),t(unique),t(reverse),t(flatten),t(min),t(max),t(any),t(all),t(first),t(last),t(tostream),t([..]),t([paths]),t(map_values(.)),t(with_entries(.)),t(transpose),t(group_by(type)),t(walk(.)),t(explode),t(ascii_downcase),t(ascii_upcase),t(join(",")),t(floor),t(sqrt),t(isnan),t([.[]?]),t(map(tostring))]`, value, false},
		{`.[0] as $a|.[1] as $b|$a|def t(f): try f catch "error"; [t(split($b)),t(index($b)),t(rindex($b)),t(indices($b)),t(startswith($b)),t(endswith($b)),t(ltrimstr($b)),t(rtrimstr($b)),t(contains($b)),t(inside($b)),t(has($b)),t(in($b)),t(IN($b)),t(bsearch($b)),t(join($b))]`, two(value, value), false},
		{`[limit(3;.[]?),first(.[]?),nth(1;.[]?),until(true;.),isempty(.[]?),(label $f|.[]?|if .==null then break $f else . end)]`, value, false},
		{`. as [$a,{b:$b}] ?// [$a] ?// $a|[$a,$b]`, func(r *rand.Rand) string { return pick(r, value(r), list(r, value)) }, false},
		{`(.a,.b?)//=1|(.[]?|numbers)+=1|.c|=.`, value, false},
	} {
		r := rand.New(rand.NewPCG(16, uint64(len(row.program))))
		q := corpus.Question{Program: row.program}
		for range 150 {
			q.Inputs = append(q.Inputs, row.input(r))
		}
		want := theirs(t, path, q)
		got, why := ours(t, q)
		if why != nil {
			t.Errorf("%s: %v", q.Program, why)
			continue
		}
		differ, answered := 0, 0
		for i, w := range want {
			if w != corpus.Failed {
				answered++
			}
			if got[i] != w && got[i] != corpus.Hangs && !(w == corpus.Hangs && got[i] == corpus.Failed) && !(row.lenient && got[i] == corpus.Failed) {
				if differ++; differ <= 3 {
					t.Errorf("%s of %s is %s; jq: %s", q.Program, q.Inputs[i], got[i], w)
				}
			}
		}
		if answered < len(want)/20 {
			t.Errorf("%s: jq answers %d of %d", q.Program, answered, len(want))
		}
		if differ > 0 {
			t.Errorf("%s: %d of %d differ", q.Program, differ, len(want))
		}
	}
}
