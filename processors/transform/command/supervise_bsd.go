//go:build unix && !linux

package command

import (
	"os/exec"
	"syscall"
)

const canLimitMemory = false

// attributes are those of a process that has a group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func limitMemory(int, int) error { return nil }

func memoryInUse() (map[int]int64, error) { return nil, nil }

// reap waits until a process has ended, and calls last.
func reap(cmd *exec.Cmd, last func()) error {
	err := cmd.Wait()
	last()
	return err //nolint:wrapcheck // it says only whether the status is 0
}
