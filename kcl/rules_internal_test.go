package kcl

import "testing"

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
