package exactlyonce_test

import (
	"context"
	"strings"
	"testing"
)

// TestTheProtocol visits every state of small worlds in which the protocol is
// as it should be: none breaks a promise, and what the protocol is for happens.
func TestTheProtocol(t *testing.T) {
	t.Parallel()
	all := []event{
		redone, found, refusedPut, adoptedTake, adoptedPrepare, adoptedCommit,
		lateAfterCommit, lateWhileOwned, leaseLost, gaveUpWaiting,
	}
	for _, row := range []struct {
		name  string
		world variant
		want  []event
	}{
		{"kind R, three records", variant{records: 3, crashes: 1, lost: 2, takes: 4}, all},
		{"kind R, two crashes", variant{records: 2, crashes: 2, lost: 2, takes: 4}, all},
		{
			"kind R, a record expires",
			variant{records: 2, crashes: 2, lost: 1, takes: 4, trim: true},
			append([]event{rest, wholeAfterAll}, all...),
		},
		{
			"kind R, batches come twice and leases are released",
			variant{records: 2, crashes: 1, lost: 1, takes: 4, redeliveries: 1, releases: 1},
			append([]event{droppedAgain, releasedPending}, all...),
		},
		{
			"kind R, all of it in a smaller world",
			variant{records: 2, crashes: 1, lost: 1, takes: 3, redeliveries: 1, releases: 1, trim: true},
			append([]event{rest, wholeAfterAll, droppedAgain, releasedPending}, all...),
		},
		{
			"kind R, a commit may carry the next prepare",
			variant{records: 3, crashes: 1, lost: 1, takes: 3, combine: true},
			append([]event{combined}, all...),
		},
		{
			"kind R, an operator moves the checkpoint back",
			variant{records: 2, crashes: 1, lost: 1, takes: 4, seeks: 1},
			append([]event{voided}, all...),
		},
		{"kind R, both workers have one ID", variant{records: 2, crashes: 1, lost: 2, takes: 4, sameID: true}, all},
		{
			"kind R, one worker delivers at least once: nothing is lost",
			variant{records: 2, crashes: 1, lost: 1, takes: 4, trim: true, atLeastOnce: [3]bool{2: true}, maybeTwice: true},
			all,
		},
		{
			"kind R, one worker knows no plans, as Java's: nothing is lost",
			variant{records: 2, crashes: 1, lost: 1, takes: 4, atLeastOnce: [3]bool{2: true}, ignores: [3]bool{2: true}, maybeTwice: true},
			append([]event{ignored}, all...),
		},
		{
			"kind R, one worker reads aggregated records by another rule",
			variant{records: 2, crashes: 1, lost: 1, takes: 4, trim: true, otherRule: [3]bool{2: true}},
			append([]event{differs, rest}, all...),
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := row.world.search(t.Context(), false)
			o.isGood(t, row.want)
			if o.reached[unfinishable] || o.reached[voided] && row.world.seeks == 0 || o.reached[differs] && !row.world.otherRule[2] {
				t.Error("a plan was not taken for what it is")
			}
		})
	}
}

// searched is a variant of a model.
type searched interface {
	// search tries every interleaving, or, with every state for itself, so all the
	// states.
	search(ctx context.Context, everyState bool) outcome

	// small returns it in a world that is just large enough to break a promise.
	small() searched
}

func (v variant) search(ctx context.Context, everyState bool) outcome {
	return search(&model{variant: v, rows: newRows(ctx, v.sameID, false), everyState: everyState})
}

func (v variant) small() searched {
	v.records, v.crashes, v.lost, v.takes = max(v.records, 2), 1, 1, 3
	return v
}

// deviation breaks one rule.
type deviation struct {
	name  string
	world searched
	want  string // the promise that is broken by it
}

