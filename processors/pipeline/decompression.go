package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

const (
	maxInflated = 64 << 20 // bytes
	maxRatio    = 100      // times the record's bytes
	keptBytes   = 1 << 20  // of buffers, for the next record
)

// scratch is the memory of one record's way through the stages.
type scratch struct {
	in       bytes.Reader
	gzip     gzip.Reader
	inflated bytes.Buffer
	joined   []byte
}

// trim gives up what only a large record needed.
func (s *scratch) trim() {
	s.in.Reset(nil) // the record's memory is another's
	if s.inflated.Cap() > keptBytes {
		s.inflated = bytes.Buffer{}
	}
	if cap(s.joined) > keptBytes {
		s.joined = nil
	}
}

// inflate returns what is in a record of gzip. It is good until the next call.
func (s *scratch) inflate(data []byte) ([]byte, Failure) {
	limit := min(int64(len(data))*maxRatio, maxInflated)
	s.in.Reset(data)
	s.inflated.Reset()
	err := s.gzip.Reset(&s.in)
	if err == nil {
		_, err = io.Copy(&s.inflated, io.LimitReader(&s.gzip, limit+1)) // what is behind a member is read as the next one
	}
	switch {
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF // an empty record
		fallthrough
	case err != nil:
		return nil, Failure{DecompressionFailed, "Decompression.MalformedData", fmt.Sprintf("The record is not gzip, or is damaged: %v", err)}
	case int64(s.inflated.Len()) > limit:
		return nil, Failure{DecompressionFailed, "Decompression.LimitExceeded", fmt.Sprintf(
			"The record of %d bytes inflates to more than %d bytes", len(data), limit)}
	}
	return s.inflated.Bytes(), Failure{}
}
