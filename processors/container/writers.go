package container

import (
	"archive/zip"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// writer compresses one body after another. Close completes a body, not the
// writer.
type writer interface {
	io.WriteCloser

	// begin begins a body, which is called name where contents have names. What
	// was not completed is given up.
	begin(to io.Writer, name string) error
}

type gzipWriter struct{ *gzip.Writer }

func newGzip(level int) (writer, error) {
	z, err := gzip.NewWriterLevel(nil, level)
	return gzipWriter{z}, err
}

func (z gzipWriter) begin(to io.Writer, _ string) error {
	z.Reset(to)
	return nil
}

type zstdWriter struct{ *zstd.Encoder }

// zstdWindow keeps an open body small: the encoder holds a few of it. Of records
// a larger one makes the bodies no smaller, and takes longer.
const zstdWindow = 256 << 10

func newZstd(int) (writer, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(zstdWindow), zstd.WithZeroFrames(true))
	return zstdWriter{z}, err
}

func (z zstdWriter) begin(to io.Writer, _ string) error {
	z.Reset(to)
	return nil
}

// zipWriter makes archives of one entry.
type zipWriter struct {
	deflate *flate.Writer
	archive *zip.Writer
	entry   io.Writer
}

func newZip(int) (writer, error) {
	deflate, err := flate.NewWriter(nil, DefaultLevel)
	return &zipWriter{deflate: deflate}, err
}

func (z *zipWriter) begin(to io.Writer, name string) error {
	z.archive = zip.NewWriter(to)
	z.archive.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) {
		z.deflate.Reset(to)
		return z.deflate, nil
	})
	var err error
	z.entry, err = z.archive.CreateHeader(&zip.FileHeader{
		Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		return fmt.Errorf("beginning the entry: %w", err)
	}
	return nil
}

func (z *zipWriter) Write(p []byte) (int, error) { return z.entry.Write(p) }

func (z *zipWriter) Close() error { return z.archive.Close() }
