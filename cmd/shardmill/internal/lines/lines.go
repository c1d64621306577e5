// Package lines reads records from text: a record is a line with its newline,
// as the Kinesis Agent sends it.
package lines

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// MaxBytes is the largest record with its partition key, unless the stream was
// set to take larger ones. Source: Kinesis API PutRecords.
const MaxBytes = 1 << 20

// maxKey is the room that is kept for the partition key, a running number.
const maxKey = 20

// Input is a list of files, of which "-" is standard input.
type Input struct {
	Files    []string
	Stdin    io.Reader
	MaxBytes int // of a record with its partition key; default MaxBytes
}

// Record is one line.
type Record struct {
	Data []byte // with the newline; valid until the next record
	File string
	Line int64 // within the file, from 1

	more bool // the next one of the file is at hand: nothing need be waited for
}

// ErrTooLong is the error of a line that is no record.
var ErrTooLong = errors.New("line is longer than a record may be")

// Check opens each file, so that a wrong name is found before anything is put.
func (in Input) Check() error {
	var errs []error
	stdin := 0
	for _, name := range in.Files {
		if name == "-" {
			stdin++
			continue
		}
		info, err := os.Stat(name)
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a directory; name files, or - for standard input", name)
		}
		if err == nil {
			var f *os.File
			if f, err = os.Open(name); err == nil { //nolint:gosec // the user names it
				err = f.Close()
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if stdin > 1 {
		errs = append(errs, errors.New("- is given more than once; standard input can be read only once"))
	}
	return errors.Join(errs...)
}

// Size returns the bytes of all inputs, or false if one is no regular file.
func (in Input) Size() (int64, bool) {
	var n int64
	for _, name := range in.Files {
		info, err := os.Stat(name)
		if name == "-" || err != nil || !info.Mode().IsRegular() {
			return 0, false
		}
		n += info.Size()
	}
	return n, true
}

// Again reports whether the inputs can be read a second time.
func (in Input) Again() bool {
	_, ok := in.Size()
	return ok
}

// Records yields the records of all inputs in order. It ends after yielding an
// error, which names file and line.
func (in Input) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, name := range in.Files {
			if !in.file(name, yield) {
				return
			}
		}
	}
}

func (in Input) file(name string, yield func(Record, error) bool) bool {
	r := in.Stdin
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the user names it
		if err != nil {
			yield(Record{}, err)
			return false
		}
		defer func() { _ = f.Close() }() // only read
		r = f
	}
	return scan(name, r, cmp.Or(in.MaxBytes, MaxBytes), yield)
}

func scan(name string, r io.Reader, most int, yield func(Record, error) bool) bool {
	buf := bufio.NewReaderSize(r, most)
	var own []byte
	for line := int64(1); ; line++ {
		data, err := buf.ReadSlice('\n')
		switch {
		case err == nil && len(data) <= most-maxKey:
		case errors.Is(err, bufio.ErrBufferFull) || err == nil || len(data) >= most-maxKey:
			yield(Record{}, fmt.Errorf("%s:%d: %w: at most %d bytes with its newline", name, line, ErrTooLong, most-maxKey))
			return false
		case errors.Is(err, io.EOF) && len(data) == 0:
			return true
		case errors.Is(err, io.EOF):
			own = append(append(own[:0], data...), '\n')
			data = own
		default:
			yield(Record{}, fmt.Errorf("%s:%d: %w", name, line, err))
			return false
		}
		if !yield(Record{Data: data, File: name, Line: line, more: err == nil && hasLine(buf)}, nil) {
			return false
		}
		if err != nil {
			return true
		}
	}
}

// hasLine reports whether a line can be had without a read.
func hasLine(r *bufio.Reader) bool {
	read, _ := r.Peek(r.Buffered()) // so many there are
	return bytes.IndexByte(read, '\n') >= 0
}
