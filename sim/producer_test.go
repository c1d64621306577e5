package sim_test

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
)

// produce puts records and reshards until the trouble ends. Where records expired
// it puts one more into each shard.
func (w *world) produce() {
	todo := slices.DeleteFunc(slices.Clone(w.incidents), func(i incident) bool { return i.what != split && i.what != merge && i.what != chain })
	slices.SortStableFunc(todo, func(a, b incident) int { return cmp.Compare(a.at, b.at) })
	for n := int64(0); !w.calmed(); n++ {
		time.Sleep(w.dice().upTo(4*time.Second, "produce", n))
		open := w.open()
		shard := open[w.dice().below(len(open), "into", n)]
		for i := range 1 + w.dice().below(5, "records", n) {
			w.parts.put(number(shard.ID), fmt.Sprintf("%s.%d.%d|", short(shard.ID), n, i))
		}
		for len(todo) > 0 && time.Since(w.begun) >= todo[0].at {
			w.reshard(todo[0].what, n)
			todo = todo[1:]
		}
	}
	if w.trims() { // a gap is told with the record that follows it
		for _, s := range w.open() {
			w.parts.put(number(s.ID), short(s.ID)+".last|")
		}
	}
}

// reshard does what an incident says, if the shards let it.
func (w *world) reshard(how what, n int64) {
	again := 1
	if how == chain {
		again = 2 + w.dice().below(3, "chain", n)
	}
	for i := range int64(again) {
		open := w.open()
		a, b, ok := neighbours(open, w.dice().below(len(open), "merge", n+i))
		if ok && len(open) > 1 && (how == merge || len(open) > 8 || how == chain && w.dice().below(2, "which", n+i) == 0) {
			w.note("shards %s and %s are merged", short(a), short(b))
			w.count("merge")
			w.parts.merge(number(a), number(b))
		} else if len(open) <= 8 {
			s := open[w.dice().below(len(open), "split", n+i)].ID
			w.note("shard %s is split", short(s))
			w.count("split")
			w.parts.split(number(s))
		}
		if how == chain {
			time.Sleep(w.dice().upTo(3*time.Second, "between", n+i))
		}
	}
}

func (w *world) open() []kcl.Shard {
	return slices.DeleteFunc(w.parts.shards(), func(s kcl.Shard) bool { return s.EndingSequenceNumber != "" })
}

// neighbours returns two open shards of which one's hash keys follow the
// other's, from some shard on.
func neighbours(open []kcl.Shard, from int) (a, b string, ok bool) {
	for i := range open {
		a := open[(from+i)%len(open)]
		for _, b := range open {
			if follows(a.Range.End, b.Range.Start) {
				return a.ID, b.ID, true
			}
		}
	}
	return "", "", false
}

func follows(end, start string) bool {
	e, ok1 := new(big.Int).SetString(end, 10)
	s, ok2 := new(big.Int).SetString(start, 10)
	return ok1 && ok2 && e.Add(e, big.NewInt(1)).Cmp(s) == 0
}

// middle is where a shard is split into halves.
func middle(r lease.HashRange) string {
	start, _ := new(big.Int).SetString(r.Start, 10)
	end, _ := new(big.Int).SetString(r.End, 10)
	mid := new(big.Int).Rsh(new(big.Int).Add(start, end), 1)
	return mid.Add(mid, big.NewInt(1)).String()
}
