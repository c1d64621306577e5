// Package shardsync decides which leases a stream needs: from its shards and
// the leases that there are, which to create, complete and delete. It is pure.
//
// Every worker runs it, so what it decides must be safe to do twice and by
// several at once: creations are create-if-absent, deletions are conditional.
package shardsync

import (
	"cmp"
	"maps"
	"slices"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// Actions is what to do so that every record of the stream has a lease.
type Actions struct {
	// Create are leases to create where there is none, oldest shard first.
	Create []lease.Lease

	// Withheld are shards that would get a lease, but that come before one whose
	// lease cannot be read: that one may have begun, and then these ended long
	// ago. Nobody knows whether they wait.
	Withheld []string

	// Repair are children of finished leases that have no lease: each is to be
	// created in one transaction with a check that its parent is unchanged.
	Repair []Child

	// Annotate are leases that lack their hash range.
	Annotate []lease.Lease

	// Delete are finished leases that nobody needs any more.
	Delete []lease.Lease
}

// Child is a lease to create and a parent of it as it was read.
type Child struct{ Parent, Lease lease.Lease }

// Decide decides. unreadable are the keys of leases of which nothing else is
// known: they are there, and may have begun or ended. initial is where a shard
// that has no history in the table is read from: TRIM_HORIZON, or LATEST or
// AT_TIMESTAMP with the instant.
//
// Source: KCL HierarchicalShardSyncer, LeaseCleanupManager.
func Decide(shards []lease.Shard, leases []lease.Lease, unreadable []string, initial checkpoint.Position) Actions {
	d := newDecider(shards, leases, unreadable, initial)
	for _, s := range d.sorted {
		if l, ok := d.leases[s.ID]; ok {
			d.completeMerge(l, d.parents(s))
		} else if s.IsOpen() {
			d.need(s)
		}
	}
	create, withheld := d.created()
	return Actions{
		Create:   create,
		Withheld: withheld,
		Repair:   d.repair,
		Annotate: d.annotate(),
		Delete:   d.deletable(),
	}
}

// Children returns the leases of a shard's children, for who holds its lease.
// They begin at TRIM_HORIZON whatever the initial position: their records
// follow those of the parent.
func Children(children []lease.Shard) []lease.Lease {
	out := make([]lease.Lease, 0, len(children))
	for _, s := range children {
		out = append(out, newLease(s, checkpoint.Sentinel(checkpoint.TrimHorizon)))
	}
	return out
}

// decider holds what Decide looks things up in.
type decider struct {
	initial checkpoint.Position
	sorted  []lease.Shard // by starting sequence number: parents before children
	shards  map[string]lease.Shard
	leases  map[string]lease.Lease // those that cannot be read, too: they are there
	create  map[string]lease.Lease
	repair  []Child
	visited map[string]bool
	covered map[string]bool // memo of hasHistory

	unreadable map[string]bool // of leases
}

func newDecider(shards []lease.Shard, leases []lease.Lease, unreadable []string, initial checkpoint.Position) *decider {
	d := &decider{
		initial: initial,
		shards:  make(map[string]lease.Shard, len(shards)), leases: make(map[string]lease.Lease, len(leases)),
		create: make(map[string]lease.Lease), visited: make(map[string]bool), covered: make(map[string]bool),
		unreadable: make(map[string]bool),
	}
	for _, s := range shards {
		d.shards[s.ID] = s
	}
	for _, l := range leases {
		d.leases[l.Key] = l
	}
	for _, key := range unreadable {
		d.leases[key], d.unreadable[key] = lease.Lease{Key: key}, true
	}
	d.sorted = slices.SortedFunc(maps.Values(d.shards), func(a, b lease.Shard) int {
		return cmp.Or(checkpoint.CompareDecimal(a.StartingSequenceNumber, b.StartingSequenceNumber), cmp.Compare(a.ID, b.ID))
	})
	return d
}

// need makes sure that s is read: by a lease of its own, or by one of an
// ancestor, whose holder creates the leases of the children at its end.
func (d *decider) need(s lease.Shard) {
	if d.visited[s.ID] {
		return
	}
	d.visited[s.ID] = true
	if _, ok := d.leases[s.ID]; ok {
		return
	}
	parents := d.parents(s)
	if slices.ContainsFunc(parents, func(q lease.Shard) bool { return d.hasHistory(q) }) {
		d.continueFrom(s, parents)
		return
	}
	if d.initial.SequenceNumber == checkpoint.Latest || len(parents) == 0 {
		d.create[s.ID] = newLease(s, d.initial)
		return
	}
	for _, q := range parents {
		d.need(q)
	}
}

// continueFrom is need of a shard with a parent that is, or was, being read.
func (d *decider) continueFrom(s lease.Shard, parents []lease.Shard) {
	var ended []lease.Lease
	whole := true // every parent has a lease for s to wait for
	for _, q := range parents {
		l, ok := d.leases[q.ID]
		if !ok {
			whole = false
			d.needParent(q)
		} else if l.Finished() {
			ended = append(ended, l)
		}
	}
	if whole && len(ended) > 0 {
		// Its holder ended before it had created this child.
		d.repair = append(d.repair, Child{Parent: ended[0], Lease: Children([]lease.Shard{s})[0]})
	}
}

// completeMerge makes sure that both parents of a merged shard are read, if one
// of them ended and created the lease l of their child, which has not begun.
// Had both had leases, the other's would still be there: a finished lease is
// kept until its children have begun. If l cannot be read that is not known, and
// what the other parent needs is withheld.
func (d *decider) completeMerge(l lease.Lease, parents []lease.Shard) {
	if !d.unreadable[l.Key] && l.Checkpoint.SequenceNumber != checkpoint.TrimHorizon || len(parents) != 2 {
		return
	}
	for i, q := range parents {
		_, has := d.leases[q.ID]
		_, otherHas := d.leases[parents[1-i].ID]
		if !has && otherHas {
			d.needParent(q)
		}
	}
}

// needParent makes sure that q is read, a parent without a lease of a shard
// whose other parent has one.
func (d *decider) needParent(q lease.Shard) {
	if d.initial.SequenceNumber == checkpoint.Latest && !d.hasHistory(q) {
		d.create[q.ID] = newLease(q, d.initial)
		return
	}
	d.need(q)
}

// hasHistory reports whether s or one of its ancestors has a lease.
func (d *decider) hasHistory(s lease.Shard) bool {
	if _, ok := d.leases[s.ID]; ok {
		return true
	}
	known, ok := d.covered[s.ID]
	if !ok {
		known = slices.ContainsFunc(d.parents(s), d.hasHistory)
		d.covered[s.ID] = known
	}
	return known
}

// parents returns the parents of s that the stream still lists, or that have a
// lease: one that has expired unread is still history.
func (d *decider) parents(s lease.Shard) []lease.Shard {
	var out []lease.Shard
	for _, id := range s.ParentIDs {
		if q, ok := d.shards[id]; ok {
			out = append(out, q)
		} else if _, ok := d.leases[id]; ok {
			out = append(out, lease.Shard{ID: id})
		}
	}
	return out
}

// created returns the leases to create, and the shards to leave without one.
func (d *decider) created() (create []lease.Lease, withheld []string) {
	waits := d.beforeUnreadable()
	for _, s := range d.sorted {
		if l, ok := d.create[s.ID]; ok && waits[s.ID] {
			withheld = append(withheld, s.ID)
		} else if ok {
			create = append(create, l)
		}
	}
	return create, withheld
}

// beforeUnreadable returns the shards that are followed by one whose lease
// cannot be read.
func (d *decider) beforeUnreadable() map[string]bool {
	out := make(map[string]bool)
	for _, s := range slices.Backward(d.sorted) { // children before parents
		if out[s.ID] || d.unreadable[s.ID] {
			for _, parent := range s.ParentIDs {
				out[parent] = true
			}
		}
	}
	return out
}

func (d *decider) annotate() []lease.Lease {
	var out []lease.Lease
	for _, s := range d.sorted {
		if l, ok := d.leases[s.ID]; ok && !d.unreadable[s.ID] && l.Range.IsZero() && !s.Range.IsZero() {
			l.Range = s.Range
			out = append(out, l)
		}
	}
	return out
}

// deletable returns the finished leases whose children have all begun and
// which have no parent's lease any more. Of a shard that has expired only those
// children count that are still there: a listing may miss a shard for once.
func (d *decider) deletable() []lease.Lease {
	var out []lease.Lease
	for _, key := range slices.Sorted(maps.Keys(d.leases)) {
		l := d.leases[key]
		if !l.Finished() || slices.ContainsFunc(l.Parents, func(q string) bool { _, ok := d.leases[q]; return ok }) {
			continue
		}
		children := l.Children
		_, listed := d.shards[key]
		if !listed {
			children = slices.DeleteFunc(slices.Clone(children), d.unknown)
		}
		if (!listed || len(children) > 0) && !slices.ContainsFunc(children, d.notBegun) {
			out = append(out, l)
		}
	}
	return out
}

// unknown reports whether a shard is not listed and has no lease.
func (d *decider) unknown(id string) bool {
	_, listed := d.shards[id]
	_, leased := d.leases[id]
	return !listed && !leased
}

func (d *decider) notBegun(child string) bool {
	l, ok := d.leases[child]
	return !ok || d.unreadable[child] || l.Checkpoint.IsSentinel() && !l.Finished()
}

func newLease(s lease.Shard, at checkpoint.Position) lease.Lease {
	return lease.Lease{Key: s.ID, Checkpoint: at, Parents: slices.Clone(s.ParentIDs), Range: s.Range}
}
