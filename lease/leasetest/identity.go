package leasetest

import (
	"github.com/shardmill/shardmill/lease"
)

var (
	orders = lease.Identity{ //nolint:gochecknoglobals // constant
		Stream: "orders", Start: "49680461806596391098194439531393802294557330492046180352", ARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
	}
	anew = lease.Identity{Stream: "orders", Start: "49690000000000000000000000000000000000000000000000000002"} //nolint:gochecknoglobals // constant
)

// identityRows are about which shard a row says it is of.
func identityRows() []row {
	return append(identityEffects(), identityConfusions()...)
}

func identityEffects() []row {
	return []row{
		{"a new row and a new child have the identity that they were given", func(s *suite) {
			parent := s.worked("p")
			for key, id := range map[string]lease.Identity{
				"all": orders, "none": {}, "stream": {Stream: "orders"}, "start": {Start: "7"}, "arn": {ARN: orders.ARN}, "two": anew,
			} {
				want := plain(key)
				want.Identity = id
				s.equal("the row", s.create(want), want)
				want.Key = "child-" + key
				s.ok(s.CreateChild(s.ctx(), parent, want))
				s.equal("the child", s.row(want.Key), want)
			}
		}},
		{"a take writes the identity of its claim", func(s *suite) {
			for _, l := range []lease.Lease{plain("it had none"), full("it had another")} {
				want := s.create(l)
				by := bob
				by.Identity = anew
				got := s.took(want, by)
				want.Owner, want.Instance, want.FailoverTime, want.Identity = bob.Owner, bob.Instance, bob.FailoverTime, anew
				want.Counter++
				s.wroteRow(got, want)
			}
		}},
		{"a take whose claim has none leaves the identity of the row", func(s *suite) {
			if got := s.took(s.worked("k"), bob).Identity; got != orders {
				s.t.Fatalf("got %+v, want %+v", got, orders)
			}
		}},
		{"a checkpoint writes the identity of the value held, and without one leaves the row's", func(s *suite) {
			want := s.worked("k")
			held := want
			for _, id := range []lease.Identity{anew, {}, orders, {}} {
				held.Identity = id
				if !id.IsZero() {
					want.Identity = id
				}
				want.Checkpoint, want.OwnerSwitches, want.Pending = later, 0, nil
				want.Counter++
				held = s.wrote(s.Checkpoint(s.ctx(), held, later))
				s.wroteRow(held, want)
			}
		}},
		{"no other write changes the identity, whatever the value held says", func(s *suite) {
			for _, w := range heldWrites() {
				if w.name == "checkpoint" {
					continue
				}
				want := s.worked("k-" + w.name)
				for _, id := range []lease.Identity{anew, {}} {
					held := want
					held.Identity = id
					if got := s.wrote(w.do(s.ctx(), s, held)); got.Identity != orders || s.row(want.Key).Identity != orders {
						s.t.Fatalf("after %s the identity is %+v, want %+v", w.name, got.Identity, orders)
					}
				}
				s.ok(s.Annotate(s.ctx(), want.Key, []string{"c"}, lease.HashRange{}))
				if got := s.row(want.Key).Identity; got != orders {
					s.t.Fatalf("after annotating the identity is %+v, want %+v", got, orders)
				}
			}
		}},
	}
}

func identityConfusions() []row {
	return []row{
		{"repeating a take that wrote the identity succeeds, with another identity it is lost", func(s *suite) {
			seen, by := s.create(plain("k")), bob
			by.Identity = orders
			want := s.took(seen, by)
			s.wroteRow(s.took(seen, by), want)
			by.Identity = anew
			_, err := s.Take(s.ctx(), seen, by)
			s.lost(err, want)
		}},
		{"repeating a checkpoint that wrote the identity succeeds, with another identity it is lost", func(s *suite) {
			held := s.took(s.create(plain("k")), alice)
			held.Identity = orders
			want := s.wrote(s.Checkpoint(s.ctx(), held, later))
			s.wroteRow(s.wrote(s.Checkpoint(s.ctx(), held, later)), want)
			held.Identity = anew
			_, err := s.Checkpoint(s.ctx(), held, later)
			s.lost(err, want)
		}},
	}
}
