package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/shardmill/shardmill/internal/deadline"
)

const (
	maxInflated = 64 << 20 // bytes
	maxRatio    = 100      // times the record's bytes

	// What a record inflates to beyond smallBytes is made by one record at a time.
	smallBytes = 1 << 20
	firstBytes = 16 << 10 // of a new buffer
	keptBytes  = 8 << 20  // of the buffer for large records, for the next one
)

// scratch is the memory of one record's way through the stages.
type scratch struct {
	in   bytes.Reader
	gzip gzip.Reader
	buf  []byte // at most smallBytes

	parts [][]byte
}

// large is the right to make more than smallBytes of a record, and the memory for it.
type large struct {
	turn chan struct{} // has room for who has the right
	buf  []byte        // that one's
}

// leave gives it back, with what was its memory.
func (l *large) leave(buf []byte) {
	if l.buf = buf[:0]; cap(buf) > keptBytes {
		l.buf = nil
	}
	<-l.turn
}

// inflate passes what is in a record of gzip, or why it cannot be had, to then. It is
// good until then returns; then may change it. The error is then's, or that ctx was
// done before.
func (p *Pipeline) inflate(ctx context.Context, s *scratch, data []byte, then func(text []byte, f Failure) error) error {
	limit := min(len(data)*maxRatio, maxInflated)
	s.in.Reset(data)
	defer s.in.Reset(nil) // the record's memory is another's
	if err := s.gzip.Reset(&s.in); err != nil {
		return then(nil, damaged(err))
	}
	var ended bool
	var err error
	s.buf, ended, err = fill(&s.gzip, s.buf[:0], min(limit+1, smallBytes)) // what is behind a member is read as the next one
	text := s.buf
	if err == nil && !ended && len(text) <= limit {
		if err := deadline.Enter(ctx, p.large.turn); err != nil {
			return fmt.Errorf("waiting to inflate a large record: %w", err)
		}
		defer func() { p.large.leave(text) }()
		text, ended, err = fill(&s.gzip, append(roomFor(p.large.buf, data, limit), text...), limit+1)
	}
	switch {
	case err != nil:
		return then(nil, damaged(err))
	case !ended || len(text) > limit:
		return then(nil, Failure{Type: DecompressionFailed, Code: "Decompression.LimitExceeded", Message: fmt.Sprintf(
			"The record of %d bytes inflates to more than %d bytes", len(data), limit)})
	}
	return then(text, Failure{})
}

// roomFor returns an empty buffer, buf if that will do, for what a record says that it
// inflates to: the last four bytes of a member do. That may be less than it does.
func roomFor(buf, data []byte, limit int) []byte {
	says := min(int(binary.LittleEndian.Uint32(data[len(data)-4:])), limit) + 1 // the end is seen only behind it
	if need := max(says, 2*smallBytes); cap(buf) < need {
		return make([]byte, 0, need)
	}
	return buf
}

// fill appends to buf what r has, until that ends or buf has size bytes.
func fill(r io.Reader, buf []byte, size int) (filled []byte, ended bool, err error) {
	for len(buf) < size {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(max(2*cap(buf), firstBytes), size))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), size)])
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			return buf, true, nil
		case err != nil:
			return buf, false, err
		}
	}
	return buf, false, nil
}

func damaged(err error) Failure {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // an empty record
	}
	return Failure{Type: DecompressionFailed, Code: "Decompression.MalformedData", Message: fmt.Sprintf("The record is not gzip, or is damaged: %v", err)}
}
