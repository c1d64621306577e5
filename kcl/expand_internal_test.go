package kcl

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

func TestRecordBytes(t *testing.T) {
	t.Parallel()
	if got := reflect.TypeFor[Record]().Size(); got != recordBytes {
		t.Errorf("a Record takes %d bytes, want %d", got, recordBytes)
	}
}

// lower is the lower half of the hash keys.
var lower = lease.HashRange{Start: "0", End: "170141183460469231731687303715884105727"}

// aggregateOf makes an aggregated record of n user records, of which each
// seventh lies outside the lower half if straddle is set. Each has a key of its
// own if keys is set.
func aggregateOf(n int, straddle, keys bool) []byte {
	a := kpl.Aggregator{MaxBytes: math.MaxInt}
	for i := range n {
		u := kpl.UserRecord{PartitionKey: "k", HasExplicitHashKey: true, ExplicitHashKey: "1", Data: fmt.Append(nil, i)}
		if straddle && i%7 == 3 {
			u.ExplicitHashKey = "340282366920938463463374607431768211455"
		}
		if keys {
			u.PartitionKey = strconv.Itoa(i)
		}
		a.Add(u)
	}
	if n == 0 {
		return nil
	}
	return a.Append(nil)
}

// naive expands a page all at once.
func naive(recs []Record, after checkpoint.ExtendedSequenceNumber, rule HashRangeRule, hash kpl.HashRange) (out []Record, malformed, dropped int) {
	for _, r := range recs {
		users, err := kpl.Split(nil, r.Data)
		if err != nil {
			bad := !errors.Is(err, kpl.ErrPlain)
			if bad {
				malformed++
			}
			if r.Position().Compare(after) > 0 || bad && after.SubSequenceNumber > 0 && after.SequenceNumber == r.SequenceNumber {
				out = append(out, r)
			}
			continue
		}
		outside := func(u kpl.UserRecord) bool { return !hash.Contains(u) }
		isKPL := r.PartitionKey == "a" && len(users) > 1 && users[0].PartitionKey != "a"
		if rule == HashRangeJava && slices.ContainsFunc(users, outside) {
			dropped += len(users)
			continue
		}
		for i, u := range users {
			nr := Record{
				SequenceNumber: r.SequenceNumber, SubSequenceNumber: int64(i), ApproximateArrivalTimestamp: r.ApproximateArrivalTimestamp,
				PartitionKey: u.PartitionKey, ExplicitHashKey: u.ExplicitHashKey, Data: u.Data, Aggregated: true,
			}
			switch {
			case nr.Position().Compare(after) <= 0:
			case outside(u) && (rule == HashRangeEach || rule == HashRangeKPL && isKPL):
				dropped++
			default:
				out = append(out, nr)
			}
		}
	}
	return out, malformed, dropped
}

