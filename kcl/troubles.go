package kcl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/lease"
)

const (
	troubleLook  = 5 * time.Second // how often troubles are looked at
	troubleAgain = time.Minute     // between two lines about one trouble
)

// troubles are what is wrong now and only somebody outside can mend. Whatever
// meets one sets it, and clears it when it meets it no more.
type troubles struct {
	mu   sync.Mutex
	list map[troubleKey]*trouble
}

// troubleKey tells troubles of one reason apart: by the shard, or by what was
// tried.
type troubleKey struct {
	reason  TroubleReason
	shardID string
	doing   string
}

type trouble struct {
	Trouble

	err  error     // nil if it is no request's
	told time.Time // zero: not yet
}

func (t *troubles) set(k troubleKey, text string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list == nil {
		t.list = make(map[troubleKey]*trouble)
	}
	was := t.list[k]
	if was == nil {
		was = &trouble{Trouble: Trouble{Reason: k.reason, ShardID: k.shardID, Since: time.Now()}}
		t.list[k] = was
	}
	was.Text, was.err = text, err
}

// clear ends the troubles that are as ended says.
func (t *troubles) clear(ended func(troubleKey) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.list {
		if ended(k) {
			delete(t.list, k)
		}
	}
}

// outcome notes how a request went: doing names its kind. Only what access, the
// stream and the table have to do with is trouble; only success ends it.
func (t *troubles) outcome(doing string, err error) {
	var reason TroubleReason
	switch {
	case err == nil:
		t.clear(func(k troubleKey) bool { return k.doing == doing })
		return
	case errors.Is(err, lease.ErrAccessDenied):
		reason = TroubleAccess
	case errors.Is(err, ErrStreamNotFound):
		reason = TroubleStreamNotFound
	case errors.Is(err, lease.ErrTableNotFound):
		reason = TroubleTableNotFound
	default:
		return
	}
	t.set(troubleKey{reason: reason, doing: doing}, err.Error(), err)
}

// present returns the troubles that there are.
func (t *troubles) present() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Trouble, 0, len(t.list))
	for _, tr := range t.list {
		out = append(out, tr.Trouble)
	}
	slices.SortFunc(out, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.ShardID, b.ShardID), cmp.Compare(a.Text, b.Text))
	})
	return out
}

// due returns the troubles to tell of now, which count as told, and the error of
// one that a request has met for timeout without one success in between. One of
// access is told once it has lasted for patience: credentials are renewed.
func (t *troubles) due(now time.Time, patience, timeout time.Duration) (tell []Trouble, last error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tr := range t.list {
		lasts := now.Sub(tr.Since)
		if tr.err != nil && lasts >= timeout {
			last = fmt.Errorf("for %v without one success: %w", lasts.Truncate(time.Second), tr.err)
		}
		if tr.Reason == TroubleAccess && lasts < patience || !tr.told.IsZero() && now.Sub(tr.told) < troubleAgain {
			continue
		}
		tr.told = now
		tell = append(tell, tr.Trouble)
	}
	return tell, last
}

// watchTroubles tells of troubles, again and again, and ends the worker when one
// that only a new process or somebody else can mend has lasted for AccessTimeout.
func (w *Worker) watchTroubles(ctx context.Context) {
	for pause.For(ctx, troubleLook) == nil {
		tell, last := w.troubles.due(time.Now(), w.cfg.FailoverTime, w.cfg.AccessTimeout)
		for _, t := range tell {
			w.cfg.Logger.Error("worker is in trouble", zap.String("reason", string(t.Reason)), zap.String("shard_id", t.ShardID),
				zap.String("trouble", t.Text), zap.Duration("lasts", time.Since(t.Since)))
		}
		if last != nil {
			w.fail(last)
			return
		}
	}
}

// isOutside reports whether err is trouble with access, the stream or the table:
// no fault of a shard or its processor.
func isOutside(err error) bool {
	return errors.Is(err, lease.ErrAccessDenied) || errors.Is(err, ErrStreamNotFound) || errors.Is(err, lease.ErrTableNotFound)
}
