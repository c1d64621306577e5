package transform

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
)

// tells logs what goes wrong: of each kind the first at once, and then one a minute,
// with how many there were since.
type tells struct {
	log *zap.Logger

	mu   sync.Mutex // guards last, more
	last map[string]time.Time
	more map[string]int
}

// isDue reports whether another trouble of a kind is to be told, and how many were not
// since the last.
func (t *tells) isDue(kind string) (left int, isDue bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last, t.more = map[string]time.Time{}, map[string]int{}
	}
	if at, ok := t.last[kind]; ok && time.Since(at) < warnInterval {
		t.more[kind]++
		return 0, false
	}
	left, t.more[kind] = t.more[kind], 0
	t.last[kind] = time.Now()
	return left, true
}

// again tells of a try that failed and will be made again.
func (t *tells) again(id string, attempt, records int, in time.Duration, failure *Error) {
	if left, ok := t.isDue("again " + failure.Code); ok {
		t.log.Warn("transform failed, will be repeated", zap.String("invocation", id), zap.Int("attempt", attempt), zap.Int("records", records),
			zap.Duration("retry_in", in), zap.Int("not_logged", left), zap.String("code", failure.Code), zap.Error(failure), stackOf(failure))
	}
}

// gaveUp tells of a batch that has failed: of each, as its records go nowhere else.
func (t *tells) gaveUp(id string, attempts, records int, failure *Error) {
	if failure.TooLarge && records > 1 {
		if left, ok := t.isDue("halves"); ok {
			t.log.Warn("answer of the transform is too large: halves of the batch are tried", zap.String("invocation", id), zap.Int("records", records), zap.Int("not_logged", left), zap.Error(failure))
		}
		return
	}
	t.log.Error("transform failed; the records of the batch become lines of an error object", zap.String("invocation", id), zap.Int("attempts", attempts),
		zap.Int("records", records), zap.String("code", failure.Code), zap.Error(failure), stackOf(failure))
}

// tooLarge tells of a record that fits into no request.
func (t *tells) tooLarge() {
	if left, ok := t.isDue("too large"); ok {
		t.log.Error("record is too large for the transform; it becomes a line of an error object", zap.Int("not_logged", left))
	}
}

// answered tells of an answer with faults.
func (t *tells) answered(id string, unknown int, failed map[string]int, outcomes []Outcome) {
	if unknown > 0 {
		if left, ok := t.isDue("unknown"); ok {
			t.log.Warn("transform returned records that it was not given; they are ignored", zap.String("invocation", id), zap.Int("records", unknown), zap.Int("not_logged", left))
		}
	}
	for code, n := range failed {
		left, ok := t.isDue(code)
		if !ok {
			continue
		}
		t.log.Warn("records failed in the transform; they become lines of an error object", zap.String("invocation", id), zap.String("code", code), zap.Int("records", n),
			zap.Int("of", len(outcomes)), zap.Int("not_logged", left), zap.Error(causeOf(code, outcomes)), stackOf(causeOf(code, outcomes)))
	}
}

// causeOf is the first failure with a code that has more to say to the log; else nil.
func causeOf(code string, outcomes []Outcome) error {
	for i := range outcomes {
		if f := outcomes[i].Failure; f != nil && f.Code == code && f.Err != nil {
			return f
		}
	}
	return nil
}

// stackOf is the stack of a panic.
func stackOf(err error) zap.Field {
	if p, ok := errors.AsType[*panicError](err); ok {
		return zap.ByteString("stack", p.stack)
	}
	return zap.Skip()
}
