package elected

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/lease"
)

// maxRest bounds how long a job that fails here is left to other workers.
const maxRest = 10 * time.Minute

// errGoexit is the error of a job that ended its goroutine.
var errGoexit = errors.New("the job ended its goroutine (runtime.Goexit)")

// hold does the job while the lease is held, and gives the lease up when the job has returned.
func (r *Role) hold(ctx context.Context, h *lease.Held, job Job) {
	scope, end := context.WithCancelCause(h.Context())
	defer end(nil)
	stop := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	defer stop()
	// A lease that is alone is never stolen; if one is, its former holder may do the job yet.
	if pause.For(scope, h.UntilProcessing()) == nil { //nolint:contextcheck // the scope of a job is that of its lease
		begun := time.Now()
		r.change(true)
		err := r.do(scope, &Term{h}, job) //nolint:contextcheck // the same
		r.change(false)
		r.giveUp(ctx, h, time.Since(begun), err)
		return
	}
	r.release(ctx, h, lease.Plain)
}

// do calls job on a goroutine of its own, which it may panic on or end, and waits for its
// end, however long that takes: what it does must not be begun by another worker before.
func (r *Role) do(ctx context.Context, t *Term, job Job) error {
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("the job panicked: %v", v)
				r.cfg.Logger.Error("job panicked", zap.String("panic", fmt.Sprint(v)), zap.ByteString("stack", debug.Stack()))
			}
			done <- err
		}()
		err = job(ctx, t)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	returned := pause.Remind(tellInterval, tellInterval, func(waited time.Duration) {
		r.cfg.Logger.Warn("job has not returned, though its time is over; this worker cannot do it again before",
			zap.Duration("waited", waited), zap.NamedError("reason", context.Cause(ctx)))
	})
	defer returned()
	return <-done
}

// giveUp gives the lease up after a job that ran for so long and returned err.
func (r *Role) giveUp(ctx context.Context, h *lease.Held, ran time.Duration, err error) {
	if h.CheckTrust() != nil {
		return // it is another's, or will be; the coordinator tells
	}
	switch {
	case ctx.Err() != nil:
		r.release(ctx, h, lease.Plain)
	case err == nil:
		r.cfg.Logger.Info("job returned; another worker may do it", zap.Duration("rest", r.failover))
		r.outcome(ran, nil)
		r.leases.Avoid(r.cfg.Job, r.failover)
		r.release(ctx, h, lease.Plain)
	default:
		rest := r.outcome(ran, err)
		r.cfg.Logger.Error("job failed; it is left to other workers for a time", zap.Duration("rest", rest), zap.Error(err))
		r.leases.Avoid(r.cfg.Job, rest)
		r.release(ctx, h, lease.GivenUp)
	}
}

// outcome notes how the job ended, and returns for how long it is left to others. A
// failure after a long time is the first one. Nobody may take the lease for one failover
// time then, so that others have theirs before.
func (r *Role) outcome(ran time.Duration, err error) (rest time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job.set(err)
	if err == nil || ran >= maxRest {
		r.failures = 0
	}
	if err == nil {
		return 0
	}
	r.failures++
	return min(max(maxRest, r.failover), r.failover<<min(r.failures, 16))
}

// release gives the lease back. It ends when the outcome is known, or the lease runs out.
func (r *Role) release(ctx context.Context, h *lease.Held, why lease.ReleaseReason) {
	if err := h.Release(context.WithoutCancel(ctx), why); err != nil && !errors.Is(err, lease.ErrLost) {
		r.cfg.Logger.Warn("lease of the job not released; it runs out", zap.Error(err))
	}
}

// change notes that this worker begins or ends to do the job, and tells of it.
func (r *Role) change(has bool) {
	r.mu.Lock()
	r.has, r.since = has, time.Now()
	if has {
		r.holder = r.cfg.WorkerID
		r.job.set(nil)
	} else if r.holder == r.cfg.WorkerID {
		r.holder = ""
	}
	r.mu.Unlock()
	if r.cfg.OnChange == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			r.cfg.Logger.Error("OnChange panicked", zap.String("panic", fmt.Sprint(v)), zap.ByteString("stack", debug.Stack()))
		}
	}()
	r.cfg.OnChange(has)
}
