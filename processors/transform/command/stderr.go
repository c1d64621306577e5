package command

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"go.uber.org/zap"
)

// What is logged of a standard error: so many bytes of a line, and so many lines in a
// second of each process. How much is left out is told.
const (
	maxLine  = 4 << 10
	maxLines = 20
)

// listener logs the lines of a process's standard error.
type listener struct {
	log   *zap.Logger
	begun time.Time // of the second that counts
	lines int       // in it
	left  int       // lines that were not logged
}

// listen reads until the end. It owns f.
func listen(f *os.File, log *zap.Logger) {
	l := listener{log: log}
	r := bufio.NewReaderSize(f, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		cut := 0
		if errors.Is(err, bufio.ErrBufferFull) {
			line = bytes.Clone(line)
			cut, err = skipLine(r)
		}
		if len(line) > 0 {
			l.tell(bytes.TrimRight(line, "\r\n"), cut)
		}
		if err != nil {
			l.rest()
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, os.ErrClosed) {
				log.Warn("standard error of the command cannot be read", zap.Error(err))
			}
			return
		}
	}
}

// skipLine reads to the end of a line, and returns how many bytes that were.
func skipLine(r *bufio.Reader) (n int, err error) {
	for {
		part, err := r.ReadSlice('\n')
		n += len(part)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return n, err //nolint:wrapcheck // listen tells
		}
	}
}

// tell logs a line, of which cut bytes are missing.
func (l *listener) tell(line []byte, cut int) {
	if now := time.Now(); now.Sub(l.begun) >= time.Second {
		l.rest()
		l.begun, l.lines = now, 0
	}
	if l.lines++; l.lines > maxLines {
		l.left++
		return
	}
	text := zap.String("stderr", string(bytes.ToValidUTF8(line, []byte("\ufffd"))))
	if cut > 0 {
		l.log.Warn("command says", text, zap.Int("left_out_bytes", cut))
	} else {
		l.log.Warn("command says", text)
	}
}

// rest tells of the lines that were not logged.
func (l *listener) rest() {
	if l.left > 0 {
		l.log.Warn("command says more than is logged", zap.Int("left_out_lines", l.left))
		l.left = 0
	}
}
