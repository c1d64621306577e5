package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
)

const completionHelp = `shardmill completion SHELL

Prints what makes a shell complete commands, their flags, and files. SHELL is
bash, zsh or fish.

Examples:

  source <(shardmill completion bash)
  source <(shardmill completion zsh)
  shardmill completion fish | source
`

func runCompletion(ctx context.Context, args []string, s stdio) error {
	f := newFlags("completion", completionHelp)
	if err := f.parse(args); err != nil {
		return err
	}
	shells := map[string]func([]completed) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	script := shells[f.Arg(0)]
	if f.NArg() != 1 || script == nil {
		return usagef("completion: name one shell: bash, zsh or fish")
	}
	s.printf("%s", script(completions(ctx)))
	return nil
}

// completed is a command, or an action of one, and what may follow it.
type completed struct {
	path  string // such as "leases set"
	brief string
	words []string // actions or shells
	flags []*flag.Flag
}

// completions returns all commands and actions, with what their help says.
func completions(ctx context.Context) []completed {
	var out []completed
	for _, c := range commands() {
		one := completed{path: c.name, brief: c.brief}
		switch c.name {
		case "leases":
			one.words = leaseActions()
		case "completion":
			one.words = []string{"bash", "zsh", "fish"}
		}
		out = append(out, one.withFlags(ctx, c))
		if c.name != "leases" {
			continue
		}
		for _, action := range one.words {
			out = append(out, completed{path: c.name + " " + action}.withFlags(ctx, c))
		}
	}
	return out
}

// withFlags asks the command for its help; that does nothing else.
func (c completed) withFlags(ctx context.Context, of command) completed {
	args := append(strings.Fields(c.path)[1:], "--help")
	if help, ok := errors.AsType[helpError](of.run(ctx, args, stdio{})); ok && help.flags != nil {
		help.flags.VisitAll(func(g *flag.Flag) { c.flags = append(c.flags, g) })
	}
	return c
}

// following returns the words and flags that may follow.
func (c completed) following() string {
	words := slices.Clone(c.words)
	for _, g := range c.flags {
		words = append(words, "--"+g.Name)
	}
	return strings.Join(words, " ")
}

// top returns the words that may come first.
func top(all []completed) string {
	words := []string{"help"}
	for _, c := range all {
		if !strings.Contains(c.path, " ") {
			words = append(words, c.path)
		}
	}
	return strings.Join(append(words, "--version"), " ")
}

func bashCompletion(all []completed) string {
	return script(all, "${COMP_WORDS[COMP_CWORD]}", "${COMP_WORDS[*]:1:COMP_CWORD-1}") + `  COMPREPLY=($(compgen -W "$choices" -- "$word"))
  if [[ "$choices" == --* && "$word" != -* ]]; then
    local files
    mapfile -t files < <(compgen -f -- "$word")
    COMPREPLY+=("${files[@]}")
  fi
}
complete -o filenames -F _shardmill shardmill
`
}

func zshCompletion(all []completed) string {
	return "#compdef shardmill\n" + script(all, "${words[CURRENT]}", "${words[2,CURRENT-1]}") + `  compadd -- ${=choices}
  if [[ "$choices" == --* && "$word" != -* ]]; then _files; fi
}
compdef _shardmill shardmill
`
}

// script is what the functions of both shells begin with: it sets word to the
// one that is completed, and choices to what it may be.
func script(all []completed, word, before string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "_shardmill() {\n  local word=\"%s\" before=\"%s\" choices=\"\"\n  case \"$before \" in\n", word, before)
	longest := slices.Clone(all) // first: "leases set" is also "leases"
	slices.SortStableFunc(longest, func(a, c completed) int { return cmp.Compare(len(c.path), len(a.path)) })
	for _, c := range longest {
		fmt.Fprintf(&b, "    \"%s \"*) choices=\"%s\" ;;\n", c.path, c.following())
	}
	fmt.Fprintf(&b, "    \" \" | \"help \"*) choices=\"%s\" ;;\n  esac\n", top(all))
	return b.String()
}

func fishCompletion(all []completed) string {
	var b strings.Builder
	say := func(condition, what, about string) {
		about = strings.ReplaceAll(about, "\n", " ")
		fmt.Fprintf(&b, "complete -c shardmill -n '%s' %s -d '%s'\n", condition, what, strings.ReplaceAll(about, "'", `\'`))
	}
	say("__fish_use_subcommand", "-f -a help", "tell what a command does")
	say("__fish_use_subcommand", "-f -l version", "print the version")
	for _, c := range all {
		if !strings.Contains(c.path, " ") {
			say("__fish_use_subcommand; or __fish_seen_subcommand_from help", "-f -a "+c.path, c.brief)
		}
		condition := "__fish_seen_subcommand_from " + strings.Join(strings.Fields(c.path), "; and __fish_seen_subcommand_from ")
		if len(c.words) > 0 {
			say(condition, "-f -a '"+strings.Join(c.words, " ")+"'", "")
		}
		for _, g := range c.flags {
			_, use := flag.UnquoteUsage(g)
			say(condition, "-l "+g.Name, use)
		}
	}
	return b.String()
}
