package budget_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl/internal/budget"
)

// asked is a page that was asked for.
type asked struct {
	r   *budget.Reservation
	err chan error // has a value once it is granted
}

// ask asks for a page. It lives in a bubble.
func ask(ctx context.Context, a *budget.Account, bytes int64) *asked {
	p := &asked{err: make(chan error, 1)}
	go func() {
		r, err := a.Reserve(ctx, bytes, func() func() { return func() {} })
		p.r = r
		p.err <- err
	}()
	synctest.Wait()
	return p
}

// has checks whether pages are granted, one letter each: y or n.
func has(t *testing.T, when, want string, pages ...*asked) {
	t.Helper()
	synctest.Wait()
	got := make([]byte, len(pages))
	for i, p := range pages {
		if got[i] = 'n'; len(p.err) > 0 {
			got[i] = 'y'
		}
	}
	if string(got) != want {
		t.Errorf("%s: granted %s, want %s", when, got, want)
	}
}

// bubble runs f in a bubble, with the context of all that may still wait in the
// end.
func bubble(t *testing.T, f func(ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f(ctx)
		cancel()
		synctest.Wait()
	})
}

// A shard that is slow with a page, however large, and others that took all of the
// pool, keep nobody from its share.
func TestASlowShardStarvesNobody(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(1000) // shares of 100, a pool of 500
		slow, greedy, third, fourth, fifth := b.Open(), b.Open(), b.Open(), b.Open(), b.Open()
		large, all := ask(ctx, slow, 5000), ask(ctx, greedy, 600)
		has(t, "the first ones", "yy", large, all)
		if used, _ := b.Used(); used != 5600 {
			t.Errorf("%d bytes in use", used)
		}
		for range 3 {
			pages := []*asked{ask(ctx, third, 100), ask(ctx, fourth, 100), ask(ctx, fifth, 100)}
			has(t, "those who want their share", "yyy", pages...)
			for _, p := range pages {
				p.r.Release()
			}
		}
		more := ask(ctx, third, 101)
		has(t, "who wants more", "n", more)
		all.r.Release()
		has(t, "who wants more, with room", "y", more)
	})
}

// What goes beyond the shares is served in the order of asking, and one page may
// exceed the budget.
func TestBeyondTheShares(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(800) // shares of 100, a pool of 400
		one, two, three, four := b.Open(), b.Open(), b.Open(), b.Open()
		first := ask(ctx, one, 400)   // 300 of the pool
		second := ask(ctx, two, 5000) // it exceeds
		large := ask(ctx, three, 450)
		small := ask(ctx, four, 150) // there would be room
		has(t, "at first", "yynn", first, second, large, small)
		first.r.Release()
		has(t, "with room", "yyyy", first, second, large, small)
		if used, _ := b.Used(); used != 5600 {
			t.Errorf("%d bytes in use", used)
		}
	})
}

// Once there is room for the page that exceeds the budget, another may.
func TestTheNextExceeds(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(800) // shares of 100, a pool of 400
		one, two, three, four := b.Open(), b.Open(), b.Open(), b.Open()
		pages := []*asked{ask(ctx, one, 400), ask(ctx, two, 300), ask(ctx, three, 500), ask(ctx, four, 500)}
		has(t, "at first", "yynn", pages...)
		pages[0].r.Release()
		has(t, "with room for the second", "yyyn", pages...)
		four.Holder().Hold(900)
		one.Holder().Hold(1)
		again := ask(ctx, one, 500)
		pages[2].r.Release()
		has(t, "while processors hold all", "yyyn", pages...)
		third := ask(ctx, three, 500)
		has(t, "who holds nothing", "nyn", again, third, pages[3])
		third.r.Release()
		has(t, "who holds nothing, again", "y", ask(ctx, three, 500))
	})
}

// A shard that is added makes the others' shares smaller, and one that gives up lets
// those behind it pass.
func TestSharesChange(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(400) // a share of 200, a pool of 200
		page := ask(ctx, b.Open(), 200)
		two, three, four := b.Open(), b.Open(), b.Open() // shares of 50
		impatient, cancel := context.WithCancel(ctx)
		pages := []*asked{page, ask(ctx, two, 5000), ask(impatient, three, 101), ask(ctx, four, 51)}
		has(t, "with four", "yynn", pages...)
		cancel()
		synctest.Wait()
		if err := <-pages[2].err; err == nil {
			t.Error("who gave up was served")
		}
		has(t, "behind one who gave up", "y", pages[3])
	})
}

// Pages that are larger than the budget are served one after the other, in turn.
func TestOneExceeds(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(1)
		accounts := []*budget.Account{b.Open(), b.Open(), b.Open()}
		for range 3 {
			pages := []*asked{ask(ctx, accounts[0], 1000)}
			ahead := ask(ctx, accounts[0], 1000)
			pages = append(pages, ask(ctx, accounts[1], 1000), ask(ctx, accounts[2], 1000))
			has(t, "the first", "ynn", pages...)
			pages[0].r.Release()
			has(t, "the second", "yyn", pages...)
			pages[1].r.Release()
			has(t, "the third", "yyy", pages...)
			has(t, "who asked again", "n", ahead)
			pages[2].r.Release()
			has(t, "who asked again", "y", ahead)
			ahead.r.Release()
		}
	})
}

