package container

import (
	"fmt"
	"io"
	"sync"
)

// Pool keeps what bodies are compressed with for the next ones: a compressor's
// tables take far more memory than what it holds back. The zero value is ready.
// It is safe for concurrent use.
type Pool struct{ idle sync.Map } // of *sync.Pool of writer, by kind

// kind is what writers that may stand in for each other have in common.
type kind struct {
	format string
	level  int
}

// Body writes the body of one object. One goroutine uses it.
type Body struct {
	to   io.Writer
	with writer     // nil: nothing surrounds the records, or the body has ended
	idle *sync.Pool // where with goes
}

// Open begins a body of a format, which goes to to. name is what the body is
// called inside of containers in which contents have names, as in ZIP's.
func (p *Pool) Open(f Format, name string, to io.Writer) (*Body, error) {
	if f.writer == nil {
		return &Body{to: to}, nil
	}
	of := kind{f.Name, f.level}
	idle, ok := p.idle.Load(of)
	if !ok {
		idle, _ = p.idle.LoadOrStore(of, new(sync.Pool))
	}
	b := &Body{to: to, idle: idle.(*sync.Pool)} //nolint:forcetypeassert // only these are stored
	w, ok := b.idle.Get().(writer)
	if !ok {
		var err error
		if w, err = f.writer(f.level); err != nil {
			return nil, fmt.Errorf("making a writer of %s: %w", f.Name, err)
		}
	}
	if err := w.begin(to, name); err != nil {
		return nil, fmt.Errorf("beginning a body of %s: %w", f.Name, err)
	}
	b.with = w
	return b, nil
}

// Write adds what comes next between the container's ends.
func (b *Body) Write(p []byte) (int, error) {
	if b.with != nil {
		return b.with.Write(p)
	}
	return b.to.Write(p)
}

// End completes the body. Nothing may be written after it.
func (b *Body) End() error {
	if b.with == nil {
		return nil
	}
	w := b.with
	b.with = nil
	if err := w.Close(); err != nil {
		return fmt.Errorf("completing a body: %w", err)
	}
	b.idle.Put(w)
	return nil
}

// Drop gives up a body that did not end. After End it does nothing.
func (b *Body) Drop() {
	if b.with != nil { // its state is of no use, its tables are
		b.idle.Put(b.with)
		b.with = nil
	}
}
