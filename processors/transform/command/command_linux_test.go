package command_test

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/transform"
	"github.com/shardmill/shardmill/processors/transform/command"
)

// Who takes more memory than is granted fails, be it with its children together; who
// takes less does not notice.
func TestMemory(t *testing.T) {
	t.Parallel()
	const failed = "Lambda.FunctionError (1)"
	for _, row := range []struct {
		program string
		mbs     int
		want    string
	}{
		{"hungry", 400, failed},
		{"hungry", 2000, "a (1)"},
		{"hungry-children", 400, failed},
		{"hungry-children", 2000, "a (1)"},
		{"limits", 400, "400 (1)"},
	} {
		c, logs := open(t, row.program, command.Options{Processes: 1, MemoryMBs: row.mbs})
		if got, _ := run(t, c, transform.Options{}, records("a")); !slices.Equal(got, []string{row.want}) {
			t.Errorf("%s with %d MiB: %q, want %q", row.program, row.mbs, got, row.want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if row.program != "hungry-children" || row.want != failed {
			continue
		}
		if e := logs.FilterMessage("command is killed").All(); len(e) != 1 || !strings.Contains(e[0].ContextMap()["error"].(string), "MiB of memory in use, more than MemoryMBs") {
			t.Errorf("told %v", logs.All())
		}
	}
}

// A program does not outlive this process, even if that is killed.
func TestParentDies(t *testing.T) {
	t.Parallel()
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), programVar+"=archiver")
	out, err := parent.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, number, ok := strings.Cut(lines.Text(), "child "); ok {
			pid, _ = strconv.Atoi(number)
			break
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	gone(t, pid)
}
