package processors

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/spool"
)

// gzipLevel costs two fifths of the standard library's default level and gives
// about a twentieth more bytes.
const gzipLevel = 5

// workshop makes bodies. It is safe for concurrent use; its pools are shared by
// the shards of one archiver.
type workshop struct {
	spools *spool.Pool
	gzips  sync.Pool // of *gzip.Writer
}

// body is the content of an object while it is made and until it is delivered:
// the data of records in order, each followed by the delimiter, compressed.
type body struct {
	shop      *workshop
	spool     *spool.Spool
	gzip      *gzip.Writer // nil if uncompressed or finished
	hash      hash.Hash    // of the data; nil if not wanted
	delimiter []byte
	records   int64
	bytes     int64 // of data
}

func (w *workshop) open(codec exactlyonce.Codec, delimiter string, digest bool) (*body, error) {
	b := &body{shop: w, spool: w.spools.Open(), delimiter: []byte(delimiter)}
	if digest {
		b.hash = sha256.New()
	}
	if codec != exactlyonce.GZIP {
		return b, nil
	}
	if z, ok := w.gzips.Get().(*gzip.Writer); ok {
		z.Reset(b.spool)
		b.gzip = z
		return b, nil
	}
	z, err := gzip.NewWriterLevel(b.spool, gzipLevel)
	if err != nil {
		return nil, fmt.Errorf("making a compressor: %w", err)
	}
	b.gzip = z
	return b, nil
}

// write appends a record's data, which it does not keep.
func (b *body) write(data []byte) error {
	if b.hash != nil {
		b.hash.Write(data) // never fails
	}
	w := b.writer()
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("compressing a record: %w", err)
	}
	if len(b.delimiter) > 0 {
		if _, err := w.Write(b.delimiter); err != nil {
			return fmt.Errorf("compressing a delimiter: %w", err)
		}
	}
	b.records++
	b.bytes += int64(len(data))
	return nil
}

func (b *body) writer() io.Writer {
	if b.gzip != nil {
		return b.gzip
	}
	return b.spool
}

// finish completes the content. Nothing may be written after it.
func (b *body) finish() error {
	if b.gzip == nil {
		return nil
	}
	z := b.gzip
	b.gzip = nil
	if err := z.Close(); err != nil {
		return fmt.Errorf("finishing the compressed object: %w", err)
	}
	b.shop.gzips.Put(z)
	return nil
}

// digest returns the SHA-256 of the data; zeros if it was not wanted.
func (b *body) digest() (sum [sha256.Size]byte) {
	if b.hash != nil {
		b.hash.Sum(sum[:0])
	}
	return sum
}

// close releases what the body holds. With reuse its memory is given to other
// bodies: only if no request may still be reading it.
func (b *body) close(reuse bool) error {
	if b.gzip != nil { // not finished: its state is of no use, its tables are
		b.shop.gzips.Put(b.gzip)
		b.gzip = nil
	}
	return b.spool.Close(reuse)
}
