package esarchive

import (
	"time"

	"go.uber.org/zap"
)

// troubles is what was logged of the documents of a cut: of each trouble the first time, and
// then once a minute. Never what documents have, so no reasons of the cluster either: it
// quotes them. One goroutine uses it.
type troubles struct {
	log *zap.Logger

	faults, refusals, failures, silence time.Time // the last warning of each

	failed  int  // requests, as a whole
	refused int  // documents that are tried again, since the last warning
	lost    int  // documents that failed for good, since the last warning
	any     bool // request failed as a whole, or document was refused
	anyLost bool // document failed for good
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

// request tells of a request that failed as a whole.
func (s *troubles) request(f *fault, documents int, now time.Time) {
	s.failed++
	s.any = true
	level := zap.DebugLevel
	if isDue(&s.faults, now) {
		level = zap.WarnLevel
	}
	s.log.Log(level, "a request failed", zap.Int("attempt", s.failed), zap.Int("documents", documents), zap.Error(f.err()))
}

// refusal tells of documents that are tried again, one of which was answered so.
func (s *troubles) refusal(documents int, it item, now time.Time) {
	if documents == 0 {
		return
	}
	s.refused += documents
	s.any = true
	if isDue(&s.refusals, now) {
		s.log.Warn("documents were refused, will be repeated", zap.Int("documents", s.refused), zap.Int("status", it.status), zap.String("kind", it.kind))
		s.refused = 0
	}
}

// gaveUp tells of documents that failed for good, one of which for that reason.
func (s *troubles) gaveUp(documents int, l *last, now time.Time) {
	s.lost += documents
	s.anyLost = true
	if isDue(&s.failures, now) {
		s.tellLost(zap.String("code", l.code), zap.String("kind", l.kind))
	}
}

func (s *troubles) tellLost(fields ...zap.Field) {
	s.log.Warn("documents failed for good, they go to the error output", append(fields, zap.Int("documents", s.lost))...)
	s.lost = 0
}

// waits tells each minute that a request is not answered.
func (s *troubles) waits(waited time.Duration, now time.Time) {
	if waited >= warnInterval && isDue(&s.silence, now) {
		s.log.Warn("no answer yet", zap.String("operation", doing), zap.Duration("waited", waited))
	}
}

// over tells that all documents have an outcome.
func (s *troubles) over() {
	if s.lost > 0 {
		s.tellLost()
	}
	if s.any && !s.anyLost {
		s.log.Info("succeeded after failures", zap.String("operation", doing), zap.Int("failed_requests", s.failed))
		s.any = false
	}
}
