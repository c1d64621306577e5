// Package docs_test checks that what tests cite is said in this directory.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	peer      = regexp.MustCompile(`func TestPeer(\d+)`)
	statement = regexp.MustCompile(`func Test((?:[A-Z]\d+)+)[A-Z]|"((?:[A-Z]\d+ )+)[a-zA-Z]`)
	number    = regexp.MustCompile(`[A-Z]\d+`)
)

// A number in the name of a test is one of a list that can be read here.
func TestNumbersAreListed(t *testing.T) {
	t.Parallel()
	peers, statements := read(t, "peers.md"), read(t, "conformance.md")
	cited := 0
	cite := func(file, id, list string) {
		if cited++; !strings.Contains(list, "\n| "+id+" | ") {
			t.Errorf("%s cites %s, which is in no list", file, id)
		}
	}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code := read(t, path)
		for _, m := range peer.FindAllStringSubmatch(code, -1) {
			cite(path, m[1], peers)
		}
		if !strings.Contains(filepath.ToSlash(path), "/processors/") {
			return nil
		}
		for _, m := range statement.FindAllStringSubmatch(code, -1) {
			for _, id := range number.FindAllString(m[1]+m[2], -1) {
				cite(path, id, statements)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if cited < 80 {
		t.Errorf("%d citations were found: it looks in the wrong place", cited)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
