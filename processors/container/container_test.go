package container_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// What is in a plan outlives the version that wrote it: a codec is never given
// to another format, and none goes beyond what this version reads.
func TestCodecsAreFrozen(t *testing.T) {
	t.Parallel()
	want := map[string]uint8{"UNCOMPRESSED": 0, "GZIP": 1}
	for _, listed := range container.Formats() {
		f, err := container.Named(listed.Name)
		codec, built := want[listed.Name]
		if (err == nil) != built {
			t.Errorf("%s: %v; is it built? %v", listed.Name, err, built)
		}
		if err != nil {
			continue
		}
		again, ok := container.Coded(f.Codec)
		if f.Codec != codec || !ok || again.Name != f.Name || f.Codec > exactlyonce.MaxCodec {
			t.Errorf("%s has the codec %d, want %d; that is %q's", f.Name, f.Codec, codec, again.Name)
		}
	}
	if f, ok := container.Coded(exactlyonce.MaxCodec + 1); ok {
		t.Errorf("a codec that plans may not have is %s's", f.Name)
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{"ZIP": container.ErrNotBuilt, "Snappy": container.ErrNotBuilt, "HADOOP_SNAPPY": container.ErrNotBuilt, "gzip": container.ErrUnknown, "": container.ErrUnknown} {
		if _, err := container.Named(name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	if got := container.Choice(); got != "GZIP or UNCOMPRESSED" {
		t.Errorf("the choice is %q", got)
	}
}

// Bodies are made side by side, some are given up half way, and what compressed
// one compresses the next.
func TestBodies(t *testing.T) {
	t.Parallel()
	var pool container.Pool
	var makers sync.WaitGroup
	for i := range 8 {
		makers.Go(func() {
			for n := range 20 {
				for _, name := range []string{container.GZIP, container.Uncompressed} {
					content := bytes.Repeat([]byte{byte(i), byte(n)}, 1000*(n+1))
					if got := made(t, &pool, name, content, n%3 == 0); !bytes.Equal(got, content) {
						t.Errorf("%s %d %d: got %d bytes, want %d", name, i, n, len(got), len(content))
					}
				}
			}
		})
	}
	makers.Wait()
}

// made returns what a body of content has inside. With dropped another one is
// given up before.
func made(t *testing.T, pool *container.Pool, name string, content []byte, dropped bool) []byte {
	t.Helper()
	f, err := container.Named(name)
	if err != nil {
		t.Error(err)
	}
	if dropped {
		b, err := pool.Open(f, io.Discard)
		if err != nil {
			t.Error(err)
		}
		_, _ = b.Write([]byte("half a body")) // nobody reads it
		b.Drop()
	}
	var out bytes.Buffer
	b, err := pool.Open(f, &out)
	if err != nil {
		t.Error(err)
	}
	for part := range bytes.Lines(content) {
		if _, err := b.Write(part); err != nil {
			t.Error(err)
		}
	}
	if err := b.End(); err != nil {
		t.Error(err)
	}
	b.Drop()
	if name == container.Uncompressed {
		return out.Bytes()
	}
	z, err := gzip.NewReader(&out)
	if err != nil {
		t.Error(err)
		return nil
	}
	got, err := io.ReadAll(z)
	if err != nil {
		t.Error(err)
	}
	return got
}
