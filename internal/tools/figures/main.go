// Command figures reads what benchmarks and tests print, and makes the table of
// README's figures of it: `bash scripts/bench.sh --write`.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// Marks of the block in README.md.
const (
	begin = "<!-- figures -->\n"
	end   = "<!-- /figures -->"
)

func main() {
	write := flag.Bool("write", false, "replace the block in README.md")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *write); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, write bool) error {
	m, err := read(in)
	if err != nil {
		return err
	}
	block, err := table(m)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, block); err != nil || !write {
		return err
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	if readme, err = replace(readme, block); err != nil {
		return err
	}
	return os.WriteFile("README.md", readme, 0o644) //nolint:gosec // it is a document
}

// replace puts block between the marks of readme.
func replace(readme []byte, block string) ([]byte, error) {
	before, rest, ok1 := bytes.Cut(readme, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok1 || !ok2 {
		return nil, errors.New("README.md has no block of figures")
	}
	return bytes.Join([][]byte{before, []byte(begin), []byte(block), []byte(end), after}, nil), nil
}

// row is one line of the table: words with verbs for the figures.
type row struct {
	text string
	keys []string
}

// table writes the figures. Each that it names must have been measured.
func table(m measured) (string, error) {
	var b strings.Builder
	var errs []error
	b.WriteString("| what | figure |\n|---|---|\n")
	for _, r := range rows {
		values := make([]any, 0, len(r.keys))
		for _, key := range r.keys {
			v, err := m.median(key)
			errs = append(errs, err)
			values = append(values, v)
		}
		fmt.Fprintf(&b, r.text+"\n", values...)
	}
	fmt.Fprintf(&b, "\nMeasured by `bash scripts/bench.sh` on %d cores with %s; ratios are of runs side by side.\n", runtime.NumCPU(), runtime.Version())
	return b.String(), errors.Join(errs...)
}
