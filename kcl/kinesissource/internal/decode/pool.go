package decode

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shardmill/shardmill/kcl"
)

const (
	minBuffer = 4 << 10

	// unknown is how long an answer is taken to be that does not tell.
	unknown = 64 << 10

	// maxIdle is how many bytes of buffers a Pool keeps that nobody uses: those of
	// four pages of 10 MiB; and a new one takes the place of others if they are more
	// with those in use. With fewer, the buffers of shards that wait for their
	// next pages at once would be made anew, each time.
	maxIdle = 72 << 20

	// maxAge is for how long a Pool keeps a buffer that nobody uses: about as long
	// as a shard of Kinesis makes its reader wait after a page of 10 MiB.
	maxAge = 10 * time.Second
)

// poison is what released buffers are filled with in tests.
const poison = 0xDB

// Pool keeps the buffers of released pages for those that follow. The zero value
// is ready to use. It is safe for concurrent use.
type Pool struct {
	Clean bool // even in tests, released buffers are not filled: for benchmarks

	mu   sync.Mutex
	free []*buffer // by age, the oldest first
	idle int       // bytes of free
	used int       // bytes of those that pages have
}

// buffer is the memory of a page.
type buffer struct {
	bytes   []byte
	records []kcl.Record
	counted int // of Pool.used
	freed   time.Time
}

// memory returns what the buffer takes.
func (b *buffer) memory() int { return cap(b.bytes) + recordBytes*cap(b.records) }

// sizeFor returns how large a buffer is made for n bytes: an eighth larger at the
// most, so that pages of about the same size use each other's.
func sizeFor(n int) int {
	step := minBuffer
	for step*16 <= n {
		step *= 2
	}
	return (n + step - 1) / step * step
}

// get returns an empty buffer with room for n bytes.
func (p *Pool) get(n int) *buffer {
	size := sizeFor(max(n, minBuffer))
	p.mu.Lock()
	defer p.mu.Unlock()
	best := -1
	for i, b := range p.free {
		if c := cap(b.bytes); c >= size && c <= size+size/4 && (best < 0 || c <= cap(p.free[best].bytes)) {
			best = i
		}
	}
	if best < 0 {
		b := &buffer{bytes: make([]byte, 0, size)}
		p.count(b)
		for len(p.free) > 0 && p.used+p.idle > maxIdle {
			p.forget() // those of another size must not take memory beside the ones in use
		}
		return b
	}
	b := p.free[best]
	p.count(b)
	p.free = slices.Delete(p.free, best, best+1)
	p.idle -= b.memory()
	return b
}

// put takes a buffer back, whose content nobody uses any more.
func (p *Pool) put(b *buffer) {
	b.bytes = b.bytes[:cap(b.bytes)]
	if !p.Clean && testing.Testing() {
		for i := range b.bytes {
			b.bytes[i] = poison
		}
	}
	b.bytes = b.bytes[:0]
	clear(b.records[:cap(b.records)]) // they would keep the strings of their page
	b.records = b.records[:0]
	p.mu.Lock()
	defer p.mu.Unlock()
	b.freed = time.Now()
	p.used -= b.counted
	b.counted = 0
	p.free = append(p.free, b)
	p.idle += b.memory()
	for len(p.free) > 0 && (p.idle > maxIdle || b.freed.Sub(p.free[0].freed) > maxAge) {
		p.forget()
	}
}

// count counts what a buffer that a page has takes now. p.mu is held.
func (p *Pool) count(b *buffer) {
	p.used += b.memory() - b.counted
	b.counted = b.memory()
}

// grew notes that a page has its records in b by now.
func (p *Pool) grew(b *buffer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(b)
}

// forget lets go of the oldest buffer that nobody uses.
func (p *Pool) forget() {
	p.idle -= p.free[0].memory()
	p.free = slices.Delete(p.free, 0, 1)
}

// grow returns a buffer that has room for n bytes more than b, and its content.
func (p *Pool) grow(b *buffer, n int) *buffer {
	if cap(b.bytes)-len(b.bytes) >= n {
		return b
	}
	larger := p.get(max(len(b.bytes)+n, 2*cap(b.bytes)))
	larger.bytes = append(larger.bytes, b.bytes...)
	p.put(b)
	return larger
}
