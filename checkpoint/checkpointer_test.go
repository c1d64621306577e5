package checkpoint_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/checkpoint"
)

// row is a Writer that keeps what is written, as a lease's row does, and
// refuses as it is told.
type row struct {
	at      checkpoint.Position
	pending *checkpoint.Prepared
	history []checkpoint.Position
	fail    func() error
}

func (r *row) Checkpoint(_ context.Context, at checkpoint.Position) error {
	if err := r.failed(); err != nil {
		return err
	}
	r.at, r.pending = at, nil
	r.history = append(r.history, at)
	return nil
}

func (r *row) Prepare(_ context.Context, p checkpoint.Prepared) error {
	if err := r.failed(); err != nil {
		return err
	}
	r.pending = &p
	return nil
}

func (r *row) failed() error {
	if r.fail == nil {
		return nil
	}
	return r.fail()
}

// vmware-go-kcl's PrepareCheckpoint writes nothing and returns something that
// dereferences nil when it is committed (peers' bug 3).
func TestPeer3APreparedCheckpointIsStoredAndCanBeCommitted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, last, processed string
		prepared              bool // something is written
	}{
		{"after some records", "10", "20/3", true},
		{"before the first checkpoint", "TRIM_HORIZON", "20", true},
		{"at the end of the shard", "10", "SHARD_END", true},
		{"at the checkpoint", "20", "20", false},
		{"without any record", "LATEST", "LATEST", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &row{at: at(tt.last)}
			c := checkpoint.New(r, r.at, false)
			c.Processed(at(tt.processed))
			p, err := c.Prepare(t.Context(), []byte("plan"))
			if err != nil || p == nil {
				t.Fatalf("Prepare = %v, %v", p, err)
			}
			if r.at != at(tt.last) || (r.pending != nil) != tt.prepared {
				t.Errorf("prepared: row %+v", r)
			}
			if tt.prepared && (r.pending.At != esn(tt.processed) || string(r.pending.State) != "plan") {
				t.Errorf("prepared: row has %+v", r.pending)
			}
			for range 2 { // the second time does nothing
				if err := p.Checkpoint(t.Context()); err != nil {
					t.Errorf("committing: %v", err)
				}
			}
			if r.at != at(tt.processed) || r.pending != nil || len(r.history) > 1 {
				t.Errorf("committed: row %+v", r)
			}
		})
	}
	t.Run("by the next holder", func(t *testing.T) {
		t.Parallel()
		r := &row{at: at("10")}
		c := checkpoint.New(r, r.at, false)
		c.Processed(at("20"))
		if _, err := c.Prepare(t.Context(), []byte("plan")); err != nil {
			t.Fatal(err)
		}
		next := checkpoint.New(r, r.at, true)
		p, err := next.Resume(*r.pending)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Checkpoint(t.Context()); err != nil || r.at != at("20") || r.pending != nil {
			t.Errorf("committed: row %+v, %v", r, err)
		}
	})
}

// TestReplace: the state beside a prepared position can be replaced, by who prepared it
// and by the next holder, and nothing else changes.
func TestReplace(t *testing.T) {
	t.Parallel()
	r := &row{at: at("10")}
	c := checkpoint.New(r, r.at, false)
	c.Processed(at("20"))
	own, err := c.Prepare(t.Context(), []byte("plan"))
	if err != nil {
		t.Fatal(err)
	}
	next := checkpoint.New(r, r.at, true)
	resumed, err := next.Resume(*r.pending)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*checkpoint.PreparedCheckpoint{"own": own, "resumed": resumed} {
		if err := p.Replace(t.Context(), []byte(name)); err != nil || string(r.pending.State) != name || r.pending.At != esn("20") || r.at != at("10") {
			t.Errorf("%s: row %+v, %v", name, r, err)
		}
		if err := p.Replace(t.Context(), make([]byte, checkpoint.MaxStateBytes+1)); !errors.Is(err, checkpoint.ErrStateTooLarge) {
			t.Errorf("%s, too large: %v", name, err)
		}
		r.fail = func() error { return errors.New("down") }
		if err := p.Replace(t.Context(), []byte("other")); err == nil || string(r.pending.State) != name {
			t.Errorf("%s, while the table is down: %+v, %v", name, r.pending, err)
		}
		r.fail = nil
	}
	if err := resumed.Checkpoint(t.Context()); err != nil || r.at != at("20") || r.pending != nil {
		t.Errorf("committed: row %+v, %v", r, err)
	}
	if err := resumed.Replace(t.Context(), []byte("late")); !errors.Is(err, checkpoint.ErrPreparedStale) || r.pending != nil {
		t.Errorf("after the commit: row %+v, %v", r, err)
	}
}

