package jq_test

import (
	"errors"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/partition/internal/corpus"
	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

// FuzzProgram: whatever a program is, it is refused, or ends within its limits, and breaks
// nothing.
func FuzzProgram(f *testing.F) {
	for i, q := range corpus.Questions() {
		if i%8 == 0 {
			f.Add(q.Program, q.Inputs[i%len(q.Inputs)])
		}
	}
	f.Fuzz(func(t *testing.T, program, input string) {
		if len(program) > 300 || len(input) > 1000 {
			return
		}
		q, err := jq.Parse(program)
		if err != nil {
			return
		}
		p, err := jq.Compile(q)
		if err != nil {
			return
		}
		r, err := p.Open(jq.Limits{Time: 50 * time.Millisecond, Memory: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		results := 0
		begin := time.Now()
		err = r.Run(t.Context(), []byte(input), func(v any) bool {
			results++
			r.Print(nil, v)
			return results < 1000
		})
		if took := time.Since(begin); errors.Is(err, jq.ErrBroken) || took > 10*time.Second {
			t.Errorf("%s of %s: %v after %v", program, input, err, took)
		}
	})
}
