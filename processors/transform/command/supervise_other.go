//go:build !unix

package command

import (
	"os"
	"os/exec"
	"syscall"
)

// There are no process groups here: New refuses.
const (
	canSupervise   = false
	canLimitMemory = false
)

func attributes() *syscall.SysProcAttr { return nil }

func limitMemory(int, int) error { return nil }

func memoryInUse() (map[int]int64, error) { return nil, nil }

func killGroup(int) {}

func terminate(int) {}

func pending(*os.File) (more, isClosed bool) { return false, false }

func reap(cmd *exec.Cmd, last func()) error {
	err := cmd.Wait()
	last()
	return err //nolint:wrapcheck // it says only whether the status is 0
}
