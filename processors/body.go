package processors

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/spool"
	"github.com/shardmill/shardmill/processors/pipeline"
)

// workshop makes bodies. It is safe for concurrent use; its pools are shared by
// the shards of one archiver.
type workshop struct {
	spools      *spool.Pool
	compressors container.Pool
}

// body is the content of an object while it is made and until it is delivered:
// the data of records in order, each followed by the delimiter, in a container.
type body struct {
	spool     *spool.Spool
	inside    *container.Body       // of the container
	digester  *exactlyonce.Digester // of the records; nil if not wanted
	delimiter []byte
	records   int64
	bytes     int64 // of data
}

// open begins the body of an object of the plan or cut id.
func (w *workshop) open(f container.Format, id exactlyonce.UUID, delimiter string, digest exactlyonce.DigestRule) (*body, error) {
	b := &body{spool: w.spools.Open(), delimiter: []byte(delimiter), digester: exactlyonce.NewDigester(digest)}
	var err error
	b.inside, err = w.compressors.Open(f, id.String(), b.spool)
	return b, err
}

// write appends a record's data, which it does not keep.
func (b *body) write(data []byte) error {
	if b.digester != nil {
		b.digester.Add(data)
	}
	if _, err := b.inside.Write(data); err != nil {
		return fmt.Errorf("compressing a record: %w", err)
	}
	if len(b.delimiter) > 0 {
		if _, err := b.inside.Write(b.delimiter); err != nil {
			return fmt.Errorf("compressing a delimiter: %w", err)
		}
	}
	b.records++
	b.bytes += int64(len(data))
	return nil
}

// finish completes the content. Nothing may be written after it.
func (b *body) finish() error { return b.inside.End() }

// digest returns the digest of the records; none if it was not wanted.
func (b *body) digest() exactlyonce.Digest {
	if b.digester == nil {
		return exactlyonce.Digest{}
	}
	return b.digester.Digest()
}

// release gives back what the body holds. With reuse its memory is given to
// other bodies: only if no request may still be reading it. That its file could
// not be closed or removed loses nothing, so it is only logged.
func (b *body) release(reuse bool, log *zap.Logger) {
	b.inside.Drop()
	closeSpool(b.spool, reuse, log)
}

func closeSpool(s *spool.Spool, reuse bool, log *zap.Logger) {
	if err := s.Close(reuse); err != nil {
		log.Warn("spool file was left behind", zap.Error(err))
	}
}

func (*body) take(*kcl.Record) {} // nothing but what becomes of it

func (b *body) add(_ context.Context, _ *kcl.Record, out pipeline.Output) error {
	return b.write(out.Data)
}

func (*body) unindexed(*closing) *unindexed { return nil }

func (b *body) filled() int64 { return b.bytes }

func (b *body) spoolErr() error { return b.spool.Err() }

func (b *body) held() (bytes int64, partitions int) { return b.spool.Held(), 0 }
