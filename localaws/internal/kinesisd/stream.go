package kinesisd

import (
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

const (
	statusCreating = "CREATING"
	statusActive   = "ACTIVE"
	statusUpdating = "UPDATING"
	statusDeleting = "DELETING"
	statusGone     = "" // deleted: to be removed from the server's map
)

// defaultRecordBytes is the size of data and partition key that a record of a
// new stream may have.
const defaultRecordBytes = 1 << 20

// stream is one data stream. mu guards all that follows it.
type stream struct {
	name    string
	arn     string
	life    uint64 // tells it from an earlier stream of the same name
	created time.Time

	mu             sync.Mutex
	status         string
	due            time.Time          // when pending happens
	pending        func(at time.Time) // ends CREATING, UPDATING or DELETING
	retention      time.Duration
	maxRecordBytes int
	shards         []*shard // by number; those whose retention has passed are removed
	ranges         []*shard // the open ones by hash range; they cover the key space without overlap
	nextShard      uint32
	tags           map[string]string
}

// shard is one shard of a stream, guarded by the stream's lock.
type shard struct {
	stream      *stream
	id          string
	number      uint32
	first, last hash128 // both inclusive
	parents     []*shard
	children    []*shard
	createdAt   time.Time
	closedAt    time.Time // zero while it is open
	expired     bool      // its retention has passed: it is no longer in stream.shards
	birth       uint64    // the second in its sequence numbers
	log         recordLog
	in, out     meters
}

func (sh *shard) open() bool { return sh.closedAt.IsZero() }

// sequence gives the number of the record with that index, without the time of
// arrival.
func (sh *shard) sequence(index uint64) sequence {
	return sequence{created: sh.birth, index: index, shard: sh.number}
}

// starting is the shard's StartingSequenceNumber: below all of its records.
func (sh *shard) starting() sequence {
	q := sh.sequence(0)
	q.seconds = sh.birth
	return q
}

// ending is the EndingSequenceNumber of a closed shard: above all of its
// records.
func (sh *shard) ending() sequence {
	q := sh.sequence(lastIndex)
	q.seconds = seconds(sh.closedAt)
	return q
}

// issued reports whether a sequence number lies within the range of this shard:
// its start, one of its records, or its end if it is closed.
func (sh *shard) issued(q sequence) bool {
	if q.created != sh.birth || q.shard != sh.number {
		return false
	}
	return q.index < sh.log.next || (!sh.open() && q == sh.ending())
}

// during runs change when the stream's delay has passed, at once if there is
// none, and has the stream in that state until then.
func (st *stream) during(status string, now time.Time, delay time.Duration, change func(at time.Time)) {
	st.status, st.due, st.pending = status, now.Add(delay), change
	st.settle(now)
}

// settle makes the stream what it is at that time: ends a state that is over,
// and lets go of records and shards whose retention has passed.
func (st *stream) settle(now time.Time) {
	if st.pending != nil && !now.Before(st.due) {
		change := st.pending
		st.pending = nil
		if st.status == statusDeleting {
			st.status = statusGone
		} else {
			st.status = statusActive
		}
		change(st.due)
	}
	horizon := now.Add(-st.retention)
	st.shards = slices.DeleteFunc(st.shards, func(sh *shard) bool {
		sh.log.expire(horizon.UnixMilli())
		sh.expired = !sh.open() && sh.closedAt.Before(horizon)
		return sh.expired
	})
}

// forget removes a closed shard, as the end of its retention would.
func (st *stream) forget(gone *shard) {
	gone.expired = true
	st.shards = slices.DeleteFunc(st.shards, func(sh *shard) bool { return sh == gone })
}

// shard finds a shard that is still kept by its id; nil if there is none.
func (st *stream) shard(id string) *shard {
	number, ok := shardNumber(id)
	if !ok {
		return nil
	}
	i := sort.Search(len(st.shards), func(i int) bool { return st.shards[i].number >= number })
	if i == len(st.shards) || st.shards[i].number != number {
		return nil
	}
	return st.shards[i]
}

// shardFor is the position in ranges of the open shard that has that hash.
func (st *stream) shardFor(h hash128) int {
	return sort.Search(len(st.ranges), func(i int) bool { return st.ranges[i].last.compare(h) >= 0 })
}

// add makes a shard. The caller puts it in its place in ranges.
func (st *stream) add(first, last hash128, at time.Time, parents ...*shard) *shard {
	sh := &shard{
		stream: st, id: shardID(st.nextShard), number: st.nextShard, first: first, last: last,
		parents: parents, createdAt: at, birth: seconds(at), log: newRecordLog(),
	}
	for _, parent := range parents {
		sh.birth = max(sh.birth, parent.birth+1)
		parent.children = append(parent.children, sh)
	}
	st.nextShard++
	st.shards = append(st.shards, sh)
	return sh
}

// split closes the shard at that position and gives it two children, the second
// of which begins at key.
func (st *stream) split(i int, key hash128, at time.Time) {
	parent := st.ranges[i]
	parent.closedAt = at
	lower := st.add(parent.first, key.previous(), at, parent)
	upper := st.add(key, parent.last, at, parent)
	st.ranges = slices.Replace(st.ranges, i, i+1, lower, upper)
}

// merge closes the shards at positions i and i+1 and gives them one child,
// whose parent is parent and adjacent parent the other.
func (st *stream) merge(i int, parent *shard, at time.Time) {
	lower, upper := st.ranges[i], st.ranges[i+1]
	adjacent := upper
	if parent == upper {
		adjacent = lower
	}
	lower.closedAt, upper.closedAt = at, at
	child := st.add(lower.first, upper.last, at, parent, adjacent)
	st.ranges = slices.Replace(st.ranges, i, i+2, child)
}

// scale makes n shards of equal size by splits at the new borders and then
// merges within them. Shards that lie right stay as they are.
func (st *stream) scale(n int, at time.Time) {
	starts := evenRanges(n)
	for _, start := range starts {
		if i := st.shardFor(start); st.ranges[i].first != start {
			st.split(i, start, at)
		}
	}
	for i, start := range starts {
		last := hash128{}.previous()
		if i+1 < n {
			last = starts[i+1].previous()
		}
		for at0 := st.shardFor(start); st.ranges[at0].last != last; {
			st.merge(at0, st.ranges[at0], at)
		}
	}
}

func shardID(number uint32) string { return fmt.Sprintf("shardId-%012d", number) }

// shardNumber reads a shard id. As in the service, the digits may be fewer than
// twelve.
func shardNumber(id string) (number uint32, ok bool) {
	const prefix = "shardId-"
	if len(id) <= len(prefix) || id[:len(prefix)] != prefix || len(id) > len(prefix)+12 {
		return 0, false
	}
	var n uint64
	for _, digit := range []byte(id[len(prefix):]) {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		n = n*10 + uint64(digit-'0')
	}
	return uint32(n), n < 1<<31
}
