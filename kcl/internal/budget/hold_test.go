package budget_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/kcl/internal/budget"
)

// What a processor says is not believed: not what lifts the limit, and not what
// comes after its end.
func TestHolder(t *testing.T) {
	t.Parallel()
	const big = 1 << 48
	for _, tt := range []struct {
		name string
		say  func(a *budget.Account)
		want int64
	}{
		{"what it holds", func(a *budget.Account) { a.Holder().Hold(30) }, 30},
		{"what it holds now", func(a *budget.Account) { h := a.Holder().Hold; h(30); h(20) }, 20},
		{"less than nothing", func(a *budget.Account) { a.Holder().Hold(-30) }, 0},
		{"the least", func(a *budget.Account) { a.Holder().Hold(math.MinInt64) }, 0},
		{"the most", func(a *budget.Account) { a.Holder().Hold(math.MaxInt64) }, big},
		{"what it would hold", func(a *budget.Account) { a.Holder().Try(30) }, 30},
		{"what there is no room for", func(a *budget.Account) { h := a.Holder(); h.Hold(30); h.Try(101) }, 30},
		{"less, without room", func(a *budget.Account) { h := a.Holder(); h.Hold(200); h.Try(150) }, 150},
		{"beside pages", func(a *budget.Account) { page(a).Set(80); a.Holder().Try(30) }, 80},
		{"what the one before would hold", func(a *budget.Account) { h := a.Holder(); a.Holder().Hold(5); h.Try(30) }, 5},
		{"what the one before held", func(a *budget.Account) { a.Holder().Hold(30); a.Holder() }, 0},
		{"what the one before says", func(a *budget.Account) { h := a.Holder().Hold; a.Holder().Hold(5); h(30) }, 5},
		{"after the end", func(a *budget.Account) { h := a.Holder().Hold; a.Close(); h(30) }, 0},
		{"a new one after the end", func(a *budget.Account) { a.Holder().Hold(30); a.Close(); a.Holder().Hold(30) }, 0},
		{"a page", func(a *budget.Account) { page(a).Set(30) }, 30},
		{"a page of less than nothing", func(a *budget.Account) { page(a).Set(-30) }, 0},
		{"the largest page", func(a *budget.Account) { page(a).Set(math.MaxInt64) }, big},
		{"pages after the end", func(a *budget.Account) { a.Close(); page(a).Set(30) }, 0},
		{"given back after the end", func(a *budget.Account) { p := page(a); p.Set(30); a.Close(); p.Release() }, 0},
		{"closed twice", func(a *budget.Account) { a.Holder().Hold(30); a.Close(); a.Close() }, 0},
		{"given back twice", func(a *budget.Account) { p := page(a); p.Set(30); p.Release(); p.Release(); page(a).Set(7) }, 7},
		{"set after it was given back", func(a *budget.Account) { p := page(a); p.Release(); p.Set(7) }, 0},
	} {
		b := budget.New(100)
		tt.say(b.Open())
		if used, _ := b.Used(); used != tt.want {
			t.Errorf("%s: %d bytes in use, want %d", tt.name, used, tt.want)
		}
	}
}

// page reserves a page of no size.
func page(a *budget.Account) *budget.Reservation {
	r, _ := a.Reserve(context.Background(), 0, nil)
	return r
}

// However much others say that they hold, nothing more than a first page is
// granted.
func TestHoldCannotLiftTheLimit(t *testing.T) {
	t.Parallel()
	for _, say := range []int64{math.MinInt64, -1 << 40, -100, math.MaxInt64, math.MaxInt64 - 50} {
		bubble(t, func(ctx context.Context) {
			b := budget.New(100)
			for range 3 {
				b.Open().Holder().Hold(say)
			}
			a := b.Open()
			has(t, "pages", "yn", ask(ctx, a, 60), ask(ctx, a, math.MaxInt64))
		})
	}
}

// account is what the model knows of an account.
type account struct {
	*budget.Account

	hold   func(int64)
	stale  []func(int64)
	pages  []*budget.Reservation
	sizes  []int64
	held   int64
	closed bool
}

// page picks one of the account's pages.
func (a *account) page(t *rapid.T) int {
	if len(a.pages) == 0 {
		a.pages, a.sizes = append(a.pages, page(a.Account)), append(a.sizes, 0)
	}
	return rapid.IntRange(0, len(a.pages)-1).Draw(t, "page")
}

