package esarchive

import (
	"time"

	"go.uber.org/zap"
)

// troubles is what was logged of the documents of a cut: of each trouble the first time, and
// then once a minute. Never what documents have, so no reasons of the cluster either: it
// quotes them. One goroutine uses it.
type troubles struct {
	log      *zap.Logger
	trouble  time.Time // the last warning about requests
	items    time.Time // about documents that are tried again
	lost     time.Time // about documents that failed
	silence  time.Time // about answers that do not come
	attempts int       // requests that failed
	refusals int       // documents that were refused since the last warning
	failures int       // that failed for good since the last warning
	warned   bool
}

const doing = "sending documents to the cluster"

// isDue reports whether a warning is due, whose last one was at that time.
func isDue(at *time.Time, now time.Time) bool {
	if !at.IsZero() && now.Sub(*at) < warnInterval {
		return false
	}
	*at = now
	return true
}

// failed tells of a request that failed as a whole.
func (s *troubles) failed(f *fault, documents int, now time.Time) {
	s.attempts++
	s.warned = true
	level := zap.DebugLevel
	if isDue(&s.trouble, now) {
		level = zap.WarnLevel
	}
	s.log.Log(level, "a request failed", zap.Int("attempt", s.attempts), zap.Int("documents", documents), zap.Error(f.err()))
}

// refused tells of a document that is tried again.
func (s *troubles) refused(it item, now time.Time) {
	s.refusals++
	s.warned = true
	if isDue(&s.items, now) {
		s.log.Warn("documents were refused, will be repeated", zap.Int("documents", s.refusals), zap.Int("status", it.status), zap.String("kind", it.kind))
		s.refusals = 0
	}
}

// gaveUp tells of a document that failed for good.
func (s *troubles) gaveUp(f failure, now time.Time) {
	s.failures++
	if isDue(&s.lost, now) {
		s.tellFailures(f.last)
	}
}

func (s *troubles) tellFailures(l *last) {
	s.log.Warn("documents failed for good, they go to the error output", zap.Int("documents", s.failures), zap.String("code", l.code), zap.String("kind", l.kind))
	s.failures = 0
}

// waits tells each minute that a request is not answered.
func (s *troubles) waits(waited time.Duration, now time.Time) {
	if waited >= warnInterval && isDue(&s.silence, now) {
		s.log.Warn("no answer yet", zap.String("operation", doing), zap.Duration("waited", waited))
	}
}

// over tells that all documents have an outcome.
func (s *troubles) over() {
	if s.failures > 0 {
		s.log.Warn("documents failed for good, they go to the error output", zap.Int("documents", s.failures))
		s.failures = 0
	}
	if s.warned {
		s.log.Info("succeeded after failures", zap.String("operation", doing), zap.Int("attempt", s.attempts+1))
		s.warned = false
	}
}