// A shard reads ahead within twice its share, and waits for itself in nobody's way.
func TestReadingAhead(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(800) // shares of 100, a pool of 400
		one, two, third, _ := b.Open(), b.Open(), b.Open(), b.Open()
		has(t, "a page that exceeds", "y", ask(ctx, third, 5000))
		page, ahead := ask(ctx, one, 120), ask(ctx, one, 80)
		has(t, "twice the share", "yy", page, ahead)
		more := ask(ctx, one, 1)
		other, large := ask(ctx, two, 150), ask(ctx, two, 60)
		has(t, "more", "nyn", more, other, large)
		page.r.Release()
		has(t, "more, after a page", "yyn", more, other, large)
		other.r.Release()
		has(t, "the other's, after its page", "y", large)

		b = budget.New(800)
		one, two, _, fourth := b.Open(), b.Open(), b.Open(), b.Open()
		has(t, "all of the pool", "y", ask(ctx, one, 500))
		has(t, "a page ahead does not exceed", "ynn", ask(ctx, two, 100), ask(ctx, two, 100), ask(ctx, two, 1))
		has(t, "another page", "y", ask(ctx, fourth, 500))
	})
}

// A page that turns out to be larger waits for the rest, and what exceeds the budget
// already may do so further.
func TestGrow(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(400) // shares of 100, a pool of 200
		one, two := b.Open(), b.Open()
		page, other := ask(ctx, one, 10), ask(ctx, two, 10)
		grown := func(p *asked, bytes int64) *asked {
			g := &asked{r: p.r, err: make(chan error, 1)}
			go func() { g.err <- p.r.Grow(ctx, bytes) }()
			synctest.Wait()
			return g
		}
		has(t, "beyond all", "y", grown(page, 500))
		has(t, "beyond all, further", "y", grown(page, 1000))
		has(t, "the other within the pool", "y", grown(other, 300))
		waits := grown(other, 301)
		has(t, "the other beyond it", "n", waits)
		page.r.Release()
		has(t, "the other beyond it, in turn", "y", waits)
		if used, _ := b.Used(); used != 301 {
			t.Errorf("%d bytes in use", used)
		}
	})
}

// What was reserved for a page that does not begin to come is there for others, and
// it asks again once it does.
func TestLapse(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(100)
		one, two := b.Open(), b.Open()
		late := ask(ctx, one, 1000)
		other := ask(ctx, two, 1000)
		has(t, "at first", "yn", late, other)
		late.r.Lapse(10)
		has(t, "once it lapsed", "y", other)
		again := make(chan error, 1)
		go func() { again <- late.r.Grow(ctx, 1000) }()
		if synctest.Wait(); len(again) != 0 {
			t.Error("what lapsed is still there")
		}
		other.r.Release()
		if synctest.Wait(); len(again) != 1 {
			t.Error("who asked again waits, with nobody before it")
		}
		late.r.Lapse(10)
		if used, _ := b.Used(); used != 1000 {
			t.Errorf("%d bytes in use as the page comes", used)
		}
		late.r.Release()
		page := ask(ctx, one, 1000)
		page.r.Set(500)
		page.r.Lapse(10)
		if used, _ := b.Used(); used != 500 {
			t.Errorf("%d bytes in use for a page that is there", used)
		}
		page.r.Release()
		page.r.Lapse(0)
		if used, _ := b.Used(); used != 0 {
			t.Errorf("%d bytes in use in the end", used)
		}
	})
}

// Who waits on purpose shows signs of life.
func TestWaitingIsNoSilence(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(1)
		first := ask(ctx, b.Open(), 1000)
		ctx, call := deadline.Start(ctx, 5*time.Second)
		defer call.End()
		second := ask(ctx, b.Open(), 1000)
		time.Sleep(time.Hour)
		has(t, "an hour later", "n", second)
		if call.Silent() > time.Second {
			t.Errorf("silent for %v", call.Silent())
		}
		first.r.Release()
		has(t, "after the page", "y", second)
	})
}

func TestPressureGoesToTheLargestHolder(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(100) // shares of 16
		small, large, reader := b.Open(), b.Open(), b.Open()
		holdSmall, holdLarge := small.Holder().Hold, large.Holder().Hold
		holdSmall(20)
		holdLarge(70)
		first := ask(ctx, reader, 50)
		has(t, "the first page", "y", first)
		if len(large.Pressure()) != 0 {
			t.Error("pressure although nobody waits")
		}
		second := ask(ctx, small, 16)
		has(t, "a second one", "n", second)
		told := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := string([]byte{'0' + byte(len(small.Pressure())), '0' + byte(len(large.Pressure()))}); got != want {
				t.Errorf("pressure on the small and the large one %s, want %s", got, want)
			}
		}
		told("01")
		time.Sleep(9500 * time.Millisecond)
		told("01")
		time.Sleep(time.Second)
		told("11") // the large one does not listen
		<-small.Pressure()
		<-large.Pressure()
		time.Sleep(time.Second)
		told("01")
		<-large.Pressure()
		holdLarge(0)
		has(t, "once room was made", "y", second)
		told("00")
	})
}

