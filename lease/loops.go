package lease

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
)

// LoopStatus is one try that is under way.
type LoopStatus struct {
	Loop   string        // scan: reading the table, judging and taking; renewal: the writes of a held lease; hook: a function of Config that is told something
	Key    string        // of the lease; "" if the try is about none
	Doing  string        // such as "renewing"
	Silent time.Duration // how long ago its last sign of life was: its begin, or progress of an answer
	Limit  time.Duration // after so much silence it is given up; one that is silent for twice as long does not heed its context. 0: there is no limit
}

// watch knows which tries are under way, for those who look on from outside.
// It is safe for concurrent use.
type watch struct {
	mu    sync.Mutex // guards tries
	tries map[*try]struct{}
}

type try struct {
	status LoopStatus
	begun  time.Time
	call   *deadline.Call // knows of signs of life; nil if only the begin is one
}

func newWatch() *watch { return &watch{tries: make(map[*try]struct{})} }

// begin notes a try; end must be called when it is over.
func (w *watch) begin(loop, key, doing string, limit time.Duration) (end func()) {
	return w.add(&try{status: LoopStatus{Loop: loop, Key: key, Doing: doing, Limit: limit}, begun: time.Now()})
}

// beginCall notes a try that lives as long as call shows signs of life.
func (w *watch) beginCall(loop, doing string, call *deadline.Call) (end func()) {
	return w.add(&try{status: LoopStatus{Loop: loop, Doing: doing, Limit: call.Limit()}, call: call})
}

func (w *watch) add(t *try) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries[t] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.tries, t)
	}
}

// underWay returns the tries, sorted. Time that the machine was suspended does
// not count: no try can end in it.
func (w *watch) underWay() []LoopStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]LoopStatus, 0, len(w.tries))
	for t := range w.tries {
		s := t.status
		if t.call != nil {
			s.Silent = t.call.Silent()
		} else {
			s.Silent = time.Since(t.begun)
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b LoopStatus) int {
		return cmp.Or(cmp.Compare(a.Loop, b.Loop), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Doing, b.Doing))
	})
	return out
}
