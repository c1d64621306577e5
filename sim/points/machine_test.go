package points_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
)

var (
	errCut  = errors.New("connection reset by peer")
	errDead = errors.New("the process is gone")
)

const failover = 10 * time.Second

// machine is one process with a worker. It is the HTTP client of the worker's
// SDK: all that the worker does to the outside passes here.
type machine struct {
	w    *world
	name string
	stop context.CancelFunc // asks the worker to shut down

	mu       sync.Mutex // guards what follows
	dead     bool
	stopping bool
	thaw     chan struct{}   // not nil while cut off: closed when that ends
	handing  map[string]bool // the leases being handed over
	troubled bool            // it was struck so that it may lose leases that nobody takes
	crossing bool            // writes of rows are held until one of its leases is taken
	starve   starvation
	log      *zap.Logger
	told     *observer.ObservedLogs  // warnings and errors
	trust    map[string]func() error // of the leases whose processor was initialized
}

// starvation is what follows a strike of a starved kind.
type starvation struct {
	shard   string
	begun   time.Time
	adopted bool
}

// The times of starvation: a repeat may pass after starveAdopt, in time for a
// take, too; then none until starveEnd, when the lease must be lost.
const (
	starveAdopt = 3500 * time.Millisecond
	starveEnd   = failover + 2*time.Second
	lateBy      = 2300 * time.Millisecond // less than the longest try
)

// answer is what came back for a request.
type answer struct {
	resp *http.Response
	err  error
}

// Do implements aws.HTTPClient.
func (m *machine) Do(r *http.Request) (*http.Response, error) {
	if !deadline.Bounded(r.Context()) {
		m.w.fail("%s sends a request without a deadline: %s %s %s", m.name, r.Method, r.URL.Path, r.Header.Get("X-Amz-Target"))
	}
	data, err := slurp(r)
	if err != nil {
		return nil, err
	}
	if err := m.gate(r.Context()); err != nil {
		return nil, err
	}
	q, err := m.w.identify(m, r, data)
	if err != nil {
		return nil, err
	}
	a := m.serve(r.Context(), message{r: r, data: data, request: q})
	if m.isDead() {
		<-m.w.over
		return nil, errDead
	}
	return a.resp, a.err
}

// message is a request on its way.
type message struct {
	request

	r    *http.Request
	data []byte
}

// serve is what becomes of a request.
func (m *machine) serve(ctx context.Context, q message) answer {
	m.w.checkSending(m, q.request)
	k := m.w.strike(m, q.request)
	switch k {
	case "", lostAnswer, throttled, lostThrottled:
	default:
		m.set(func() { m.troubled = true })
	}
	switch k {
	case "":
	case crashBefore:
		m.die(q)
		return answer{err: errDead}
	case crashAfter:
		m.send(q, "and dies")
		m.die(q)
		return answer{err: errDead}
	case crashLate:
		m.die(q)
		m.hold(q, m.w.heldUntil(m, q.request))
		return answer{err: errDead}
	case stall:
		return m.freeze(ctx, q)
	case shutDown:
		m.shutDown()
		return m.wait(ctx, m.hold(q, m.w.heldUntil(m, q.request)))
	case handOver:
		return m.wait(ctx, m.hold(q, m.w.heldUntil(m, q.request)))
	case crossing:
		m.set(func() { m.crossing = true })
	case lostAnswer, lostThrottled:
		m.send(q, "answer lost")
		return answer{err: errCut}
	case throttled:
		return m.refuse(q)
	case lostStarved:
		m.set(func() { m.starve = starvation{shard: q.shard, begun: time.Now(), adopted: true} })
		return answer{err: errCut}
	case adoptedStarved:
		m.set(func() { m.starve = starvation{shard: q.shard, begun: time.Now()} })
		m.send(q, "answer lost")
		return answer{err: errCut}
	case neverAnswered:
		m.send(q, "never answered")
		<-ctx.Done()
		return answer{err: ctx.Err()}
	case vanished:
		m.w.note(m, q.request, "vanishes")
		<-ctx.Done()
		return answer{err: ctx.Err()}
	case lateStarved:
		m.set(func() { m.starve = starvation{shard: q.shard, begun: time.Now(), adopted: true} })
		a := m.send(q, "answer late")
		if !sleep(ctx, lateBy) {
			return answer{err: ctx.Err()}
		}
		return a
	}
	switch {
	case m.isStarved(q.request), m.w.isThrottled(m, q.request):
		return m.refuse(q)
	case m.isCrossing(q.request):
		return m.wait(ctx, m.hold(q, m.w.takenFrom(m)))
	}
	return m.send(q, "")
}

