package lease

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

const (
	// hookBehind is how long a hook may keep what follows waiting before that
	// is told, at most once in tellEvery.
	hookBehind = 5 * time.Second
	tellEvery  = time.Minute

	// hookGrace is how long the end of Run waits for hooks.
	hookGrace = 10 * time.Second

	// mostNotices bounds what waits for a hook: far more than a worker that
	// starts with all its leases tells at once.
	mostNotices = 100_000
)

// The hooks, as the log and LoopStatus name them: the names that kcl.Hooks gives
// them, for that is where users set them.
const (
	hookTaken      = "LeaseTaken"
	hookLost       = "LeaseLost"
	hookReleased   = "LeaseReleased"
	hookScanned    = "LeasesScanned"
	hookScanFailed = "LeasesScanFailed"
	hookTry        = "OnTry"
	hookJudge      = "Judge"
)

// hook names the hook that is told of such changes.
func (k ChangeKind) hook() string {
	switch k {
	case Lost:
		return hookLost
	case Released:
		return hookReleased
	case Taken, Stolen:
	}
	return hookTaken
}

// teller calls the hooks, in order and one at a time, on a goroutine of its
// own: one that blocks keeps the others waiting, and not the work.
type teller struct {
	log   *zap.Logger
	watch *deadline.Watch

	mu      sync.Mutex // guards what follows
	queue   []notice
	running chan struct{} // closed when the goroutine ends; nil if there is none
	over    bool          // nobody is told any more
	dropped int           // notices that were too many
	told    map[string]time.Time
}

// notice is one call of a hook.
type notice struct {
	hook string
	at   time.Time
	call func()
}

func newTeller(log *zap.Logger, w *deadline.Watch) *teller {
	return &teller{log: log, watch: w, told: make(map[string]time.Time)}
}

// tell has call called after what was told before.
func (t *teller) tell(hook string, call func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return
	case len(t.queue) >= mostNotices:
		t.dropped++
		return
	}
	t.queue = append(t.queue, notice{hook, time.Now(), call})
	if t.running == nil {
		t.running = make(chan struct{})
		go t.run(t.running)
	}
}

// run calls hooks until none waits. It ends with the one that ends its
// goroutine (runtime.Goexit), and then another one goes on.
func (t *teller) run(ended chan struct{}) {
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if len(t.queue) > 0 {
			go t.run(ended)
			return
		}
		t.running = nil
		close(ended)
	}()
	for n, ok := t.next(); ok; n, ok = t.next() {
		t.call(n)
	}
}

func (t *teller) next() (n notice, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		t.queue = nil
		return notice{}, false
	}
	n = t.queue[0]
	t.queue[0], t.queue = notice{}, t.queue[1:]
	return n, true
}

func (t *teller) call(n notice) {
	if waited := time.Since(n.at); waited > hookBehind {
		t.behind(n.hook, waited)
	}
	returned := pause.Remind(hookBehind, tellEvery, func(waited time.Duration) { t.behind(n.hook, waited) })
	defer returned()
	end := t.watch.Begin("hook", "", n.hook, 0)
	defer end()
	t.guard(n.hook, n.call)
}

// guard calls a hook and tells of its panic. A panic ends no more than that
// call.
func (t *teller) guard(hook string, call func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		why := "it ended its goroutine"
		if v := recover(); v != nil {
			why = fmt.Sprint(v)
		}
		if _, ok := t.due("panic of " + hook); ok {
			t.log.Error("hook panicked", zap.String("hook", hook), zap.String("panic", why), zap.String("stack", string(debug.Stack())))
		}
	}()
	call()
	returned = true
}

// behind tells that a hook keeps others waiting.
func (t *teller) behind(hook string, waited time.Duration) {
	if dropped, ok := t.due("behind"); ok {
		t.log.Warn("hook does not return; what else is to be told waits", zap.String("hook", hook), zap.Duration("waited", waited), zap.Int("dropped", dropped))
	}
}

// due reports whether something may be logged again.
func (t *teller) due(what string) (dropped int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, told := t.told[what]; told && time.Since(last) < tellEvery {
		return t.dropped, false
	}
	t.told[what] = time.Now()
	return t.dropped, true
}

// finish waits until everything was told, for hookGrace at most. A hook that has
// not returned by then is left behind on its goroutine; no other is called.
func (t *teller) finish() {
	t.mu.Lock()
	running := t.running
	t.mu.Unlock()
	if running == nil {
		return
	}
	timer := time.NewTimer(hookGrace)
	defer timer.Stop()
	select {
	case <-running:
		return
	case <-timer.C:
	}
	t.mu.Lock()
	n := len(t.queue)
	t.over, t.queue = true, nil
	t.mu.Unlock()
	t.log.Error("hook has not returned; the worker ends without it", zap.Duration("waited", hookGrace), zap.Int("not_told", n))
}
