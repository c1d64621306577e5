package processors

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/errorlines"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
	"github.com/shardmill/shardmill/processors/internal/spool"
	"github.com/shardmill/shardmill/processors/pipeline"
	"github.com/shardmill/shardmill/processors/prefix"
)

// lane is where one kind of a cut's objects goes.
type lane struct {
	names

	role   exactlyonce.Role
	bucket string
	format container.Format
	size   int64 // what an object has when the next one begins, if the shard is not behind

	delimiter string // follows what each record becomes
}

// outputs are what the records of a cut become that has several objects. All of it is
// in one log, in the order in which it came; an object is a list of the log's extents
// until the cut is closed. So an open object costs a few bytes, not a compressor.
type outputs struct {
	shop  *workshop
	pace  *pace
	lanes []lane // the first one is that of deliveries
	log   *spool.Spool
	begun []*extents         // objects, in the order in which they began
	open  map[group]*extents // those that go on

	sorter *sorter                     // nil without partitions
	places map[string]*activePartition // by what stands before the names of their objects
	byID   map[string]*activePartition // the same, by what tells them apart; not all
	active int                         // partitions
	oldest int                         // in begun: no object before it is open that is delivered
	ended  int                         // objects that are complete, of those without a partition that are delivered
	names  int64                       // bytes of places
	index  int64                       // about what the index of the bundle needs

	documents *documents    // nil if what is delivered are objects
	indexed   *IndexedEvent // what became of them
	scratch   []byte        // for one of them

	inflates bool // records are inflated
	lines    errorlines.Encoder
	tally    ProcessedEvent
	parts    int64 // extents of all objects

	record   extent // the latest record as it came, if isLogged
	isLogged bool
}

// What ends a cut whose records become nothing, or little, that is delivered, or are
// very small: how long its log gets, and how many extents and objects there are.
const (
	maxLog      = 1 << 30
	maxExtents  = 1 << 20
	extentBytes = 16

	// maxObjects is how many objects without a partition a cut delivers, while the one
	// before is loaded.
	maxObjects = 128

	// maxDocuments bounds what is to be known if all of a cut's documents fail.
	maxDocuments = 1 << 18

	// indexBytes is what an index has at most of an object, beside what a partition's
	// prefix has: names of a bucket and of the object, digests, numbers.
	indexBytes = 1 << 10
)

// slowQuery is a query whose end is a sign of life.
const slowQuery = 10 * time.Millisecond

// objectBytes is about what an object of a cut takes in memory beside its extents and
// its body: what is known of it, its key, and its place in lists.
const objectBytes = 1 << 10

// group is what goes into one object until that is full.
type group struct {
	lane    int              // its index
	failure string           // error-output-type; "" for what did not fail
	place   *activePartition // nil without partitions
}

// activePartition has what its objects have in common.
type activePartition struct {
	before string // see prefix.Group
}

// placeBytes is about what a partition takes in memory beside its names.
const placeBytes = 256

// maxIDs is how many ways to find a partition are remembered beside one for each.
const maxIDs = 1 << 10

// extents are an object before it has a body.
type extents struct {
	group          group
	lane           *lane
	parts          []extent
	records, bytes int64
	oldest         time.Time // arrival of the oldest record
}

type extent struct{ from, size int64 }

func (w *workshop) collect(s *settings, p *pace, sorter *sorter) *outputs {
	o := &outputs{shop: w, pace: p, lanes: s.lanes, log: w.spools.Open(), open: map[group]*extents{}, sorter: sorter, inflates: s.Decompression}
	o.places, o.byID = map[string]*activePartition{}, map[string]*activePartition{}
	if s.OlderErrorLines {
		o.lines.Generation = errorlines.Older
	}
	o.tally.Failed = map[string]int64{}
	if s.Index != nil {
		o.documents = &documents{log: o.log}
	}
	return o
}

// take implements contents: lanes of backup have each record as it came.
func (o *outputs) take(r *kcl.Record) {
	o.isLogged = false
	for i := range o.lanes {
		if o.lanes[i].role == exactlyonce.Backup {
			o.put(group{lane: i}, r, o.write(r, r.Data))
		}
	}
}

// add implements contents.
func (o *outputs) add(ctx context.Context, r *kcl.Record, out pipeline.Output) error {
	return o.enter(r, &out, o.judge(ctx, r, &out))
}

// judge counts what becomes of a record, and returns its partition, or notes that it has
// none.
func (o *outputs) judge(ctx context.Context, r *kcl.Record, out *pipeline.Output) (at *activePartition) {
	o.count(r, out)
	if o.sorter != nil && out.Failure.Type == "" && !out.Nothing && !out.Dropped {
		at, out.Failure = o.sort(ctx, r, out)
	}
	return at
}

