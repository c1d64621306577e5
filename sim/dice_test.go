package sim_test

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// dice is chance without order: what it shows depends on the seed and on what
// it is thrown for, so a world comes out the same whichever goroutine throws
// first, and whatever else is left out of it.
type dice uint64

// throw returns a number in [0, 1).
func (d dice) throw(what string, n int64) float64 {
	h := fnv.New64a()
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(d))
	binary.LittleEndian.PutUint64(b[8:], uint64(n))
	_, _ = h.Write(b[:])
	_, _ = h.Write([]byte(what))
	// FNV's low bits are poor; PCG spreads them.
	return rand.New(rand.NewPCG(h.Sum64(), uint64(d))).Float64()
}

// below returns a whole number in [0, n).
func (d dice) below(n int, what string, i int64) int { return int(d.throw(what, i) * float64(n)) }

// upTo returns a time in [0, most).
func (d dice) upTo(most time.Duration, what string, i int64) time.Duration {
	return time.Duration(d.throw(what, i) * float64(most))
}
