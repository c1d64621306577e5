package s3d

import (
	"errors"
	"io"
)

// chunkBytes is the most that a chunk of an object in memory holds.
const chunkBytes = 1 << 20

// chunks is the content of an object in memory. It is written once and then
// shared by all readers.
type chunks [][]byte

// memory is a storage without files.
type memory struct{}

func (memory) spool() (spool, error) { return new(memorySpool), nil }

func (memory) join(parts []spool) (spool, error) {
	joined := new(memorySpool)
	for _, p := range parts {
		if m, ok := p.(*memorySpool); ok {
			joined.chunks = append(joined.chunks, m.chunks...)
		}
	}
	return joined, nil
}

func (memory) publish(_ string, o, _ *object, body spool) error {
	if m, ok := body.(*memorySpool); ok {
		o.chunks = m.chunks
	}
	return nil
}

func (memory) open(_ string, o *object) (io.ReadSeekCloser, error) {
	return &chunksReader{chunks: o.chunks, size: o.Size}, nil
}

func (memory) remove(string, *object) error { return nil }
func (memory) addBucket(string) error       { return nil }
func (memory) removeBucket(string) error    { return nil }
func (memory) close() error                 { return nil }

// memorySpool receives a body in chunks, so that it is copied once, however
// long it grows.
type memorySpool struct{ chunks chunks }

// Write implements io.Writer.
func (m *memorySpool) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		last := len(m.chunks) - 1
		if last < 0 || len(m.chunks[last]) == cap(m.chunks[last]) {
			m.chunks = append(m.chunks, make([]byte, 0, m.nextChunk(len(rest))))
			last++
		}
		n := min(len(rest), cap(m.chunks[last])-len(m.chunks[last]))
		m.chunks[last] = append(m.chunks[last], rest[:n]...)
		rest = rest[n:]
	}
	return len(b), nil
}

// nextChunk is the capacity of the next chunk: small bodies stay small, and
// long ones soon use whole chunks.
func (m *memorySpool) nextChunk(need int) int {
	size := need
	if n := len(m.chunks); n > 0 {
		size = max(need, 2*cap(m.chunks[n-1]))
	}
	return min(size, chunkBytes)
}

func (m *memorySpool) close() error { return nil }

func (m *memorySpool) discard() { m.chunks = nil }

// chunksReader reads an object in memory.
type chunksReader struct {
	chunks chunks
	size   int64
	at     int64
	chunk  int   // that holds at
	start  int64 // of that chunk
}

// Read implements io.Reader.
func (r *chunksReader) Read(b []byte) (int, error) {
	for r.chunk < len(r.chunks) && r.at >= r.start+int64(len(r.chunks[r.chunk])) {
		r.start += int64(len(r.chunks[r.chunk]))
		r.chunk++
	}
	if r.chunk == len(r.chunks) {
		return 0, io.EOF
	}
	n := copy(b, r.chunks[r.chunk][r.at-r.start:])
	r.at += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (r *chunksReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("seeking before the start of an object")
	}
	r.at, r.chunk, r.start = offset, 0, 0
	return offset, nil
}

func (r *chunksReader) Close() error { return nil }
