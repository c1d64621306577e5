package dynamodbd

import (
	"cmp"
	"slices"
	"time"
)

// row is an item at its place, which is its encoded key.
type row struct {
	place string
	item  Item
}

// rows are the rows of a table or index in the order of their places, with
// enough history for stale reads.
type rows struct {
	list []row
	lag  time.Duration
	log  []change // oldest first, none older than lag
}

// change is what a place held before a write; item is nil if nothing.
type change struct {
	at    time.Time
	place string
	item  Item
}

func (r *rows) find(place string) (int, bool) {
	return slices.BinarySearchFunc(r.list, place, func(e row, place string) int { return cmp.Compare(e.place, place) })
}

// get gives the row at a place, nil if there is none.
func (r *rows) get(place string) Item {
	if i, ok := r.find(place); ok {
		return r.list[i].item
	}
	return nil
}

// put stores a row at a place, or with nil removes it.
func (r *rows) put(now time.Time, place string, it Item) {
	i, found := r.find(place)
	r.remember(now, place, i, found)
	switch {
	case found && it != nil:
		r.list[i].item = it
	case found:
		r.list = slices.Delete(r.list, i, i+1)
	case it != nil:
		r.list = slices.Insert(r.list, i, row{place, it})
	}
}

func (r *rows) remember(now time.Time, place string, i int, found bool) {
	if r.lag <= 0 {
		return
	}
	old := 0
	for old < len(r.log) && now.Sub(r.log[old].at) >= r.lag {
		old++
	}
	c := change{at: now, place: place}
	if found {
		c.item = r.list[i].item
	}
	r.log = append(slices.Delete(r.log, 0, old), c)
}

// seen gives the rows for a read at the given time: as they are if it is
// consistent, else as they were a lag ago.
func (r *rows) seen(now time.Time, consistent bool) *rows {
	first := len(r.log)
	for first > 0 && now.Sub(r.log[first-1].at) < r.lag {
		first--
	}
	if consistent || first == len(r.log) {
		return r
	}
	past := &rows{list: slices.Clone(r.list)}
	for _, c := range slices.Backward(r.log[first:]) {
		past.put(now, c.place, c.item)
	}
	return past
}

// between gives the rows from one place up to, and without, another; no upper
// place is the end.
func (r *rows) between(from, to string) []row {
	low, _ := r.find(from)
	high := len(r.list)
	if to != "" {
		high, _ = r.find(to)
	}
	return r.list[low:max(low, high)]
}

// size is the sum of the sizes of the rows, in bytes.
func (r *rows) size() int {
	total := 0
	for _, e := range r.list {
		total += e.item.size()
	}
	return total
}
