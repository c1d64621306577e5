package kinesissource

import (
	"context"
	"time"
)

// The limits of a shard, shared by all its readers that poll.
const (
	minCallGap     = time.Second / 5
	bytesPerSecond = 2 << 20
)

// waitTurn waits until a call may be made. The next one may follow when the
// limit of calls allows; setPace puts it off further.
func (r *reader) waitTurn(ctx context.Context) error {
	if err := rest(ctx, time.Until(r.notBefore)); err != nil {
		return err
	}
	r.called = time.Now()
	r.notBefore = r.called
	if !r.src.o.NoRateLimit {
		r.notBefore = r.called.Add(minCallGap)
	}
	return nil
}

// setPace puts the next call off until the shard may be read again after what
// a took of it, and if there is nothing more to read, for the poll interval.
// limit is the most records that a could have.
func (r *reader) setPace(a *answer, limit int) {
	wait := r.notBefore.Sub(r.called)
	if !r.src.o.NoRateLimit {
		wait = max(wait, time.Duration(a.size)*time.Second/bytesPerSecond)
	}
	if a.behind == 0 && len(a.records) < limit {
		wait = max(wait, r.src.o.PollInterval)
	}
	r.notBefore = r.called.Add(wait)
}
