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
