package kcl

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/internal/deadline"
)

// Several things may be done at once, each with a limit of its own or none.
func TestPresent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p present
		is := func(want ...LoopStatus) {
			t.Helper()
			if diff := cmp.Diff(want, p.loops("shard", "s")); diff != "" {
				t.Error(diff)
			}
		}
		of := func(doing string, silent, limit int) LoopStatus {
			return LoopStatus{Loop: "shard", ShardID: "s", Doing: doing, Silent: time.Duration(silent) * time.Second, Limit: time.Duration(limit) * time.Second}
		}
		is()
		ctx, call := deadline.Start(t.Context(), 30*time.Second)
		defer call.End()
		reading := p.begin("reading", call)
		time.Sleep(5 * time.Second)
		processing := p.begin("ProcessRecords", nil)
		time.Sleep(10 * time.Second)
		is(of("reading", 15, 30), of("ProcessRecords", 10, 0))
		deadline.Beat(ctx)
		time.Sleep(time.Second)
		is(of("reading", 1, 30), of("ProcessRecords", 11, 0))
		p.end(reading)
		is(of("ProcessRecords", 11, 0))
		again := p.begin("releasing", nil)
		is(of("releasing", 0, 0), of("ProcessRecords", 11, 0))
		p.end(processing)
		p.end(again)
		is()
	})
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
