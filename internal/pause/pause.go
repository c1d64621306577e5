// Package pause is how the library waits: until a time has passed or a context
// is done, and for times that chance spreads, so that workers which began
// together do not call together for ever.
package pause

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Chance decides what is left to chance: it returns a number in [0, 1) for
// what is asked, such as "renew shardId-000000000000".
type Chance func(what string) float64

type chanceKey struct{}

// WithChance returns a context under which c decides. It is for simulations,
// whose worlds must come out the same each time.
func WithChance(ctx context.Context, c Chance) context.Context {
	return context.WithValue(ctx, chanceKey{}, c)
}

func draw(ctx context.Context, what string) float64 {
	if c, ok := ctx.Value(chanceKey{}).(Chance); ok {
		return c(what)
	}
	return rand.Float64()
}

// Rand returns a generator of random numbers. what tells it from others under
// the same context.
func Rand(ctx context.Context, what string) *rand.Rand {
	if c, ok := ctx.Value(chanceKey{}).(Chance); ok {
		return rand.New(rand.NewPCG(uint64(c(what)*(1<<53)), 0))
	}
	return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
}

// For waits for d. It returns context.Cause(ctx) if ctx is done before, or was
// already.
func For(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Remind calls f after first, and then again and again, each time after so much
// more time, with the time that has passed. It does so on goroutines of its own
// until end is called; a call of f that runs then is not waited for.
func Remind(first, then time.Duration, f func(passed time.Duration)) (end func()) {
	begun := time.Now()
	var mu sync.Mutex // guards timer
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(first, func() {
		f(time.Since(begun))
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Reset(then)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		timer.Stop()
		timer = nil
	}
}

// Less returns d less up to the given share of it.
func Less(ctx context.Context, what string, d time.Duration, share float64) time.Duration {
	return d - time.Duration(draw(ctx, what)*share*float64(d))
}

// Around returns d, more or less by up to the given share of it.
func Around(ctx context.Context, what string, d time.Duration, share float64) time.Duration {
	return d + time.Duration((2*draw(ctx, what)-1)*share*float64(d))
}

// BackOff is the pauses between the tries of one thing. They double up to a
// limit, and chance spreads each.
type BackOff struct {
	what   string
	spread float64
	pauses *backoff.ExponentialBackOff
}

// NewBackOff returns pauses that begin around first and grow to around most,
// each more or less by up to the share spread of it.
func NewBackOff(what string, first, most time.Duration, spread float64) *BackOff {
	return &BackOff{what: what, spread: spread, pauses: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(first),
		backoff.WithMaxInterval(most),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(0),
		backoff.WithMaxElapsedTime(0),
	)}
}

// Next returns the next pause.
func (b *BackOff) Next(ctx context.Context) time.Duration {
	return Around(ctx, b.what, b.pauses.NextBackOff(), b.spread)
}

// Wait waits for the next pause, or until ctx is done and then returns its
// cause.
func (b *BackOff) Wait(ctx context.Context) error { return For(ctx, b.Next(ctx)) }

// Reset begins again with the shortest pause.
func (b *BackOff) Reset() { b.pauses.Reset() }
