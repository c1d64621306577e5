package leasetest

import (
	"errors"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

func createRows() []row {
	return []row{
		{"a new row has what it was given", func(s *suite) {
			want := full("k")
			s.equal("the row", s.create(want), want)
			want = plain("p")
			s.equal("the row", s.create(want), want)
		}},
		{"a new row has counter 0, no switches and no owner, whatever it was given", func(s *suite) {
			want := full("k")
			l := want
			l.Owner, l.Instance, l.FailoverTime, l.CheckpointOwner, l.Counter, l.OwnerSwitches = "o", "i", time.Second, "c", 5, 6
			s.equal("the row", s.create(l), want)
		}},
		{"a row that is there is left as it is", func(s *suite) {
			want := s.worked("k")
			s.is(s.Create(s.ctx(), plain("k")), lease.ErrExists)
			s.equal("the row", s.row("k"), want)
		}},
		{"a lease that no table can hold is refused", func(s *suite) {
			noKey, noCheckpoint, halfRange := plain(""), lease.Lease{Key: "k"}, plain("k")
			halfRange.Range.Start = "1"
			for _, l := range []lease.Lease{noKey, noCheckpoint, halfRange} {
				s.is(s.Create(s.ctx(), l), lease.ErrInvalidState)
				s.is(s.CreateChild(s.ctx(), l, l), lease.ErrInvalidState)
			}
			s.gone("k")
		}},
	}
}

func createChildRows() []row {
	return []row{
		{"who holds the parent creates the child, and the parent's row stays", func(s *suite) {
			parent := s.worked("p")
			child := full("c")
			child.Owner, child.Counter = "o", 3
			s.ok(s.CreateChild(s.ctx(), parent, child))
			s.equal("the child", s.row("c"), full("c"))
			s.equal("the parent", s.row("p"), parent)
		}},
		{"a child that is there is left as it is, whoever made it", func(s *suite) {
			parent := s.worked("p")
			s.ok(s.CreateChild(s.ctx(), parent, plain("c")))
			s.ok(s.CreateChild(s.ctx(), parent, plain("c")))
			want := s.took(s.row("c"), bob)
			s.ok(s.CreateChild(s.ctx(), parent, plain("c")))
			s.equal("the child", s.row("c"), want)
		}},
		{"both parents of a merge may create the child", func(s *suite) {
			one, two := s.worked("p1"), s.took(s.create(plain("p2")), bob)
			s.ok(s.CreateChild(s.ctx(), one, full("c")))
			s.ok(s.CreateChild(s.ctx(), two, full("c")))
			s.equal("the child", s.row("c"), full("c"))
		}},
		{"annotating the parent does not stop its holder", func(s *suite) {
			parent := s.worked("p")
			s.ok(s.Annotate(s.ctx(), "p", []string{"c"}, lease.HashRange{}))
			s.ok(s.CreateChild(s.ctx(), parent, plain("c")))
		}},
		{"who does not hold the parent creates nothing and is told so", func(s *suite) {
			parent := s.worked("p")
			stale, other, nobody := parent, parent, parent
			stale.Counter--
			other.Owner = "mallory"
			nobody.Owner = ""
			for _, held := range []lease.Lease{stale, other, nobody} {
				s.lost(s.CreateChild(s.ctx(), held, plain("c")), parent)
				s.gone("c")
			}
		}},
		{"a parent without an owner that is unchanged will do", func(s *suite) {
			parent := s.wrote(s.Release(s.ctx(), s.worked("p"), lease.Plain))
			s.ok(s.CreateChild(s.ctx(), parent, full("c")))
			s.equal("the child", s.row("c"), full("c"))
			now := s.took(parent, bob)
			s.lost(s.CreateChild(s.ctx(), parent, plain("d")), now)
			s.gone("d")
		}},
		{"a holder of the parent who was stopped cannot bring back a child that is done and deleted", func(s *suite) {
			zombie := s.worked("p")
			owner := s.took(zombie, bob)
			s.ok(s.CreateChild(s.ctx(), owner, plain("c")))
			child := s.wrote(s.Checkpoint(s.ctx(), s.took(s.row("c"), bob), checkpoint.Sentinel(checkpoint.ShardEnd)))
			s.ok(s.Delete(s.ctx(), child))
			s.lost(s.CreateChild(s.ctx(), zombie, plain("c")), owner)
			s.gone("c")
		}},
		{"a parent that is gone is lost and stays gone", func(s *suite) {
			s.lostAndGone(s.CreateChild(s.ctx(), s.deleted("p"), plain("c")), "p")
			s.gone("c")
		}},
		{"a lost parent is told also if the child is there", func(s *suite) {
			parent := s.worked("p")
			child := s.create(plain("c"))
			now := s.took(parent, bob)
			s.lost(s.CreateChild(s.ctx(), parent, full("c")), now)
			s.equal("the child", s.row("c"), child)
		}},
	}
}

func annotateRows() []row {
	children, r := []string{"c1", "c2"}, lease.HashRange{Start: "7", End: "340282366920938463463374607431768211455"}
	return []row{
		{"what is given is set, and all else stays", func(s *suite) {
			for key, given := range map[string]struct {
				children []string
				r        lease.HashRange
			}{
				"both": {children, r}, "children": {children, lease.HashRange{}}, "range": {nil, r}, "nothing": {},
			} {
				want := s.worked(key)
				if given.children != nil {
					want.Children = given.children
				}
				if !given.r.IsZero() {
					want.Range = given.r
				}
				s.ok(s.Annotate(s.ctx(), key, given.children, given.r))
				s.equal("the row annotated with "+key, s.row(key), want)
			}
		}},
		{"annotating a row that has neither adds them", func(s *suite) {
			want := s.create(plain("k"))
			s.ok(s.Annotate(s.ctx(), "k", children[:1], lease.HashRange{}))
			s.ok(s.Annotate(s.ctx(), "k", nil, r))
			want.Children, want.Range = children[:1], r
			s.equal("the row", s.row("k"), want)
		}},
		{"a key without a row is ErrNotFound, and none is made", func(s *suite) {
			for _, given := range [][]string{children, nil} {
				s.is(s.Annotate(s.ctx(), "k", given, r), lease.ErrNotFound)
				s.is(s.Annotate(s.ctx(), "k", given, lease.HashRange{}), lease.ErrNotFound)
			}
			s.gone("k")
		}},
		{"half a range is refused", func(s *suite) {
			want := s.create(plain("k"))
			s.is(s.Annotate(s.ctx(), "k", nil, lease.HashRange{Start: "1"}), lease.ErrInvalidState)
			s.equal("the row", s.row("k"), want)
		}},
	}
}

func deleteRows() []row {
	end := checkpoint.Sentinel(checkpoint.ShardEnd)
	return []row{
		{"a finished lease is removed, held or not, and again", func(s *suite) {
			held := s.wrote(s.Checkpoint(s.ctx(), s.worked("held"), end))
			free := s.wrote(s.Release(s.ctx(), s.wrote(s.Checkpoint(s.ctx(), s.worked("free"), end)), lease.Plain))
			for _, l := range []lease.Lease{held, free} {
				s.ok(s.Delete(s.ctx(), l))
				s.gone(l.Key)
				s.ok(s.Delete(s.ctx(), l))
			}
		}},
		{"a lease that is not finished stays", func(s *suite) {
			now := s.worked("k")
			s.lost(s.Delete(s.ctx(), now), now)
			claimed := now
			claimed.Checkpoint = end
			s.lost(s.Delete(s.ctx(), claimed), now)
		}},
		{"a lease of another counter stays", func(s *suite) {
			now := s.wrote(s.Checkpoint(s.ctx(), s.worked("k"), end))
			for _, moved := range []int64{-1, 1} {
				seen := now
				seen.Counter += moved
				s.lost(s.Delete(s.ctx(), seen), now)
			}
		}},
		{"other rows stay", func(s *suite) {
			want := s.worked("other")
			s.ok(s.Delete(s.ctx(), s.wrote(s.Checkpoint(s.ctx(), s.worked("k"), end))))
			s.equal("the other row", s.row("other"), want)
		}},
		{"a key can be used again", func(s *suite) {
			s.deleted("k")
			s.equal("the row", s.create(full("k")), full("k"))
		}},
	}
}

// raceRows are about calls at the same time. Each of the callers repeats its
// call while the outcome is unknown or the table is throttled.
func raceRows() []row {
	const callers = 16
	return []row{
		{"of many that take a lease one gets it", func(s *suite) {
			seen := s.create(plain("k"))
			s.oneWins(callers, "k", func(i int) (lease.Lease, error) {
				return s.Take(s.ctx(), seen, lease.Claim{Owner: "w", Instance: string(rune('a' + i)), FailoverTime: time.Second})
			})
		}},
		{"of many writes of one held value one happens", func(s *suite) {
			held := s.worked("k")
			s.oneWins(callers, "k", func(i int) (lease.Lease, error) {
				switch p := checkpoint.At("123", int64(i), time.Time{}); i % 4 {
				case 0:
					return s.Checkpoint(s.ctx(), held, p)
				case 1:
					return s.Prepare(s.ctx(), held, checkpoint.Prepared{At: p.ExtendedSequenceNumber})
				default:
					return s.Take(s.ctx(), held, lease.Claim{Owner: "w", Instance: string(rune('a' + i)), FailoverTime: time.Second})
				}
			})
		}},
		{"of many that create a lease one does", func(s *suite) {
			errs := atOnce(callers, func(int) error { return s.Create(s.ctx(), full("k")) })
			made := 0
			for _, err := range errs {
				if err == nil {
					made++
				} else if !errors.Is(err, lease.ErrExists) {
					s.t.Fatalf("got error %v, want ErrExists", err)
				}
			}
			if made != 1 {
				s.t.Fatalf("%d callers created the row, want 1", made)
			}
			s.equal("the row", s.row("k"), full("k"))
		}},
		{"many that create a child all succeed", func(s *suite) {
			parent := s.worked("p")
			for _, err := range atOnce(callers, func(int) error { return s.CreateChild(s.ctx(), parent, full("c")) }) {
				s.ok(err)
			}
			s.equal("the child", s.row("c"), full("c"))
		}},
	}
}

// oneWins fails the test unless one of n calls of f succeeds, and the row is
// what that call returned.
func (s *suite) oneWins(n int, key string, f func(i int) (lease.Lease, error)) {
	s.t.Helper()
	got := make([]lease.Lease, n)
	winner, winners := 0, 0
	for i, err := range atOnce(n, func(i int) (err error) { got[i], err = f(i); return err }) {
		if err == nil {
			winner, winners = i, winners+1
		} else if !errors.Is(err, lease.ErrLost) {
			s.t.Fatalf("got error %v, want ErrLost", err)
		}
	}
	if winners != 1 {
		s.t.Fatalf("%d calls succeeded, want 1", winners)
	}
	s.wroteRow(got[winner], s.row(key))
}
