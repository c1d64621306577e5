package redshiftarchive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors"
)

// copying is a batch that is being loaded.
type copying struct {
	*run

	batch    batch
	rest     []processors.MarkedObject // what the ledger is not known to have
	manifest manifest                  // of rest
	url      string                    // of the manifest
	progress progress                  // of the try that is under way

	first    time.Time // when the first try began; later by what tries took that do not count
	tries    int
	failures int   // of them
	last     error // of the last failure
	inDoubt  bool  // a try may have loaded rows, and the ledger was not seen since
}

// load tries to load the batch until it is loaded, or RetryDuration is over and it is named
// under errors/manifests/; and deletes its markers. The error says that the loader must stop.
func (c *copying) load(ctx context.Context) error {
	for {
		if len(c.rest) == 0 {
			return c.loaded()
		}
		if err := c.putManifest(ctx); err != nil {
			return err
		}
		known, err := c.copyUntil(ctx)
		switch {
		case err != nil:
			return err
		case known == nil && c.last == nil:
			return c.loaded()
		case known == nil:
			return c.giveUp()
		}
		c.rest = without(c.rest, known.Objects)
	}
}

// putManifest puts a manifest of what is to be loaded.
func (c *copying) putManifest(ctx context.Context) (err error) {
	c.manifest = c.settings.newManifest(time.Now(), urlsOf(c.rest))
	c.url, err = c.put(ctx, manifests, c.manifest)
	return err
}

// copyUntil tries to load the manifest until it is loaded, and c.last nil, until the ledger
// is found to know some of it, or until RetryDuration is over.
func (c *copying) copyUntil(ctx context.Context) (*KnownError, error) {
	for {
		if err := c.may(ctx); err != nil {
			return nil, err
		}
		begun := time.Now()
		err := c.try(ctx)
		known, isKnown := errors.AsType[*KnownError](err)
		isKnown = isKnown && c.settings.ledger != "" && len(without(c.rest, known.Objects)) < len(c.rest)
		switch {
		case err == nil:
			c.last, c.waiting.Err, c.waiting.Tries = nil, nil, 0
			return nil, nil
		case isKnown:
			c.log.Info("ledger has objects of the batch already; the rest is loaded", zap.Int("objects", len(c.rest)), zap.Int("known", len(known.Objects)))
			c.inDoubt = false
			return known, nil
		}
		c.inDoubt = isInDoubt(c.inDoubt, err)
		if err := c.may(ctx); err != nil { // it may be why COPY failed
			return nil, err
		}
		at, isTried := c.next(begun, err)
		c.failed(err, at, isTried)
		if !isTried {
			return nil, nil
		}
		c.waitUntil(ctx, at)
	}
}

// next returns when the batch is tried again after a try that began at begun and failed with err.
// isTried is false if it is not.
func (c *copying) next(begun time.Time, err error) (at time.Time, isTried bool) {
	now := time.Now()
	if f, ok := errors.AsType[*Fault](err); ok && f.NoLock {
		at, _ = nextTry(begun, now, 0)
		c.first = c.first.Add(at.Sub(begun)) // as if this try had not been
		return at, true
	}
	at, isTried = nextTry(c.first, now, c.settings.retry)
	return at, isTried || c.inDoubt && c.settings.ledger != "" // a manifest of errors must not name what is loaded
}

// nextTry returns when a batch is tried again whose first try began at first, and whose
// last one ended at ended: at the next multiple of five minutes after the first. isTried
// is false if RetryDuration is over then.
func nextTry(first, ended time.Time, retry time.Duration) (at time.Time, isTried bool) {
	n := int64(ended.Sub(first)/tryInterval) + 1
	in := time.Duration(n) * tryInterval
	return first.Add(in), in <= retry
}

// waitUntil waits for the next try, and shows each minute that it does.
func (c *copying) waitUntil(ctx context.Context, at time.Time) {
	for left := time.Until(at); left > 0 && ctx.Err() == nil; left = time.Until(at) {
		c.tellTrying()
		_ = pause.For(ctx, min(left, tellInterval)) // the loop sees that ctx is done
	}
}

// tellTrying shows a batch that is being tried.
func (c *copying) tellTrying() {
	c.waiting.Trying, c.waiting.Oldest = true, c.age()
	c.tellWaiting()
	c.waiting.Trying, c.waiting.Oldest = false, 0
}

// age returns that of the oldest record of what is to be loaded; 0 if it is not known.
func (c *copying) age() time.Duration {
	dated := make([]processors.MarkedObject, 0, len(c.rest))
	for _, o := range c.rest {
		if !o.Oldest.IsZero() {
			dated = append(dated, o)
		}
	}
	if len(dated) == 0 {
		return 0
	}
	return max(0, time.Since(oldestOf(dated)))
}

// try makes one COPY.
func (c *copying) try(ctx context.Context) error {
	begun := time.Now()
	if c.first.IsZero() {
		c.first = begun
	}
	c.tries++
	err := c.copyOnce(ctx)
	told := err
	if _, isKnown := errors.AsType[*KnownError](err); isKnown {
		told = nil
	}
	c.hooks.Tried(TriedEvent{Objects: len(c.rest), Duration: time.Since(begun), Err: told})
	return err
}

// copyOnce asks for credentials and makes one COPY with them.
func (c *copying) copyOnce(ctx context.Context) error {
	t, err := c.newTry(ctx)
	if err != nil {
		return &Fault{Code: "Redshift.AccessDenied", Message: err.Error(), Undone: true}
	}
	if err := c.may(ctx); err != nil { // the credentials may have taken their time
		return &Fault{Code: "InternalError", Message: err.Error(), Undone: true}
	}
	return c.settings.otherAccess(c.answer(t)) //nolint:contextcheck // what is under way may outlive ctx somewhat
}

// newTry returns the next try, which has credentials of its own.
func (c *copying) newTry(ctx context.Context) (Try, error) {
	credentials, isSecret, err := c.settings.credentials(ctx)
	if err != nil {
		return Try{}, err
	}
	if isSecret && !hasToken(credentials) && !c.keysTold {
		c.keysTold = true
		c.log.Warn("COPY is given keys without a token, which do not expire: temporary ones are safer, as the database sees them")
	}
	t := Try{Progress: c.progress.set, Token: fmt.Sprintf("%s-%d", c.manifest.id, c.tries)}
	t.Copy, err = c.settings.statement(c.url, credentials, isSecret)
	if c.settings.ledger != "" {
		t.Ledger = &LedgerTry{Table: c.settings.ledger, Objects: c.manifest.urls, Manifest: c.url}
	}
	return t, err
}

// answer has the database load, and tells each minute that it has not answered. Nothing
// else is loaded before it has.
func (c *copying) answer(t Try) error {
	ctx, cancel := context.WithTimeoutCause(c.work, c.settings.CopyTimeout, &deadline.Error{Limit: c.settings.CopyTimeout})
	defer cancel()
	begun := time.Now()
	c.progress.set("COPY", nil)
	done := apart("the database", func() error { return c.db.Load(ctx, t) })
	tell := time.NewTicker(tellInterval)
	defer tell.Stop()
	for {
		select {
		case err := <-done:
			return deadline.Explain(ctx, err)
		case <-tell.C:
			doing, trouble := c.progress.get()
			c.log.Warn("the try has not been answered yet", zap.String("operation", doing), zap.Duration("waited", time.Since(begun)), zap.Duration("limit", c.settings.CopyTimeout),
				zap.String("manifest", c.url), zap.Error(trouble))
			c.tellTrying()
		}
	}
}
