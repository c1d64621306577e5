package leasetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// modelRows hold the table against lease.Mem: after any sequence of writes, by
// holders and by those who only think so, both answered the same.
func modelRows() []row {
	rows := make([]row, 0, 5)
	for seed := range uint64(5) {
		rows = append(rows, row{fmt.Sprintf("random writes of seed %d are answered as by the model", seed), func(s *suite) {
			m := &modelRun{suite: s, model: &lease.Mem{}, rng: rand.New(rand.NewPCG(seed, 1))}
			for range 150 {
				m.step()
			}
		}})
	}
	return rows
}

// modelRun makes the same calls on a table and on the model.
type modelRun struct {
	*suite

	model *lease.Mem
	rng   *rand.Rand
	seen  []lease.Lease // every value that a call returned
	trace []string
}

// step makes one call with values that may be new, old or of another row.
func (m *modelRun) step() {
	m.t.Helper()
	keys := []string{"k1", "k2", "k3"}
	key := pick(m.rng, keys)
	if len(m.seen) == 0 || m.rng.IntN(8) == 0 {
		l := plain(key)
		if m.rng.IntN(2) == 0 {
			l = full(key)
		}
		m.call("Create "+key, func(t lease.Table) (lease.Lease, error) { return lease.Lease{}, t.Create(m.ctx(), l) })
		m.call("Get "+key, func(t lease.Table) (lease.Lease, error) { return t.Get(m.ctx(), key) })
		return
	}
	// The newest values are the likely ones, as with a holder.
	from := m.seen[len(m.seen)-1-min(m.rng.IntN(len(m.seen)), m.rng.IntN(12))]
	by := pick(m.rng, []lease.Claim{alice, bob, {Owner: alice.Owner, Instance: "a2", FailoverTime: alice.FailoverTime}})
	by.Identity = pick(m.rng, []lease.Identity{{}, orders, anew})
	why := pick(m.rng, []lease.ReleaseReason{lease.Plain, lease.Plain, lease.Surplus, lease.Blocked})
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := pick(m.rng, []checkpoint.Position{
		later, checkpoint.At("9", 0, time.Time{}), checkpoint.At("9", 0, noon), checkpoint.Sentinel(checkpoint.ShardEnd), checkpoint.Sentinel(checkpoint.ShardEnd),
	})
	prepared := checkpoint.Prepared{At: at.ExtendedSequenceNumber, State: pick(m.rng, [][]byte{nil, []byte("s"), []byte("t")})}
	name := fmt.Sprintf("of %s by %q/%q, counter %d", from.Key, from.Owner, from.Instance, from.Counter)
	none := func(err error) (lease.Lease, error) { return lease.Lease{}, err }
	switch m.rng.IntN(9) {
	case 0, 1:
		m.call(fmt.Sprintf("Take %s for %+v", name, by), func(t lease.Table) (lease.Lease, error) { return t.Take(m.ctx(), from, by) })
	case 2:
		m.call("Renew "+name, func(t lease.Table) (lease.Lease, error) { return t.Renew(m.ctx(), from) })
	case 3:
		m.call(fmt.Sprintf("Checkpoint %s at %v", name, at), func(t lease.Table) (lease.Lease, error) { return t.Checkpoint(m.ctx(), from, at) })
	case 4:
		m.call(fmt.Sprintf("Prepare %s at %v", name, prepared), func(t lease.Table) (lease.Lease, error) { return t.Prepare(m.ctx(), from, prepared) })
	case 5:
		m.call(fmt.Sprintf("Release %s %q", name, why), func(t lease.Table) (lease.Lease, error) { return t.Release(m.ctx(), from, why) })
	case 6:
		m.call("Annotate "+key, func(t lease.Table) (lease.Lease, error) {
			return none(t.Annotate(m.ctx(), key, []string{name}, lease.HashRange{}))
		})
	case 7:
		m.call("Delete "+name, func(t lease.Table) (lease.Lease, error) { return none(t.Delete(m.ctx(), from)) })
	default:
		if key != from.Key {
			m.call("CreateChild "+key+" "+name, func(t lease.Table) (lease.Lease, error) { return none(t.CreateChild(m.ctx(), from, plain(key))) })
		}
	}
	m.call("Get "+key, func(t lease.Table) (lease.Lease, error) { return t.Get(m.ctx(), key) })
}

// call makes a call on both and fails the test unless both answer the same.
func (m *modelRun) call(name string, f func(lease.Table) (lease.Lease, error)) {
	m.t.Helper()
	m.trace = append(m.trace, name)
	want, wantErr := f(m.model)
	got, err := f(m.Table)
	d := diff(answerOf(got, err), answerOf(want, wantErr))
	if d != "" {
		m.t.Fatalf("%s: error %v, the model's %v (-model +table):\n%s\nafter %q", name, err, wantErr, d, m.trace[max(0, len(m.trace)-12):])
	}
	if err == nil && got.Key != "" {
		m.seen = append(m.seen, want)
	}
}

// reply is what a call answered, in a form that can be compared.
type reply struct {
	Row, Now lease.Lease
	Class    string
}

func answerOf(l lease.Lease, err error) reply {
	out := reply{Row: l}
	for _, class := range classes() {
		if errors.Is(err, class) {
			out.Class = class.Error()
		}
	}
	if lost, ok := errors.AsType[*lease.LostError](err); ok && lost.Now != nil {
		out.Now = *lost.Now
	}
	if err != nil && out.Class == "" {
		out.Class = "another error"
	}
	return out
}

// classes are what an error may be.
func classes() []error {
	return []error{
		lease.ErrLost, lease.ErrExists, lease.ErrNotFound, lease.ErrThrottled, lease.ErrAccessDenied, lease.ErrTableNotFound, lease.ErrInvalidState,
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