// send lets the request take effect, whatever becomes of who sent it.
func (m *machine) send(q message, note string) answer {
	r := q.r.Clone(context.WithoutCancel(q.r.Context()))
	if r.Body = http.NoBody; len(q.data) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(q.data))
	}
	if q.writes {
		m.w.turn <- struct{}{}
		m.w.writing = &written{by: m, request: q.request}
	}
	resp, err := m.w.serve(q.point, r, q.data)
	var data []byte
	if err == nil {
		data, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if q.writes {
		m.w.writing = nil
		<-m.w.turn
	}
	if err != nil {
		m.w.note(m, q.request, err.Error())
		return answer{err: err}
	}
	m.w.note(m, q.request, outcome(resp, data)+" "+note)
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return answer{resp: resp}
}

// refuse has the service say that it is asked too often.
func (m *machine) refuse(q message) answer {
	q.r.Header.Set(refuseHeader, "1")
	defer q.r.Header.Del(refuseHeader)
	q.writes = false
	return m.send(q, "")
}

// hold sends the request when until says so, or when the world ends drops it.
func (m *machine) hold(q message, until func() bool) <-chan answer {
	got := make(chan answer, 1)
	m.w.note(m, q.request, "held")
	m.w.held.Add(1)
	m.w.wg.Go(func() {
		defer m.w.held.Add(-1)
		if q.point == deleteLease {
			m.w.putBack(q.shard)
		}
		for !until() {
			select {
			case <-m.w.over:
				got <- answer{err: errCut}
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
		got <- m.send(q, "after it was held")
	})
	return got
}

func (m *machine) wait(ctx context.Context, got <-chan answer) answer {
	select {
	case a := <-got:
		return a
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
}

// freeze cuts the process off until the held request has taken effect.
func (m *machine) freeze(ctx context.Context, q message) answer {
	thaw := make(chan struct{})
	m.set(func() { m.thaw = thaw })
	held := m.hold(q, m.w.heldUntil(m, q.request))
	got := make(chan answer, 1)
	m.w.wg.Go(func() {
		a := <-held
		m.set(func() { m.thaw = nil })
		close(thaw)
		got <- a
	})
	return m.wait(ctx, got)
}

// gate passes when the process can send.
func (m *machine) gate(ctx context.Context) error {
	for {
		m.mu.Lock()
		dead, thaw := m.dead, m.thaw
		m.mu.Unlock()
		switch {
		case dead:
			<-m.w.over
			return errDead
		case thaw == nil:
			return nil
		}
		select {
		case <-thaw:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *machine) die(q message) {
	m.w.note(m, q.request, "the process dies")
	m.set(func() { m.dead = true })
}

func (m *machine) shutDown() {
	m.set(func() { m.stopping = true })
	m.stop()
}

// lost is told of each lease that the worker ceases to hold without a release.
// Repeats bring a worker over all that leaves the row its own.
func (m *machine) lost(e kcl.LeaseEvent) {
	m.mu.Lock()
	excused := m.troubled || m.dead || m.stopping || strings.Contains(e.Reason, "runs out")
	m.mu.Unlock()
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if r := m.w.rows[e.Lease.Key]; !excused && r != nil && r.present && r.owner == m.name {
		m.w.violate("%s loses %s, which nobody took: %s", m.name, e.Lease.Key, e.Reason)
	}
}

func (m *machine) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *machine) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// isLive reports whether the worker works.
func (m *machine) isLive() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.dead && !m.stopping && m.thaw == nil
}

func (m *machine) isHanding(shard string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handing[shard]
}

func (m *machine) isCrossing(q request) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.crossing && (q.rowWrite() || q.point == take)
}

// isStarved reports whether a write is refused, and lets one pass when it is
// time for that.
func (m *machine) isStarved(q request) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := time.Since(m.starve.begun)
	if q.shard != m.starve.shard || since == 0 || since >= starveEnd || !q.rowWrite() && q.point != take {
		return false
	}
	if !m.starve.adopted && since >= starveAdopt {
		m.starve.adopted = true
		return false
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