// In whatever batches a page comes, they are what there is to deliver, and each
// is bounded.
func TestBatchesAreThePage(t *testing.T) {
	t.Parallel()
	const most = 20
	sizes := []int{1, 2, 3, 9, most - 9, most - 1, most, most + 1, 2*most + 9}
	type shape struct {
		n              int
		straddle, keys bool
	}
	made := map[shape][]byte{}
	hash, err := kpl.ParseHashRange(lower.Start, lower.End)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		var recs []Record
		add := func(key string, data []byte) {
			recs = append(recs, Record{
				SequenceNumber: strconv.Itoa(100 + len(recs)), PartitionKey: key, Data: data,
				ApproximateArrivalTimestamp: time.Unix(int64(len(recs)), 0),
			})
		}
		plain := rapid.Bool().Draw(t, "plain")
		for range rapid.IntRange(0, 6).Draw(t, "records") {
			kind := rapid.IntRange(0, 4).Draw(t, "kind")
			if plain {
				kind = 0
			}
			switch kind {
			case 0:
				add("p", []byte("plain"))
			case 1:
				add("p", []byte("\xf3\x89\x9a\xc2 malformed and long enough"))
			default:
				s := shape{rapid.SampledFrom(sizes).Draw(t, "users"), rapid.Bool().Draw(t, "straddle"), rapid.Bool().Draw(t, "keys")}
				if made[s] == nil {
					made[s] = aggregateOf(s.n, s.straddle, s.keys)
				}
				add(rapid.SampledFrom([]string{"a", "k"}).Draw(t, "put with"), made[s])
			}
		}
		var after checkpoint.ExtendedSequenceNumber
		if rapid.Bool().Draw(t, "resumed") {
			after.SequenceNumber = strconv.Itoa(rapid.IntRange(99, 102).Draw(t, "after"))
			after.SubSequenceNumber = int64(rapid.SampledFrom([]int{0, 1, 12, most + 1}).Draw(t, "sub"))
		}
		rule := rapid.SampledFrom([]HashRangeRule{HashRangeKPL, HashRangeJava, HashRangeEach, HashRangeOff}).Draw(t, "rule")

		x := newExpander(rule, lower)
		x.most = most
		x.begin(Page{Records: recs, Plain: plain}, after)
		var got []Record
		for batch, ok := x.next(); ok; batch, ok = x.next() {
			checkBatch(t, x, batch)
			got = append(got, batch...)
		}
		want, malformed, dropped := naive(recs, after, rule, hash)
		if !slices.EqualFunc(got, want, same) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
		if x.malformed != malformed || x.dropped != dropped {
			t.Fatalf("%d malformed and %d dropped, want %d and %d", x.malformed, x.dropped, malformed, dropped)
		}
		if x.end(); x.bytes() != 0 {
			t.Fatalf("%d bytes are kept after the page", x.bytes())
		}
	})
}

func same(a, b Record) bool {
	return a.Position().Compare(b.Position().ExtendedSequenceNumber) == 0 && a.ApproximateArrivalTimestamp.Equal(b.ApproximateArrivalTimestamp) &&
		a.PartitionKey == b.PartitionKey && a.ExplicitHashKey == b.ExplicitHashKey && a.Aggregated == b.Aggregated && bytes.Equal(a.Data, b.Data)
}

func checkBatch(t *rapid.T, x *expander, batch []Record) {
	users := 0
	of := map[string]int{}
	for _, r := range batch {
		if r.Aggregated {
			users++
			of[r.SequenceNumber]++
		}
	}
	switch {
	case users > x.most:
		t.Fatalf("a batch of %d user records", users)
	case x.outer != nil && x.index > 0 && len(of) > 1:
		t.Fatalf("a batch of %d aggregated records ends within one", len(of))
	case !x.plain && x.bytes() < int64(recordBytes*len(batch)), x.bytes() > 3*recordBytes*int64(x.most+len(batch))+10_000:
		t.Fatalf("%d bytes are counted for %d records", x.bytes(), len(batch))
	}
}

// What is not aggregated is one batch, whatever its size.
func TestPlainPageIsOneBatch(t *testing.T) {
	t.Parallel()
	recs := make([]Record, 3*batchUsers)
	for i := range recs {
		recs[i] = Record{SequenceNumber: strconv.Itoa(1 + i), Data: []byte("x")}
	}
	x := newExpander(HashRangeKPL, lower)
	x.begin(Page{Records: recs}, checkpoint.ExtendedSequenceNumber{})
	if batch, ok := x.next(); !ok || len(batch) != len(recs) {
		t.Errorf("%d records in the first batch, want %d", len(batch), len(recs))
	}
	if _, ok := x.next(); ok {
		t.Error("there is a second batch")
	}
}

// Keys are bounded too: two bytes of a key table take eighteen.
func TestBatchesBoundKeys(t *testing.T) {
	t.Parallel()
	data := aggregateOf(9000, false, true) // as many keys
	recs := make([]Record, 25)
	for i := range recs {
		recs[i] = Record{SequenceNumber: strconv.Itoa(1 + i), Data: data}
	}
	x := newExpander(HashRangeKPL, lower)
	x.begin(Page{Records: recs}, checkpoint.ExtendedSequenceNumber{SequenceNumber: "25", SubSequenceNumber: 8999}) // builds nothing
	for _, ok := x.next(); ok; _, ok = x.next() {
		if x.keys > batchKeys {
			t.Fatalf("%d bytes of keys in a batch", x.keys)
		}
	}
}
