//go:build unix

package kpl_test

import (
	"syscall"
	"time"
)

// cpuTime returns what this process has computed so far. Unlike time passed it
// is the same on a machine that has other work.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
