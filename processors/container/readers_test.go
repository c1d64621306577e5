//go:build conformance

package container_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/shardmill/shardmill/processors/container"
)

// contents are what bodies are made of, at the bounds of blocks and far beyond,
// of text and of bytes that cannot be compressed.
func contents() map[string][]byte {
	r := rand.NewChaCha8([32]byte{1})
	all := map[string][]byte{}
	for _, n := range []int{0, 1, 32<<10 - 1, 32 << 10, 32<<10 + 1, 218421, 218422, 218423, 256<<10 - 1, 256 << 10, 256<<10 + 1, 5_000_000} {
		noise := make([]byte, n)
		_, _ = r.Read(noise) // never fails
		var text []byte
		for i := 0; len(text) < n; i++ {
			text = fmt.Appendf(text, `{"n":%d,"path":"/products/%d"}`+"\n", i, i%97)
		}
		all[fmt.Sprint("text-", n)], all[fmt.Sprint("random-", n)] = text[:n], noise
	}
	return all
}

// TestOutsideReaders: what others read of a body is what went in.
func TestOutsideReaders(t *testing.T) {
	t.Parallel()
	python := os.Getenv("READERS_PYTHON")
	if python == "" {
		t.Fatal("READERS_PYTHON is not set; run scripts/conformance.sh")
	}
	for format, check := range map[string][]string{ // what fails for a broken body
		"GZIP": {"gzip", "-t"}, "ZIP": {"unzip", "-tqq"}, "Snappy": nil, "HADOOP_SNAPPY": nil, "ZSTD": nil,
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			f, dir := named(t, format), t.TempDir()
			var pool container.Pool
			for name, content := range contents() {
				path := filepath.Join(dir, name+"."+f.Encoding)
				if err := os.WriteFile(path, body(t, &pool, f, content[:len(content)/3], content[len(content)/3:]), 0o600); err != nil {
					t.Fatal(err)
				}
				if check != nil {
					outside(t, check[0], check[1], path)
				}
			}
			outside(t, python, "testdata/read.py", dir)
			for name, content := range contents() {
				if got, err := os.ReadFile(filepath.Join(dir, name+".content")); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s: read %d bytes, want %d: %v", name, len(got), len(content), err)
				}
			}
		})
	}
}

// outside runs a program, which must succeed.
func outside(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %q: %v: %s", program, args, err, out)
	}
}
