package leasetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

func readingRows() []row {
	return []row{
		{"an empty table lists nothing", func(s *suite) {
			if list, bad, err := s.List(s.ctx()); err != nil || len(list) != 0 || len(bad) != 0 {
				s.t.Fatalf("List() = %v, %v, %v; want nothing", list, bad, err)
			}
		}},
		{"getting a key without a row is ErrNotFound", func(s *suite) {
			s.gone("k")
		}},
		{"a list has every row, as it is", func(s *suite) {
			want := []string{}
			for i := range 30 {
				key := fmt.Sprintf("shardId-%012d", i)
				s.create(full(key))
				want = append(want, key)
			}
			held := s.worked("zz")
			list, bad, err := s.List(s.ctx())
			s.ok(err)
			if len(bad) > 0 {
				s.t.Fatalf("cannot read %v", bad)
			}
			if d := diff(keys(list), append(want, "zz")); d != "" {
				s.t.Fatalf("keys (-want +got):\n%s", d)
			}
			for _, l := range list {
				if l.Key == "zz" {
					s.equal("the row listed", l, held)
				}
			}
		}},
		{"Ensure may be called again", func(s *suite) {
			s.create(plain("k"))
			s.ok(s.Ensure(s.ctx()))
			s.row("k")
		}},
		{"what a table returns is not shared with it", func(s *suite) {
			want := s.worked("k")
			want.Parents, want.Children = slices.Clone(want.Parents), slices.Clone(want.Children)
			want.Pending = &checkpoint.Prepared{At: want.Pending.At, State: slices.Clone(want.Pending.State)}
			got := s.row("k")
			got.Parents[0], got.Children[0], got.Pending.State[0], got.Pending.At.SubSequenceNumber = "x", "x", 'x', 99
			s.equal("the row", s.row("k"), want)
		}},
		{"what a table is given is not shared with it", func(s *suite) {
			l := full("k")
			l.Parents = slices.Clone(l.Parents)
			s.ok(s.Create(s.ctx(), l))
			l.Parents[0] = "x"
			s.equal("the row", s.row("k"), full("k"))
			children := []string{"c"}
			s.ok(s.Annotate(s.ctx(), "k", children, lease.HashRange{}))
			children[0] = "x"
			if got := s.row("k").Children; got[0] != "c" {
				s.t.Fatalf("got children %v, want c", got)
			}
		}},
		{"with a context that is done nothing is read or written, and the error is its cause", func(s *suite) {
			held := s.worked("k")
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(s.ctx())
			cancel(cause)
			_, _, err := s.List(ctx)
			s.is(err, cause)
			_, err = s.Get(ctx, "k")
			s.is(err, cause)
			_, err = s.Take(ctx, held, bob)
			s.is(err, cause)
			for _, w := range heldWrites() {
				_, err = w.do(ctx, s, held)
				s.is(err, cause)
			}
			s.is(s.Create(ctx, plain("new")), cause)
			s.is(s.CreateChild(ctx, held, plain("new")), cause)
			s.is(s.Annotate(ctx, "k", []string{"c"}, lease.HashRange{}), cause)
			s.is(s.Delete(ctx, held), cause)
			s.gone("new")
			s.equal("the row", s.row("k"), held)
		}},
	}
}

func takeRows() []row {
	return append(takeEffects(), takeRefusals()...)
}

