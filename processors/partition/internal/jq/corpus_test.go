package jq_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors/partition/internal/corpus"
	"github.com/shardmill/shardmill/processors/partition/internal/jq"
)

var limits = jq.Limits{Time: time.Minute, Memory: 64 << 20}

// ours answers a question as the package does, with why a program is refused.
func ours(t *testing.T, q corpus.Question) (answers []string, why error) {
	t.Helper()
	parsed, err := jq.Parse(q.Program)
	if err != nil {
		return nil, err
	}
	p, err := jq.Compile(parsed)
	if err != nil {
		return nil, err
	}
	r, err := p.Open(limits)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range q.Inputs {
		answers = append(answers, answer(t.Context(), r, in))
	}
	return answers, nil
}

func answer(ctx context.Context, r *jq.Runner, in string) string {
	text := []byte("[")
	err := r.Run(ctx, []byte(in), func(v any) bool {
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = r.Print(text, v)
		return true
	})
	switch {
	case errors.Is(err, jq.ErrFailed):
		return corpus.Failed
	case errors.Is(err, jq.ErrTime), errors.Is(err, jq.ErrMemory):
		return corpus.Hangs
	case err != nil:
		return err.Error()
	}
	return string(append(text, ']'))
}
