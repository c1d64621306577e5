package jq

import (
	"math"
	"strings"

	"github.com/itchyny/gojq"
)

// The operators are those of doubles, as jq 1.6 knows no other numbers.

// binary makes a function of two arguments of an operator.
func binary(numbers func(l, r float64) any, others func(l, r any) any) func(any, []any) any {
	return func(_ any, args []any) any {
		l, leftOK := gojq.ToFloat64(args[0])
		r, rightOK := gojq.ToFloat64(args[1])
		if leftOK && rightOK {
			return numbers(l, r)
		}
		return others(args[0], args[1])
	}
}

// cannot is jq's error of two values that do not go together.
func (m *machine) cannot(l, r any, what string) error {
	return fault(m.describe(l) + " and " + m.describe(r) + " cannot be " + what)
}

func (m *machine) add(l, r any) any {
	switch l := l.(type) {
	case nil:
		return r
	case string:
		if r, ok := r.(string); ok {
			if err := m.charge(len(l) + len(r)); err != nil {
				return err
			}
			return l + r
		}
	case []any:
		if r, ok := r.([]any); ok {
			if err := m.charge(sizeOfElement * (len(l) + len(r))); err != nil {
				return err
			}
			return append(append(make([]any, 0, len(l)+len(r)), l...), r...)
		}
	case map[string]any:
		if r, ok := r.(map[string]any); ok {
			if err := m.charge(sizeOfMember * (len(l) + len(r))); err != nil {
				return err
			}
			return m.build(len(l) + len(r)).all(l).all(r).done()
		}
	}
	if r == nil {
		return l
	}
	return m.cannot(l, r, "added")
}

func (m *machine) subtract(l, r any) any {
	from, leftOK := l.([]any)
	without, rightOK := r.([]any)
	if !leftOK || !rightOK {
		return m.cannot(l, r, "subtracted")
	}
	if err := m.charge(sizeOfElement * len(from)); err != nil {
		return err
	}
	rest := make([]any, 0, len(from))
	for _, v := range from {
		keep := true
		for _, w := range without {
			order, err := m.compare(v, w)
			if err != nil {
				return err
			}
			if order == 0 {
				keep = false
				break
			}
		}
		if keep {
			rest = append(rest, v)
		}
	}
	return rest
}

func (m *machine) multiply(l, r any) any {
	if n, ok := gojq.ToFloat64(l); ok {
		if s, ok := r.(string); ok {
			return m.repeat(s, n)
		}
	}
	if n, ok := gojq.ToFloat64(r); ok {
		if s, ok := l.(string); ok {
			return m.repeat(s, n)
		}
	}
	a, leftOK := l.(map[string]any)
	b, rightOK := r.(map[string]any)
	if leftOK && rightOK {
		return m.merge(a, b)
	}
	return m.cannot(l, r, "multiplied")
}

// repeat is jq 1.6's: once for what is above 0 and not above 1, null for less.
func (m *machine) repeat(s string, n float64) any {
	more := truncated(n - 1)
	if more < 0 {
		return nil
	}
	if int64(more+1)*int64(len(s)) > m.left {
		return m.charge(math.MaxInt32)
	}
	if err := m.charge((more + 1) * len(s)); err != nil {
		return err
	}
	return strings.Repeat(s, more+1)
}

func (m *machine) merge(l, r map[string]any) any {
	if err := m.charge(sizeOfMember * (len(l) + len(r))); err != nil {
		return err
	}
	b := m.build(len(l) + len(r)).all(l)
	for _, name := range m.names(r) {
		v := r[name]
		inner, ok := v.(map[string]any)
		if outer, both := b.object[name].(map[string]any); ok && both {
			if v = m.merge(outer, inner); m.exhausted {
				return v
			}
		}
		b.set(name, v)
	}
	return b.done()
}

func (m *machine) divide(l, r any) any {
	if s, ok := l.(string); ok {
		if by, ok := r.(string); ok {
			return m.split(s, by)
		}
	}
	return m.cannot(l, r, "divided")
}

func (m *machine) quotient(l, r float64) any {
	if r == 0 {
		return m.cannot(l, r, "divided because the divisor is zero")
	}
	return l / r
}

func (m *machine) remainder(l, r float64) any {
	by := integer(r)
	if by == 0 {
		return m.cannot(l, r, "divided (remainder) because the divisor is zero")
	}
	if by == -1 {
		return 0.0
	}
	return float64(integer(l) % by)
}

// integer is what C makes of a double on amd64: the smallest integer, of what is none.
func integer(f float64) int64 {
	if f > -9.3e18 && f < math.MaxInt64 {
		return int64(f)
	}
	return math.MinInt64
}

// truncated is that for an int of 32 bits.
func truncated(f float64) int {
	if f > math.MinInt32-1 && f < math.MaxInt32+1 {
		return int(f)
	}
	return math.MinInt32
}

func (m *machine) negate(v any, _ []any) any {
	if f, ok := gojq.ToFloat64(v); ok {
		return -f
	}
	return fault(m.describe(v) + " cannot be negated")
}
