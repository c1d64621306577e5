package leasetest

import (
	"errors"
	"sync"

	"github.com/shardmill/shardmill/lease"
)

// handOffRows are about a lease that alice holds and is to go to bob, and about
// rows that workers of another kind wrote.
func handOffRows() []row {
	rows := []row{
		{"a row comes back as it was put", func(s *suite) {
			want := s.offered("k")
			want.ThroughputKBps = 0.00025
			s.put(want)
			s.equal("the row", s.row("k"), want)
		}},
		{"take: it ends the hand-off", func(s *suite) {
			want := s.offered("k")
			got := s.took(want, bob)
			want.CheckpointOwner, want.Instance, want.FailoverTime = "", bob.Instance, bob.FailoverTime
			want.Counter++
			s.wroteRow(got, want)
		}},
		{"release: the new owner has the lease, and no reason is said", func(s *suite) {
			held := s.offered("k")
			want := held
			want.CheckpointOwner = ""
			want.Counter++
			s.wroteRow(s.wrote(s.Release(s.ctx(), held, lease.Surplus)), want)
			s.wroteRow(s.wrote(s.Release(s.ctx(), held, lease.Surplus)), want)
		}},
		{"release: a row that has an owner says no reason", func(s *suite) {
			want := s.worked("k")
			l := want
			l.Released = lease.Surplus
			s.put(l)
			s.equal("the row", s.row("k"), want)
		}},
		{"createChild: who still processes the parent may create the child", func(s *suite) {
			parent := s.offered("p")
			s.ok(s.CreateChild(s.ctx(), parent, full("c")))
			s.row("c")
		}},
		{"createChild: a value from before the hand-off is not held", func(s *suite) {
			now := s.offered("p")
			before := now
			before.CheckpointOwner = ""
			s.lost(s.CreateChild(s.ctx(), before, full("c")), now)
			s.gone("c")
		}},
	}
	for _, w := range heldWrites() {
		rows = append(rows, w.notHeld()...)
		if w.name != "release" { // what a release in a hand-off leaves is what the end of the hand-off leaves
			rows = append(rows, w.inHandOff()...)
		}
	}
	return rows
}

// notHeld are rows that w is refused on.
func (w heldWrite) notHeld() []row {
	return []row{
		{w.name + ": a value from before the hand-off is not held", func(s *suite) {
			now := s.offered("k")
			for _, owner := range []string{"alice", bob.Owner} {
				before := now
				before.Owner, before.CheckpointOwner = owner, ""
				_, err := w.do(s.ctx(), s, before)
				s.lost(err, now)
			}
		}},
		{w.name + ": another checkpoint owner does not hold it", func(s *suite) {
			now := s.offered("k")
			held := now
			held.CheckpointOwner = "mallory"
			_, err := w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{w.name + ": a value of a hand-off that has ended is not held", func(s *suite) {
			held := s.offered("k")
			now := held
			now.CheckpointOwner = ""
			s.put(now)
			_, err := w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{w.name + ": a write of a Java worker, which names no instance, is not taken for it", func(s *suite) {
			held := s.worked("k")
			held.Instance, held.FailoverTime = "", 0
			s.put(held)
			now := held
			now.Owner = "java"
			now.Counter++
			s.put(now)
			_, err := w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{w.name + ": a value that nobody held is not held, whatever the row is now", func(s *suite) {
			free := s.wrote(s.Release(s.ctx(), s.worked("k"), lease.Plain))
			now := free
			now.Counter++
			s.put(now)
			_, err := w.do(s.ctx(), s, free)
			s.lost(err, now)
		}},
		{w.name + ": the end of a hand-off to a third worker is not taken for it", func(s *suite) {
			held := s.offered("k")
			now := held
			now.Owner, now.CheckpointOwner = "carol", ""
			now.Counter++
			s.put(now)
			_, err := w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
	}
}

// inHandOff are about w by who still processes the shard.
func (w heldWrite) inHandOff() []row {
	return []row{
		{w.name + ": the end of the hand-off is not taken for it", func(s *suite) {
			held := s.offered("k")
			now := held
			now.CheckpointOwner = ""
			now.Counter++
			s.put(now)
			_, err := w.do(s.ctx(), s, held)
			s.lost(err, now)
		}},
		{w.name + ": who still processes the shard may make it, and again", func(s *suite) {
			held := s.offered("k")
			want := held
			w.sets(&want)
			want.Counter++
			s.wroteRow(s.wrote(w.do(s.ctx(), s, held)), want)
			s.wroteRow(s.wrote(w.do(s.ctx(), s, held)), want)
		}},
	}
}

// offered returns a row as KCL 3.x leaves it when it has begun a hand-off from
// alice to bob.
func (s *suite) offered(key string) lease.Lease {
	s.t.Helper()
	l := s.worked(key)
	l.Owner, l.CheckpointOwner, l.Instance, l.FailoverTime = bob.Owner, "alice", "", 0
	s.put(l)
	return s.row(key)
}

// atOnce calls f n times at the same time, each again while its outcome is not
// known, and returns what they returned.
func atOnce(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			for {
				if errs[i] = f(i); !errors.Is(errs[i], lease.ErrThrottled) {
					return
				}
			}
		})
	}
	close(start)
	wg.Wait()
	return errs
}
