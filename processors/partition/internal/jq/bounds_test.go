package jq_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/partition/internal/corpus"
	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

func runner(t *testing.T, program string, l jq.Limits) *jq.Runner {
	t.Helper()
	q, err := jq.Parse(program)
	if err != nil {
		t.Fatal(err)
	}
	p, err := jq.Compile(q)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Open(l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The bounds are those of what is decoded, too: its end, which is wrong, is not reached.
func TestDecodeHasBounds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		input  string
		limits jq.Limits
		want   error
	}{
		{"[" + strings.Repeat("0,", 8<<20), jq.Limits{Time: time.Millisecond, Memory: 1 << 40}, jq.ErrTime},
		{"[" + strings.Repeat("{},", 1<<20), jq.Limits{Time: time.Minute, Memory: 1 << 20}, jq.ErrMemory},
		{"[" + strings.Repeat("{},", 1<<10), jq.Limits{Time: time.Minute, Memory: 1 << 20}, jq.ErrInput},
	} {
		err := runner(t, "1", row.limits).Run(t.Context(), []byte(row.input), func(any) bool { return true })
		if !errors.Is(err, row.want) {
			t.Errorf("%d bytes: %v, want %v", len(row.input), err, row.want)
		}
	}
	// fromjson decodes, too.
	r := runner(t, "fromjson?", jq.Limits{Time: time.Minute, Memory: 1 << 20})
	if err := r.Run(t.Context(), []byte(`"`+strings.Repeat(`{},`, 1<<20)+`"`), func(any) bool { return true }); err != nil {
		t.Errorf("what is wrong at its beginning: %v", err)
	}
	if err := r.Run(t.Context(), []byte(`"[`+strings.Repeat(`{},`, 1<<20)+`"`), func(any) bool { return true }); !errors.Is(err, jq.ErrMemory) {
		t.Errorf("fromjson: %v", err)
	}
}

