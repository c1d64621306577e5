package kcl

import (
	"slices"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/kpl"
)

// The most that is built of aggregated records for one call of ProcessRecords:
// a page of 10 MiB may hold 1.7 million user records. What was not aggregated
// does not count, so a page without aggregated records is one call.
const (
	batchUsers = 10_000  // user records
	batchKeys  = 4 << 20 // bytes of their keys, of more than one aggregated record

	// leastUsers is what one call brings at least, however little memory there is.
	leastUsers = 100
)

// recordBytes is the size of a Record, less what it points to.
const recordBytes = 128

// expander turns a page's records as put into user records, less those at or
// before a position, batch by batch. A batch is good until the next one; the
// buffer lives as long as the page.
type expander struct {
	rule   HashRangeRule
	hash   kpl.HashRange // zero: no record lies outside
	faults KPLFaults
	most   int // user records of a batch
	keep   int // bytes of their keys, of more than one aggregated record

	recs  []Record // those of the page that were not looked at yet
	after checkpoint.ExtendedSequenceNumber
	past  bool // this page's records come after the position from here on: they are in order
	plain bool // none of the page's records is aggregated
	out   []Record

	// outer is the aggregated record that is being taken apart, or, if there is a
	// fault, the next one to dead-letter. It may be nil.
	outer   *Record
	fault   error
	split   kpl.Splitter
	index   int64 // of its next user record
	checked bool  // those outside the range are dropped

	users, keys int // what the batch has of aggregated records

	counts expanded // since the caller last set them to 0
}

// expanded counts what an expander did not take for user records to process.
type expanded struct {
	malformed int // records that could not be taken apart
	whole     int // those of them that are in the batches
	left      int // those of them that were dropped
	outside   int // user records outside the hash range that were dropped
}

// batch is some records of a page, in order.
type batch struct {
	recs []Record

	// fault says why the one record goes to Config.DeadLetter; nil if all are to be
	// processed.
	fault error
}

// newExpander applies rule with the hash range r. A range that cannot be read
// is not applied: duplicates are better than a loss.
func newExpander(rule HashRangeRule, r HashRange, faults KPLFaults) *expander {
	x := &expander{rule: rule, faults: faults, most: batchUsers, keep: batchKeys}
	if rule != HashRangeOff && !r.IsZero() {
		if hash, err := kpl.ParseHashRange(r.Start, r.End); err == nil {
			x.hash = hash
		}
	}
	return x
}

// begin begins with the records of a page, and wants what comes after the given
// position.
func (x *expander) begin(p Page, after checkpoint.ExtendedSequenceNumber) {
	x.end()
	x.recs, x.after, x.past, x.plain = p.Records, after, false, p.Plain
}

// within bounds what is built for the next batch to about so many bytes.
func (x *expander) within(bytes int64) {
	x.most = int(min(max(leastUsers, bytes/recordBytes), batchUsers))
	x.keep = int(min(bytes, batchKeys))
}

// end lets go of the page and of the buffer.
func (x *expander) end() {
	x.recs, x.out, x.outer, x.fault, x.split = nil, nil, nil, nil, kpl.Splitter{}
	x.users, x.keys = 0, 0
}

// bytes returns what the expander holds beside the page.
func (x *expander) bytes() int64 {
	n := x.keys + x.split.Room()
	if x.outer != nil && x.index == 0 { // it is left for the next batch
		n += x.split.Bytes()
	}
	return recordBytes*int64(cap(x.out)) + int64(n)
}

// next returns the next batch, which may be empty, and false if there is none.
// A batch ends within an aggregated record only if that is too large for one, and
// before and after one that is to be dead-lettered.
func (x *expander) next() (b batch, ok bool) {
	if x.outer == nil && len(x.recs) == 0 {
		return batch{}, false
	}
	if x.plain {
		return batch{recs: x.rest()}, true
	}
	x.out, x.users, x.keys = x.out[:0], 0, 0
	for x.outer != nil || len(x.recs) > 0 {
		if x.outer == nil {
			r := &x.recs[0]
			x.recs = x.recs[1:]
			x.open(r)
			continue
		}
		if x.fault != nil {
			if len(x.out) > 0 {
				break
			}
			x.add(x.outer)
			b.fault, x.outer, x.fault = x.fault, nil, nil
			break
		}
		if x.keys > 0 && (x.users+x.split.Len() > x.most || x.keys+x.split.Bytes() > x.keep) {
			break
		}
		x.keys += x.split.Bytes()
		if x.take(); x.outer != nil {
			break
		}
	}
	b.recs = x.out
	return b, true
}

