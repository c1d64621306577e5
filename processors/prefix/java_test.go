//go:build conformance

package prefix_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/prefix"
)

const (
	begin = 631152000  // 1990
	end   = 2240611200 // 2041
)

// java asks DateTimes.java, and returns its answers.
func java(t *testing.T, questions []string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", "testdata/DateTimes.java", prefix.Locale)
	cmd.Stdin = strings.NewReader(strings.Join(questions, "\n") + "\n")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.Bytes())
	}
	version, answers, _ := strings.Cut(strings.TrimSuffix(string(out), "\n"), "\n")
	if version != "17" {
		t.Fatalf("this is the JDK %s: the one that is ported is 17; its texts, and the letter F, are others", version)
	}
	return strings.Split(answers, "\n")
}

// randomPattern returns a pattern of runs of letters, literals, quotes and optional
// sections; most are taken, as few letters and lengths are chosen that are not.
func randomPattern(r *rand.Rand) string {
	const most, other, marks = "DEFGHKLMNOQSVWXYZacdeghkmnqsuvwxyzAB", "CIJPRTUbfijlort", "/-_.:=,[](){}#'é日 "
	var b strings.Builder
	for range 1 + r.IntN(5) {
		switch n := r.IntN(40); {
		case n < 26:
			b.WriteString(strings.Repeat(pick(r, most), length(r)))
		case n == 26:
			b.WriteString(strings.Repeat("p", 1+r.IntN(24)) + strings.Repeat(pick(r, most), length(r)))
		case n == 27 && r.IntN(4) == 0:
			b.WriteString(strings.Repeat(pick(r, other+"p"), 1+r.IntN(2)))
		case n == 28:
			b.WriteString([]string{"''", "'a b'", "'it''s'", "'", "']'", "[]"}[r.IntN(6)])
		case n == 29:
			b.WriteString("[" + strings.Repeat(pick(r, most), length(r)) + "]")
		case n == 30:
			b.WriteString(string([]rune(marks)[r.IntN(len([]rune(marks)))]))
		default:
			b.WriteString(pick(r, "/-_"))
		}
	}
	return b.String()
}

func pick(r *rand.Rand, from string) string { return string(from[r.IntN(len(from))]) }

// length of a run of letters: short, mostly.
func length(r *rand.Rand) int {
	switch n := r.IntN(30); n {
	case 29:
		return 1 + r.IntN(22)
	case 27, 28:
		return 3 + r.IntN(4)
	default:
		return 1 + r.IntN(2)
	}
}

// TestPatternsOfJava: java.time prints 20,000 instants as we do, refuses the same
// patterns, and fails only with those that are said to fail for some instant.
func TestPatternsOfJava(t *testing.T) {
	t.Parallel()
	type triple struct {
		pattern, zone string
		at            time.Time
	}
	r := rand.New(rand.NewPCG(11, 3))
	zones := prefix.Zones()
	var triples []triple
	var questions []string
	ask := func(pattern string) {
		e := triple{pattern, zones[r.IntN(len(zones))], time.UnixMilli(begin*1000 + r.Int64N((end-begin)*1000))}
		triples = append(triples, e)
		questions = append(questions, fmt.Sprintf("%s\t%s\t%d", e.pattern, e.zone, e.at.UnixMilli()))
	}
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" {
		for n := 1; n <= 22; n++ {
			ask(strings.Repeat(string(c), n))
			ask("p" + strings.Repeat(string(c), n))
		}
	}
	for _, pattern := range []string{"z", "zzzz", "v", "vvvv", "VV", "O", "OOOO", "XXX"} {
		for range 200 {
			ask(pattern)
		}
	}
	for len(triples) < 24000 {
		ask(randomPattern(r))
	}
	answers := java(t, questions)
	if len(answers) != len(triples) {
		t.Fatalf("%d answers to %d questions", len(answers), len(triples))
	}
	count := map[string]int{}
	for i, e := range triples {
		zone, err := prefix.LoadZone(e.zone)
		if err != nil {
			t.Fatal(err)
		}
		got, want := prefix.Print(e.pattern, e.at.In(zone)), answers[i]
		count[strings.TrimRight(got[:1], "\n")]++
		if got != want && (got != "fails" || want == "refused") {
			t.Errorf("%q in %s at %v: %q, Java has %q", e.pattern, e.zone, e.at.UTC(), got, want)
		}
		if got[0] == '=' && len(got) > 1+len(prefix.LongestPrint(e.pattern)) {
			t.Errorf("%q in %s at %v: %q is longer than %q", e.pattern, e.zone, e.at.UTC(), got, prefix.LongestPrint(e.pattern))
		}
	}
	if t.Log(count); count["="] < 15000 || count["r"] < 2000 || count["f"] < 100 {
		t.Errorf("printed, refused and failed: %v; too few for a comparison", count)
	}
}

// TestZonesOfJava: from 1990 to 2040 each zone has the offset that java.time has,
// and summer time at the same times.
func TestZonesOfJava(t *testing.T) {
	t.Parallel()
	var questions []string
	for _, name := range prefix.Zones() {
		questions = append(questions, fmt.Sprintf("%s\t%d\t%d", name, begin, end))
	}
	answers := java(t, questions)
	for _, name := range prefix.Zones() {
		zone, err := prefix.LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for len(answers) > 1 && answers[0] != "end" {
			until := int64(end)
			from, offset, summer := transition(t, answers[0])
			if answers = answers[1:]; answers[0] != "end" {
				until, _, _ = transition(t, answers[0])
			}
			for at := from; at < until; at = min(at+12*3600, max(until-1, at+1)) {
				local := time.Unix(at, 0).In(zone)
				_, got := local.Zone()
				if got != offset || prefix.IsSummer(local) != summer {
					t.Errorf("%s at %v: %d, %v; Java has %d, %v", name, local, got, prefix.IsSummer(local), offset, summer)
					break
				}
			}
		}
		answers = answers[1:]
	}
}

func transition(t *testing.T, line string) (at int64, offset int, summer bool) {
	t.Helper()
	given := strings.Split(line, "\t")
	at, err := strconv.ParseInt(given[0], 10, 64)
	if err != nil || len(given) != 3 {
		t.Fatalf("an answer is %q", line)
	}
	offset, err = strconv.Atoi(given[1])
	if err != nil {
		t.Fatal(err)
	}
	return at, offset, given[2] == "true"
}
