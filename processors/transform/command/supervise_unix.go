//go:build unix

package command

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const canSupervise = true

// killGroup kills the processes of the group pid, if there are any.
func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

// terminate asks the group pid to end.
func terminate(pid int) { _ = unix.Kill(-pid, unix.SIGTERM) }

// pending reports whether there is something to read, and whether nothing more will come.
func pending(f *os.File) (more, isClosed bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false, true
	}
	look := []unix.PollFd{{Events: unix.POLLIN}}
	err = raw.Control(func(fd uintptr) {
		look[0].Fd = int32(fd)
		for {
			if _, err := unix.Poll(look, 0); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	seen := look[0].Revents
	return seen&unix.POLLIN != 0, err != nil || seen&^unix.POLLIN != 0
}
