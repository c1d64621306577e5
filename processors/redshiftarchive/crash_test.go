package redshiftarchive_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// A loader is killed, or stalls, at each call that it makes, before the call has its effect, after it, or
// with an effect that comes while the next loader works: that one loads what is left, nothing is lost, and with a ledger
// nothing is doubled.
func TestCrashAtEachStep(t *testing.T) {
	t.Parallel()
	refuse := func(n int) func(string) answer { // the first n COPYs
		return func(op string) answer {
			if n--; op == "load" && n >= 0 {
				return answer{kind: refused}
			}
			if op != "load" {
				n++
			}
			return answer{}
		}
	}
	for name, plan := range map[string]func() func(string) answer{
		"all is well": func() func(string) answer { return refuse(0) },
		"one try":     func() func(string) answer { return refuse(1) },
		"given up":    func() func(string) answer { return refuse(2) },
		"answers lost": func() func(string) answer { // the first one of each operation
			lostOnce := map[string]bool{"list": true}
			return func(op string) answer {
				if lostOnce[op] {
					return answer{}
				}
				lostOnce[op] = true
				return answer{kind: lost}
			}
		},
	} {
		for _, hasLedger := range []bool{true, false} {
			for mode, dies := range map[string]answer{
				"before":    {kind: hangs},
				"after":     {kind: late},
				"it stalls": {kind: late, later: 7 * time.Second},
			} {
				t.Run(fmt.Sprintf("%s, ledger %v, %s", name, hasLedger, mode), func(t *testing.T) {
					t.Parallel()
					for k := 0; ; k++ {
						died := false
						synctest.Test(t, func(t *testing.T) { died = crashAt(t, k, hasLedger, plan(), dies) })
						if !died {
							if k < 8 {
								t.Errorf("a loader makes %d calls", k)
							}
							return
						}
					}
				})
			}
		}
	}
}

// crashAt has a loader die at its kth call, and another one go on. It reports whether it died.
func crashAt(t *testing.T, k int, hasLedger bool, plan func(op string) answer, dies answer) (died bool) {
	t.Helper()
	w := newWorld(t, hasLedger)
	w.stage("a", object(1, 1), object(2, 2))
	w.stage("b", object(3, 3))
	w.stage("c", object(3, 3), object(4, 4))
	made := make(chan struct{})
	var first *running
	var isDead atomic.Bool
	first = w.load(changed(within(5*time.Minute)), func(n int, op string) answer {
		<-made
		if n == k && op != "list" {
			isDead.Store(true)
			first.overtake()
			return dies
		}
		if n == k {
			k++ // a list has no effect
		}
		return plan(op)
	})
	close(made)
	time.Sleep(20 * time.Minute)
	if !isDead.Load() {
		if err := first.stop(); err != nil {
			t.Error(err)
		}
		w.settled(false)
		return false
	}
	second := w.load(config(), nil)
	time.Sleep(time.Second)
	w.stage("d", object(5, 5))
	time.Sleep(time.Hour)
	if err := <-first.done; !errors.Is(err, lease.ErrLost) {
		t.Errorf("the first ended with %v", err)
	}
	if err := second.stop(); err != nil {
		t.Error(err)
	}
	w.settled(false)
	return true
}

// While the first loader's COPY is stalled, the second one loads the same; then the first
// one's lands.
func TestTwoLoadersAtOnce(t *testing.T) {
	t.Parallel()
	for _, hasLedger := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, hasLedger)
			w.stage("a", object(1, 1))
			first := w.load(config(), loads(answer{kind: late, later: time.Hour}))
			time.Sleep(10 * time.Second)
			first.overtake()
			second := w.load(config(), nil)
			time.Sleep(2 * time.Hour)
			<-first.done
			if err := second.stop(); err != nil {
				t.Error(err)
			}
			w.settled(hasLedger)
			if n := w.copies[object(1, 0).URL()]; !hasLedger && n != 2 {
				t.Errorf("loaded %d times: the world does not show what it is for", n)
			}
		})
	}
}

// Whatever happens to store, database and loaders, everything staged is loaded at least
// once, or named, before its marker goes; with a ledger nothing is loaded twice. A marker may come again.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	doubled, named := 0, 0
	for seed := range uint64(24) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed%2 == 0)
			c := &chaos{world: w, rng: rand.New(rand.NewPCG(seed, 0))}
			c.run(t)
			for _, n := range w.copies {
				doubled += n - 1
			}
			named += len(w.named)
		})
	}
	if doubled < 10 || named < 10 {
		t.Errorf("%d copies too many without a ledger, %d objects named: too few to show anything", doubled, named)
	}
}

// chaos is what happens by chance.
type chaos struct {
	*world

	rng     *rand.Rand
	staged  int
	markers []processors.Marker
}

// draw returns a number below n.
func (c *chaos) draw(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// answer is how a call goes.
func (c *chaos) answer(_ int, op string) answer {
	a := answer{after: time.Duration(c.draw(3000)) * time.Millisecond}
	switch what := c.draw(100); {
	case what < 6:
		a.kind = refused
	case what < 12:
		a.kind = lost
	case what < 14:
		a.kind, a.later = late, time.Duration(c.draw(3600))*time.Second
	case what < 15:
		a.kind = hangs
	case what < 20 && op == "load":
		a.kind = refused
	case what < 50 && op == "load":
		a.kind = rejected
	case what < 54 && op == "load":
		a.after = time.Duration(c.draw(4000)) * time.Second
	}
	return a
}

// stageOne stages a cut, or a marker that was there before, or puts one that is none.
func (c *chaos) stageOne() {
	if n := len(c.markers); n > 0 && c.draw(4) == 0 {
		i := c.draw(n)
		c.stage(fmt.Sprintf("%08x", i), c.markers[i].Objects...)
		return
	}
	m := processors.Marker{DeliveryStreamName: "orders"}
	for range 1 + c.draw(3) {
		c.staged++
		m.Objects = append(m.Objects, object(c.staged, c.draw(60)))
	}
	c.stage(fmt.Sprintf("%08x", len(c.markers)), m.Objects...)
	c.markers = append(c.markers, m)
}

func (c *chaos) run(t *testing.T) {
	t.Helper()
	cfg := func() redshiftarchive.Config {
		return changed(within([]time.Duration{0, 6 * time.Minute, time.Hour}[c.draw(3)]))
	}
	r := c.load(cfg(), c.answer)
	var gone []*running
	for range 40 {
		for range c.draw(4) {
			c.stageOne()
		}
		time.Sleep(time.Duration(c.draw(600)) * time.Second)
		switch c.draw(4) {
		case 0: // overtaken: the next one begins at once
			r.overtake()
			gone = append(gone, r)
			r = c.load(cfg(), c.answer)
		case 1:
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			r = c.load(cfg(), c.answer)
		}
	}
	r.overtake()
	gone = append(gone, r)
	last := c.load(config(), nil)
	time.Sleep(3 * time.Hour) // also what is late has happened
	for _, r := range gone {
		if err := <-r.done; !errors.Is(err, lease.ErrLost) {
			t.Errorf("ended with %v", err)
		}
	}
	if err := last.stop(); err != nil {
		t.Error(err)
	}
	c.settled(false)
	if left := c.below("logs/"); len(left) == 0 || strings.HasPrefix(left[0], markers) {
		t.Errorf("%v", left)
	}
}
