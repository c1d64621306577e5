package command

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const canLimitMemory = true

// attributes are those of a process that has a group of its own, and dies with the
// thread that starts it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// limitMemory limits the data of a process that has just begun, and of its children, to
// so many MiB. 0 is no limit.
func limitMemory(pid, mbs int) error {
	if mbs == 0 {
		return nil
	}
	limit := uint64(mbs) << 20
	err := unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: limit, Max: limit}, nil)
	if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended
		return fmt.Errorf("prlimit: %w", err)
	}
	return nil
}

// memoryInUse returns how many bytes of memory each process group has in use.
func memoryInUse() (map[int]int64, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the directory
	}
	inUse, page := map[int]int64{}, int64(os.Getpagesize())
	for _, e := range entries {
		if name := e.Name(); name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		// After the name, which may have anything in it: state, parent, group, … and, as
		// the 22nd, pages in use. Source: proc_pid_stat(5).
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 22 {
			continue
		}
		group, groupErr := strconv.Atoi(fields[2])
		pages, pagesErr := strconv.ParseInt(fields[21], 10, 64)
		if groupErr == nil && pagesErr == nil {
			inUse[group] += pages * page
		}
	}
	return inUse, nil
}

// reap waits until a process has ended, and calls last while its number is still its own.
func reap(cmd *exec.Cmd, last func()) error {
	for errors.Is(unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	last()
	return cmd.Wait() //nolint:wrapcheck // it says only whether the status is 0
}
