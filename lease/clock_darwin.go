package lease

import (
	"time"

	"golang.org/x/sys/unix"
)

// suspendedTime returns how long the machine was suspended since it booted. Of
// Darwin's clocks CLOCK_UPTIME_RAW, which time.Now's monotonic reading is of,
// stops then and CLOCK_MONOTONIC_RAW does not. Source: clock_gettime(3).
func suspendedTime() time.Duration {
	all, ok1 := readClock(unix.CLOCK_MONOTONIC_RAW)
	up, ok2 := readClock(unix.CLOCK_UPTIME_RAW)
	if !ok1 || !ok2 {
		return 0
	}
	return all - up
}

func readClock(id int32) (time.Duration, bool) {
	var ts unix.Timespec
	err := unix.ClockGettime(id, &ts)
	return time.Duration(ts.Nano()), err == nil
}
