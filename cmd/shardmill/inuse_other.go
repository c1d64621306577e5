//go:build !windows

package main

import (
	"errors"
	"syscall"
)

// isInUse reports whether an address could not be had as another program has it.
func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
