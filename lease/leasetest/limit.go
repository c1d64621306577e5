package leasetest

import (
	"math"

	"github.com/shardmill/shardmill/lease"
)

// limitRows are about rows whose numbers are the largest that there are.
func limitRows() []row {
	rows := []row{
		{"take: the largest counter there is can be reached, and is refused then", func(s *suite) {
			seen := s.counting("k", math.MaxInt64-1)
			now := s.took(seen, bob)
			if now.Counter != math.MaxInt64 {
				s.t.Fatalf("got counter %d, want the largest", now.Counter)
			}
			s.wroteRow(s.took(seen, bob), now)
			for _, by := range []lease.Claim{alice, bob} {
				_, err := s.Take(s.ctx(), now, by)
				s.is(err, lease.ErrInvalidState)
			}
			s.equal("the row", s.row("k"), now)
		}},
		{"take: owner switches stay at the largest number there is", func(s *suite) {
			seen := s.worked("k")
			seen.OwnerSwitches = math.MaxInt64
			s.put(seen)
			want := seen
			want.Owner, want.Instance, want.FailoverTime = bob.Owner, bob.Instance, bob.FailoverTime
			want.Counter++
			s.wroteRow(s.took(seen, bob), want)
			s.wroteRow(s.took(seen, bob), want)
		}},
		{"createChild: a parent at the largest counter will do", func(s *suite) {
			s.ok(s.CreateChild(s.ctx(), s.counting("p", math.MaxInt64), full("c")))
			s.row("c")
		}},
	}
	for _, w := range heldWrites() {
		rows = append(rows, row{w.name + ": the largest counter there is can be reached, and is refused then", func(s *suite) {
			held := s.counting("k", math.MaxInt64-1)
			want := held
			w.sets(&want)
			want.Counter = math.MaxInt64
			s.wroteRow(s.wrote(w.do(s.ctx(), s, held)), want)
			s.wroteRow(s.wrote(w.do(s.ctx(), s, held)), want)

			now := s.counting("k", math.MaxInt64)
			_, err := w.do(s.ctx(), s, now)
			s.is(err, lease.ErrInvalidState)
			s.equal("the row", s.row("k"), now)
		}})
	}
	return rows
}

// counting returns a lease that alice holds at a counter.
func (s *suite) counting(key string, counter int64) lease.Lease {
	s.t.Helper()
	l := full(key)
	l.Owner, l.Instance, l.FailoverTime, l.Counter = alice.Owner, alice.Instance, alice.FailoverTime, counter
	s.put(l)
	return s.row(key)
}
