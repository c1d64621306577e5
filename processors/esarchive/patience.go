package esarchive

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"
)

// patient returns an Auth whose credentials are asked for by a patience, if it is one of
// ours. Another one has to end with its context by itself.
func patient(auth Auth, log *zap.Logger) Auth {
	switch a := auth.(type) {
	case SigV4:
		if a.Credentials == nil {
			return a
		}
		p := &patience[aws.Credentials]{ask: a.Credentials.Retrieve, log: log}
		a.Credentials = aws.CredentialsProviderFunc(p.get)
		return a
	case Basic:
		p := &patience[login]{ask: a.login, log: log}
		return Basic{Credentials: func(ctx context.Context) (user, password string, err error) {
			l, err := p.get(ctx)
			return l.user, l.password, err
		}}
	case APIKey:
		return APIKey{Key: (&patience[string]{ask: a.Key, log: log}).get}
	}
	return auth
}

// patience asks for credentials, and waits for no longer than it may, even if what gives
// them does not heed its context: a file that cannot be read as its server is gone, a
// provider that waits for ever. One is asked at a time, and who comes meanwhile has what it
// gives. So at most one is ever left behind, and none is asked until it has ended. It is
// safe for concurrent use.
type patience[T any] struct {
	ask func(context.Context) (T, error)
	log *zap.Logger

	mu      sync.Mutex // guards what follows
	current *asking[T] // the one under way; nil for none
}

// asking is a call of ask.
type asking[T any] struct {
	ctx    context.Context //nolint:containedctx // it outlives who asked first
	cancel context.CancelFunc
	begun  time.Time
	done   chan struct{} // closed when it has ended

	waiting int  // that want what it gives; the patience's mu guards it, and told
	told    bool // that it takes too long
	value   T    // once it is done
	err     error
}

// get returns what ask gives, and ends with ctx.
func (p *patience[T]) get(ctx context.Context) (none T, err error) {
	for {
		a, wanted := p.join(ctx)
		select {
		case <-a.done:
			if wanted {
				return a.value, a.err
			}
		case <-ctx.Done():
			p.leave(a, wanted)
			return none, context.Cause(ctx)
		}
	}
}

// join returns the call under way, or begins one. One that was left behind is not wanted:
// it has to end before there is another one.
func (p *patience[T]) join(ctx context.Context) (a *asking[T], wanted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a = p.current; a != nil {
		if a.ctx.Err() != nil {
			return a, false
		}
		a.waiting++
		return a, true
	}
	a = &asking[T]{begun: time.Now(), done: make(chan struct{}), waiting: 1}
	a.ctx, a.cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), credentialsTimeout, errLate())
	p.current = a
	go p.run(a) // nobody waits for one that does not heed its context
	return a, true
}

// errLate says that credentials took too long.
func errLate() error { return fmt.Errorf("not within %v", credentialsTimeout) }

// leave is for who does not wait any more. The last one that wanted what it gives ends the
// call, and what does not heed that is left behind.
func (p *patience[T]) leave(a *asking[T], wanted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wanted {
		a.waiting--
	}
	if a.waiting == 0 {
		a.cancel()
	}
	if time.Since(a.begun) >= credentialsTimeout && !a.told {
		a.told = true
		p.log.Warn("credentials do not come, none are asked for until this call ends", zap.Duration("waited", time.Since(a.begun)))
	}
}

// run makes a call.
func (p *patience[T]) run(a *asking[T]) {
	value, err := p.ask(a.ctx)
	if err != nil && a.ctx.Err() != nil {
		err = context.Cause(a.ctx)
	}
	a.value, a.err = value, err
	a.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = nil
	if a.told {
		p.log.Info("credentials are asked for again, the call has ended", zap.Duration("took", time.Since(a.begun)))
	}
	close(a.done)
}
