package esarchive

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// errDetached is what a body reads that was detached.
var errDetached = errors.New("the request is over")

// sending is the body of a request that may be read by net/http even after it was told
// that the request failed. When detach has returned nothing reads the data any more.
type sending struct {
	mu   sync.Mutex // guards data
	data []byte
	over bool
}

// reader returns a reader of the body, from its begin.
func (s *sending) reader() io.ReadCloser { return &sendingReader{s: s} }

// detach lets every reader fail from then on.
func (s *sending) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data, s.over = nil, true
}

// sendingReader has no method but Read and Close: with WriteTo it would give its data
// away.
type sendingReader struct {
	s  *sending
	at int // of one goroutine
}

// Read implements io.Reader.
func (r *sendingReader) Read(p []byte) (int, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	switch {
	case r.s.over:
		return 0, errDetached
	case r.at == len(r.s.data):
		return 0, io.EOF
	}
	n := copy(p, r.s.data[r.at:])
	r.at += n
	return n, nil
}

// Close implements io.Closer.
func (r *sendingReader) Close() error { return nil }

// buffers are those of compressed bodies and of answers, and what fills them.
type buffers struct {
	compressed, answers sync.Pool // of *bytes.Buffer
	writers, readers    sync.Pool // of *gzip.Writer and *gzip.Reader
}

// maxKept is how large a buffer may be that is used again.
const maxKept = 16 << 20

func take(pool *sync.Pool) *bytes.Buffer {
	if b, ok := pool.Get().(*bytes.Buffer); ok {
		b.Reset()
		return b
	}
	return new(bytes.Buffer)
}

func give(pool *sync.Pool, b *bytes.Buffer) {
	if b != nil && b.Cap() <= maxKept {
		pool.Put(b)
	}
}

// compress returns data in a gzip container, in a buffer to be given back.
func (b *buffers) compress(data []byte) (*bytes.Buffer, error) {
	out := take(&b.compressed)
	w, ok := b.writers.Get().(*gzip.Writer)
	if !ok {
		var err error
		if w, err = gzip.NewWriterLevel(out, gzip.BestSpeed); err != nil {
			return nil, err //nolint:wrapcheck // the level is good
		}
	}
	w.Reset(out)
	_, err1 := w.Write(data)
	err2 := w.Close()
	b.writers.Put(w)
	return out, errors.Join(err1, err2)
}

// errTooLarge means that an answer is larger than any of a cluster.
var errTooLarge = errors.New("the answer is too large")

// read reads at most limit bytes of an answer, decompressed if it is compressed, into a
// buffer to be given back.
func (b *buffers) read(body io.Reader, isGzip bool, limit int64) (*bytes.Buffer, error) {
	out := take(&b.answers)
	from := body
	if isGzip {
		r, ok := b.readers.Get().(*gzip.Reader)
		if !ok {
			r = new(gzip.Reader)
		}
		defer b.readers.Put(r)
		if err := r.Reset(body); err != nil {
			return out, err //nolint:wrapcheck // it is classified by what it is
		}
		from = r
	}
	n, err := out.ReadFrom(io.LimitReader(from, limit+1))
	if n > limit {
		err = errTooLarge
	}
	return out, err //nolint:wrapcheck // it is classified by what it is
}

// isCorrupt reports whether an error of read is about what is compressed.
func isCorrupt(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}
