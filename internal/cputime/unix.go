//go:build unix

// Package cputime measures work, for benchmarks: unlike the time that passes it is
// the same on a machine that has other work.
package cputime

import (
	"syscall"
	"time"
)

// Used returns what this process has computed so far, in the program and in the
// kernel for it; 0 if the system does not tell. What processes that it started
// compute does not count.
func Used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
