package kcl

import (
	"errors"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

// expander turns records as put into user records, less those at or before a
// position. It reuses its buffers: what it returns is good until the next call.
type expander struct {
	rule  HashRangeRule
	hash  kpl.HashRange // zero: no record lies outside
	users []kpl.UserRecord
	out   []Record
	past  bool // this page's records come after the position from here on: they are in order

	malformed, dropped int // counted since the caller last set them to 0
}

// newExpander applies rule with the hash range r. A range that cannot be read
// is not applied: duplicates are better than a loss.
func newExpander(rule HashRangeRule, r lease.HashRange) *expander {
	x := &expander{rule: rule}
	if rule != HashRangeOff && !r.IsZero() {
		if hash, err := kpl.ParseHashRange(r.Start, r.End); err == nil {
			x.hash = hash
		}
	}
	return x
}

// expand returns the user records of recs that come after the given position.
func (x *expander) expand(recs []Record, after checkpoint.ExtendedSequenceNumber) []Record {
	clear(x.out)
	x.out, x.past = x.out[:0], false
	for i := range recs {
		x.add(&recs[i], after)
	}
	return x.out
}

func (x *expander) add(r *Record, after checkpoint.ExtendedSequenceNumber) {
	users, err := kpl.Split(x.users[:0], r.Data)
	x.users = users
	if err != nil {
		x.addRaw(r, after, !errors.Is(err, kpl.ErrPlain))
		return
	}
	if x.rule == HashRangeJava {
		var dropped int
		users, dropped = x.hash.FilterLikeJava(users)
		x.dropped += dropped
	}
	at := checkpoint.ExtendedSequenceNumber{SequenceNumber: r.SequenceNumber}
	for i, u := range users {
		at.SubSequenceNumber = int64(i)
		if !x.isPast(at, after) {
			continue
		}
		if x.rule == HashRangeEach && !x.hash.Contains(u) {
			x.dropped++
			continue
		}
		x.out = append(x.out, Record{
			SequenceNumber: r.SequenceNumber, SubSequenceNumber: at.SubSequenceNumber,
			ApproximateArrivalTimestamp: r.ApproximateArrivalTimestamp,
			PartitionKey:                u.PartitionKey, ExplicitHashKey: u.ExplicitHashKey,
			Data: u.Data, Aggregated: true,
		})
	}
}

// addRaw adds a record that is not split. One that looks aggregated and stands
// at the checkpoint was split by whoever checkpointed within it, so not all of
// it is done: it is delivered again as a whole.
func (x *expander) addRaw(r *Record, after checkpoint.ExtendedSequenceNumber, malformed bool) {
	if malformed {
		x.malformed++
		if after.SubSequenceNumber > 0 && r.SequenceNumber == after.SequenceNumber {
			x.out = append(x.out, *r)
			return
		}
	}
	if x.isPast(checkpoint.ExtendedSequenceNumber{SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber}, after) {
		x.out = append(x.out, *r)
	}
}

func (x *expander) isPast(at, after checkpoint.ExtendedSequenceNumber) bool {
	x.past = x.past || at.Compare(after) > 0
	return x.past
}
