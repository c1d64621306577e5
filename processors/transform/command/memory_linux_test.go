//go:build !race

package command_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/processors/transform"
	"github.com/shardmill/shardmill/processors/transform/command"
)

// Who takes more memory than is granted fails, be it with its children together; who
// takes less does not notice. Not with the race detector: the programs are this binary,
// and it would have its own memory limited.
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
		hold := "1s"
		if row.want == failed {
			hold = "1h"
		}
		c, logs := open(t, row.program, command.Options{Processes: 1, MemoryMBs: row.mbs, Env: []string{holdVar + "=" + hold}})
		if got, _ := run(t, c, transform.Options{Timeout: 2 * patience}, records("a")); !slices.Equal(got, []string{row.want}) {
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
