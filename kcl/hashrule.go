package kcl

// HashRangeRule is a rule for user records whose hash key lies outside the
// shard that their aggregated record is in. It happens when a producer packed
// them before it learnt of a reshard, or cares for the first one's hash key
// only. The KPL puts those again that lie outside, and nothing else; no other
// producer puts one again. Each drop is counted and logged.
type HashRangeRule int

const (
	// HashRangeKPL drops just those that lie outside, if it was the KPL that
	// packed the record, as its form tells: see kpl.Splitter.IsKPL. Of any other
	// aggregated record it drops none.
	HashRangeKPL HashRangeRule = iota

	// HashRangeJava drops the whole aggregated record if one user record lies
	// outside, as Java workers do, so that a mixed fleet processes the same
	// whoever holds the shard. It loses the user records that lie inside, and
	// those of other producers.
	HashRangeJava

	// HashRangeEach drops just those that lie outside, whoever packed them. It
	// loses those of other producers than the KPL.
	HashRangeEach

	// HashRangeOff drops nothing: some user records may come twice.
	HashRangeOff
)

// Wire returns the number of the rule where it is stored. It stays the same in
// all versions.
func (r HashRangeRule) Wire() uint8 {
	switch r {
	case HashRangeJava:
		return 0
	case HashRangeEach:
		return 1
	case HashRangeOff:
		return 2
	case HashRangeKPL:
		return 3
	}
	return 255 // no rule, and nobody will take it for one
}

// HashRangeRuleOf returns the rule with the number that Wire returned, and false
// if there is none.
func HashRangeRuleOf(wire uint8) (HashRangeRule, bool) {
	for _, r := range []HashRangeRule{HashRangeKPL, HashRangeJava, HashRangeEach, HashRangeOff} {
		if r.Wire() == wire {
			return r, true
		}
	}
	return 0, false
}