// enter has an object take what was judged.
func (o *outputs) enter(r *kcl.Record, out *pipeline.Output, at *activePartition) error {
	switch {
	case out.Nothing || out.Dropped:
		return nil
	case out.Failure.Type != "":
		return o.fail(r, out)
	}
	if o.documents != nil {
		o.documents.add(r, o.write(r, out.Data))
		return nil
	}
	l, to := &o.lanes[0], group{place: at}
	x := o.put(to, r, o.write(r, out.Data))
	if l.delimiter != "" {
		o.extend(x, o.log.Size(), int64(len(l.delimiter)))
		_, _ = o.log.Write([]byte(l.delimiter)) // never fails
	}
	return nil
}

// count counts what the stages did.
func (o *outputs) count(r *kcl.Record, out *pipeline.Output) {
	switch {
	case !o.inflates || out.Part > 0:
	case out.Failure.Type == pipeline.DecompressionFailed:
		o.tally.NotInflatedBytes += int64(len(r.Data))
	default:
		o.tally.Inflated++
		o.tally.InflatedBytes += out.Inflated
	}
	if out.Nothing {
		o.tally.Nothing++
	}
	if out.Transformed {
		o.tally.Transformed++
		o.tally.TransformedBytes += int64(len(out.Data))
	}
	if out.Dropped {
		o.tally.Dropped++
	}
}

// fail has the last lane take the line of a record that failed.
func (o *outputs) fail(r *kcl.Record, out *pipeline.Output) error {
	from, f := o.log.Size(), &out.Failure
	line := errorlines.Line{
		Data: out.Source, ErrorCode: f.Code, ErrorMessage: f.Message,
		AttemptsMade: max(1, f.Attempts), Arrival: r.ApproximateArrivalTimestamp, Ended: f.Ended, LambdaARN: f.ARN,
	}
	if f.Ended.IsZero() {
		line.Ended = time.Now()
	}
	if err := o.lines.Encode(o.log, &line); err != nil {
		return fmt.Errorf("writing an error line: %w", err)
	}
	o.putLine(f.Type, r, from)
	return nil
}

// putLine has the last lane take a line of an error object, all that the log has from
// from on.
func (o *outputs) putLine(failure string, r *kcl.Record, from int64) {
	o.tally.Failed[failure]++
	o.put(group{lane: len(o.lanes) - 1, failure: failure}, r, extent{from, o.log.Size() - from})
}

// sort returns the partition of a record, or why it is in none.
func (o *outputs) sort(ctx context.Context, r *kcl.Record, out *pipeline.Output) (*activePartition, pipeline.Failure) {
	begun := time.Now()
	v, f := o.sorter.sort(ctx, out, r.ApproximateArrivalTimestamp)
	took := time.Since(begun)
	if o.tally.JQDuration += took; took >= slowQuery {
		deadline.Beat(ctx) // a query ends by itself, but there may be many
	}
	if f.Type != "" {
		return nil, f
	}
	at := o.byID[string(v.id)]
	if at == nil {
		before, f := o.sorter.group(v)
		if f.Type != "" {
			return nil, f
		}
		if at = o.places[before]; at == nil {
			if o.isFull() && o.sorter.overflow == OverflowFail {
				o.tally.PartitionsExceeded++
				return nil, o.sorter.exceeded()
			}
			at = &activePartition{before: before}
			o.places[before] = at
			o.names += placeBytes + 2*int64(len(before))
		}
		o.remember(v.id, at)
	}
	if o.open[group{place: at}] == nil && o.sorter.overflow == OverflowFinish && o.isFull() {
		o.tally.PartitionsExceeded++
		o.finishOldest()
	}
	return at, pipeline.Failure{}
}

// isFull reports whether there may be no further active partition. One whose object is
// complete stays active until the cut is delivered, or can be finished before, as
// Overflow has it.
func (o *outputs) isFull() bool { return o.partitions() >= o.sorter.most }

// partitions returns how many are active.
func (o *outputs) partitions() int {
	if o.sorter == nil || o.sorter.overflow == OverflowFail {
		return len(o.places)
	}
	return o.active
}

// remember notes how to find a partition.
func (o *outputs) remember(id []byte, at *activePartition) {
	if len(o.byID) >= len(o.places)+maxIDs {
		clear(o.byID)
	}
	o.byID[string(id)] = at
}

// finishOldest completes the object that began first of those that are delivered.
func (o *outputs) finishOldest() {
	for ; o.oldest < len(o.begun); o.oldest++ {
		if x := o.begun[o.oldest]; x.group.lane == 0 && o.open[x.group] == x {
			o.complete(x)
			return
		}
	}
}

// complete ends an object: the next record of its group begins another.
func (o *outputs) complete(x *extents) {
	delete(o.open, x.group)
	if x.group.place != nil {
		o.active--
	}
}

