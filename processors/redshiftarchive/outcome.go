package redshiftarchive

import (
	"errors"
	"time"

	"go.uber.org/zap"
)

// maxReasons is how many lines that could not be loaded are logged of one COPY.
const maxReasons = 20

// failed notes a try that failed, and tells of it and of lines that were not loaded.
func (c *copying) failed(err error, next time.Time, isTried bool) {
	c.failures, c.last = c.failures+1, err
	c.waiting.Err, c.waiting.Tries = err, c.failures
	fields := []zap.Field{
		zap.Int("attempt", c.tries), zap.Int("objects", len(c.rest)), zap.String("manifest", c.url), zap.Bool("rows_may_be_there", c.inDoubt),
	}
	if isTried {
		fields = append(fields, zap.Duration("retry_in", time.Until(next)))
	}
	if isTried && next.Sub(c.first) > c.settings.retry {
		fields = append(fields, zap.String("remedy", "RetryDuration is over, but the rows may be there: it is tried until the ledger says whether they are"))
	}
	c.log.Warn("COPY failed", append(fields, zap.Error(err))...)
	f, ok := errors.AsType[*Fault](err)
	if !ok {
		return
	}
	for i, reason := range f.Reasons {
		if i == maxReasons {
			c.log.Warn("more lines were not loaded; see STL_LOAD_ERRORS", zap.Int("lines", len(f.Reasons)-i))
			break
		}
		c.log.Warn("line not loaded", zap.String("object", reason.Object), zap.Int64("line", reason.Line), zap.String("column", reason.Column),
			zap.Int("code", reason.Code), zap.String("reason", reason.Reason))
	}
}

// isInDoubt reports whether a batch's rows may be there after a try that failed, if they were in
// doubt before it: only a look in the ledger ends a doubt, and a database that cannot be reached says nothing
// about an earlier try.
func isInDoubt(before bool, err error) bool {
	if f, ok := errors.AsType[*Fault](err); ok && f.Undone {
		return before && !f.NotInLedger
	}
	_, isKnown := errors.AsType[*KnownError](err) // which changed nothing
	return before || !isKnown
}

// loaded tells that the batch is loaded, and deletes its markers.
func (c *copying) loaded() error {
	e := LoadedEvent{Objects: len(c.rest), Known: len(c.batch.objects) - len(c.rest), Freshness: c.age(), Tries: c.tries}
	e.Records, e.Bytes = sums(c.rest)
	if e.Objects > 0 {
		e.Manifest = c.url
	}
	c.log.Info("batch loaded", zap.Int("objects", e.Objects), zap.Int64("records", e.Records), zap.Int64("bytes", e.Bytes), zap.Int("known", e.Known),
		zap.Duration("freshness", e.Freshness), zap.Int("attempts", e.Tries), zap.String("manifest", e.Manifest))
	c.waiting.Err, c.waiting.Tries = nil, 0
	c.settle(c.batch.markers)
	c.hooks.Loaded(e)
	return c.unmark()
}

// giveUp names the batch under errors/manifests/, and deletes its markers when that is durable.
func (c *copying) giveUp() error {
	url, err := c.put(c.work, errorsManifests, c.manifest)
	if err != nil {
		return err
	}
	e := GivenUpEvent{Objects: len(c.rest), Manifest: url, Tries: c.tries, Err: c.last, InDoubt: c.inDoubt}
	e.Records, e.Bytes = sums(c.rest)
	c.log.Error("batch given up; its manifest names what was not loaded", zap.Int("objects", e.Objects), zap.Int64("records", e.Records), zap.Int64("bytes", e.Bytes),
		zap.Int("attempts", e.Tries), zap.String("manifest", url), zap.Bool("rows_may_be_there", c.inDoubt), zap.Error(c.last))
	c.waiting.Err, c.waiting.Tries = nil, 0
	c.settle(c.batch.markers)
	c.hooks.GivenUp(e)
	return c.unmark()
}
