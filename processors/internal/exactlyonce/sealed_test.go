package exactlyonce_test

import (
	"strings"
	"testing"
	"time"
)

// TestSealedCuts visits every state of small worlds in which kind S is as it should
// be.
func TestSealedCuts(t *testing.T) {
	t.Parallel()
	always := []sealedEvent{sealedTwice, carriedOn, foundSome, lateObject, lostLease}
	for _, row := range []struct {
		name  string
		world sealedVariant
		want  []sealedEvent
	}{
		{"crashes and lost answers", sealedVariant{records: 2, crashes: 1, lost: 2, takes: 3}, always},
		{"sweeps", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, sweeps: 1}, append([]sealedEvent{swept}, always...)},
		{"bundles are deleted", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, deletes: true}, always},
		{"bundles in parts", sealedVariant{records: 1, crashes: 1, lost: 1, takes: 3, sweeps: 1, parts: true}, []sealedEvent{aborted, carriedOn}},
		{"an upload is aborted by a rule", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 2, losses: 1, parts: true}, []sealedEvent{sealedAgain}},
		{
			"a bundle is lost, and a record expires",
			sealedVariant{records: 2, crashes: 1, takes: 3, losses: 1, trim: true},
			[]sealedEvent{lostBundle, allThere, brokenOnce, carriedOn, lateObject},
		},
		{
			"a bundle is lost whose plan does not name the keys",
			sealedVariant{records: 2, crashes: 1, takes: 3, losses: 1, manyKeys: true},
			[]sealedEvent{lostBundle, brokenOnce, carriedOn, lateObject},
		},
		{"an impure transform", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, impure: true}, always},
		{"a cloned table", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, clones: 1}, append([]sealedEvent{clonedVoid}, always...)},
		{
			"the next cut fills behind, batches come twice, leases are released",
			sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, behind: true, redeliveries: 1, releases: 1},
			append([]sealedEvent{filledBehind}, always...),
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			o := searchSealed(t.Context(), row.world)
			t.Logf("%d states, %v", o.states, time.Since(start).Round(time.Millisecond))
			if o.failed != nil || o.bad != "" || !o.whole {
				t.Fatalf("failed: %v; all was delivered: %v; %v", o.failed, o.whole, o)
			}
			if row.world.losses == 0 && o.reached[brokenOnce] {
				t.Error("exactly once was given up")
			}
			for _, e := range row.want {
				if !o.reached[e] {
					t.Errorf("never seen: %v", e)
				}
			}
		})
	}
}

type sealedDeviation struct {
	name  string
	world sealedVariant
	want  string // the promise that is broken by it
}

func sealedDeviations() []sealedDeviation {
	rows := []sealedDeviation{
		{"prepared before the bundle is known to be stored", sealedVariant{prepareFirst: true}, "BROKEN"},
		{"published before the prepare", sealedVariant{publishFirst: true}, "TWICE"},
		{"the bundle is deleted before the commit", sealedVariant{deleteFirst: true}, "BROKEN"},
		{"a sweep deletes at once what it lists", sealedVariant{sweeps: 1, sweepUnfenced: true}, "BROKEN"},
		{"a sweep takes its own bundle for another's", sealedVariant{sweeps: 1, sweepsOwn: true}, "BROKEN"},
		{"a clone's worker carries a plan out", sealedVariant{clones: 1, cloneCarriesOut: true, manyKeys: true}, "BROKEN"},
		{"a successor makes the objects again, by an impure transform", sealedVariant{redraws: true}, "TWICE"},
		{"a successor reads on while it finishes a plan", sealedVariant{behind: true, readsEarly: true}, "TWICE"},
		{"a lost bundle's objects are taken for stored", sealedVariant{losses: 1, believing: true}, "LOST"},
	}
	for i := range rows {
		v := &rows[i].world
		v.records, v.crashes, v.lost, v.takes = 2, 1, 1, 3
	}
	return rows
}

// TestSealedDeviations wants of each rule the promise that breaks without it.
func TestSealedDeviations(t *testing.T) {
	t.Parallel()
	for _, row := range sealedDeviations() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := searchSealed(t.Context(), row.world)
			if o.failed != nil || !strings.HasPrefix(o.bad, row.want) {
				t.Fatalf("failed: %v; %d states, want %s, found: %v", o.failed, o.states, row.want, o)
			}
			t.Logf("%d states, %v", o.states, o)
		})
	}
}

// TestSealedEssence: that states with one essence are visited once hides no event
// and no broken promise.
func TestSealedEssence(t *testing.T) {
	t.Parallel()
	rows := append(sealedDeviations(),
		sealedDeviation{name: "none", world: sealedVariant{records: 1, crashes: 1, lost: 1, takes: 2}},
		sealedDeviation{name: "none, with sweeps", world: sealedVariant{records: 1, crashes: 1, takes: 3, sweeps: 1, deletes: true}},
		sealedDeviation{name: "none, with losses", world: sealedVariant{records: 1, crashes: 1, takes: 2, losses: 1, trim: true, parts: true}},
	)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			few := searchSealed(t.Context(), row.world)
			row.world.everyState = true
			all := searchSealed(t.Context(), row.world)
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
