package main

import (
	"errors"
	"syscall"
)

// isInUse reports whether an address could not be had as another program has it.
// Windows has a number of its own for that, which package syscall does not name:
// Source: Windows Sockets, WSAEADDRINUSE. One that is reserved is WSAEACCES.
func isInUse(err error) bool {
	const inUse, reserved = syscall.Errno(10048), syscall.Errno(10013)
	return errors.Is(err, inUse) || errors.Is(err, reserved)
}
