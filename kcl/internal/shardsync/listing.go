package shardsync

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/shardmill/shardmill/lease"
)

// Check returns an error unless the listing is whole: its open shards cover
// every hash key once. A listing that raced a reshard does not; it must not be
// acted on.
func Check(shards []lease.Shard) error {
	type span struct{ start, end *big.Int }
	var spans []span
	for _, s := range shards {
		if !s.IsOpen() {
			continue
		}
		start, ok1 := new(big.Int).SetString(s.Range.Start, 10)
		end, ok2 := new(big.Int).SetString(s.Range.End, 10)
		if !ok1 || !ok2 {
			return fmt.Errorf("shard %s has the hash range %q to %q", s.ID, s.Range.Start, s.Range.End)
		}
		spans = append(spans, span{start, end})
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start.Cmp(b.start) })
	next, one := new(big.Int), big.NewInt(1)
	for _, s := range spans {
		if s.start.Cmp(next) != 0 {
			return fmt.Errorf("the open shards leave or share the hash keys between %v and %v", next, s.start)
		}
		next = new(big.Int).Add(s.end, one)
	}
	if next.Cmp(new(big.Int).Lsh(one, 128)) != 0 {
		return fmt.Errorf("the open shards end at the hash key %v", next)
	}
	return nil
}

// Descendants returns the IDs of the shards that follow id, of all generations
// that are listed, each once.
func Descendants(shards []lease.Shard, id string) []string {
	children := make(map[string][]string)
	for _, s := range shards {
		for _, parent := range s.ParentIDs {
			children[parent] = append(children[parent], s.ID)
		}
	}
	var out []string
	seen := map[string]bool{id: true}
	for next := []string{id}; len(next) > 0; next = next[1:] {
		for _, child := range children[next[0]] {
			if !seen[child] {
				seen[child] = true
				out, next = append(out, child), append(next, child)
			}
		}
	}
	return out
}
