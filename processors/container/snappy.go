package container

import (
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/s2"
)

// snappyWriter makes streams of blocks, each compressed by itself after its
// length. It makes both of Firehose's kinds.
type snappyWriter struct {
	framing

	to    io.Writer
	begun bool   // whether anything was written to to
	block []byte // what the next block is made of
	out   []byte // a block and what stands before it
}

// framing is what is around the blocks.
type framing struct {
	size    int    // of a block's input
	head    string // before all blocks
	lengths bool   // whether the length of a block's input stands before it, too
	nothing string // what a stream without blocks has after its head
}

// newXerial makes what snappy-java's SnappyOutputStream writes: its magic, a
// version and the oldest version that reads it, and its default block size.
func newXerial(int) (writer, error) {
	return newSnappy(framing{size: 32 << 10, head: "\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"}), nil
}

// newHadoop makes what Hadoop's SnappyCodec writes by its BlockCompressorStream,
// with its default buffer.
func newHadoop(int) (writer, error) {
	const buffer = 256 << 10
	return newSnappy(framing{size: buffer - (buffer/6 + 32), lengths: true, nothing: "\x00\x00\x00\x00"}), nil
}

func newSnappy(f framing) *snappyWriter {
	return &snappyWriter{framing: f, block: make([]byte, 0, f.size), out: make([]byte, 8+s2.MaxEncodedLen(f.size))}
}

func (w *snappyWriter) begin(to io.Writer, _ string) error {
	w.to, w.begun, w.block = to, false, w.block[:0]
	return nil
}

func (w *snappyWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		room := w.size - len(w.block)
		if room > len(p) {
			w.block = append(w.block, p...)
			break
		}
		w.block = append(w.block, p[:room]...)
		p = p[room:]
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// flush writes the block.
func (w *snappyWriter) flush() error {
	if err := w.start(); err != nil {
		return err
	}
	head := w.out[:0]
	if w.lengths {
		head = binary.BigEndian.AppendUint32(head, uint32(len(w.block)))
	}
	encoded := s2.EncodeSnappy(w.out[len(head)+4:], w.block) // in place, as there is room
	head = binary.BigEndian.AppendUint32(head, uint32(len(encoded)))
	w.block = w.block[:0]
	_, err := w.to.Write(w.out[:len(head)+len(encoded)])
	return err
}

// start writes what stands before the blocks, unless it was.
func (w *snappyWriter) start() error {
	if w.begun {
		return nil
	}
	w.begun = true
	_, err := io.WriteString(w.to, w.head)
	return err
}

// Close writes what is left.
func (w *snappyWriter) Close() error {
	if len(w.block) > 0 {
		return w.flush()
	}
	if w.begun {
		return nil
	}
	if err := w.start(); err != nil {
		return err
	}
	_, err := io.WriteString(w.to, w.nothing)
	return err
}
