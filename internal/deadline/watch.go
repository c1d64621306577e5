package deadline

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Watch knows which tries are under way, for those who look on from outside.
// The zero value is ready to use. It is safe for concurrent use.
type Watch struct {
	mu    sync.Mutex // guards tries
	tries map[*try]struct{}
}

// Try is one try that is under way.
type Try struct {
	Loop   string        // who makes it
	Key    string        // of the lease or shard; "" if it is about none
	Doing  string        // such as "renewing"
	Silent time.Duration // how long ago its last sign of life was: its begin, or what its call has heard
	Limit  time.Duration // after so much silence it is given up; 0: there is no limit
}

type try struct {
	Try

	begun time.Time
	call  *Call // knows of signs of life; nil if only the begin is one
}

// Begin notes a try whose only sign of life is its begin. The function that it
// returns notes the end.
func (w *Watch) Begin(loop, key, doing string, limit time.Duration) (end func()) {
	return w.add(&try{Try: Try{Loop: loop, Key: key, Doing: doing, Limit: limit}, begun: time.Now()})
}

// BeginCall notes a try that lives as long as call shows signs of life. One
// without a call has no limit.
func (w *Watch) BeginCall(loop, key, doing string, call *Call) (end func()) {
	if call == nil {
		return w.Begin(loop, key, doing, 0)
	}
	return w.add(&try{Try: Try{Loop: loop, Key: key, Doing: doing, Limit: call.Limit()}, call: call})
}

func (w *Watch) add(t *try) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tries == nil {
		w.tries = make(map[*try]struct{})
	}
	w.tries[t] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.tries, t)
	}
}

// UnderWay returns the tries, sorted. Time that the machine was suspended does
// not count: no try can end in it.
func (w *Watch) UnderWay() []Try {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Try, 0, len(w.tries))
	for t := range w.tries {
		if t.call != nil {
			t.Silent = t.call.Silent()
		} else {
			t.Silent = time.Since(t.begun)
		}
		out = append(out, t.Try)
	}
	slices.SortFunc(out, func(a, b Try) int {
		return cmp.Or(cmp.Compare(a.Loop, b.Loop), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Doing, b.Doing))
	})
	return out
}
