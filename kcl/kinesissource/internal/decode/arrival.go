package decode

import (
	"strconv"
	"time"

	smithytime "github.com/aws/smithy-go/time"
)

// arrival returns the time that a number of seconds means, to the millisecond, as
// the SDK reads it.
func arrival(number []byte) (at time.Time, ok bool) {
	if ms, ok := millis(number); ok {
		return time.UnixMilli(ms).UTC(), true
	}
	seconds, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return time.Time{}, false
	}
	return smithytime.ParseEpochSeconds(seconds).Round(time.Millisecond), true
}

// In these bounds, years 2004 to 2038, a decimal number of seconds with three
// digits after the point is the same milliseconds whether it is read exactly or
// by way of a float64, as the SDK reads it.
const (
	minMillis = 1 << 40
	maxMillis = 1000 << 31
)

// millis reads a number of seconds exactly: 1700000000, 1700000000.123, and
// 1.700000000123E9, as Java writes it. It returns false if that takes more than
// milliseconds.
func millis(number []byte) (ms int64, ok bool) {
	digits, scale, point := 0, 3, false // ms is the digits times 10^scale
	i := 0
	for ; i < len(number); i++ {
		c := number[i]
		if c == '.' {
			point = true
			continue
		}
		if c-'0' > 9 {
			break
		}
		if digits++; digits > 17 {
			return 0, false
		}
		ms = ms*10 + int64(c-'0')
		if point {
			scale--
		}
	}
	if i < len(number) {
		if i+1 == len(number) || number[i]|0x20 != 'e' {
			return 0, false
		}
		exponent, err := strconv.Atoi(string(number[i+1:]))
		if err != nil || exponent < -20 || exponent > 20 {
			return 0, false
		}
		scale += exponent
	}
	for ; scale < 0 && ms%10 == 0; scale++ {
		ms /= 10
	}
	for ; scale > 0 && ms < maxMillis; scale-- {
		ms *= 10
	}
	return ms, scale == 0 && ms >= minMillis && ms < maxMillis
}
