// Package errorlines writes the lines of Firehose's error objects: for each
// record that could not be processed one object of JSON, and a newline.
//
// The members and their order are those of captures, in two generations; the
// numbers are milliseconds since 1970:
//
//	Newest  rawData errorCode errorMessage attemptsMade arrivalTimestamp attemptEndingTimestamp lambdaARN   2025 and 2026
//	Older   attemptsMade arrivalTimestamp errorCode errorMessage attemptEndingTimestamp rawData lambdaArn   2021 and 2022; the guide
//
// Both were observed for processing-failed. That lines of other errors have the
// same frame, without the last member, is observed for partition keys without
// it, and inferred for decompression-failed. Texts are escaped as package jsontext
// does.
package errorlines

import (
	"encoding/base64"
	"io"
	"strconv"
	"time"

	"github.com/shardmill/shardmill/processors/internal/jackson"
)

// Generation is which members a line has, in which order and spelling.
type Generation uint8

// The generations.
const (
	Newest Generation = iota
	Older
)

// Line is what is told of a record.
type Line struct {
	Data         []byte // of the record, as it was received
	ErrorCode    string
	ErrorMessage string
	AttemptsMade int       // at least 1
	Arrival      time.Time // of the record; 0 is written if it is unknown
	Ended        time.Time // when the last attempt did
	LambdaARN    string    // of the transform; "" leaves the member out
}

// Encoder writes lines. It keeps a buffer for the next line, of at most some
// tens of KiB, however large records are. The zero value is ready, and writes
// the newest generation. One goroutine uses it.
type Encoder struct {
	Generation Generation

	buf []byte
}

// chunk is how much data is encoded at a time: of three bytes each, so that no
// padding stands within.
const chunk = 24 << 10

// Encode writes the line. What was written when w failed is the beginning of a
// line. It keeps nothing of l.
func (e *Encoder) Encode(w io.Writer, l *Line) error {
	e.buf = e.buf[:0]
	if e.Generation == Older {
		e.number(`{"attemptsMade":`, int64(l.AttemptsMade))
		e.number(`,"arrivalTimestamp":`, millis(l.Arrival))
		e.text(`,"errorCode":"`, l.ErrorCode)
		e.text(`,"errorMessage":"`, l.ErrorMessage)
		e.number(`,"attemptEndingTimestamp":`, millis(l.Ended))
		e.buf = append(e.buf, `,"rawData":"`...)
		if err := e.data(w, l.Data); err != nil {
			return err
		}
		return e.end(w, `,"lambdaArn":"`, l.LambdaARN)
	}
	e.buf = append(e.buf, `{"rawData":"`...)
	if err := e.data(w, l.Data); err != nil {
		return err
	}
	e.text(`,"errorCode":"`, l.ErrorCode)
	e.text(`,"errorMessage":"`, l.ErrorMessage)
	e.number(`,"attemptsMade":`, int64(l.AttemptsMade))
	e.number(`,"arrivalTimestamp":`, millis(l.Arrival))
	e.number(`,"attemptEndingTimestamp":`, millis(l.Ended))
	return e.end(w, `,"lambdaARN":"`, l.LambdaARN)
}

// end adds the last member, if there is one, and writes what is left.
func (e *Encoder) end(w io.Writer, member, arn string) error {
	if arn != "" {
		e.text(member, arn)
	}
	e.buf = append(e.buf, '}', '\n')
	_, err := w.Write(e.buf)
	return err
}

// data adds a record's data in base64. It writes what comes before the last part.
func (e *Encoder) data(w io.Writer, data []byte) error {
	for len(data) > chunk {
		e.buf = base64.StdEncoding.AppendEncode(e.buf, data[:chunk])
		data = data[chunk:]
		if _, err := w.Write(e.buf); err != nil {
			return err
		}
		e.buf = e.buf[:0]
	}
	e.buf = append(base64.StdEncoding.AppendEncode(e.buf, data), '"')
	return nil
}

func (e *Encoder) number(member string, n int64) {
	e.buf = strconv.AppendInt(append(e.buf, member...), n, 10)
}

// text adds a member whose value is a text.
func (e *Encoder) text(member, s string) {
	e.buf = append(jackson.Append(append(e.buf, member...), s), '"')
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
