package kcl_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// vmware-go-kcl ends the process from within the library (log.Fatalf), sleeps
// deaf to any stop, and makes calls that nobody can cancel (context.TODO).
func TestPeer16NoLibraryCodeEndsTheProcessOrIgnoresAStop(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	read := make(map[string]int) // files of each part of the module
	for _, part := range []string{"checkpoint", "lease", "kcl", "processors", "internal"} {
		err := filepath.WalkDir(filepath.Join("..", part), func(path string, d fs.DirEntry, err error) error {
			if err == nil && (d.Name() == "leasetest" || d.Name() == "sinktest" || d.Name() == "corpus") {
				return fs.SkipDir // a suite: it may end its test
			}
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			code, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			f, err := parser.ParseFile(files, path, code, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			if f.Name.Name == "main" {
				return nil // a program of its own, which may exit
			}
			read[part]++
			for _, fault := range deadly(files, f) {
				t.Error(fault)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if read[part] == 0 {
			t.Errorf("no code in %s", part)
		}
	}
	if read["kcl"] < 20 || read["lease"] < 10 || read["processors"] < 10 {
		t.Errorf("read only %v files", read)
	}
}

// The check finds what it is to find.
func TestPeer16TheCheckOfTheCodeFindsEachFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code string
		want int
	}{
		{`package p; func f() { panic("no") }`, 1},
		{`package p; import "os"; func f() { os.Exit(1) }`, 1},
		{`package p; import "log"; func f() { log.Fatalf("no"); log.Panicln("no") }`, 3},
		{`package p; import l "log"; func f() { l.Fatal("no") }`, 2},
		{`package p; func f(c struct{ log interface{ Fatal(string) } }) { c.log.Fatal("no") }`, 1},
		{`package p; import "context"; var c, d = context.Background(), context.TODO()`, 2},
		{`package p; import c "context"; var f = c.Background`, 1},
		{`package p; import "time"; func f() { time.Sleep(1) }`, 1},
		{`package p; import . "time"; func f() { Sleep(1) }`, 1},
		{`package p; import "runtime"; func f() { runtime.Goexit() }`, 1},
		{`package p; import "context"; func f(ctx context.Context) { context.WithoutCancel(ctx); recover() }`, 0},
	}
	for _, tt := range tests {
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, "p.go", tt.code, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := deadly(files, f); len(got) != tt.want {
			t.Errorf("%s: found %q, want %d faults", tt.code, got, tt.want)
		}
	}
}

// deadly returns where a file may end the process, sleep deaf to a stop, or make
// a context of its own.
func deadly(files *token.FileSet, f *ast.File) []string {
	banned := map[string][]string{
		"context": {"Background", "TODO"},
		"os":      {"Exit"},
		"syscall": {"Exit", "Kill"},
		"runtime": {"Goexit"},
		"time":    {"Sleep", "Tick"},
	}
	path := make(map[string]string) // of an import, by the name in this file
	var faults []string
	fault := func(n ast.Node, what string) {
		faults = append(faults, fmt.Sprintf("%v: %s", files.Position(n.Pos()), what))
	}
	for _, imp := range f.Imports {
		p, _ := strconv.Unquote(imp.Path.Value)
		name := p[strings.LastIndex(p, "/")+1:]
		if imp.Name != nil {
			name = imp.Name.Name
		}
		if p == "log" || name == "." {
			fault(imp, "import of "+p+" as "+name)
		}
		path[name] = p
	}
	fatal := []string{"Fatal", "Fatalf", "Fatalln", "Fatalw", "Panic", "Panicf", "Panicln", "Panicw", "DPanic", "DPanicf", "DPanicw"}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "panic" {
				fault(n, "panic")
			}
		case *ast.SelectorExpr:
			if id, ok := n.X.(*ast.Ident); ok && slices.Contains(banned[path[id.Name]], n.Sel.Name) {
				fault(n, path[id.Name]+"."+n.Sel.Name)
			}
			if slices.Contains(fatal, n.Sel.Name) {
				fault(n, n.Sel.Name)
			}
		}
		return true
	})
	return faults
}
