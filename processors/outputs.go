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

	lines errorlines.Encoder
	tally ProcessedEvent
	parts int64 // extents of all objects

	record   extent // the latest record as it came, if isLogged
	isLogged bool
}

// What ends a cut whose records become nothing, or little, that is delivered, or are
// very small: how long its log gets, and how many extents there are.
const (
	maxLog      = 1 << 30
	maxExtents  = 1 << 20
	extentBytes = 16
)

// objectBytes is about what an object of a cut takes in memory beside its extents and
// its body: what is known of it, its key, and its place in lists.
const objectBytes = 1 << 10

// group is what goes into one object until that is full.
type group struct {
	lane    int    // its index
	failure string // error-output-type; "" for what did not fail
}

// extents are an object before it has a body.
type extents struct {
	group          group
	lane           *lane
	parts          []extent
	records, bytes int64
	oldest         time.Time // arrival of the oldest record
}

type extent struct{ from, size int64 }

func (w *workshop) collect(lanes []lane, p *pace, lines errorlines.Generation) *outputs {
	o := &outputs{shop: w, pace: p, lanes: lanes, log: w.spools.Open(), open: map[group]*extents{}}
	o.lines.Generation = lines
	o.tally.Failed = map[string]int64{}
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
func (o *outputs) add(r *kcl.Record, out pipeline.Output) error {
	o.count(r, out)
	switch {
	case out.Nothing:
		o.tally.Nothing++
		return nil
	case out.Failure.Type != "":
		return o.fail(r, out.Failure)
	}
	l := &o.lanes[0]
	x := o.put(group{}, r, o.write(r, out.Data))
	if l.delimiter != "" {
		o.extend(x, o.log.Size(), int64(len(l.delimiter)))
		_, _ = o.log.Write([]byte(l.delimiter)) // never fails
	}
	return nil
}

// count counts what Decompression did, if there is one.
func (o *outputs) count(r *kcl.Record, out pipeline.Output) {
	switch {
	case o.lanes[len(o.lanes)-1].role != exactlyonce.Failed:
	case out.Failure.Type == pipeline.DecompressionFailed:
		o.tally.NotInflatedBytes += int64(len(r.Data))
	default:
		o.tally.Inflated++
		o.tally.InflatedBytes += out.Inflated
	}
}

// fail has the last lane take the line of a record that failed.
func (o *outputs) fail(r *kcl.Record, f pipeline.Failure) error {
	from := o.log.Size()
	line := errorlines.Line{
		Data: r.Data, ErrorCode: f.Code, ErrorMessage: f.Message, AttemptsMade: 1, Arrival: r.ApproximateArrivalTimestamp, Ended: time.Now(),
	}
	if err := o.lines.Encode(o.log, &line); err != nil {
		return fmt.Errorf("writing an error line: %w", err)
	}
	o.tally.Failed[f.Type]++
	o.put(group{len(o.lanes) - 1, f.Type}, r, extent{from, o.log.Size() - from})
	return nil
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
	}
	o.extend(x, at.from, at.size)
	if r.ApproximateArrivalTimestamp.Before(x.oldest) {
		x.oldest = r.ApproximateArrivalTimestamp
	}
	x.records++
	if x.bytes += at.size; g.lane > 0 && x.bytes >= o.pace.size(x.lane.size) {
		delete(o.open, g)
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

// filled implements contents: what the object has that is delivered. A log that is
// too long ends the cut, too.
func (o *outputs) filled() int64 {
	switch x := o.open[group{}]; {
	case o.log.Size() >= maxLog || o.parts >= maxExtents:
		return math.MaxInt64
	case x == nil:
		return 0
	default:
		return x.bytes
	}
}

// key returns where the object id goes.
func (x *extents) key(id exactlyonce.UUID) (string, error) {
	if x.group.failure != "" {
		return x.lane.errorKey(instant(x.oldest), id, x.group.failure)
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
	for _, p := range x.parts {
		for p.size > 0 {
			if p.from < from || p.from >= to {
				deadline.Beat(ctx)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				from, to = p.from, min(p.from+int64(len(buf)), log.Size())
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

// finish implements contents. Bodies are made when the cut is closed.
func (*outputs) finish() error { return nil }

func (o *outputs) spoolErr() error { return o.log.Err() }

func (o *outputs) heldBytes() int64 {
	return o.log.Held() + extentBytes*o.parts + objectBytes*int64(len(o.begun))
}

func (o *outputs) release(reuse bool, log *zap.Logger) { closeSpool(o.log, reuse, log) }
