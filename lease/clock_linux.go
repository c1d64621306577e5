package lease

import (
	"syscall"
	"time"
	"unsafe"
)

// Clocks of clock_gettime(2).
const (
	clockMonotonic = 1 // stops while the machine is suspended
	clockBoottime  = 7 // does not
)

// suspendedTime returns how long the machine was suspended since it booted.
func suspendedTime() time.Duration {
	boot, ok1 := readClock(clockBoottime)
	mono, ok2 := readClock(clockMonotonic)
	if !ok1 || !ok2 {
		return 0
	}
	return boot - mono
}

func readClock(id uintptr) (time.Duration, bool) {
	var ts syscall.Timespec
	//nolint:gosec // the standard library has no other way to read this clock; ts outlives the call
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano()), errno == 0
}
