package kcl

import (
	"sync"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
)

// present is what is being done at this moment, several things at once maybe.
// The zero value is ready to use. It is safe for concurrent use.
type present struct {
	mu    sync.Mutex // guards steps
	steps []step     // those without a name are free
}

// step is one thing that is being done.
type step struct {
	doing string
	since time.Time
	call  *deadline.Call // nil: it has no limit
}

// begin notes that something is being done, within call if that is not nil. The
// result is for end.
func (p *present) begin(doing string, call *deadline.Call) (id int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := step{doing: doing, since: time.Now(), call: call}
	for i := range p.steps {
		if p.steps[i].doing == "" {
			p.steps[i] = now
			return i
		}
	}
	p.steps = append(p.steps, now)
	return len(p.steps) - 1
}

// end notes that what begin returned id for is over.
func (p *present) end(id int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps[id] = step{}
}

// loops returns what is being done, as of one loop.
func (p *present) loops(loop, shardID string) []LoopStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []LoopStatus
	for _, s := range p.steps {
		if s.doing == "" {
			continue
		}
		l := LoopStatus{Loop: loop, ShardID: shardID, Doing: s.doing, Silent: time.Since(s.since)}
		if s.call != nil {
			l.Silent, l.Limit = s.call.Silent(), s.call.Limit()
		}
		out = append(out, l)
	}
	return out
}