// Values whose parts are the same ones are small, and take for ever to compare.
func TestComparisonsEnd(t *testing.T) {
	t.Parallel()
	const twice = `reduce range(0;60) as $i ([0];[.,.]) | `
	for _, program := range []string{
		twice + `. == .`, twice + `. != .`, twice + `. < .`, twice + `. <= .`, twice + `. > .`, twice + `. >= .`,
		`reduce range(0;60) as $i ({a:0};{a:.,b:.}) | . == .`,
		twice + `[.,.]|sort`, twice + `[.,.]|unique`, twice + `[.,.]|min`, twice + `[.,.]|max`, twice + `[.,.]|group_by(.)`, twice + `[.,.]|sort_by(.)`,
		twice + `[.,.]|min_by(.)`, twice + `[.,.]|max_by(.)`, twice + `[.,.]|unique_by(.)`, twice + `[.]-[.]`, twice + `. as $x|[.]|index([$x])`,
		twice + `. as $x|[.]|.[[$x]]`, twice + `. as $x|[.]|bsearch($x)`, twice + `. as $x|IN($x)`, twice + `. as $x|[.]|contains([$x])`,
		twice + `. as $x|{}|delpaths([[$x],[$x]])`, twice + `. as $x|{}|delpaths([["a",$x],["a",$x]])`,
		`("x"*1000000) as $x|[range(1e6)|$x]|.[[$x|ascii_downcase]]`, `("x"*1000000|.,ascii_downcase) as $x|[limit(1e6;repeat("x"*1000000|.==$x))]|length`,
		`[range(1e5)]|delpaths([range(2e5)|[{start:0,end:(1e5+.)}]])`,
	} {
		done := make(chan error, 1)
		r := runner(t, program, jq.Limits{Time: 200 * time.Millisecond, Memory: 64 << 20})
		go func() { done <- r.Run(t.Context(), []byte("null"), func(any) bool { return true }) }()
		select {
		case err := <-done:
			if !errors.Is(err, jq.ErrTime) && !errors.Is(err, jq.ErrMemory) {
				t.Errorf("%s: %v", program, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s does not end", program)
		}
	}
}

// NaN is less than itself.
func TestNaN(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]string{
		`[nan==nan,nan<nan,nan>nan,nan!=nan,nan<=nan,nan>=nan,[nan]==[nan]]`: "[[false,true,false,true,true,false,false]]",
		`[nan,1,nan]|sort,group_by(.),unique,min,max,(.-[nan])`:              "[[null,null,1],[[null],[null],[1]],[null,null,1],null,1,[null,1,null]]",
		`[1,2]|try delpaths([[nan],[nan]]) catch "error"`:                    "[[1,2]]",
	} {
		got, why := ours(t, corpus.Question{Program: program, Inputs: []string{"null"}})
		if why != nil || got[0] != want {
			t.Errorf("%s is %v, %v; want %s", program, got, why, want)
		}
	}
}

// A regular expression may be from the record: it fails when it is long or large, and so does a text that is
// too long for it.
func TestExpressionsAreBounded(t *testing.T) {
	t.Parallel()
	again := func(s string, n int) string { return strings.Repeat(s, n) }
	for _, row := range []struct {
		name, expression, text string
		want                   error
	}{
		{"long", again("a", 3<<20), "aaaa", jq.ErrFailed},
		{"longer than allowed", again("a", 4097), "aaaa", jq.ErrFailed},
		{"as long as allowed", again("a", 4096), "aaaa", nil},
		{"large", again("(x{1000})", 20), "x", jq.ErrFailed},
		{"not large", again("(x{100})", 20), "x", nil},
		{"classes", again(`\\w`, 2000), "x", jq.ErrFailed},
		{"some classes", again(`\\w`, 200), "x", nil},
		{"much work", again("(a|b)*", 600) + "z", again("ab", 1<<19), jq.ErrFailed},
		{"much work for a short text", again("x?", 2000) + "z", again("x", 32<<10), jq.ErrFailed},
		{"some work", again("(a|b)*", 5) + "z", again("ab", 100<<10), nil},
		{"a long text", "xz", again("x", 1<<20), nil},
	} {
		r := runner(t, `.[0] as $p|.[1]|test($p)`, jq.Limits{Time: time.Minute, Memory: 64 << 20})
		begin := time.Now()
		err := r.Run(t.Context(), []byte(`["`+row.expression+`","`+row.text+`"]`), func(any) bool { return true })
		if took := time.Since(begin); !errors.Is(err, row.want) || took > 20*time.Second {
			t.Errorf("%s: %v, want %v, after %v", row.name, err, row.want, took)
		}
	}
	r := runner(t, `"a"|test("a";"g"*5000)`, limits)
	if err := r.Run(t.Context(), []byte("null"), func(any) bool { return true }); !errors.Is(err, jq.ErrFailed) {
		t.Errorf("many modifiers: %v", err)
	}
}

// Of many expressions few are kept, and all are paid for.
func TestExpressionsAreNotKept(t *testing.T) {
	t.Parallel()
	for program, most := range map[string]int{
		`[range(1000)|tostring as $p|"a"|test($p)]|length`:                       64,
		`[range(300)|("(x{40})\\w{9}"*20)+tostring|. as $p|"a"|test($p)]|length`: 63,
	} {
		r := runner(t, program, jq.Limits{Time: time.Minute, Memory: 1 << 30})
		if err := r.Run(t.Context(), []byte("null"), func(any) bool { return true }); err != nil {
			t.Errorf("%s: %v", program, err)
		}
		if n, bytes := r.Regexps(); n == 0 || n > most || bytes > 8<<20 {
			t.Errorf("%s keeps %d, of %d bytes", program, n, bytes)
		}
	}
	r := runner(t, `[range(1e6)|tostring|("a?"*1000)+.|. as $p|"a"|test($p)]|length`, jq.Limits{Time: time.Minute, Memory: 64 << 20})
	if err := r.Run(t.Context(), []byte("null"), func(any) bool { return true }); !errors.Is(err, jq.ErrMemory) {
		t.Errorf("many: %v", err)
	}
}