// sum returns what the account should have in use.
func (a *account) sum() (n int64) {
	if a.closed {
		return 0
	}
	for _, size := range a.sizes {
		n += size
	}
	return n + a.held
}

// Whatever is said in whatever order, the budget is the sum of its accounts and
// never less than nothing.
func TestUsedNeverDrifts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := budget.New(1000)
		var all []*account
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what does not fit is not waited for
		pick := func() *account {
			if len(all) == 0 {
				a := &account{Account: b.Open()}
				a.hold = a.Holder().Hold
				all = append(all, a)
			}
			return rapid.SampledFrom(all).Draw(t, "account")
		}
		t.Repeat(map[string]func(*rapid.T){
			"open": func(*rapid.T) {
				a := &account{Account: b.Open()}
				a.hold = a.Holder().Hold
				all = append(all, a)
			},
			"reserve": func(t *rapid.T) {
				a, n := pick(), rapid.Int64Range(0, 800).Draw(t, "bytes")
				if r, err := a.Reserve(ctx, n, func() func() { return func() {} }); err == nil {
					a.pages, a.sizes = append(a.pages, r), append(a.sizes, n)
				}
			},
			"grow": func(t *rapid.T) {
				a, n := pick(), rapid.Int64Range(0, 800).Draw(t, "bytes")
				if i := a.page(t); a.pages[i].Grow(ctx, n) == nil {
					a.sizes[i] = max(a.sizes[i], n)
				}
			},
			"set": func(t *rapid.T) {
				a, n := pick(), rapid.Int64Range(0, 2000).Draw(t, "bytes")
				i := a.page(t)
				a.pages[i].Set(n)
				a.sizes[i] = n
			},
			"release": func(t *rapid.T) {
				a := pick()
				i := a.page(t)
				a.pages[i].Release()
				a.pages, a.sizes = slices.Delete(a.pages, i, i+1), slices.Delete(a.sizes, i, i+1)
			},
			"hold": func(t *rapid.T) {
				a, n := pick(), rapid.OneOf(rapid.Int64Range(-10, 2000), rapid.Int64()).Draw(t, "bytes")
				if a.hold(n); !a.closed {
					a.held = min(max(0, n), 1<<48)
				}
			},
			"stale": func(t *rapid.T) {
				if a := pick(); len(a.stale) > 0 {
					rapid.SampledFrom(a.stale).Draw(t, "holder")(rapid.Int64().Draw(t, "bytes"))
				}
			},
			"replace": func(*rapid.T) {
				a := pick()
				a.stale = append(a.stale, a.hold)
				a.hold = a.Holder().Hold
				a.held = 0
			},
			"close": func(*rapid.T) {
				a := pick()
				a.Close()
				a.closed = true
			},
			"": func(t *rapid.T) {
				var want int64
				for _, a := range all {
					want += a.sum()
				}
				if used, _ := b.Used(); used != want || used < 0 {
					t.Fatalf("%d bytes in use, want %d", used, want)
				}
			},
		})
		for _, a := range all {
			a.Close()
		}
		if used, _ := b.Used(); used != 0 {
			t.Fatalf("%d bytes in use at the end", used)
		}
	})
}

// Who would keep more does not overtake who waits for memory.
func TestTryOvertakesNobody(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(100)
		a := b.Open()
		h := a.Holder()
		h.Hold(60)
		page := ask(ctx, a, 75)
		has(t, "without room", "n", page)
		if h.Try(65) {
			t.Error("it overtakes")
		}
		if !h.Try(20) { // that makes room
			t.Error("less is refused")
		}
		has(t, "with room", "y", page)
		if h.Try(26) {
			t.Error("it goes beyond the limit")
		}
		if !h.Try(25) {
			t.Error("there is room")
		}
	})
}

// Who waits for its own page is in nobody's way: what is free may be held.
func TestTryBesideWhoWaitsForItself(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(1000) // shares of 250
		reader, holder := b.Open(), b.Open()
		first, second := ask(ctx, reader, 300), ask(ctx, reader, 300)
		has(t, "a page and the next one", "yn", first, second)
		if !holder.Holder().Try(600) {
			t.Error("there is room")
		}
		if holder.Holder().Try(701) {
			t.Error("it goes beyond the limit")
		}
	})
}
