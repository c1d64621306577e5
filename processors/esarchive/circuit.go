package esarchive

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
)

const (
	openAfter = 4 // faults of the cluster as a whole in a row

	// Pauses between tries: around the first of them, doubling to around the second, each
	// more or less by half. Firehose's are not known.
	firstPause = 500 * time.Millisecond
	longPause  = 30 * time.Second

	beatInterval = time.Second // between two signs of life
	warnInterval = time.Minute // between two warnings of one trouble
)

// circuit spares a cluster that takes nothing: after some faults in a row, of whichever
// shards, one request at a time is let through, and pauses between these grow. The first
// answer for documents ends that. It is safe for concurrent use.
type circuit struct {
	log *zap.Logger

	mu      sync.Mutex // guards what follows
	faults  int        // in a row
	opened  int        // how often tries began to be delayed
	since   time.Time  // the first of these
	warned  time.Time
	probing bool
	next    time.Time // the next probe
	pauses  *pause.BackOff
	changed chan struct{} // closed when something changes, if anybody waits
}

func newCircuit(log *zap.Logger) *circuit { return &circuit{log: log} }

// isOpen reports whether tries are delayed. mu is held.
func (c *circuit) isOpen() bool { return c.faults >= openAfter }

// delays reports whether tries are delayed.
func (c *circuit) delays() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isOpen()
}

// admission is what the circuit says to who asks to make a request.
type admission struct {
	ok      bool
	probe   bool            // it is the one that is let through
	opening int             // which one delays tries; 0 for none
	next    time.Time       // when to ask again, unless it is zero
	changed <-chan struct{} // when to ask again too, once it is closed
}

// enter asks to make a request. One that is let through must be followed by answered,
// failed or, if it is a probe, by abandoned.
func (c *circuit) enter(now time.Time) admission {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.isOpen():
		return admission{ok: true}
	case !c.probing && !now.Before(c.next):
		c.probing = true
		return admission{ok: true, probe: true, opening: c.opened}
	}
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	a := admission{opening: c.opened, changed: c.changed}
	if !c.probing {
		a.next = c.next
	}
	return a
}

// tell wakes those who wait. mu is held.
func (c *circuit) tell() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// answered notes that the cluster answered for documents.
func (c *circuit) answered(now time.Time) {
	c.mu.Lock()
	wasOpen, after := c.isOpen(), now.Sub(c.since)
	c.faults, c.probing = 0, false
	if wasOpen {
		c.tell()
	}
	c.mu.Unlock()
	if wasOpen {
		c.log.Info("succeeded after failures", zap.String("operation", doing), zap.Duration("after", after))
	}
}

// failed notes a fault of the cluster as a whole.
func (c *circuit) failed(ctx context.Context, now time.Time, f *fault, probe bool) {
	c.mu.Lock()
	if c.faults == 0 {
		c.since, c.warned = now, time.Time{}
		c.pauses = pause.NewBackOff("circuit of the cluster", firstPause, longPause, 0.5)
	}
	c.faults++
	if c.faults == openAfter {
		c.opened++
	}
	if probe || c.faults == openAfter {
		c.probing = false
		c.next = now.Add(c.pauses.Next(ctx))
		c.tell()
	}
	tell := c.isOpen() && (c.warned.IsZero() || now.Sub(c.warned) >= warnInterval)
	if tell {
		c.warned = now
	}
	faults, since, next := c.faults, c.since, c.next
	c.mu.Unlock()
	if tell {
		c.log.Warn("the cluster takes no documents, tries are delayed", zap.Int("faults", faults), zap.Duration("since", now.Sub(since)),
			zap.Duration("retry_in", max(0, next.Sub(now))), zap.Error(f.err()))
	}
}

// abandoned notes that a probe ended without showing anything.
func (c *circuit) abandoned() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probing = false
	c.tell()
}

// clock is the time that counts for RetryDuration. With PauseWhenDown it stands still from
// the begin of a request that failed with the cluster as a whole, or from the last answer
// if that came later, until the next answer for documents. It is safe for concurrent use.
type clock struct {
	pauses bool
	base   time.Time

	mu       sync.Mutex // guards what follows
	stopped  bool
	at       time.Duration // where it stands
	lost     time.Duration // while it stood
	answered time.Duration // at the last answer
	taken    time.Time     // that was
	latest   time.Duration // when the latest request began that was answered for documents; see since
}

func newClock(pauses bool, now time.Time) *clock { return &clock{pauses: pauses, base: now} }

// read returns the time. It may go back by the duration of a request that failed.
func (c *clock) read(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reading(now)
}

func (c *clock) reading(now time.Time) time.Duration {
	if c.stopped {
		return c.at
	}
	return now.Sub(c.base) - c.lost
}

// fault notes that a request which began at that time failed.
func (c *clock) fault(began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pauses && !c.stopped {
		c.at = max(c.answered, c.reading(began))
		c.stopped = true
	}
}

// blocked is fault for a request of which the cluster took no document by its own state,
// unless it took others within a time before now. It reports whether time stands still.
func (c *clock) blocked(began, now time.Time, within time.Duration) bool {
	c.mu.Lock()
	isOther := !c.taken.IsZero() && now.Sub(c.taken) < within
	c.mu.Unlock()
	if !c.pauses || isOther {
		return false
	}
	c.fault(began)
	return true
}

// since is a time as one of the process; never 0.
func (c *clock) since(at time.Time) time.Duration { return max(1, at.Sub(c.base)) }

// took notes that a request which began at that time was answered for documents.
func (c *clock) took(began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latest = max(c.latest, c.since(began))
}

// others reports whether the cluster answered for documents of a request, of whichever
// shard, that began after a time; see since.
func (c *clock) others(after time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return after != 0 && c.latest > after
}

// answer notes that documents were answered.
func (c *clock) answer(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		c.lost, c.stopped = now.Sub(c.base)-c.at, false
	}
	c.answered, c.taken = c.reading(now), now
}
