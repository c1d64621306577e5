package budget

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// world is accounts whose pages come and go as chance has it, without goroutines.
type world struct {
	*rapid.T

	b        *Budget
	accounts []*Account
	pages    map[*Account][]*Reservation // in memory, or what is granted of one that waits for more
	waits    map[*Account]*waiter
}

func newWorld(t *rapid.T, limit int64, accounts int) *world {
	w := &world{T: t, b: New(limit), pages: map[*Account][]*Reservation{}, waits: map[*Account]*waiter{}}
	for range accounts {
		w.accounts = append(w.accounts, w.b.Open())
	}
	return w
}

// ask has an account ask for a page, or for more of its newest one. Without others
// in its way it is served at once, if it stays within its share.
func (w *world) ask(a *Account, bytes int64) {
	list := w.pages[a]
	var r *Reservation
	if n := len(list); n > 0 && w.bool("more of the same") {
		r = list[n-1]
		bytes += r.bytes
	} else if r = (&Reservation{a: a}); n < 2 {
		w.pages[a] = append(list, r)
	} else {
		return
	}
	within := a.pages+bytes-r.bytes <= w.b.share
	if wait := r.ask(bytes); wait != nil {
		if w.waits[a] = wait; within && w.b.held == 0 {
			w.Fatalf("%d bytes within the share of %d wait", bytes, w.b.share)
		}
	}
}

func (w *world) bool(label string) bool { return rapid.Bool().Draw(w.T, label) }

// step lets an account do something.
func (w *world) step(a *Account, size *rapid.Generator[int64]) {
	exceeded := w.b.exceeds
	before := slices.DeleteFunc(slices.Clone(w.b.waiting), func(w *waiter) bool { return w.others() > 0 })
	switch list := w.pages[a]; {
	case w.waits[a] != nil && !w.waits[a].served && w.bool("give up"):
		w.waits[a].giveUp()
		delete(w.waits, a)
	case len(list) > 0 && w.waits[a] == nil && w.bool("release"):
		list[0].Release()
		w.pages[a] = list[1:]
	case w.waits[a] == nil:
		w.ask(a, size.Draw(w.T, "bytes"))
	case len(list) > 1 && list[0] != w.waits[a].r: // the page ahead waits
		list[0].Release()
		w.pages[a] = list[1:]
	}
	w.inTurn(before, exceeded)
	for a, wait := range w.waits {
		if wait.served {
			delete(w.waits, a)
		}
	}
}

// inTurn checks that nobody who waited before, in that order, for a first page was
// overtaken by one who exceeds the budget.
func (w *world) inTurn(before []*waiter, exceeded *Reservation) {
	x := w.b.exceeds
	if x == nil || x == exceeded {
		return
	}
	for _, earlier := range before {
		if earlier.r == x {
			return
		}
		if slices.Contains(w.b.waiting, earlier) && earlier.others() == 0 && earlier.r.a.held == 0 {
			w.Fatal("a page exceeds the budget out of turn")
		}
	}
}

// check checks what is always so.
func (w *world) check() {
	var used int64
	for _, a := range w.accounts {
		used += a.pages + a.held
	}
	var x int64
	if w.b.exceeds != nil {
		x = w.b.exceeds.bytes
	}
	if w.b.used != used || used-w.b.held > w.b.limit+x || w.b.held == 0 && used > w.b.limit+x {
		w.Fatalf("%d bytes in use and %d counted, of %d and %d that exceed", used, w.b.used, w.b.limit, x)
	}
	for _, wait := range w.b.waiting {
		if w.b.exceeds == nil && wait.others() == 0 && wait.r.a.held == 0 {
			w.Fatalf("%d bytes wait, and nobody exceeds the budget", wait.bytes)
		}
	}
}

// Who is served and leaves at the same time gives it back.
func TestServedTooLate(t *testing.T) {
	t.Parallel()
	b := New(1)
	first, second := &Reservation{a: b.Open()}, &Reservation{a: b.Open()}
	first.ask(10)
	w := second.ask(20)
	first.Release()
	if used, _ := b.Used(); used != 20 {
		t.Errorf("%d bytes in use", used)
	}
	w.giveUp()
	if used, _ := b.Used(); used != 0 {
		t.Errorf("%d bytes in use in the end", used)
	}
}

// However pages of all sizes come and go: the sum is bounded, a share is never waited
// for, one page at a time exceeds, in turn, and whoever waits is served in the end.
func TestRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 1000).Draw(t, "limit")
		w := newWorld(t, limit, rapid.IntRange(1, 6).Draw(t, "accounts"))
		size := rapid.OneOf(rapid.Int64Range(1, max(1, w.b.share)), rapid.Int64Range(1, 2*limit))
		holds := w.bool("holds")
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			a := rapid.SampledFrom(w.accounts).Draw(t, "account")
			if holds && w.bool("hold") {
				a.hold(rapid.Int64Range(0, limit).Draw(t, "held"))
			} else {
				w.step(a, size)
			}
			w.check()
		}
		for _, a := range w.accounts {
			a.hold(0)
		}
		// From here on pages are only processed, whichever comes next.
		for range 3 * len(w.accounts) {
			for _, a := range w.accounts {
				list := w.pages[a]
				if len(list) == 0 || w.waits[a] != nil && !w.waits[a].served && list[0] == w.waits[a].r {
					continue
				}
				list[0].Release()
				w.pages[a] = list[1:]
			}
		}
		if len(w.b.waiting) > 0 || w.b.used != 0 || w.b.beyond != 0 {
			t.Fatalf("%d wait in the end, %d bytes are in use, %d beyond the shares", len(w.b.waiting), w.b.used, w.b.beyond)
		}
	})
}