// rest returns what is wanted of a page without aggregated records: itself.
func (x *expander) rest() []Record {
	recs := x.recs
	x.recs = nil
	for i := range recs {
		if x.isPast(recs[i].Position().ExtendedSequenceNumber) {
			return recs[i:]
		}
	}
	return nil
}

// open takes a record from the page: it is split from now on, or added as it is,
// or dropped.
func (x *expander) open(r *Record) {
	if !kpl.IsAggregated(r.Data) {
		if x.isPast(r.Position().ExtendedSequenceNumber) {
			x.add(r)
		}
		return
	}
	if err := x.split.Reset(r.Data); err != nil {
		x.openFaulty(r, err)
		return
	}
	if x.rule == HashRangeJava && !x.hash.ContainsAll(x.split) {
		x.counts.outside += x.split.Len()
		x.split.Clear()
		return
	}
	x.outer, x.index = r, 0
	x.checked = x.rule == HashRangeEach || x.rule == HashRangeKPL && x.split.IsKPL(r.PartitionKey)
}

// openFaulty takes a record that looks aggregated and cannot be split. One that
// stands at the checkpoint was split by whoever checkpointed within it, so not all
// of it is done: it comes again as a whole.
func (x *expander) openFaulty(r *Record, fault error) {
	x.counts.malformed++
	again := x.after.SubSequenceNumber > 0 && r.SequenceNumber == x.after.SequenceNumber
	if !again && !x.isPast(r.Position().ExtendedSequenceNumber) {
		return
	}
	switch x.faults.of(fault) {
	case FaultDrop:
		x.counts.left++
	case FaultDeadLetter:
		x.outer, x.fault = r, fault
	case FaultRaw:
		x.counts.whole++
		x.add(r)
	}
}

// take adds user records until the batch is full or the aggregated record is
// done.
func (x *expander) take() {
	if free, all := cap(x.out)-len(x.out), min(x.most-x.users, x.split.Len()); free < all {
		// The others are about as large, if there are any.
		x.out = slices.Grow(x.out, min(x.most-x.users, x.split.Len()*(1+len(x.recs))))
	}
	for x.users < x.most {
		u, ok := x.split.Next()
		if !ok {
			x.close()
			return
		}
		at := checkpoint.ExtendedSequenceNumber{SequenceNumber: x.outer.SequenceNumber, SubSequenceNumber: x.index}
		x.index++
		if !x.isPast(at) {
			continue
		}
		if x.checked && !x.hash.Contains(u) {
			x.counts.outside++
			continue
		}
		x.users++
		x.out = append(x.out, Record{
			SequenceNumber: at.SequenceNumber, SubSequenceNumber: at.SubSequenceNumber,
			ApproximateArrivalTimestamp: x.outer.ApproximateArrivalTimestamp,
			PartitionKey:                u.PartitionKey, ExplicitHashKey: u.ExplicitHashKey,
			Data: u.Data, Aggregated: true, EncryptionType: x.outer.EncryptionType,
		})
	}
	if x.split.Len() == 0 {
		x.close()
	}
}

// close ends the aggregated record that was taken apart.
func (x *expander) close() {
	x.outer = nil
	x.split.Clear()
}

// add adds a record as it is.
func (x *expander) add(r *Record) {
	if len(x.out) == cap(x.out) {
		x.out = slices.Grow(x.out, 1+len(x.recs))
	}
	x.out = append(x.out, *r)
}

func (x *expander) isPast(at checkpoint.ExtendedSequenceNumber) bool {
	x.past = x.past || at.Compare(x.after) > 0
	return x.past
}
