package importer_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/importer"
)

var faultLine = regexp.MustCompile(`^f(:[1-9][0-9]*)?: \S.*$`)

// FuzzRead: whatever the file is, Read and the reader of its document end, and say
// in lines of the file what is wrong with it; a second time they say the same.
func FuzzRead(f *testing.F) {
	names, err := filepath.Glob("testdata/*.*")
	if err != nil || len(names) == 0 {
		f.Fatalf("no files to begin with: %v", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "AWS::Region", "eu-west-1", "")
		f.Add(string(data), "shardmill.initialPosition", "LATEST", "x")
	}
	f.Fuzz(func(t *testing.T, text, name, value, stream string) {
		o := importer.Options{Stream: stream, Set: map[string]string{name: value}}
		c, err := load(text, o)
		again, errAgain := load(text, o)
		if (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() || summary(c) != summary(again) {
			t.Fatalf("a second time it is another: %v\n%v", err, errAgain)
		}
		if err == nil {
			return
		}
		lines, last := strings.Count(text, "\n")+1, 0
		for each := range strings.SplitSeq(err.Error(), "\n") {
			m := faultLine.FindStringSubmatch(each)
			if m == nil {
				t.Fatalf("%q does not say where and what", each)
			}
			line, _ := strconv.Atoi(strings.TrimPrefix(m[1], ":"))
			if line < last || line > lines {
				t.Fatalf("line %d of %d comes after line %d:\n%v", line, lines, last, err)
			}
			last = line
		}
	})
}
