package processors_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// A plan stores the rule by the number that every version knows it by, and is
// redone by that rule. Java's has been 0 from the first version on.
func TestPlanStoresTheRule(t *testing.T) {
	t.Parallel()
	for rule, number := range map[kcl.HashRangeRule]uint8{kcl.HashRangeJava: 0, kcl.HashRangeEach: 1, kcl.HashRangeOff: 2, kcl.HashRangeKPL: 3} {
		synctest.Test(t, func(t *testing.T) {
			original := theShard()
			original.HashRangeRule = rule
			w := prepared(t, 9, 5, config(), original)
			pl, err := exactlyonce.Decode(w.row.pending.State)
			if err != nil || pl.HashRange.Rule != number {
				t.Fatalf("rule %d is stored as %d, %v; want %d", rule, pl.HashRange.Rule, err, number)
			}
			shard := theShard()
			shard.HashRangeRule = (rule + 1) % 4
			h, p, ctx := w.take(t.Context(), t, config(), shard)
			if err := h.begin(ctx, p); err != nil {
				t.Fatal(err)
			}
			if len(w.replays) != 1 || w.replays[0].HashRangeRule != rule {
				t.Errorf("redone by %+v, want rule %d", w.replays, rule)
			}
		})
	}
}

// A plan stores which aggregated records that cannot be taken apart are not
// processed, and is redone without just these, whatever the successor does with
// them. A version that knows nothing of that refuses it.
func TestPlanStoresTheFaults(t *testing.T) {
	t.Parallel()
	for _, faults := range []kcl.KPLFaults{{}, {Digest: kcl.FaultDrop}, {Short: kcl.FaultDrop, Digest: kcl.FaultDrop, Malformed: kcl.FaultDrop, Index: kcl.FaultDrop}} {
		for _, successor := range []kcl.KPLFaults{{}, {Short: kcl.FaultDrop}} {
			synctest.Test(t, func(t *testing.T) {
				original := theShard()
				original.KPLFaults = faults
				w := prepared(t, 9, 5, config(), original)
				pl, err := exactlyonce.Decode(w.row.pending.State)
				if err != nil || pl.HashRange.Faults != faults.Wire() {
					t.Fatalf("faults %+v are stored as %d, %v", faults, pl.HashRange.Faults, err)
				}
				shard := theShard()
				shard.KPLFaults = successor
				h, p, ctx := w.take(t.Context(), t, config(), shard)
				if err := h.begin(ctx, p); err != nil {
					t.Fatal(err)
				}
				if len(w.replays) != 1 || w.replays[0].KPLFaults != faults {
					t.Errorf("redone by %+v, want faults %+v", w.replays, faults)
				}
			})
		}
	}
}

// What one worker dropped and another would deliver, or the other way round, makes
// no other object of a plan, and nothing after it is missing.
func TestWorkersWithOtherFaultsFinishTheSameObject(t *testing.T) {
	t.Parallel()
	const broken = "\xf3\x89\x9a\xc2broken "
	raw, dropping := kcl.KPLFaults{}, kcl.KPLFaults{Short: kcl.FaultDrop}
	for _, tt := range []struct {
		name         string
		first, later kcl.KPLFaults
		want         string // the first object's words; broken counts as one of its own
	}{
		{"dropped and then delivered", dropping, raw, "a b c d " + broken + "e f"},
		{"delivered and then dropped", raw, dropping, "a " + broken + "b c d e f"},
		{"dropped by both", dropping, dropping, "a b c d e f"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stream := kcltest.NewStream(1)
				stream.Put(0, "a ", broken, "b ", "c ", "d ", broken, "e ", "f ")
				table, s := new(lease.Mem), new(shelf)
				dies := true
				table.Fault = func(_ context.Context, op, _ string, applied bool) error {
					if op == "prepare" && applied && dies { // it prepares, and can write no more
						return errors.New("gone")
					}
					if dies && op == "checkpoint" {
						return errors.New("gone")
					}
					return nil
				}
				size := len("a b c d ")
				if tt.first == raw {
					size = len("a " + broken + "b c d ")
				}
				with := func(f kcl.KPLFaults) func(*kcl.Config) { return func(c *kcl.Config) { c.KPLFaults = f } }
				archiveFor(t, 5*time.Second, "first", stream, table, config().WithSize(int64(size)), s, with(tt.first))
				if l, err := table.Get(t.Context(), stream.Shard(0).ID); err != nil || l.Pending == nil {
					t.Fatalf("nothing is prepared: %+v, %v", l, err)
				}
				dies = false
				archiveFor(t, 30*time.Second, "later", stream, table, config().WithSize(int64(size)), s, with(tt.later))
				if got := s.words(); !slices.Equal(got, strings.Fields(tt.want)) {
					t.Errorf("delivered\n     %q\nwant %q", got, tt.want)
				}
			})
		})
	}
}
