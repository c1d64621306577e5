package esarchive

import (
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// budget is how many bytes of requests may be under way at once, of all shards together.
// Who asks waits in line; a shard that has no request under way need not wait. It is safe
// for concurrent use.
type budget struct {
	mu   sync.Mutex // guards what follows
	most int64
	used int64
	line []*ticket
}

// ticket is a place in the line, or what was granted.
type ticket struct {
	b     *budget
	bytes int64
	ready chan struct{} // closed when it is granted
}

func newBudget(most int64) *budget { return &budget{most: most} }

// ask begins to wait for so many bytes. One that asks for more than there are gets them
// when nothing else is under way.
func (b *budget) ask(bytes int64) *ticket {
	t := &ticket{b: b, bytes: bytes, ready: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line = append(b.line, t)
	b.grant()
	return t
}

// grant gives to those first in line what they ask for. mu is held.
func (b *budget) grant() {
	for len(b.line) > 0 && (b.used == 0 || b.used+b.line[0].bytes <= b.most) {
		b.give(b.line[0])
		b.line = b.line[1:]
	}
}

func (b *budget) give(t *ticket) {
	b.used += t.bytes
	close(t.ready)
}

// granted reports whether the bytes were granted.
func (t *ticket) granted() bool {
	select {
	case <-t.ready:
		return true
	default:
		return false
	}
}

// force takes the bytes without waiting.
func (t *ticket) force() {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if i := slices.Index(t.b.line, t); i >= 0 {
		t.b.line = slices.Delete(t.b.line, i, i+1)
		t.b.give(t)
	}
}

// drop gives up the place in the line, or all that was granted.
func (t *ticket) drop() {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if i := slices.Index(t.b.line, t); i >= 0 {
		t.b.line = slices.Delete(t.b.line, i, i+1)
	} else {
		t.b.used -= t.bytes
	}
	t.bytes = 0
	t.b.grant()
}

// keep gives back what is beyond so many bytes of what was granted.
func (t *ticket) keep(bytes int64) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	t.b.used -= t.bytes - bytes
	t.bytes = bytes
	t.b.grant()
}

const (
	// leastRequest is how small requests get at least by what is learned; those of fewer
	// bytes that are refused are halved by themselves.
	leastRequest = 64 * kib

	// relearnFirst is after how long without a refusal larger requests are tried again. It
	// doubles up to relearnMost each time that these are refused, and begins anew when none
	// was for twice relearnMost.
	relearnFirst = time.Minute
	relearnMost  = time.Hour
)

// lesson is what was learned of how large requests may be: one that is refused with 413
// halves it, for all shards, and it is doubled again and again, up to what is configured, as
// what stood in the way may be gone. It is safe for concurrent use.
type lesson struct {
	log *zap.Logger

	mu      sync.Mutex // guards what follows
	most    int64
	limit   int64
	at      time.Time     // of the last change
	wait    time.Duration // until the next doubling
	grown   bool          // the last change was one
	refusal time.Time     // the last one
}

func newLesson(most int64, log *zap.Logger) *lesson {
	return &lesson{log: log, most: most, limit: most, wait: relearnFirst}
}

// bytes returns how large a request may be.
func (l *lesson) bytes(now time.Time) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.limit
	for l.limit < l.most && now.Sub(l.at) >= l.wait {
		l.limit, l.at, l.grown = min(2*l.limit, l.most), l.at.Add(l.wait), true
	}
	if l.limit > before {
		l.log.Info("requests become larger again", zap.Int64("limit", l.limit), zap.Int64("most", l.most))
	}
	return l.limit
}

// refused notes that a request of so many bytes was too large.
func (l *lesson) refused(bytes int64, now time.Time) (limit int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	half := max(leastRequest, bytes/2)
	if half >= l.limit {
		return l.limit
	}
	switch {
	case now.Sub(l.refusal) > 2*relearnMost:
		l.wait = relearnFirst
	case l.grown:
		l.wait = min(2*l.wait, relearnMost)
	}
	l.limit, l.at, l.grown, l.refusal = half, now, false, now
	return l.limit
}