func takeEffects() []row {
	return []row{
		{"taking a lease that nobody owns sets owner, instance, failover time and counter, and no switch", func(s *suite) {
			want := s.create(full("k"))
			got := s.took(want, bob)
			want.Owner, want.Instance, want.FailoverTime, want.Counter = bob.Owner, bob.Instance, bob.FailoverTime, 1
			s.wroteRow(got, want)
		}},
		{"taking from another owner counts a switch and keeps all else, the pending checkpoint too", func(s *suite) {
			want := s.worked("k")
			got := s.took(want, bob)
			want.Owner, want.Instance, want.FailoverTime = bob.Owner, bob.Instance, bob.FailoverTime
			want.Counter++
			want.OwnerSwitches++
			s.wroteRow(got, want)
		}},
		{"taking one's own lease again counts no switch", func(s *suite) {
			want := s.worked("k")
			got := s.took(want, lease.Claim{Owner: "alice", Instance: "a2", FailoverTime: time.Second})
			want.Instance, want.FailoverTime = "a2", time.Second
			want.Counter++
			s.wroteRow(got, want)
		}},
		{"a failover time is kept to the millisecond", func(s *suite) {
			got := s.took(s.create(plain("k")), lease.Claim{Owner: "o", Instance: "i", FailoverTime: 1500*time.Millisecond + 999})
			if got.FailoverTime != 1500*time.Millisecond {
				s.t.Fatalf("got %v, want 1.5s", got.FailoverTime)
			}
		}},
		{"a claim that says no failover time leaves none", func(s *suite) {
			want := s.worked("k")
			got := s.took(want, lease.Claim{Owner: "alice", Instance: "a2"})
			want.Instance, want.FailoverTime = "a2", 0
			want.Counter++
			s.wroteRow(got, want)
		}},
		{"repeating a take succeeds with the row that it left", func(s *suite) {
			seen := s.worked("k")
			want := s.took(seen, bob)
			s.wroteRow(s.took(seen, bob), want)
			s.wroteRow(s.took(seen, bob), want)
		}},
		{"annotations since the row was read survive a take", func(s *suite) {
			seen := s.create(plain("k"))
			s.ok(s.Annotate(s.ctx(), "k", []string{"c"}, lease.HashRange{Start: "1", End: "2"}))
			got := s.took(seen, alice)
			if len(got.Children) != 1 || got.Range.End != "2" {
				s.t.Fatalf("got %+v, want the annotations", got)
			}
		}},
	}
}

func takeRefusals() []row {
	return []row{
		{"a take with a counter that has moved is lost", func(s *suite) {
			seen := s.create(plain("k"))
			now := s.wrote(s.Renew(s.ctx(), s.took(seen, alice)))
			for _, stale := range []int64{0, 1, 3} {
				seen.Counter = stale
				_, err := s.Take(s.ctx(), seen, bob)
				s.lost(err, now)
			}
		}},
		{"a take of a row that is gone is lost and does not bring it back", func(s *suite) {
			_, err := s.Take(s.ctx(), s.deleted("k"), bob)
			s.lostAndGone(err, "k")
		}},
		{"a take is not taken for that of another instance with the same worker ID", func(s *suite) {
			seen := s.create(plain("k"))
			now := s.took(seen, alice)
			_, err := s.Take(s.ctx(), seen, lease.Claim{Owner: "alice", Instance: "a2", FailoverTime: alice.FailoverTime})
			s.lost(err, now)
		}},
		{"a take is not taken for one with another failover time", func(s *suite) {
			seen := s.create(plain("k"))
			now := s.took(seen, alice)
			_, err := s.Take(s.ctx(), seen, lease.Claim{Owner: "alice", Instance: "a1", FailoverTime: time.Second})
			s.lost(err, now)
		}},
		{"a take is not taken for one that counted no switch", func(s *suite) {
			seen := s.create(plain("k"))
			now := s.took(seen, alice)
			seen.Owner = "carol" // as if seen with an owner
			_, err := s.Take(s.ctx(), seen, alice)
			s.lost(err, now)
		}},
		{"repeating a take after the owner wrote is lost", func(s *suite) {
			seen := s.create(plain("k"))
			now := s.wrote(s.Checkpoint(s.ctx(), s.took(seen, alice), checkpoint.Sentinel(checkpoint.Latest)))
			_, err := s.Take(s.ctx(), seen, alice)
			s.lost(err, now)
		}},
		{"repeating a take after another worker took the lease is lost", func(s *suite) {
			seen := s.create(plain("k"))
			now := s.took(s.took(seen, alice), bob)
			_, err := s.Take(s.ctx(), seen, alice)
			s.lost(err, now)
		}},
		{"a claim without owner, without instance or with a slash in the instance is refused", func(s *suite) {
			want := s.create(plain("k"))
			for _, by := range []lease.Claim{{Instance: "i"}, {Owner: "o"}, {Owner: "o", Instance: "a/b"}} {
				_, err := s.Take(s.ctx(), want, by)
				s.is(err, lease.ErrInvalidState)
			}
			s.equal("the row", s.row("k"), want)
		}},
	}
}