func deviations() []deviation {
	rows := []deviation{
		{"published before the prepare", variant{unprepared: true}, "TWICE"},
		{"published while the prepare is in doubt", variant{inDoubt: true}, "TWICE"},
		{"a redo of records as the successor's own hints have them", variant{records: 3, ownHints: true}, "LOST"},
		{"a pending cut ignored by one worker", variant{ignores: [3]bool{2: true}}, "TWICE"},
		{"a pending cut ignored by all", variant{ignores: [3]bool{1: true, 2: true}}, "TWICE"},
		{"a pending cut committed without its object", variant{unreadPlan: true}, "LOST"},
		{"a release that removes the plan", variant{releases: 1, releaseClears: true}, "TWICE"},
		{"puts that replace, and a record expires", variant{trim: true, overwrites: true}, "DESTROYED"},
		{"puts that replace under derived keys, and a record expires", variant{trim: true, overwrites: true, derivedKey: true}, "DESTROYED"},
		{"a rest is put without a report", variant{trim: true, losesQuietly: true}, "LOST"},
		{"other records than the plan's are put", variant{otherRule: [3]bool{2: true}, believes: true}, "TWICE"},
		{"other records than the plan's are put, and how often one is does not count", variant{
			otherRule: [3]bool{2: true}, believes: true, maybeTwice: true,
		}, "LOST"},
		{"a filter by the checkpoint that was before the redo", variant{oldFilter: true}, "TWICE"},
		{"a batch appended twice", variant{redeliveries: 1, appendsTwice: true}, "TWICE"},
		{"a redo under a key of its own", variant{freshKey: true}, "TWICE"},
		{"a cut that cannot be made again is planned anew, under a new key", variant{trim: true, replans: true}, "TWICE"},
		{"a cut that cannot be made again is planned anew, under a derived key that is replaced", variant{trim: true, replans: true, derivedKey: true, overwrites: true}, "DESTROYED"},
		{"a plan carried out though an operator moved the checkpoint", variant{seeks: 1, misfits: true}, "LOST"},
		{"keys made of the cut's bounds, and an operator moves the checkpoint back", variant{seeks: 1, derivedKey: true}, "LOST"},
		{"a commit without a fence", variant{records: 3, unfenced: true}, "TWICE"},
		{"a write in doubt adopted by its counter, with one worker ID for two", variant{sameID: true, counterOnly: true}, "TWICE"},
		{"an impure transform with kind R", variant{impure: true}, "TWICE"},
		{"at least once, and keys are made of the cut's beginning", variant{
			atLeastOnce: [3]bool{1: true, 2: true}, derivedStart: true, maybeTwice: true,
		}, "LOST"},
		{"exactly once promised without a prepare", variant{atLeastOnce: [3]bool{1: true, 2: true}}, "TWICE"},
	}
	rows = append(rows, sealedDeviations()...)
	for i := range rows {
		rows[i].world = rows[i].world.small()
	}
	return rows
}

// TestDeviations wants of each the promise that it breaks.
func TestDeviations(t *testing.T) {
	t.Parallel()
	for _, row := range deviations() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := row.world.search(t.Context(), false)
			if o.failed != nil {
				t.Fatal(o.failed)
			}
			if !strings.HasPrefix(o.bad, row.want) {
				t.Fatalf("%d states, want %s, found: %v", o.states, row.want, o)
			}
			t.Logf("%d states, %v", o.states, o)
		})
	}
}

// TestEssence: that states with one essence are visited once hides no event and
// no broken promise.
func TestEssence(t *testing.T) {
	t.Parallel()
	good := variant{records: 2, crashes: 1, lost: 1, takes: 3, redeliveries: 1, trim: true}
	rows := append(deviations(),
		deviation{"none", good, ""},
		deviation{"none, kind S", sealedVariant{records: 1, crashes: 1, lost: 1, takes: 2}, ""},
		deviation{"none, kind S, with sweeps", sealedVariant{records: 1, crashes: 1, takes: 3, sweeps: 1, deletes: true}, ""},
		deviation{"none, kind S, with markers", sealedVariant{records: 1, crashes: 1, lost: 1, takes: 2, marks: true, deletes: true}, ""},
		deviation{"none, kind S, and the checkpoint waits", sealedVariant{records: 1, crashes: 1, takes: 2, marks: true, onLoad: true, behind: true}, ""},
		deviation{"none, kind S, with losses", sealedVariant{records: 1, crashes: 1, takes: 2, losses: 1, trim: true, parts: true}, ""},
	)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			few, all := row.world.search(t.Context(), false), row.world.search(t.Context(), true)
			if few.failed != nil || all.failed != nil {
				t.Fatal(few.failed, all.failed)
			}
			if few.bad == "" && few.reached != all.reached || few.bad[:min(4, len(few.bad))] != all.bad[:min(4, len(all.bad))] {
				t.Errorf("seen %v and found %q, want %v and %q", few.reached, few.bad, all.reached, all.bad)
			}
			t.Logf("%d states instead of %d", few.states, all.states)
		})
	}
}
