package prefix

import (
	"strings"
	"time"
)

// hole stands for a random string in a group. No evaluated prefix has one.
const hole = "\x00"

// Group returns what objects have in common that may be one: what Evaluate returns,
// but for random strings, of which each object has its own. Two records are of
// the same group if it is the same text. Errors are Evaluate's.
func (p Prefix) Group(v Values) (string, error) {
	v.Random = func() uint64 { return 0 }
	if _, err := p.Evaluate(v); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, s := range p.segments {
		if s.isRandom() {
			b.WriteString(hole)
			continue
		}
		text, err := s.evaluate(v)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// Fill returns what stands before the name of an object of the group. random is
// Values.Random.
func Fill(group string, random func() uint64) string {
	for strings.Contains(group, hole) {
		group = strings.Replace(group, hole, randomString(random()), 1)
	}
	return group
}

// AppendTimestamps appends what the prefix prints of at, in at's zone: with the same
// partition keys two instants of which that is the same have the same group.
func (p Prefix) AppendTimestamps(b []byte, at time.Time) []byte {
	for _, s := range p.segments {
		if s.namespace == timestamp {
			b = append(append(b, s.pattern.print(at)...), hole...)
		}
	}
	return b
}

// IsFine reports whether AppendTimestamps may tell instants of one second apart.
func (p Prefix) IsFine() bool {
	for _, s := range p.segments {
		for _, e := range s.pattern {
			if e.literal == "" && e.field.fine {
				return true
			}
		}
	}
	return false
}
