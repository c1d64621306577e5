package kcl

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/internal/deadline"
)

// Several things may be done at once, each with a limit of its own or none.
func TestSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p steps
		is := func(want ...LoopStatus) {
			t.Helper()
			if diff := cmp.Diff(want, sorted(p.status())); diff != "" {
				t.Error(diff)
			}
		}
		of := func(doing string, silent, limit int) LoopStatus {
			return LoopStatus{Loop: "shard", ShardID: "s", Doing: doing, Silent: time.Duration(silent) * time.Second, Limit: time.Duration(limit) * time.Second}
		}
		is()
		ctx, call := deadline.Start(t.Context(), 30*time.Second)
		defer call.End()
		reading := p.begin("shard", "s", "reading", call)
		time.Sleep(5 * time.Second)
		processing := p.begin("shard", "s", "ProcessRecords", nil)
		time.Sleep(10 * time.Second)
		is(of("ProcessRecords", 10, 0), of("reading", 15, 30))
		deadline.Beat(ctx)
		time.Sleep(time.Second)
		is(of("ProcessRecords", 11, 0), of("reading", 1, 30))
		reading()
		is(of("ProcessRecords", 11, 0))
		again := p.begin("shard", "s", "releasing", nil)
		is(of("ProcessRecords", 11, 0), of("releasing", 0, 0))
		processing()
		again()
		is()
	})
}

func sorted(loops []LoopStatus) []LoopStatus {
	return slices.SortedFunc(slices.Values(loops), func(a, b LoopStatus) int { return strings.Compare(a.Doing, b.Doing) })
}

// Plans keep the numbers of rules: an older or newer worker must read the same.
func TestRuleNumbersAreStored(t *testing.T) {
	t.Parallel()
	for rule, wire := range map[HashRangeRule]uint8{HashRangeJava: 0, HashRangeEach: 1, HashRangeOff: 2, HashRangeKPL: 3} {
		if got := rule.Wire(); got != wire {
			t.Errorf("rule %d is stored as %d, want %d", rule, got, wire)
		}
		if got, ok := HashRangeRuleOf(wire); got != rule || !ok {
			t.Errorf("number %d is read as rule %d, %v", wire, got, ok)
		}
	}
	for wire := uint8(4); wire != 0; wire++ {
		if got, ok := HashRangeRuleOf(wire); ok {
			t.Errorf("number %d is read as rule %d", wire, got)
		}
	}
}