// Checkpoints of remind101's kinesumer go backwards (peers' bug 58). Whatever a
// processor asks for, in whatever order, and whichever writes are refused, those of a
// row never do, not even from one holder to the next.
func TestPeer58CheckpointsNeverGoBack(t *testing.T) {
	t.Parallel()
	position := func(n int) checkpoint.Position {
		return checkpoint.At(strconv.Itoa(n/3), int64(n%3), time.Time{}) // aggregates of three
	}
	rapid.Check(t, func(t *rapid.T) {
		r := &row{at: checkpoint.Sentinel(checkpoint.TrimHorizon)}
		r.fail = func() error {
			if rapid.IntRange(0, 5).Draw(t, "fails") == 0 {
				return errors.New("refused")
			}
			return nil
		}
		ctx, now := context.Background(), time.Unix(1e9, 0)
		c := checkpoint.New(r, r.at, false)
		var prepared []*checkpoint.PreparedCheckpoint
		keep := func(p *checkpoint.PreparedCheckpoint, err error) {
			if err == nil {
				prepared = append(prepared, p)
			}
		}
		processed := 9
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			somewhere := position(rapid.IntRange(0, 60).Draw(t, "position"))
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1:
				processed += rapid.IntRange(1, 9).Draw(t, "records")
				c.Processed(position(processed))
			case 2:
				_ = c.Checkpoint(ctx)
			case 3:
				_ = c.CheckpointAt(ctx, somewhere)
			case 4:
				keep(c.PrepareAt(ctx, somewhere, nil))
			case 5:
				keep(c.Prepare(ctx, nil))
			case 6:
				if len(prepared) > 0 {
					_ = rapid.SampledFrom(prepared).Draw(t, "prepared").Checkpoint(ctx)
				}
			case 7:
				now = now.Add(time.Hour)
				_ = c.Refresh(ctx, now)
			case 8:
				_ = c.Clear(ctx)
			case 9: // another holder, or a call that failed
				c.Retract(somewhere)
				prepared = nil
				if rapid.Bool().Draw(t, "taken over") {
					c, processed = checkpoint.New(r, r.at, r.pending != nil), 9
					if r.pending != nil {
						keep(c.Resume(*r.pending))
					}
				}
			}
		}
		if !slices.IsSortedFunc(r.history, func(a, b checkpoint.Position) int { return a.Compare(b.ExtendedSequenceNumber) }) {
			t.Fatalf("checkpoints went back: %v", r.history)
		}
	})
}

// A call prepares a checkpoint and fails after that; a shutdown comes before
// the next try. The processor commits, and then checkpoints what was processed:
// that must not take the commit back (peers' bug 58).
func TestPeer58ACheckpointAfterACommitDoesNotGoBack(t *testing.T) {
	t.Parallel()
	r := &row{at: at("10")}
	c := checkpoint.New(r, r.at, false)
	c.Processed(at("20"))
	p, err := c.Prepare(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Retract(at("10"))
	if err := p.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Checkpoint(t.Context()); err != nil || r.at != at("20") {
		t.Errorf("checkpoints %v, %v; want no other after 20", r.history, err)
	}
}
