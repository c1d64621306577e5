package budget

import (
	"context"
	"slices"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
)

// Reservation is what one page takes of an account, with what is built of it.
type Reservation struct {
	a        *Account
	bytes    int64
	begun    bool // the page has begun to come
	released bool
}

// waiter is somebody who waits until r may have so many bytes more.
type waiter struct {
	r      *Reservation
	bytes  int64
	served bool
	itself bool          // it has to wait for its own page
	ready  chan struct{} // closed when it is served; nil while nobody listens
}

// Page returns how many bytes a page of this account should take: two such pages
// and what is built of them are within twice its share.
func (a *Account) Page() int64 {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	return max(1, a.b.share-a.b.share/8)
}

// Spare returns how many bytes may be built of a page that is in memory, without
// waiting: this account's part of what is free, and a quarter of its share at
// least.
func (a *Account) Spare() int64 {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	return max(a.b.share/4, (a.b.limit-a.b.used)/int64(max(1, len(a.b.accounts))))
}

// IsEmpty reports whether the account has no page in memory.
func (a *Account) IsEmpty() bool {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	return a.pages == 0
}

// Reserve waits until a page of so many bytes may be read into memory. While one
// waits for processors to let go of what they hold, they are asked to, at once and
// each second. If it does wait, waits is called, and what that returns once the
// waiting is over. The error is the cause of ctx's end.
func (a *Account) Reserve(ctx context.Context, bytes int64, waits func() (end func())) (*Reservation, error) {
	r := &Reservation{a: a}
	w := r.ask(bytes)
	if w == nil {
		return r, nil
	}
	end := waits()
	defer end()
	return r, w.wait(ctx)
}

// Grow waits until r may have so many bytes altogether. Each second of it is a
// sign of life of ctx's call. After an error r has what it had.
func (r *Reservation) Grow(ctx context.Context, bytes int64) error {
	r.begin()
	if w := r.ask(bytes); w != nil {
		return w.wait(ctx)
	}
	return nil
}

// begin notes that the page begins to come: it keeps what is reserved for it.
func (r *Reservation) begin() {
	r.a.b.mu.Lock()
	defer r.a.b.mu.Unlock()
	r.begun = true
}

// Lapse gives back what r has beyond so many bytes, unless its page has begun to
// come: there was a Grow, or a Set.
func (r *Reservation) Lapse(bytes int64) {
	r.a.b.mu.Lock()
	defer r.a.b.mu.Unlock()
	if !r.begun && r.bytes > bytes {
		r.set(bytes)
	}
}

// ask puts what r wants in line, and returns it unless it is served at once.
func (r *Reservation) ask(bytes int64) *waiter {
	b := r.a.b
	bytes = min(bytes, most)
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes <= r.bytes || r.released {
		return nil
	}
	w := &waiter{r: r, bytes: bytes - r.bytes}
	b.waiting = append(b.waiting, w)
	if b.serve(); w.served {
		return nil
	}
	w.ready = make(chan struct{})
	b.press()
	return w
}

func (w *waiter) wait(ctx context.Context) error {
	again := time.NewTicker(pressEvery)
	defer again.Stop()
	for {
		select {
		case <-w.ready:
			return nil
		case <-again.C:
			deadline.Beat(ctx)
			w.pressAgain()
		case <-ctx.Done():
			w.giveUp()
			return context.Cause(ctx)
		}
	}
}

func (w *waiter) pressAgain() {
	b := w.r.a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.press()
}

// giveUp ends the waiting of w, which may have been served meanwhile.
func (w *waiter) giveUp() {
	b := w.r.a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.served {
		w.r.add(-w.bytes)
	} else {
		b.waiting = slices.DeleteFunc(b.waiting, func(o *waiter) bool { return o == w })
	}
	b.serve() // it may have been in the way of others
}

// Set corrects r to the bytes that its page takes, which is there already: that
// may exceed the budget.
func (r *Reservation) Set(bytes int64) {
	r.a.b.mu.Lock()
	defer r.a.b.mu.Unlock()
	r.begun = true
	r.set(min(max(0, bytes), most))
}

// Release gives r back. Nothing that is done with it later has an effect.
func (r *Reservation) Release() {
	r.a.b.mu.Lock()
	defer r.a.b.mu.Unlock()
	r.set(0)
	r.released = true
}

func (r *Reservation) set(bytes int64) {
	r.add(bytes - r.bytes)
	r.a.b.serve()
}

func (r *Reservation) add(bytes int64) {
	if r.released {
		return
	}
	r.bytes += bytes
	r.a.take(bytes)
}

// lineUp puts those at the end of the line who have no longer to wait for their own
// page: others wait with nothing meanwhile.
func (b *Budget) lineUp() {
	var late []*waiter
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool {
		was := w.itself
		w.itself = w.waitsForItself()
		if was && !w.itself {
			late = append(late, w)
		}
		return was && !w.itself
	})
	b.waiting = append(b.waiting, late...)
}

// serve lets those wait no longer whose turn it is.
func (b *Budget) serve() {
	b.lineUp()
	if x := b.exceeds; x != nil && (x.bytes == 0 || b.used <= b.limit && b.beyond <= b.pool()) {
		b.exceeds = nil
	}
	var shares, pool bool // somebody waits for a share, or the pool, whom nobody overtakes
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool {
		inLine := &shares
		if w.beyond() > 0 {
			inLine = &pool
		}
		switch {
		case w.r.a.closed:
		case w.waitsForItself():
			return false
		case !*inLine && w.fits():
		case w.mayExceed():
			b.exceeds = w.r
		default:
			*inLine = true
			return false
		}
		w.r.add(w.bytes)
		w.served = true
		if w.ready != nil {
			close(w.ready)
		}
		return true
	})
}

// pool is what the shares leave.
func (b *Budget) pool() int64 { return b.limit - b.limit/2 }

// inside returns what is used, and of that what goes beyond the shares, without
// the reservation that may exceed the budget.
func (b *Budget) inside() (used, beyond int64) {
	x := b.exceeds
	if x == nil {
		return b.used, b.beyond
	}
	return b.used - x.bytes, b.beyond - x.a.beyond(x.a.pages) + x.a.beyond(x.a.pages-x.bytes)
}

// beyond returns how much of what w waits for goes beyond its account's share.
func (w *waiter) beyond() int64 {
	a := w.r.a
	return a.beyond(a.pages+w.bytes) - a.beyond(a.pages)
}

// fits reports whether there is room for what w waits for.
func (w *waiter) fits() bool {
	b, more := w.r.a.b, w.beyond()
	used, beyond := b.inside()
	return b.exceeds != w.r && used+w.bytes <= b.limit && (more == 0 || beyond+more <= b.pool())
}

// others returns what the account's other pages take.
func (w *waiter) others() int64 { return w.r.a.pages - w.r.bytes }

// waitsForItself reports whether w must wait until its account's own page is
// processed.
func (w *waiter) waitsForItself() bool {
	return w.others() > 0 && w.r.a.pages+w.bytes > 2*w.r.a.b.share
}

// mayExceed reports whether w may be served beyond the budget now.
func (w *waiter) mayExceed() bool {
	a, b := w.r.a, w.r.a.b
	return (b.exceeds == nil || b.exceeds == w.r) && w.others() == 0 && (a.held == 0 || b.held <= b.limit/2)
}