// isSame reports whether both are the same memory.
func isSame(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// write appends to the log, but a record that is there already only once.
func (o *outputs) write(r *kcl.Record, data []byte) extent {
	isRecord := isSame(data, r.Data)
	if isRecord && o.isLogged {
		return o.record
	}
	at := extent{o.log.Size(), int64(len(data))}
	_, _ = o.log.Write(data) // never fails
	if isRecord {
		o.record, o.isLogged = at, true
	}
	return at
}

// put appends an extent of the log to the open object of a group, and returns that.
func (o *outputs) put(g group, r *kcl.Record, at extent) *extents {
	x := o.open[g]
	if x == nil {
		x = &extents{group: g, lane: &o.lanes[g.lane], oldest: r.ApproximateArrivalTimestamp}
		o.begun, o.open[g] = append(o.begun, x), x
		o.index += indexBytes
		if g.place != nil {
			o.active++
			o.index += int64(len(g.place.before))
		}
	}
	o.extend(x, at.from, at.size)
	if r.ApproximateArrivalTimestamp.Before(x.oldest) {
		x.oldest = r.ApproximateArrivalTimestamp
	}
	x.records++
	if x.bytes += at.size; (g.lane > 0 || g.place != nil) && x.bytes >= o.pace.size(x.lane.size) {
		o.complete(x)
	}
	return x
}

func (o *outputs) extend(x *extents, from, size int64) {
	if n := len(x.parts); n > 0 && x.parts[n-1].from+x.parts[n-1].size == from {
		x.parts[n-1].size += size
		return
	}
	x.parts = append(x.parts, extent{from, size})
	o.parts++
}

// filled implements contents: what the object has that is delivered, unless there is one
// for each partition: these end by themselves. A log that is too long ends the cut, too.
func (o *outputs) filled() int64 {
	switch x := o.open[group{}]; {
	case o.isOver():
		return math.MaxInt64
	case o.documents != nil:
		return o.documents.bytes
	case x == nil:
		return 0
	default:
		return x.bytes
	}
}

// isOver reports whether the cut can take nothing more, whatever is delivered of it.
func (o *outputs) isOver() bool {
	return o.log.Size() >= maxLog || o.parts >= maxExtents || o.documents.len() >= maxDocuments || o.index >= exactlyonce.MaxIndex/2
}

// another completes the object that is delivered, so that what follows begins another
// one; false if the cut can have no other.
func (o *outputs) another() bool {
	x := o.open[group{}]
	switch {
	case o.isOver() || o.documents != nil || o.sorter != nil:
		return false
	case x == nil:
		return true
	case o.ended >= maxObjects-1:
		return false
	}
	o.ended++
	o.complete(x)
	return true
}

// key returns where the object id goes.
func (x *extents) key(id exactlyonce.UUID) (string, error) {
	switch {
	case x.group.failure != "":
		return x.lane.errorKey(instant(x.oldest), id, x.group.failure)
	case x.group.place != nil:
		return x.lane.keyBehind(prefix.Fill(x.group.place.before, randomBits), instant(x.oldest), id, x.lane.format), nil
	}
	return x.lane.key(instant(x.oldest), id, x.lane.format)
}

// body writes the body of the object id to w: its extents, in a container. It ends
// when ctx does, and shows that it is alive.
func (x *extents) body(ctx context.Context, shop *workshop, id exactlyonce.UUID, log *spool.Spool, w io.Writer, buf []byte) error {
	inside, err := shop.compressors.Open(x.lane.format, id.String(), w)
	if err != nil {
		return err
	}
	defer inside.Drop()
	var from, to int64 // what of the log is in buf
	for i, p := range x.parts {
		for p.size > 0 {
			if p.from < from || p.from >= to {
				deadline.Beat(ctx)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				from = p.from
				to = min(from+int64(len(buf)), x.near(i, from+int64(len(buf))))
				if _, err := log.ReadAt(buf[:to-from], from); err != nil {
					return fmt.Errorf("reading the log of a cut: %w", err)
				}
			}
			n := min(p.size, to-p.from)
			if _, err := inside.Write(buf[p.from-from : p.from-from+n]); err != nil {
				return fmt.Errorf("compressing records: %w", err)
			}
			p.from, p.size = p.from+n, p.size-n
		}
	}
	return inside.End()
}

// near returns where the last of the object's extents ends, from number i on, that begins
// before to. What lies further apart is not worth reading.
func (x *extents) near(i int, to int64) int64 {
	end := x.parts[i].from + x.parts[i].size
	for _, p := range x.parts[i+1:] {
		if p.from >= to {
			break
		}
		end = p.from + p.size
	}
	return end
}

func (o *outputs) spoolErr() error { return o.log.Err() }

func (o *outputs) held() (bytes int64, partitions int) {
	return o.log.Held() + extentBytes*o.parts + objectBytes*int64(len(o.begun)) + o.names + o.documents.held(), o.partitions()
}

func (o *outputs) release(reuse bool, log *zap.Logger) { closeSpool(o.log, reuse, log) }
