// Package jq runs programs as jq 1.6 does, with gojq: a program is translated into
// one that means the same there. What jq 1.6 defines in jq is defined so here
// (builtin.jq); what it has in C and gojq has otherwise is written here: arithmetic is
// that of doubles, objects keep the order of their members, texts and times
// are C's. What cannot be done is refused by name.
//
// A program cannot do harm: it has a time limit, an allowance of memory, neither input nor output,
// and nothing of the process that runs it.
//
// The judge is jq 1.6 itself: see the tests, and docs/jq.md for what differs.
package jq

import (
	"context"
	"errors"
	"time"

	"github.com/itchyny/gojq"

	"github.com/shardmill/shardmill/processors/partition/internal/jsontext"
)

// Fault is why a program is refused.
type Fault struct {
	Reason string // what is wrong with it: follows "the query"
	Remedy string // what to do
}

// Error returns both.
func (f *Fault) Error() string { return f.Reason + ": " + f.Remedy }

// Parse reads a program. The error is a *Fault.
func Parse(program string) (*gojq.Query, error) {
	q, err := gojq.Parse(program)
	if err == nil && misused(program, q) {
		return nil, &Fault{"has ?// where jq 1.6 does not understand it", "write ? // for an alternative, and ?// between patterns of variables"}
	}
	if err == nil {
		return q, nil
	}
	near := "its end"
	if e, ok := errors.AsType[*gojq.ParseError](err); ok && e.Token != "" {
		near = "the token " + e.Token
	}
	return nil, &Fault{"is no jq program at " + near, "correct it, as jq 1.6 understands it"}
}

// Program is one that can be run. It is safe for concurrent use.
type Program struct {
	query *gojq.Query
}

// Compile makes a program of what Parse returned, which it changes. The error joins a *Fault for
// each thing that is wrong.
func Compile(q *gojq.Query) (*Program, error) {
	l, err := newLibrary()
	if err != nil {
		return nil, err
	}
	t := &translation{library: l, done: map[string]bool{}}
	t.query(q, nil)
	if len(t.faults) > 0 {
		errs := make([]error, len(t.faults))
		for i, f := range t.faults {
			errs[i] = f
		}
		return nil, errors.Join(errs...)
	}
	p := &Program{&gojq.Query{Term: parentheses(q)}}
	p.query.FuncDefs = append(l.raw, t.order...)
	if _, err := gojq.Compile(p.query, newMachine().options()...); err != nil {
		return nil, &Fault{"cannot be compiled: " + err.Error(), "correct it, as jq 1.6 understands it"}
	}
	return p, nil
}

// Limits bound one run.
type Limits struct {
	Time   time.Duration
	Memory int64 // bytes, beside 16 for each of the input
}

// Runner runs a program on one input after another. One goroutine uses it.
type Runner struct {
	code    *gojq.Code
	machine *machine
	limits  Limits
}

// Open returns a runner.
func (p *Program) Open(l Limits) (*Runner, error) {
	m := newMachine()
	code, err := gojq.Compile(p.query, m.options()...)
	if err != nil {
		return nil, err
	}
	return &Runner{code, m, l}, nil
}

// The errors of Run, beside that of a context.
var (
	ErrInput  = errors.New("the input is not one JSON text")
	ErrFailed = errors.New("the program fails")
	ErrTime   = errors.New("the program takes too long")
	ErrMemory = errors.New("the program needs too much memory")
	ErrBroken = errors.New("the program breaks its interpreter") // a fault of gojq, or here
)

// Run calls emit with the results for an input, until that returns false. What is in them
// is not changed later. None of the errors has data of the input.
func (r *Runner) Run(ctx context.Context, input []byte, emit func(any) bool) (err error) {
	defer func() {
		if recover() != nil {
			err = ErrBroken
		}
	}()
	limited, cancel := context.WithTimeout(ctx, r.limits.Time)
	defer cancel()
	r.machine.begin(limited, r.limits.Memory+16*int64(len(input)))
	v, err := jsontext.Decode(input, r.machine.ordered, r.machine.decodes)
	switch {
	case errors.Is(err, jsontext.ErrText):
		return ErrInput
	case err != nil:
		return r.why(ctx, limited)
	}
	results := r.code.RunWithContext(limited, v)
	for {
		v, ok := results.Next()
		if !ok {
			return nil
		}
		if _, failed := v.(error); failed {
			return r.why(ctx, limited)
		}
		if !emit(v) {
			return nil
		}
	}
}

// why tells the error of a run that has failed.
func (r *Runner) why(ctx, limited context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.machine.exhausted:
		return ErrMemory
	case limited.Err() != nil:
		return ErrTime
	}
	return ErrFailed
}

// Forget lets go of what the last run made. Who has what it needs of the results calls it,
// as much may hang on them.
func (r *Runner) Forget() { r.machine.forget() }

// Print appends a result as jq prints it, with the order of members that the last run
// left, and that Forget forgets.
func (r *Runner) Print(dst []byte, v any) []byte { return r.machine.print(dst, v, 0) }

// Number returns a result as a number, if it is one.
func Number(v any) (float64, bool) { return gojq.ToFloat64(v) }
