package redshiftarchive

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
)

// hookLimit is how long a hook may take until that is told.
const hookLimit = 5 * time.Second

// guarded returns hooks that do what h's do, and come back: what a hook does is no reason to
// load a batch again.
func (h Hooks) guarded(log *zap.Logger) Hooks {
	return Hooks{
		Loaded: guard(log, "Loaded", h.Loaded), Tried: guard(log, "Tried", h.Tried),
		GivenUp: guard(log, "GivenUp", h.GivenUp), Waiting: guard(log, "Waiting", h.Waiting),
	}
}

// guard returns a hook that calls f, if there is one, on a goroutine of its own, waits for it, and
// tells if it does not return.
func guard[E any](log *zap.Logger, name string, f func(E)) func(E) {
	if f == nil {
		return func(E) {}
	}
	return func(e E) {
		end := pause.Remind(hookLimit, tellInterval, func(passed time.Duration) {
			log.Warn("hook does not return; loading waits for it", zap.String("hook", name), zap.Duration("duration", passed))
		})
		defer end()
		if err := <-apart("the hook", func() error { f(e); return nil }); err != nil {
			log.Error("hook panicked, or ended its goroutine", zap.String("hook", name), zap.Error(err))
		}
	}
}

// apart calls f on a goroutine of its own, and sends its error, or that who panicked or ended
// the goroutine.
func apart(who string, f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		err := fmt.Errorf("%s ended its goroutine, as by runtime.Goexit", who)
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("%s panicked: %v", who, v)
			}
			done <- err
		}()
		err = f()
	}()
	return done
}
