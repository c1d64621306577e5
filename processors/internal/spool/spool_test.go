package spool_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/internal/spool"
)

func TestReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		pool := spool.NewPool(dir, int64(rapid.IntRange(1, 4).Draw(rt, "limit"))*spool.ChunkBytes)
		for range rapid.IntRange(1, 3).Draw(rt, "spools") { // the later ones have used memory
			s := pool.Open()
			var want []byte
			for i, n := range rapid.SliceOfN(rapid.IntRange(0, 3*spool.ChunkBytes/2), 0, 12).Draw(rt, "writes") {
				b := bytes.Repeat([]byte{byte(i + n)}, n)
				want = append(want, b...)
				if m, err := s.Write(b); m != n || err != nil {
					rt.Fatal(m, err)
				}
			}
			if s.Err() != nil || s.Size() != int64(len(want)) {
				rt.Fatalf("error %v, size %d, want %d", s.Err(), s.Size(), len(want))
			}
			if most := int64(5 * spool.ChunkBytes); s.Held() > most {
				rt.Fatalf("holds %d bytes, at most %d", s.Held(), most)
			}
			got, err := io.ReadAll(s.Reader())
			if err != nil || !bytes.Equal(got, want) {
				rt.Fatalf("read %d bytes, %v; wrote %d", len(got), err, len(want))
			}
			checkPart(rt, s, want)
			if err := s.Close(true); err != nil {
				rt.Fatal(err)
			}
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files left: %v, %v", left, err)
	}
}

func checkPart(rt *rapid.T, s *spool.Spool, want []byte) {
	off := rapid.IntRange(0, len(want)).Draw(rt, "offset")
	b := make([]byte, rapid.IntRange(0, len(want)+10).Draw(rt, "length"))
	n, err := s.ReadAt(b, int64(off))
	if end := min(off+len(b), len(want)); n != end-off || !bytes.Equal(b[:n], want[off:end]) || errors.Is(err, io.EOF) != (n < len(b)) {
		rt.Fatalf("ReadAt %d bytes at %d of %d: %d, %v", len(b), off, len(want), n, err)
	}
}

func TestLongOnesLeaveMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := spool.NewPool(dir, 2*spool.ChunkBytes).Open()
	want := make([]byte, 50*spool.ChunkBytes+17)
	for i := range want {
		want[i] = byte(i / 1000)
	}
	for b := range slices.Chunk(want, 1000) {
		if _, err := s.Write(b); err != nil {
			t.Fatal(err)
		}
		if s.Held() > 2*spool.ChunkBytes {
			t.Fatalf("holds %d bytes", s.Held())
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, spool.FilePattern)); err != nil || len(left) > 0 {
		t.Errorf("a crash now would leave %v, %v", left, err)
	}
	if got, err := io.ReadAll(s.Reader()); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes, %v", len(got), err)
	}
	if err := s.Close(false); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(s.Reader()); err == nil {
		t.Error("a request that was given up can still read the file")
	}
}

func TestWithoutAFileNothingIsLost(t *testing.T) {
	t.Parallel()
	s := spool.NewPool(filepath.Join(t.TempDir(), "missing"), 3*spool.ChunkBytes).Open()
	want := bytes.Repeat([]byte("0123456789"), spool.ChunkBytes/2)
	for b := range slices.Chunk(want, 999) {
		if _, err := s.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if s.Err() == nil {
		t.Error("no error, though there is no directory")
	}
	if got, err := io.ReadAll(s.Reader()); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes of %d, %v", len(got), len(want), err)
	}
	if err := s.Close(true); err != nil {
		t.Fatal(err)
	}
}

// TestMemoryInUseIsNotGivenAway: what an abandoned request may still read keeps
// its bytes when other spools are written.
func TestMemoryInUseIsNotGivenAway(t *testing.T) {
	t.Parallel()
	pool := spool.NewPool(t.TempDir(), 64*spool.ChunkBytes)
	s := pool.Open()
	want := bytes.Repeat([]byte("a"), 3*spool.ChunkBytes)
	if _, err := s.Write(want); err != nil {
		t.Fatal(err)
	}
	r := s.Reader()
	if err := s.Close(false); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := pool.Open().Write(bytes.Repeat([]byte("b"), spool.ChunkBytes)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the body changed: %.20q, %v", got, err)
	}
}
