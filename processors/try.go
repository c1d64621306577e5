package processors

import (
	"context"
	"fmt"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/pipeline"
	"github.com/shardmill/shardmill/processors/prefix"
)

// Fate is what becomes of a record, or of one of those that de-aggregation makes of it.
type Fate struct {
	Record int // which of the records that Try got, from 0
	Part   int // which of its fates it is, from 0

	// Data is what is delivered under Prefix, before delimiter and compression; of a
	// record that failed the line of the error object, with its newline.
	Data   []byte
	Prefix string // stands before the name of the object; "" for a document

	// Of a record that failed; "" of others.
	ErrorOutputType, ErrorCode, ErrorMessage string

	Dropped bool // by the transform: nothing is delivered
	Nothing bool // there was nothing to deliver, such as of a control message of CloudWatch Logs
}

// Try tells what would become of records that arrived one after another on a shard, and
// in one cut. It calls the transform, and puts nothing anywhere. tell is called once for
// each fate, in the order of the records, on the caller's goroutine; Data is good until it
// returns. The error is not about records: ctx is done, or a spool file cannot be used.
func (a *Archiver) Try(ctx context.Context, records []kcl.Record, tell func(Fate)) error {
	s := &a.settings
	shard := kcl.ShardInfo{ShardID: "shardId-000000000000"}
	t := &trial{ctx: ctx, lanes: s.lanes, tell: tell}
	t.outputs = a.shop.collect(s, &pace{}, s.sorting.open())
	defer t.outputs.release(true, s.Logger)
	in := a.incoming(shard, s.Logger)
	defer in.drop()
	in.begin(ctx, checkpoint.Sentinel(checkpoint.TrimHorizon).ExtendedSequenceNumber)
	for i := range records {
		if err := in.take(ctx, &records[i], t); err != nil {
			return err
		}
	}
	return in.finish(ctx, t)
}

// trial is where the records of Try enter.
type trial struct {
	ctx     context.Context //nolint:containedctx // of the call
	outputs *outputs
	lanes   []lane
	tell    func(Fate)
	next    int // record
}

// stopping implements entrance.
func (*trial) stopping() <-chan struct{} { return nil }

// enter implements entrance.
func (t *trial) enter(r *kcl.Record, what become) error {
	f := Fate{Record: t.next}
	t.next++
	t.outputs.take(r)
	return what(t.ctx, r, func(out pipeline.Output) error {
		f.Part = out.Part
		return t.add(f, r, &out)
	})
}

// add tells of a part of a record.
func (t *trial) add(f Fate, r *kcl.Record, out *pipeline.Output) (err error) {
	at, from := t.outputs.judge(t.ctx, r, out), t.outputs.log.Size()
	if err := t.outputs.enter(r, out, at); err != nil {
		return err
	}
	arrived := instant(r.ApproximateArrivalTimestamp)
	f.Data, f.Dropped, f.Nothing = out.Data, out.Dropped, out.Nothing
	switch {
	case f.Dropped || f.Nothing:
		f.Data = nil
	case out.Failure.Type != "":
		f.ErrorOutputType, f.ErrorCode, f.ErrorMessage = out.Failure.Type, out.Failure.Code, out.Failure.Message
		f.Data = make([]byte, t.outputs.log.Size()-from)
		if _, err := t.outputs.log.ReadAt(f.Data, from); err != nil {
			return fmt.Errorf("reading an error line: %w", err)
		}
		f.Prefix, err = t.lanes[len(t.lanes)-1].errorBefore(arrived, f.ErrorOutputType)
	case t.outputs.documents != nil:
	case at != nil:
		f.Prefix = prefix.Fill(at.before, randomBits)
	default:
		f.Prefix, err = t.lanes[0].before(arrived)
	}
	if err != nil {
		return err
	}
	t.tell(f)
	return nil
}
