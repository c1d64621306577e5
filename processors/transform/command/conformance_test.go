//go:build conformance

package command_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors/transform"
	"github.com/shardmill/shardmill/processors/transform/command"
)

// The program of docs/transforms.md, in the language that it is written in.
func TestPython(t *testing.T) {
	t.Parallel()
	python := os.Getenv("READERS_PYTHON")
	if python == "" {
		t.Fatal("READERS_PYTHON is not set: run scripts/conformance.sh")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "transforms.md"))
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if program == nil {
		t.Fatal("the page has no program")
	}
	file := filepath.Join(t.TempDir(), "program.py")
	if err := os.WriteFile(file, program[1], 0o600); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	c, err := command.New(command.Options{Argv: []string{python, file}, MemoryMBs: 500, Processes: 1, Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		list := records(`{"customer":"ada","price":2,"count":3}`, " \n", "no JSON", `{}`)
		outcomes, err := transform.NewRunner(c, transform.Options{Retries: 1}).Run(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range outcomes {
			switch o := &outcomes[i]; {
			case o.Failure != nil:
				got = append(got, o.Failure.Code)
			case o.Dropped:
				got = append(got, "dropped")
			default:
				got = append(got, string(o.Data)+o.PartitionKeys["customer"])
			}
		}
		want := []string{
			"{\"customer\": \"ada\", \"price\": 2, \"count\": 3, \"total\": 6}\nada", "dropped", "Lambda.ProcessingFailedStatus", "{\"total\": 0}\nnone",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	said(t, logs, "not JSON: ")
	if n := logs.FilterMessage("command started").Len(); n != 1 {
		t.Errorf("%d starts: %v", n, logs.All())
	}
}
