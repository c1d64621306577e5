package jq_test

import (
	"errors"
	"strings"
	"testing"
	"time"

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
