package points_test

import (
	"net/http"
	"time"
)

// identify tells what a request is, with what the wire alone does not say:
// whether a checkpoint or a put is of the worker's own plan.
func (w *world) identify(m *machine, r *http.Request, data []byte) (request, error) {
	q, err := read(r, data)
	if err != nil {
		return q, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.plans[q.object]; ok && q.point != readMarker && q.point != unmark { // these are of the loader
		q.shard = p.shard
		if q.point == publish && p.by != m.name {
			q.point = publishAgain
		}
	}
	if q.document != "" {
		q.shard = w.shardOf(q.document)
	}
	if row := w.rows[q.shard]; q.point == checkpointed && row != nil && row.pending != "" {
		q.point = commit
		if row.preparedBy != m.name {
			q.point = commitAgain
		}
	}
	return q, nil
}

// strike returns what is to happen to a request, "" if nothing is.
func (w *world) strike(m *machine, q request) kind {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range []*pending{w.side, w.armed} {
		if p == nil || p.struck || p.worker != m.name || p.point != q.point {
			continue
		}
		if p.kind == handOver && !m.isHanding(q.shard) {
			continue
		}
		if p.skip > 0 {
			p.skip--
			continue
		}
		p.struck, p.request = true, q
		w.hits[p.strike]++
		w.log = append(w.log, w.stamp()+"*** "+string(p.kind)+" strikes "+m.name+" at "+string(q.point)+" "+q.shard+q.object)
		if p.kind == throttled || p.kind == lostThrottled {
			w.refusals[refusal{m.name, q.point, q.shard}] = 3
		}
		return p.kind
	}
	return ""
}

// isThrottled reports whether a repeat is to be refused, too.
func (w *world) isThrottled(m *machine, q request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := refusal{m.name, q.point, q.shard}
	if w.refusals[r] == 0 {
		return false
	}
	w.refusals[r]--
	return true
}

// checkSending is told of each request before anything becomes of it: nobody
// begins to put or to write for a lease that another has taken after it ran out.
func (w *world) checkSending(m *machine, q request) {
	if !q.rowWrite() && !q.puts() || q.point == release { // the repeat of a release may come after another has taken it
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rows[q.shard]
	if r != nil && r.present && r.owner != "" && r.owner != m.name && !r.stolen {
		w.violate("%s begins to %s for %s, which %s has taken", m.name, q.point, q.shard, r.owner)
	}
}

// heldUntil returns when a request that is held goes on: when another worker
// has gone on with what it is about, or after a while.
func (w *world) heldUntil(m *machine, q request) func() bool {
	begun := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	had := w.others(m)
	deletions := map[string]bool{}
	for key, r := range w.rows {
		deletions[key] = r.deleted
	}
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		passed := time.Since(begun)
		switch r := w.rows[q.shard]; {
		case q.point == createChild:
			child := w.rows[q.child]
			return child != nil && child.deleted || passed > 150*time.Second
		case q.point == deleteLease:
			return passed >= 300*time.Millisecond // after the world has put it back
		case q.shard == "":
			return w.others(m) > had && passed > 12*time.Second || passed > time.Minute
		case r != nil && r.deleted && !deletions[q.shard]:
			return true
		default:
			return w.others(m) > had && w.lastWriter[q.shard] != m.name && r != nil && (r.begun || q.point == createLease) ||
				passed > 50*time.Second
		}
	}
}

// others returns how often workers other than m have committed. w.mu is held.
func (w *world) others(m *machine) (n int) {
	for name, c := range w.commits {
		if name != m.name {
			n += c
		}
	}
	return n
}

// takenFrom returns when a request of a crossing goes on: when another worker
// has taken a lease that m held or was to take.
func (w *world) takenFrom(m *machine) func() bool {
	begun := time.Now()
	return func() bool {
		w.mu.Lock()
		taken := false
		for key, r := range w.rows {
			taken = taken || r.owner != "" && r.owner != m.name && w.lastWriter[key] != m.name
		}
		w.mu.Unlock()
		if !taken && time.Since(begun) < 2*time.Second {
			return false
		}
		m.set(func() { m.crossing = false })
		return true
	}
}
