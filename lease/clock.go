package lease

import "time"

// clock tells local time for durations. Its times carry a monotonic reading
// that, unlike time.Now's, also counts the time that the machine was suspended.
type clock struct {
	suspended func() time.Duration // since boot
	base      time.Duration
}

func newClock() clock { return clock{suspended: suspendedTime, base: suspendedTime()} }

// now is time.Now moved ahead by what the machine has slept since newClock.
// In a synctest bubble it is the bubble's time.
func (c clock) now() time.Time {
	t := time.Now()
	if d := c.suspended() - c.base; d >= suspendResolution {
		return t.Add(d)
	}
	return t
}

// suspendResolution is the least suspension that counts: below it lies the
// time that passes between the two readings of suspendedTime.
const suspendResolution = 20 * time.Millisecond
