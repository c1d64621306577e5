package leasetest

import (
	"bytes"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

func checkpointRows() []row {
	at := func(sub int64, arrival time.Time) checkpoint.Position {
		return checkpoint.At("49680461806596391098194439531393802294557330492046180999", sub, arrival)
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return []row{
		{"every kind of position comes back as it was written", func(s *suite) {
			held := s.took(s.create(full("k")), alice)
			for _, p := range []checkpoint.Position{
				checkpoint.Sentinel(checkpoint.AtTimestamp), checkpoint.Sentinel(checkpoint.TrimHorizon), checkpoint.Sentinel(checkpoint.Latest),
				at(0, noon), at(1, noon), at(12345678901234567, noon), checkpoint.At("0", 0, noon), checkpoint.At("007", 0, noon),
				checkpoint.Sentinel(checkpoint.ShardEnd),
			} {
				want := held
				want.Checkpoint = p
				want.Counter++
				held = s.wrote(s.Checkpoint(s.ctx(), held, p))
				s.wroteRow(held, want)
			}
		}},
		{"a timestamp is kept to the millisecond, also at a sentinel and before 1970", func(s *suite) {
			held := s.took(s.create(plain("k")), alice)
			for _, arrival := range []time.Time{noon.Add(1234567 * time.Nanosecond), time.UnixMilli(0), time.UnixMilli(-5), noon.Local()} {
				for _, p := range []checkpoint.Position{at(4, arrival), {ExtendedSequenceNumber: checkpoint.Sentinel(checkpoint.Latest).ExtendedSequenceNumber, Arrival: arrival}} {
					held = s.wrote(s.Checkpoint(s.ctx(), held, p))
					if got := held.Checkpoint.Arrival; got.IsZero() || got.UnixMilli() != arrival.UnixMilli() || got.Nanosecond()%1e6 != 0 {
						s.t.Fatalf("got %v, want %v", got, arrival.Truncate(time.Millisecond))
					}
				}
			}
		}},
		{"an unknown arrival removes the timestamp of the position before", func(s *suite) {
			held := s.took(s.create(full("k")), alice)
			for _, p := range []checkpoint.Position{at(0, time.Time{}), at(1, noon), at(1, time.Time{})} {
				held = s.wrote(s.Checkpoint(s.ctx(), held, p))
				if !held.Checkpoint.Equal(p) || !s.row("k").Checkpoint.Equal(p) {
					s.t.Fatalf("got %v, want %v", held.Checkpoint, p)
				}
			}
		}},
		{"a checkpoint is not taken for one at another place, of another time or of none", func(s *suite) {
			held := s.took(s.create(plain("k")), alice)
			now := s.wrote(s.Checkpoint(s.ctx(), held, at(3, noon)))
			for _, other := range []checkpoint.Position{
				at(2, noon), at(3, noon.Add(time.Millisecond)), at(3, time.Time{}), checkpoint.Sentinel(checkpoint.ShardEnd),
			} {
				_, err := s.Checkpoint(s.ctx(), held, other)
				s.lost(err, now)
			}
			s.wroteRow(s.wrote(s.Checkpoint(s.ctx(), held, at(3, noon.Add(time.Microsecond)))), now)
		}},
		{"a checkpoint without a time is not taken for one with a time", func(s *suite) {
			held := s.took(s.create(plain("k")), alice)
			now := s.wrote(s.Checkpoint(s.ctx(), held, at(3, time.Time{})))
			_, err := s.Checkpoint(s.ctx(), held, at(3, noon))
			s.lost(err, now)
		}},
		{"a checkpoint is not taken for a renewal at the same place that left the switches", func(s *suite) {
			held := s.took(s.took(s.create(full("k")), bob), alice)
			now := s.wrote(s.Renew(s.ctx(), held))
			_, err := s.Checkpoint(s.ctx(), held, held.Checkpoint)
			s.lost(err, now)
		}},
		{"a position that is none is refused", func(s *suite) {
			want := s.worked("k")
			for _, p := range []checkpoint.Position{{}, checkpoint.At("LATEST", 1, noon), checkpoint.At("12a", 0, noon), checkpoint.At("12", -1, noon)} {
				_, err := s.Checkpoint(s.ctx(), want, p)
				s.is(err, lease.ErrInvalidState)
				_, err = s.Prepare(s.ctx(), want, checkpoint.Prepared{At: p.ExtendedSequenceNumber})
				s.is(err, lease.ErrInvalidState)
			}
			s.equal("the row", s.row("k"), want)
		}},
	}
}

func prepareRows() []row {
	prepared := func(seq string, sub int64, state []byte) checkpoint.Prepared {
		return checkpoint.Prepared{At: checkpoint.ExtendedSequenceNumber{SequenceNumber: seq, SubSequenceNumber: sub}, State: state}
	}
	return []row{
		{"another prepared checkpoint takes the place of the first, state and all", func(s *suite) {
			held := s.took(s.create(full("k")), alice)
			large := bytes.Repeat([]byte{0, 0xff, 'x', '\n'}, checkpoint.MaxStateBytes/4)
			for _, p := range []checkpoint.Prepared{
				prepared("12", 3, []byte("one")), prepared("13", 0, nil), prepared("14", 0, large), prepared("15", 1, []byte{}),
				prepared(checkpoint.ShardEnd, 0, []byte{0}), prepared(checkpoint.TrimHorizon, 0, nil),
			} {
				want := held
				want.Pending = &p
				want.Counter++
				held = s.wrote(s.Prepare(s.ctx(), held, p))
				s.wroteRow(held, want)
			}
		}},
		{"a prepared checkpoint is not taken for one at another place or with another state", func(s *suite) {
			held := s.took(s.create(plain("k")), alice)
			now := s.wrote(s.Prepare(s.ctx(), held, prepared("12", 3, []byte("one"))))
			for _, other := range []checkpoint.Prepared{
				prepared("13", 3, []byte("one")), prepared("12", 4, []byte("one")), prepared("12", 3, []byte("two")), prepared("12", 3, nil),
			} {
				_, err := s.Prepare(s.ctx(), held, other)
				s.lost(err, now)
			}
		}},
		{"a prepared checkpoint without state is not taken for one with a state", func(s *suite) {
			held := s.took(s.create(plain("k")), alice)
			now := s.wrote(s.Prepare(s.ctx(), held, prepared("12", 3, nil)))
			_, err := s.Prepare(s.ctx(), held, prepared("12", 3, []byte("one")))
			s.lost(err, now)
		}},
		{"a prepared checkpoint and a checkpoint at the same place are not taken for each other", func(s *suite) {
			held := s.took(s.create(plain("k")), alice)
			now := s.wrote(s.Prepare(s.ctx(), held, prepared(held.Checkpoint.SequenceNumber, 0, nil)))
			_, err := s.Checkpoint(s.ctx(), held, held.Checkpoint)
			s.lost(err, now)

			committed := s.wrote(s.Checkpoint(s.ctx(), now, now.Checkpoint))
			_, err = s.Prepare(s.ctx(), now, *now.Pending)
			s.lost(err, committed)
		}},
		{"the state is not shared with the caller", func(s *suite) {
			state := []byte("plan")
			s.wrote(s.Prepare(s.ctx(), s.took(s.create(plain("k")), alice), prepared("12", 0, state)))
			state[0] = 'x'
			if got := s.row("k").Pending.State; string(got) != "plan" {
				s.t.Fatalf("got %q, want plan", got)
			}
		}},
	}
}

func releaseRows() []row {
	return []row{
		{"the next owner of a released lease finds the prepared checkpoint, and it was no switch", func(s *suite) {
			free := s.wrote(s.Release(s.ctx(), s.worked("k"), lease.Plain))
			got := s.took(free, bob)
			if got.Pending == nil || string(got.Pending.State) != "plan" || got.OwnerSwitches != free.OwnerSwitches || got.Instance != bob.Instance {
				s.t.Fatalf("got %+v, want the prepared checkpoint, %d switches and bob's instance", got, free.OwnerSwitches)
			}
		}},
		{"a release says why until the lease is taken", func(s *suite) {
			for _, why := range []lease.ReleaseReason{lease.Surplus, lease.Blocked, lease.GivenUp, lease.Plain} {
				held := s.worked("k-" + string(why))
				want := held
				want.Owner, want.Instance, want.FailoverTime, want.Released = "", "", 0, why
				want.Counter++
				s.wroteRow(s.wrote(s.Release(s.ctx(), held, why)), want)
				s.wroteRow(s.wrote(s.Release(s.ctx(), held, why)), want)
				s.ok(s.Annotate(s.ctx(), held.Key, held.Children, lease.HashRange{}))
				s.ok(s.CreateChild(s.ctx(), want, plain("child-"+string(why))))
				s.equal("the row", s.row(held.Key), want)
				next := want
				next.Owner, next.Instance, next.FailoverTime, next.Released = bob.Owner, bob.Instance, bob.FailoverTime, lease.Plain
				next.Counter++
				s.wroteRow(s.took(want, bob), next)
			}
		}},
		{"a release is not taken for one that said another reason", func(s *suite) {
			for _, why := range [][2]lease.ReleaseReason{{lease.Plain, lease.Surplus}, {lease.Surplus, lease.Plain}, {lease.Blocked, lease.GivenUp}} {
				held := s.worked("k-" + string(why[0]))
				now := s.wrote(s.Release(s.ctx(), held, why[0]))
				_, err := s.Release(s.ctx(), held, why[1])
				s.lost(err, now)
			}
		}},
		{"repeating a release after the lease was taken again by the same worker is lost", func(s *suite) {
			held := s.worked("k")
			now := s.took(s.wrote(s.Release(s.ctx(), held, lease.Plain)), alice)
			_, err := s.Release(s.ctx(), held, lease.Plain)
			s.lost(err, now)
		}},
	}
}
