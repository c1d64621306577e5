package exactlyonce_test

import "testing"

// TestSealedCuts visits every state of small worlds in which kind S is as it should
// be.
func TestSealedCuts(t *testing.T) {
	t.Parallel()
	always := []event{putAgain, carriedOn, foundSome, lateObject, leaseLost}
	for _, row := range []struct {
		name  string
		world sealedVariant
		want  []event
	}{
		{"crashes and lost answers", sealedVariant{records: 2, crashes: 1, lost: 2, takes: 3}, always},
		{"sweeps", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, sweeps: 1}, append([]event{swept}, always...)},
		{"bundles are deleted", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, deletes: true}, always},
		{"bundles in parts", sealedVariant{records: 1, crashes: 1, lost: 1, takes: 3, sweeps: 1, parts: true}, []event{aborted, carriedOn}},
		{"an upload is aborted by a rule", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 2, losses: 1, parts: true}, []event{uploadedAgain}},
		{
			"a bundle is lost, and a record expires",
			sealedVariant{records: 2, crashes: 1, takes: 3, losses: 1, trim: true},
			[]event{lostBundle, allThere, gaveUpOnce, carriedOn, lateObject},
		},
		{
			"a bundle is lost whose plan does not name the keys",
			sealedVariant{records: 2, crashes: 1, takes: 3, losses: 1, manyKeys: true},
			[]event{lostBundle, gaveUpOnce, carriedOn, lateObject},
		},
		{"an impure transform", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, impure: true}, always},
		{"a cloned table", sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, clones: 1}, append([]event{clonedVoid}, always...)},
		{
			"the next cut fills behind, batches come twice, leases are released",
			sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, behind: true, redeliveries: 1, releases: 1},
			append([]event{filledBehind}, always...),
		},
		{
			"markers",
			sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, marks: true, deletes: true},
			append([]event{loadedOnce, loadedAgain, lateMarker}, always...),
		},
		{
			"markers, and the checkpoint waits",
			sealedVariant{records: 2, crashes: 1, lost: 1, takes: 3, marks: true, onLoad: true, deletes: true},
			append([]event{loadedOnce, loadedAgain, lateMarker, awaitedByNext}, always...),
		},
		{
			"markers, and a bundle is lost",
			sealedVariant{records: 2, crashes: 1, takes: 3, marks: true, onLoad: true, losses: 1},
			[]event{lostBundle, allThere, gaveUpOnce, carriedOn, awaitedByNext},
		},
		{
			"the checkpoint waits, and the next cut fills behind",
			sealedVariant{records: 2, crashes: 1, takes: 2, marks: true, onLoad: true, behind: true, releases: 1, impure: true},
			[]event{loadedOnce, awaitedByNext, readWhileAwaiting, filledBehind},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := row.world.search(t.Context(), false)
			o.isGood(t, row.want)
			if row.world.losses == 0 && o.reached[gaveUpOnce] {
				t.Error("exactly once was given up")
			}
		})
	}
}

// sealedDeviations are those of kind S.
func sealedDeviations() []deviation {
	return []deviation{
		{"prepared before the bundle is known to be stored", sealedVariant{prepareFirst: true}, "BROKEN"},
		{"published before the prepare", sealedVariant{publishFirst: true}, "TWICE"},
		{"the bundle is deleted before the commit", sealedVariant{deleteFirst: true}, "BROKEN"},
		{"a sweep deletes at once what it lists", sealedVariant{sweeps: 1, sweepUnfenced: true}, "BROKEN"},
		{"a sweep takes its own bundle for another's", sealedVariant{sweeps: 1, sweepsOwn: true}, "BROKEN"},
		{"a clone's worker carries a plan out", sealedVariant{clones: 1, cloneCarriesOut: true, manyKeys: true}, "BROKEN"},
		{"a successor makes the objects again, by an impure transform", sealedVariant{redraws: true}, "TWICE"},
		{"a successor reads on while it finishes a plan", sealedVariant{behind: true, readsEarly: true}, "TWICE"},
		{"a lost bundle's objects are taken for stored", sealedVariant{losses: 1, believing: true}, "LOST"},
		{"the marker is put before its object is known to be stored", sealedVariant{marks: true, marksFirst: true}, "EARLY"},
		{"committed before the marker is known to be stored", sealedVariant{marks: true, unmarked: true}, "UNMARKED"},
		{"committed before the marker is gone", sealedVariant{marks: true, onLoad: true, unawaited: true}, "UNLOADED"},
		{"it waits for the marker's end without an announcement", sealedVariant{marks: true, onLoad: true, unannounced: true}, "MARKED AGAIN"},
		{"the bundle is deleted before the announcement", sealedVariant{marks: true, onLoad: true, deletesUnsure: true}, "BROKEN"},
		{"a successor puts what was announced", sealedVariant{marks: true, onLoad: true, putsAgain: true}, "MARKED AGAIN"},
		{"what is awaited is taken for new", sealedVariant{marks: true, onLoad: true, behind: true, forgetsMark: true}, "TWICE"},
	}
}

// TestMarkedOnce: a marker that was taken comes again only after a crash or a lost lease
// before the announcement, or by a put whose answer was lost.
func TestMarkedOnce(t *testing.T) {
	t.Parallel()
	for _, onLoad := range []bool{false, true} {
		o := sealedVariant{records: 2, takes: 1, marks: true, onLoad: onLoad, deletes: true, behind: true, redeliveries: 1}.search(t.Context(), false)
		o.isGood(t, []event{loadedOnce})
		if o.reached[loadedAgain] || o.reached[lateMarker] {
			t.Errorf("on load %v: loaded again %v, marked late %v", onLoad, o.reached[loadedAgain], o.reached[lateMarker])
		}
	}
}
