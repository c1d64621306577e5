// Package budget shares one number of bytes among the shards of a worker: what
// was read and not processed yet, and what processors keep in open buffers.
package budget

import (
	"context"
	"sync"
	"time"
)

// Budget is the bytes that all accounts together may use. It is safe for
// concurrent use.
type Budget struct {
	limit int64

	mu       sync.Mutex // guards all below, and the accounts' fields
	used     int64
	accounts map[*Account]struct{}
	waiting  map[*waiter]struct{}
}

// Account is one shard's share.
type Account struct {
	b        *Budget
	closed   bool
	pages    int64         // reserved for pages
	held     int64         // kept by the processor
	holder   int           // which Holder counts: the newest
	pressure chan struct{} // capacity 1: the processor should let go of what it holds
}

type waiter struct {
	a     *Account
	bytes int64
	ready chan struct{}
}

// New returns a Budget of limit bytes.
func New(limit int64) *Budget {
	return &Budget{limit: limit, accounts: make(map[*Account]struct{}), waiting: make(map[*waiter]struct{})}
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
	b.accounts[a] = struct{}{}
	return a
}

// Close gives back all that the account has. What is done with the account
// later has no effect.
func (a *Account) Close() {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.closed = true
	a.b.used -= a.pages + a.held
	a.pages, a.held = 0, 0
	delete(a.b.accounts, a)
	a.b.grant()
}

// Pressure receives a value when this account holds most of a budget that is
// used up, and its processor should let go of what it holds.
func (a *Account) Pressure() <-chan struct{} { return a.pressure }

// Reserve waits until bytes may be read into memory. An account that uses
// nothing never waits, so every shard makes progress. While one waits, the
// account that holds most is put under pressure, at once and each second.
func (a *Account) Reserve(ctx context.Context, bytes int64) error {
	a.b.mu.Lock()
	if a.b.fits(a, bytes) {
		a.take(bytes)
		a.b.mu.Unlock()
		return nil
	}
	w := &waiter{a: a, bytes: bytes, ready: make(chan struct{})}
	a.b.waiting[w] = struct{}{}
	a.b.press()
	a.b.mu.Unlock()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-w.ready:
			return nil
		case <-again.C:
			a.b.pressAgain()
		case <-ctx.Done():
			a.giveUp(w)
			return context.Cause(ctx)
		}
	}
}

// giveUp ends the waiting of w, which may have been granted meanwhile.
func (a *Account) giveUp(w *waiter) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	if _, still := a.b.waiting[w]; !still {
		a.give(w.bytes)
	}
	delete(a.b.waiting, w)
}

// Adjust corrects a reservation of was bytes to is, which may exceed the
// budget: the page is there already.
func (a *Account) Adjust(was, is int64) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.take(is - was)
	a.b.grant()
}

// Release gives back bytes that were reserved.
func (a *Account) Release(bytes int64) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.give(bytes)
}

// maxHold is the most that one account is believed to hold: sums of it do not
// overflow.
const maxHold = 1 << 48

// Holder returns what a new processor says with how many bytes it keeps. What
// the one before it kept is gone, and its Holder has no effect any more. Less
// than nothing counts as nothing.
func (a *Account) Holder() func(bytes int64) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.holder++
	own := a.holder
	a.hold(0)
	return func(bytes int64) {
		a.b.mu.Lock()
		defer a.b.mu.Unlock()
		if own == a.holder {
			a.hold(min(max(0, bytes), maxHold))
		}
	}
}

// hold counts what the processor keeps. If some was let go and another account
// still waits, whoever holds most now is put under pressure at once; a processor
// that keeps what it has is not asked again without a pause.
func (a *Account) hold(bytes int64) {
	if a.closed {
		return
	}
	less := bytes < a.held
	a.b.used += bytes - a.held
	a.held = bytes
	a.b.grant()
	if less && len(a.b.waiting) > 0 {
		a.b.press()
	}
}

func (a *Account) take(bytes int64) {
	if a.closed {
		return
	}
	bytes = max(bytes, -a.pages) // nobody can give back what he does not have
	a.pages += bytes
	a.b.used += bytes
}

func (a *Account) give(bytes int64) {
	a.take(-bytes)
	a.b.grant()
}

func (b *Budget) fits(a *Account, bytes int64) bool {
	return bytes <= b.limit-b.used || a.pages+a.held == 0
}

// grant lets those wait no longer whose bytes fit now.
func (b *Budget) grant() {
	for w := range b.waiting {
		if b.fits(w.a, w.bytes) {
			w.a.take(w.bytes)
			delete(b.waiting, w)
			close(w.ready)
		}
	}
}

func (b *Budget) pressAgain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.press()
}

// press tells the account that holds most to let go.
func (b *Budget) press() {
	var most *Account
	for a := range b.accounts {
		if a.held > 0 && (most == nil || a.held > most.held) {
			most = a
		}
	}
	if most == nil {
		return
	}
	select {
	case most.pressure <- struct{}{}:
	default:
	}
}