// Who waits for more of the page that exceeds the budget already, because processors
// hold too much by then, has them asked too.
func TestPressureForWhatExceeds(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(100)
		a := b.Open()
		page := ask(ctx, a, 1000)
		hold := a.Holder().Hold
		hold(60)
		grown := make(chan error, 1)
		go func() { grown <- page.r.Grow(ctx, 1010) }()
		if synctest.Wait(); len(grown) != 0 || len(a.Pressure()) != 1 {
			t.Errorf("served %d, asked %d", len(grown), len(a.Pressure()))
		}
		hold(0)
		if synctest.Wait(); len(grown) != 1 {
			t.Error("it still waits")
		}
	})
}

// Who keeps what it has is not asked more often because many wait.
func TestPressureOfManyIsNoBusyLoop(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(100)
		holder := b.Open()
		holder.Holder().Hold(90)
		ask(ctx, b.Open(), 1000) // it exceeds
		for range 50 {
			ask(ctx, b.Open(), 1000)
			time.Sleep(time.Second / 50)
		}
		asked := 0
		for end := time.After(10 * time.Second); ; {
			select {
			case <-holder.Pressure():
				asked++
				continue
			case <-end:
			}
			break
		}
		if asked < 9 || asked > 12 {
			t.Errorf("asked %d times in ten seconds", asked)
		}
	})
}

// If what was let go is not enough, whoever holds most now is asked at once.
func TestPressureGoesOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(100)
		one, two := b.Open(), b.Open()
		hold := one.Holder().Hold
		hold(60)
		two.Holder().Hold(50)
		page := ask(ctx, one, 50)
		<-one.Pressure()
		hold(10)
		if has(t, "with too little room", "n", page); len(two.Pressure()) != 1 {
			t.Error("nobody else was asked")
		}
	})
}

// Who waits for its own page puts nobody under pressure.
func TestNoPressureForAPageAhead(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(100)
		holder, reader := b.Open(), b.Open()
		holder.Holder().Hold(40)
		page, ahead := ask(ctx, reader, 60), ask(ctx, reader, 60)
		time.Sleep(time.Minute)
		has(t, "a page ahead", "yn", page, ahead)
		if len(holder.Pressure()) != 0 {
			t.Error("pressure for a page ahead")
		}
	})
}

// Processors that hold all of the budget get no more until they let go, or reading
// would go on without end; one that holds nothing does.
func TestHoldersDoNotExceed(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(100)
		holder, empty := b.Open(), b.Open()
		hold := holder.Holder().Hold
		hold(50)
		page := ask(ctx, holder, 1000)
		has(t, "of half the budget", "y", page)
		page.r.Release()
		hold(90)
		page = ask(ctx, holder, 1000)
		other := ask(ctx, empty, 1000)
		has(t, "of nearly all", "ny", page, other)
		other.r.Release()
		hold(0)
		has(t, "of nothing", "y", page)
	})
}

func TestAbandonedReservationIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(10)
		a := b.Open()
		page := ask(t.Context(), a, 10)
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		ahead, next := ask(ctx, a, 5), ask(t.Context(), a, 5)
		cancel(stop)
		if err := <-ahead.err; !errors.Is(err, stop) {
			t.Errorf("Reserve = %v, want the cause of its context", err)
		}
		page.r.Release()
		has(t, "the next one", "y", next)
		next.r.Release()
		if used, _ := b.Used(); used != 0 {
			t.Errorf("%d bytes in use at the end", used)
		}
	})
}

// Whoever waits when his account is closed waits no longer.
func TestCloseEndsTheWaiting(t *testing.T) {
	t.Parallel()
	bubble(t, func(ctx context.Context) {
		b := budget.New(10)
		one, two, three := b.Open(), b.Open(), b.Open()
		first, second, third := ask(ctx, one, 100), ask(ctx, two, 100), ask(ctx, three, 100)
		two.Close()
		has(t, "after the close of the second", "yyn", first, second, third)
		one.Close()
		has(t, "after the close of the first", "yyy", first, second, third)
		first.r.Set(1000)
		second.r.Set(1000)
		if used, _ := b.Used(); used != 100 {
			t.Errorf("%d bytes in use", used)
		}
	})
}

// What is told of sizes, in relation to the budget.
func TestSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ limit, accounts, page, spare int64 }{
		{256 << 20, 1, 112 << 20, 256 << 20},
		{256 << 20, 200, 587202, 1342177},
		{256, 1, 112, 256},
		{1, 3, 1, 0},
	} {
		b := budget.New(tt.limit)
		var a *budget.Account
		for range tt.accounts {
			a = b.Open()
		}
		if a.Page() != tt.page || a.Spare() != tt.spare {
			t.Errorf("%d of %d accounts: a page takes %d, and %d may be built; want %d, %d", tt.limit, tt.accounts, a.Page(), a.Spare(), tt.page, tt.spare)
		}
	}
}
