//go:build kill || search || redshift

package killtest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// binary is the path of the program under test.
var binary string

func TestMain(m *testing.M) {
	if orders := os.Getenv(programVariable); orders != "" {
		if err := runProgram(orders); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "shardmill-kill-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "shardmill")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "..")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the program:", err)
		return 1
	}
	return m.Run()
}

// setting is a whole number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q; it must be a positive number", name, text)
	}
	return n
}

// newDir returns a directory, in the one that a variable names, if any. It
// stays then, and if the test fails.
func newDir(t *testing.T, variable string) string {
	t.Helper()
	root := os.Getenv(variable)
	keep := root != ""
	if keep {
		if err := os.MkdirAll(root, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp(root, "kill-") //nolint:usetesting // it outlives a test that fails
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if keep || t.Failed() {
			t.Logf("objects and logs are in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// newRand makes random choices from the seed that a variable may give.
func newRand(t *testing.T, variable string) *rand.Rand {
	t.Helper()
	seed := setting(t, variable, rand.IntN(1_000_000)+1)
	t.Logf("%s=%d", variable, seed)
	return rand.New(rand.NewPCG(uint64(seed), 0))
}
