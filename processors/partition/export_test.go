package partition

import "time"

// Slow returns what finds what r says by jq alone.
func Slow(r Rules) (*Extraction, error) { return compile(r, false) }

// Within has x stop queries after a time, or when they have made so many bytes.
func (x *Extraction) Within(limit time.Duration, memory int64) *Extraction {
	x.limits.Time, x.limits.Memory = limit, memory
	return x
}

// Turn is what has room for who decodes a large record.
func (x *Extraction) Turn() chan struct{} { return x.turn }

// Plain tells whether x goes around jq.
func (x *Extraction) Plain() bool { return x.query == nil && x.time == nil }
