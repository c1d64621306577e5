package processors_test

import (
	"testing"
	"testing/synctest"

	"github.com/shardmill/shardmill/kcl"
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
