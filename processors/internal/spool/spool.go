// Package spool holds the body of an object until it is delivered: in memory
// up to a limit, then in a temporary file.
package spool

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// ChunkBytes is the unit in which a spool takes memory.
const ChunkBytes = 64 << 10

// FilePattern names the temporary files, as os.CreateTemp understands it.
const FilePattern = "shardmill-spool-*"

// Pool makes spools that share their memory. It is safe for concurrent use.
type Pool struct {
	dir    string
	limit  int64
	chunks sync.Pool
}

// NewPool returns a pool whose spools each keep about limit bytes in memory
// and the rest in files in dir. dir "" is the system's directory for temporary
// files.
func NewPool(dir string, limit int64) *Pool {
	p := &Pool{dir: dir, limit: limit}
	p.chunks.New = func() any { return new([ChunkBytes]byte) }
	return p
}

// Open returns an empty spool. It does no I/O.
func (p *Pool) Open() *Spool { return &Spool{pool: p} }

// Spool is written once, front to back, and then read any number of times. One
// goroutine writes it; once nothing is written any more, ReadAt is safe for
// concurrent use, also with Close.
type Spool struct {
	pool   *Pool
	chunks []*[ChunkBytes]byte // what is behind the file's part
	tail   int                 // bytes used of the last chunk
	file   *os.File
	inFile int64
	name   string // of the file, if it could not be removed while open
	err    error
}

// Write appends b. It never fails: what cannot go to the file stays in memory,
// and Err tells.
func (s *Spool) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if len(s.chunks) == 0 || s.tail == ChunkBytes {
			s.grow()
		}
		c := copy(s.chunks[len(s.chunks)-1][s.tail:], b)
		s.tail += c
		b = b[c:]
	}
	return n, nil
}

// grow adds a chunk, after making room for it.
func (s *Spool) grow() {
	if len(s.chunks) > 0 && s.Held() >= s.pool.limit && s.err == nil {
		if s.err = s.spill(); s.err == nil {
			return
		}
	}
	chunk, ok := s.pool.chunks.Get().(*[ChunkBytes]byte)
	if !ok {
		chunk = new([ChunkBytes]byte)
	}
	s.chunks, s.tail = append(s.chunks, chunk), 0
}

// spill moves the chunks, which are full, to the file and leaves one that is
// empty. If it fails every chunk stays where it is, and what reached the file
// does not count.
func (s *Spool) spill() error {
	if s.file == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	at := s.inFile
	for _, c := range s.chunks {
		if _, err := s.file.WriteAt(c[:], at); err != nil {
			return fmt.Errorf("writing spool file: %w", err)
		}
		at += ChunkBytes
	}
	for _, c := range s.chunks[1:] {
		s.pool.chunks.Put(c)
	}
	s.inFile, s.chunks, s.tail = at, s.chunks[:1], 0
	return nil
}

// create makes the file and removes its name at once, so that nothing is left
// behind whatever happens to the process. Where an open file cannot be removed,
// Close does it.
func (s *Spool) create() error {
	f, err := os.CreateTemp(s.pool.dir, FilePattern)
	if err != nil {
		return fmt.Errorf("creating spool file: %w", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		s.name = f.Name()
	}
	return nil
}

// Size returns the number of bytes written.
func (s *Spool) Size() int64 { return s.inFile + s.inMemory() }

// Held returns the number of bytes of memory in use.
func (s *Spool) Held() int64 { return int64(len(s.chunks)) * ChunkBytes }

// Err returns why the spool could not go on in a file, nil if it could or had
// no need to. Nothing is lost, but memory grows with each Write.
func (s *Spool) Err() error { return s.err }

func (s *Spool) inMemory() int64 {
	if len(s.chunks) == 0 {
		return 0
	}
	return int64(len(s.chunks)-1)*ChunkBytes + int64(s.tail)
}

// ReadAt implements io.ReaderAt.
func (s *Spool) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("reading spool at %d", off)
	}
	n := 0
	if off < s.inFile {
		want := b[:min(int64(len(b)), s.inFile-off)]
		m, err := s.file.ReadAt(want, off)
		if m < len(want) {
			return m, fmt.Errorf("reading spool file: %w", err)
		}
		n = m
	}
	memory := s.inMemory()
	for n < len(b) {
		at := off + int64(n) - s.inFile
		if at >= memory {
			return n, io.EOF
		}
		chunk := s.chunks[at/ChunkBytes][at%ChunkBytes : min(ChunkBytes, memory-at/ChunkBytes*ChunkBytes)]
		n += copy(b[n:], chunk)
	}
	return n, nil
}

// Reader returns a reader of everything written so far, with a place of its
// own.
func (s *Spool) Reader() *io.SectionReader { return io.NewSectionReader(s, 0, s.Size()) }

// Close removes the file. With reuse the memory goes back to the pool: only if
// nothing reads the spool any more, also no abandoned request.
func (s *Spool) Close(reuse bool) error {
	if reuse {
		for _, c := range s.chunks {
			s.pool.chunks.Put(c)
		}
		s.chunks = nil
	}
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.name != "" {
		if e := os.Remove(s.name); err == nil {
			err = e
		}
	}
	return err
}
