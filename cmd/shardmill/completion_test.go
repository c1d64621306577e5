package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What bash offers is what a command takes, and files where they are.
func TestCompletionOfBash(t *testing.T) {
	t.Parallel()
	script := shardmill(t, t.Context(), "", "completion", "bash")
	if script.code != 0 {
		t.Fatal(script.err)
	}
	dir := filepath.Dir(write(t, "input.log", ""))
	for line, want := range map[string]string{
		"":                               "help archive local transform put leases version completion --version",
		"arch":                           "archive",
		"help le":                        "leases",
		"leases ":                        "list set release adopt",
		"leases set --a":                 "--abandon --at",
		"leases list --json --s":         "--stream --stream-arn",
		"archive --local --sh":           "--shards --shutdown-timeout",
		"archive --config in":            "input.log",
		"archive --config - --check --o": "--offline",
		"put --rate 5 in":                "input.log",
		"completion f":                   "fish",
		"nonsense ":                      "",
		"archive --config c.yaml --w":    "--worker-id --workers",
	} {
		words := strings.Split("shardmill "+line, " ")
		cmd := exec.CommandContext(t.Context(), "bash", "-c", script.out+`COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shardmill; echo "${COMPREPLY[*]}"`, "bash")
		cmd.Args = append(cmd.Args, words...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q: got %q, want %q: %v", line, got, want, err)
		}
	}
}

// Every shell learns each command, action and flag.
func TestCompletionKnowsAll(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		r := shardmill(t, t.Context(), "", "completion", shell)
		words := strings.FieldsFunc(r.out, func(c rune) bool { return strings.ContainsRune(" \n\"'", c) })
		for _, want := range []string{"archive", "adopt", "shutdown-timeout", "keep-checkpoints", "create-shards", "control", "version"} {
			if !slices.ContainsFunc(words, func(w string) bool { return strings.TrimLeft(w, "-") == want }) {
				t.Errorf("%s is not told of %s", shell, want)
			}
		}
	}
}

// What fish tells of a flag is the whole of it.
func TestCompletionOfFishTellsAll(t *testing.T) {
	t.Parallel()
	r := shardmill(t, t.Context(), "", "completion", "fish")
	if want := "-l check -d 'with --config: archive nothing; show the configuration as it applies, and look at the stream, the table, "; !strings.Contains(r.out, want) {
		t.Errorf("it lacks %s:\n%s", want, r.out)
	}
}
