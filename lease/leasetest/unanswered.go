package leasetest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// patience is how long a call may take that is never answered. It says no more
// than that there is an end.
const patience = time.Hour

// RunUnanswered tests that each call ends by itself if it is never answered, in
// the virtual time of testing/synctest. open is as Run's; it is called within a
// bubble. The function that it also returns has no request answered from then
// on. That one's result lets the service go on, with what it was asked for
// meanwhile, too.
func RunUnanswered(t *testing.T, open func(testing.TB) (table lease.Table, silence func() (end func()))) {
	t.Helper()
	for _, c := range everyCall() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table, silence := open(t)
				c.unanswered(&suite{t: t, Table: table}, silence)
			})
		})
	}
}

// call is one of a table's methods.
type call struct {
	name string
	do   func(context.Context, lease.Table, lease.Lease) error
}

func everyCall() []call {
	calls := []call{
		{"ensure", func(ctx context.Context, t lease.Table, _ lease.Lease) error { return t.Ensure(ctx) }},
		{"list", func(ctx context.Context, t lease.Table, _ lease.Lease) error { _, _, err := t.List(ctx); return err }},
		{"get", func(ctx context.Context, t lease.Table, held lease.Lease) error {
			_, err := t.Get(ctx, held.Key)
			return err
		}},
		{"take", func(ctx context.Context, t lease.Table, held lease.Lease) error {
			_, err := t.Take(ctx, held, bob)
			return err
		}},
		{"create", func(ctx context.Context, t lease.Table, _ lease.Lease) error { return t.Create(ctx, full("new")) }},
		{"createChild", func(ctx context.Context, t lease.Table, held lease.Lease) error {
			return t.CreateChild(ctx, held, full("new"))
		}},
		{"annotate", func(ctx context.Context, t lease.Table, held lease.Lease) error {
			return t.Annotate(ctx, held.Key, []string{"new"}, lease.HashRange{})
		}},
		{"delete", func(ctx context.Context, t lease.Table, held lease.Lease) error { return t.Delete(ctx, held) }},
	}
	for _, w := range heldWrites() {
		calls = append(calls, call{w.name, func(ctx context.Context, t lease.Table, held lease.Lease) error {
			_, err := w.do(ctx, t, held)
			return err
		}})
	}
	return calls
}

// unanswered makes the call, and again when there are answers.
func (c call) unanswered(s *suite, silence func() (end func())) {
	s.t.Helper()
	held := s.wrote(s.Checkpoint(s.ctx(), s.worked("k"), checkpoint.Sentinel(checkpoint.ShardEnd)))
	end := silence()
	begun := time.Now()
	err := c.do(s.ctx(), s.Table, held)
	if took := time.Since(begun); err == nil || took > patience {
		s.t.Fatalf("it returned %v after %v, want an error within %v", err, took, patience)
	}
	for _, class := range classes() {
		if errors.Is(err, class) {
			s.t.Fatalf("got error %v, want one of no class: the outcome is unknown", err)
		}
	}
	end()
	if err := c.do(s.ctx(), s.Table, held); err != nil && (c.name != "create" || !errors.Is(err, lease.ErrExists)) {
		s.t.Fatalf("made again with an answer it returned %v", err)
	}
}
