// Package leasetest is the conformance suite of lease.Table: every sentence of
// lease.Store's and lease.Registry's contracts as a test.
package leasetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// Run tests the tables that open returns. open is called once for each test,
// which runs in parallel with the others; it returns a table that is empty and
// that nothing else uses, and registers its clean-up itself.
func Run(t *testing.T, open func(testing.TB) lease.Table) {
	t.Helper()
	groups := map[string][]row{
		"reading":     readingRows(),
		"take":        takeRows(),
		"held":        heldRows(),
		"checkpoint":  checkpointRows(),
		"prepare":     prepareRows(),
		"release":     releaseRows(),
		"identity":    identityRows(),
		"create":      createRows(),
		"createChild": createChildRows(),
		"annotate":    annotateRows(),
		"delete":      deleteRows(),
		"race":        raceRows(),
		"model":       modelRows(),
	}
	for name, rows := range groups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runRows(t, rows, func(tb testing.TB) *suite {
				tb.Helper()
				return &suite{t: tb, Table: open(tb)}
			})
		})
	}
}

// RunPut tests what needs rows that no Table writes: those of Java workers, of a
// hand-off of KCL 3.x, and with the largest numbers. open is as Run's; the function that it also returns makes a lease
// the row of its key, as it is.
func RunPut(t *testing.T, open func(testing.TB) (lease.Table, func(lease.Lease))) {
	t.Helper()
	runRows(t, slices.Concat(handOffRows(), limitRows()), func(tb testing.TB) *suite {
		tb.Helper()
		table, put := open(tb)
		return &suite{t: tb, Table: table, put: put}
	})
}

// row is one test: a sentence and what shows that it holds.
type row struct {
	name string
	test func(*suite)
}

func runRows(t *testing.T, rows []row, open func(testing.TB) *suite) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.test(open(t))
		})
	}
}

// suite is an empty table and what to say to it. Its methods end the test if
// the answer is not the expected one.
type suite struct {
	lease.Table

	t   testing.TB
	put func(lease.Lease)
}

func (s *suite) ctx() context.Context { return s.t.Context() }

// create makes the row and returns it.
func (s *suite) create(l lease.Lease) lease.Lease {
	s.t.Helper()
	s.ok(s.Create(s.ctx(), l))
	return s.row(l.Key)
}

// row reads a row that must be there.
func (s *suite) row(key string) lease.Lease {
	s.t.Helper()
	l, err := s.Get(s.ctx(), key)
	if err != nil {
		s.t.Fatalf("Get(%s): %v", key, err)
	}
	return l
}

// gone fails the test if key has a row.
func (s *suite) gone(key string) {
	s.t.Helper()
	if l, err := s.Get(s.ctx(), key); !errors.Is(err, lease.ErrNotFound) {
		s.t.Fatalf("Get(%s) = %+v, %v; want ErrNotFound", key, l, err)
	}
}

// took takes a lease that must be free to take.
func (s *suite) took(seen lease.Lease, by lease.Claim) lease.Lease {
	s.t.Helper()
	l, err := s.Take(s.ctx(), seen, by)
	return s.wrote(l, err)
}

// wrote returns what a write that must succeed returned.
func (s *suite) wrote(l lease.Lease, err error) lease.Lease {
	s.t.Helper()
	s.ok(err)
	return l
}

func (s *suite) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("unexpected error: %v", err)
	}
}

// lost fails the test unless err says that the lease is lost to the row that
// the table has, which must be want.
func (s *suite) lost(err error, want lease.Lease) {
	s.t.Helper()
	var lost *lease.LostError
	if !errors.Is(err, lease.ErrLost) || !errors.As(err, &lost) {
		s.t.Fatalf("got error %v, want ErrLost", err)
	}
	if lost.Key != want.Key || lost.Now == nil {
		s.t.Fatalf("got %+v, want key %s and its row", lost, want.Key)
	}
	s.equal("the row that the error tells", *lost.Now, want)
	s.equal("the row in the table", s.row(want.Key), want)
}

// lostAndGone fails the test unless err says that the lease is lost, and key
// has no row.
func (s *suite) lostAndGone(err error, key string) {
	s.t.Helper()
	var lost *lease.LostError
	if !errors.Is(err, lease.ErrLost) || !errors.As(err, &lost) {
		s.t.Fatalf("got error %v, want ErrLost", err)
	}
	if lost.Key != key || lost.Now != nil {
		s.t.Fatalf("got %+v, want key %s and no row", lost, key)
	}
	s.gone(key)
}

func (s *suite) is(err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Fatalf("got error %v, want %v", err, want)
	}
}

func (s *suite) equal(what string, got, want lease.Lease) {
	s.t.Helper()
	if diff := diff(got, want); diff != "" {
		s.t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// wroteRow fails the test unless a write returned want and the table has it.
func (s *suite) wroteRow(got, want lease.Lease) {
	s.t.Helper()
	s.equal("the row returned", got, want)
	s.equal("the row in the table", s.row(want.Key), want)
}

// diff compares leases as a table keeps them: parents and children are sets.
func diff(got, want any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(strings.Compare))
}

var (
	alice = lease.Claim{Owner: "alice", Instance: "a1", FailoverTime: 10 * time.Second}      //nolint:gochecknoglobals // constants
	bob   = lease.Claim{Owner: "rack/7:bob", Instance: "b1", FailoverTime: 20 * time.Second} //nolint:gochecknoglobals // constants
)

// full returns a new lease that has everything a new one can have.
func full(key string) lease.Lease {
	return lease.Lease{
		Key:        key,
		Checkpoint: checkpoint.At("49680461806596391098194439531393802294557330492046180370", 3, time.UnixMilli(1795356205397)),
		Identity:   orders,
		Parents:    []string{"shardId-000000000008", "shardId-000000000009"},
		Range:      lease.HashRange{Start: "0", End: "170141183460469231731687303715884105726"},
	}
}

// plain returns a new lease of a stream's first shards.
func plain(key string) lease.Lease {
	return lease.Lease{Key: key, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}
}

// worked returns a lease that alice holds, after an owner switch, with
// children and a prepared checkpoint, so that a write that loses something
// shows.
func (s *suite) worked(key string) lease.Lease {
	s.t.Helper()
	held := s.took(s.took(s.create(full(key)), bob), alice)
	s.wrote(s.Prepare(s.ctx(), held, checkpoint.Prepared{At: later.ExtendedSequenceNumber, State: []byte("plan")}))
	s.ok(s.Annotate(s.ctx(), key, []string{"shardId-000000000020", "shardId-000000000021"}, lease.HashRange{}))
	return s.row(key)
}

// later is a place after full's checkpoint.
var later = checkpoint.At("49680461806596391098194439531393802294557330492046180999", 0, time.UnixMilli(1795356206001)) //nolint:gochecknoglobals // constant

// deleted returns a value that alice held of a row that is gone.
func (s *suite) deleted(key string) lease.Lease {
	s.t.Helper()
	held := s.took(s.create(plain(key)), alice)
	held = s.wrote(s.Checkpoint(s.ctx(), held, checkpoint.Sentinel(checkpoint.ShardEnd)))
	s.ok(s.Delete(s.ctx(), held))
	return held
}

// keys returns the keys of a list, sorted.
func keys(list []lease.Lease) []string {
	out := make([]string, 0, len(list))
	for _, l := range list {
		out = append(out, l.Key)
	}
	slices.Sort(out)
	return out
}
