package leasetest

import (
	"context"
	"slices"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// heldWrite is a write that only who holds the lease may make.
type heldWrite struct {
	name string
	do   func(context.Context, lease.Store, lease.Lease) (lease.Lease, error)
	sets func(*lease.Lease) // what it sets, but for the counter
}

func heldWrites() []heldWrite {
	next := checkpoint.Prepared{At: checkpoint.At("49680461806596391098194439531393802294557330492046181111", 7, time.Time{}).ExtendedSequenceNumber, State: []byte{0, 1, 255}}
	return []heldWrite{
		{
			"renew",
			func(ctx context.Context, s lease.Store, held lease.Lease) (lease.Lease, error) {
				return s.Renew(ctx, held)
			},
			func(*lease.Lease) {},
		},
		{
			"checkpoint",
			func(ctx context.Context, s lease.Store, held lease.Lease) (lease.Lease, error) {
				return s.Checkpoint(ctx, held, later)
			},
			func(l *lease.Lease) { l.Checkpoint, l.OwnerSwitches, l.Pending = later, 0, nil },
		},
		{
			"prepare",
			func(ctx context.Context, s lease.Store, held lease.Lease) (lease.Lease, error) {
				return s.Prepare(ctx, held, next)
			},
			func(l *lease.Lease) { l.Pending = &next },
		},
		{
			"release",
			func(ctx context.Context, s lease.Store, held lease.Lease) (lease.Lease, error) {
				return s.Release(ctx, held, lease.Surplus)
			},
			func(l *lease.Lease) { l.Owner, l.Instance, l.FailoverTime, l.Released = "", "", 0, lease.Surplus },
		},
	}
}

// heldRows are the sentences that are true of each of heldWrites.
func heldRows() []row {
	var rows []row
	for _, w := range heldWrites() {
		for _, r := range slices.Concat(w.effects(), w.refusals(), w.confusions()) {
			rows = append(rows, row{w.name + ": " + r.name, r.test})
		}
	}
	return rows
}

func (w heldWrite) effects() []row {
	return []row{
		{"it sets what it sets and the counter, and all else stays", func(s *suite) {
			want := s.worked("k")
			got := s.wrote(w.do(s.ctx(), s, want))
			w.sets(&want)
			want.Counter++
			s.wroteRow(got, want)
		}},
		{"repeating it succeeds with the row that it left", func(s *suite) {
			held := s.worked("k")
			want := s.wrote(w.do(s.ctx(), s, held))
			s.wroteRow(s.wrote(w.do(s.ctx(), s, held)), want)
			s.wroteRow(s.wrote(w.do(s.ctx(), s, held)), want)
		}},
		{"annotations since the row was read survive and are returned", func(s *suite) {
			held := s.took(s.create(plain("k")), alice)
			r := lease.HashRange{Start: "5", End: "6"}
			s.ok(s.Annotate(s.ctx(), "k", []string{"c1", "c2"}, r))
			want := held
			w.sets(&want)
			want.Counter++
			want.Children, want.Range = []string{"c1", "c2"}, r
			s.wroteRow(s.wrote(w.do(s.ctx(), s, held)), want)
		}},
		{"repeating it after an annotation succeeds", func(s *suite) {
			held := s.worked("k")
			want := s.wrote(w.do(s.ctx(), s, held))
			s.ok(s.Annotate(s.ctx(), "k", []string{"c"}, lease.HashRange{}))
			want.Children = []string{"c"}
			s.wroteRow(s.wrote(w.do(s.ctx(), s, held)), want)
		}},
	}
}

func (w heldWrite) refusals() []row {
	return []row{
		{"with another counter it is lost", func(s *suite) {
			now := s.worked("k")
			for _, moved := range []int64{-2, -1, 1, 2} {
				held := now
				held.Counter += moved
				if held.Counter+1 == now.Counter {
					continue // that may be a repeat
				}
				_, err := w.do(s.ctx(), s, held)
				s.lost(err, now)
			}
		}},
		{"with another owner it is lost", func(s *suite) {
			now := s.worked("k")
			held := now
			held.Owner = "mallory"
			_, err := w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{"a lease that nobody owns is not held", func(s *suite) {
			now := s.create(full("k"))
			_, err := w.do(s.ctx(), s, now)
			s.lost(err, now)
			held := now
			held.Owner = "alice"
			_, err = w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{"a lease that was released is not held", func(s *suite) {
			held := s.worked("k")
			now := s.wrote(s.Release(s.ctx(), held, lease.Plain))
			_, err := w.do(s.ctx(), s, now)
			s.lost(err, now)
			if w.name == "release" {
				return // with held it is a repeat
			}
			_, err = w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{"on a row that is gone it is lost and does not bring it back", func(s *suite) {
			_, err := w.do(s.ctx(), s, s.deleted("k"))
			s.lostAndGone(err, "k")
		}},
	}
}

// confusions are rows that look almost as if w had been made before.
func (w heldWrite) confusions() []row {
	return []row{
		{"repeating it after another worker took the lease is lost", func(s *suite) {
			held := s.worked("k")
			now := s.took(s.wrote(w.do(s.ctx(), s, held)), bob)
			_, err := w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{"a take by another worker is not taken for it", func(s *suite) {
			held := s.worked("k")
			now := s.took(held, bob)
			_, err := w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{"a take by another instance with the same worker ID is not taken for it", func(s *suite) {
			held := s.took(s.create(plain("k")), alice)
			now := s.took(held, lease.Claim{Owner: "alice", Instance: "a2", FailoverTime: alice.FailoverTime})
			_, err := w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{"the same write by another instance with the same worker ID is not taken for it", func(s *suite) {
			if w.name == "release" {
				return // it leaves no instance, and whose it was makes no difference
			}
			first := s.took(s.create(plain("k")), alice)
			second := s.took(first, lease.Claim{Owner: "alice", Instance: "a2", FailoverTime: alice.FailoverTime})
			now := s.wrote(w.do(s.ctx(), s, second))
			first.Counter = second.Counter
			_, err := w.do(s.ctx(), s, first)
			s.lost(err, now)
		}},
		{"another write that moved the counter is not taken for it", func(s *suite) {
			for _, other := range heldWrites() {
				if other.name == w.name || w.name == "renew" {
					continue // a renewal sets nothing that could tell
				}
				held := s.worked("k-" + other.name)
				now := s.wrote(other.do(s.ctx(), s, held))
				_, err := w.do(s.ctx(), s, held)
				s.lost(err, now)
			}
		}},
	}
}
