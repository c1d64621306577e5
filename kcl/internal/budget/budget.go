// Package budget shares one number of bytes among the shards of a worker: what
// was read and not processed yet, and what processors keep in open buffers.
//
// Half of it is divided evenly: each account's share, which others cannot take
// from it by reading. The other half is the pool, for what goes beyond the shares.
// Who asks is served by these rules:
//
//   - Within its share an account never waits, unless processors hold so much that
//     all of the budget is in use.
//   - Beyond its share it is served from the pool, in the order of asking: a large
//     page is not overtaken by small ones that go beyond their shares too, and
//     does not keep those waiting that do not.
//   - An account with another page in memory gets no more than twice its share
//     altogether, and waits for its own page until then, in nobody's way; only
//     then it is in line.
//   - One reservation at a time may exceed the budget or the pool, and is in nobody's
//     way: that of the first in line whose account has no other page. It is why
//     there is always one that progresses, and why none waits for ever. Once
//     processors hold more than half of the budget it must be that of one that
//     holds nothing, or reading on would be without end.
//
// So what is reserved is at most the budget and one page more.
package budget

import (
	"slices"
	"sync"
	"time"
)

// Budget is the bytes that all accounts together may use. It is safe for
// concurrent use.
type Budget struct {
	limit int64

	mu       sync.Mutex // guards all below, and the fields of accounts and reservations
	used     int64
	held     int64        // of it, by processors
	beyond   int64        // of it, by pages beyond the shares
	share    int64        // of each account
	accounts []*Account   // in the order of opening
	waiting  []*waiter    // in the order of asking
	exceeds  *Reservation // the one that may
}

// Account is what one shard uses.
type Account struct {
	b        *Budget
	closed   bool
	pages    int64         // reserved for pages
	held     int64         // kept by the processor
	holder   int           // which Holder counts: the newest
	pressure chan struct{} // capacity 1: the processor should let go of what it holds
	pressed  time.Time     // when it was told so
	again    time.Time     // when it may be told once more, unless it lets some go before
}

// New returns a Budget of limit bytes.
func New(limit int64) *Budget {
	return &Budget{limit: limit}
}

// Used returns the bytes in use and the limit.
func (b *Budget) Used() (used, limit int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used, b.limit
}

// Open returns an account. Close it.
func (b *Budget) Open() *Account {
	a := &Account{b: b, pressure: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts = append(b.accounts, a)
	b.divide()
	return a
}

// Budget returns the budget of the account.
func (a *Account) Budget() *Budget { return a.b }

// Close gives back all that the account has. What is done with the account
// later has no effect.
func (a *Account) Close() {
	b := a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	a.take(-a.pages)
	a.keep(0)
	a.closed = true
	if b.exceeds != nil && b.exceeds.a == a {
		b.exceeds = nil
	}
	b.accounts = slices.DeleteFunc(b.accounts, func(other *Account) bool { return other == a })
	b.divide()
	b.serve()
}

// divide divides half of the budget among the accounts.
func (b *Budget) divide() {
	b.share = b.limit / 2 / int64(max(1, len(b.accounts)))
	b.beyond = 0
	for _, a := range b.accounts {
		b.beyond += a.beyond(a.pages)
	}
}

// most is the most that is believed of one processor or page: sums of it do not
// overflow.
const most = 1 << 48

// Holder returns what a new processor says with how many bytes it keeps. What
// the one before it kept is gone, and its Holder has no effect any more. Less
// than nothing counts as nothing.
func (a *Account) Holder() *Holder {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.holder++
	a.hold(0)
	return &Holder{a, a.holder}
}

// Holder says how much one processor keeps.
type Holder struct {
	a      *Account
	number int
}

// Hold says that the processor keeps so many bytes.
func (h *Holder) Hold(bytes int64) {
	h.a.b.mu.Lock()
	defer h.a.b.mu.Unlock()
	if h.number == h.a.holder {
		h.a.hold(min(max(0, bytes), most))
	}
}

// Try is Hold if that is less than the processor keeps, or if there is room for it that
// nobody waits for. It reports whether.
func (h *Holder) Try(bytes int64) bool {
	b := h.a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	bytes = min(max(0, bytes), most)
	isWaitedFor := slices.ContainsFunc(b.waiting, func(w *waiter) bool { return !w.waitsForItself() })
	if h.number != h.a.holder || bytes > h.a.held && (isWaitedFor || b.used+bytes-h.a.held > b.limit) {
		return false
	}
	h.a.hold(bytes)
	return true
}

// hold counts what the processor keeps. If some was let go and another account
// still waits for that, whoever holds most now is put under pressure at once; a
// processor that keeps what it has is not asked again without a pause.
func (a *Account) hold(bytes int64) {
	less := bytes < a.held
	a.keep(bytes)
	a.b.serve()
	if less {
		a.again = time.Time{}
		a.b.press()
	}
}

func (a *Account) keep(bytes int64) {
	if a.closed {
		return
	}
	a.b.used += bytes - a.held
	a.b.held += bytes - a.held
	a.held = bytes
}

// take counts bytes of pages, or fewer than before.
func (a *Account) take(bytes int64) {
	if a.closed {
		return
	}
	a.b.used += bytes
	a.b.beyond += a.beyond(a.pages+bytes) - a.beyond(a.pages)
	a.pages += bytes
}

// beyond returns how much of so many bytes of pages goes beyond the share.
func (a *Account) beyond(pages int64) int64 { return max(0, pages-a.b.share) }

// patience is how long a processor may be in a call before it hears of the
// pressure that it was put under: meanwhile no other is.
const patience = 10 * time.Second

// pressEvery is how often who keeps what it has is told so.
const pressEvery = time.Second

// Pressure receives a value when this account holds most of a budget that is
// used up, and its processor should let go of what it holds.
func (a *Account) Pressure() <-chan struct{} { return a.pressure }

// press tells the account that holds most to let go, if there is one that waits
// for that. One that was told and does not listen is passed over after a while.
func (b *Budget) press() {
	used, _ := b.inside()
	if !slices.ContainsFunc(b.waiting, func(w *waiter) bool {
		return !w.waitsForItself() && (used+w.bytes > b.limit || w.r == b.exceeds && w.others() == 0)
	}) {
		return
	}
	now := time.Now()
	var largest *Account
	for _, a := range b.accounts {
		deaf := len(a.pressure) > 0 && now.Sub(a.pressed) >= patience
		if a.held > 0 && !deaf && (largest == nil || a.held > largest.held) {
			largest = a
		}
	}
	if largest == nil || now.Before(largest.again) {
		return // however many wait
	}
	select {
	case largest.pressure <- struct{}{}:
		largest.pressed, largest.again = now, now.Add(pressEvery)
	default:
	}
}
