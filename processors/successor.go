package processors

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors/container"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// successor finishes what an earlier holder of a shard's lease prepared.
type successor struct {
	shop     *workshop
	sink     *objectSink
	try      *tries
	identity exactlyonce.Identity
	buckets  []string // that a plan may name
	hooks    Hooks
	shardID  string
	log      *zap.Logger
	marking  *marking // nil if nothing is to be loaded
}

// settle brings the pending checkpoint of an earlier holder to its end, before
// any record is read. What it does can be repeated from the start. The cut that it
// returns, if any, has nothing left to do but to await its load.
func (s *successor) settle(ctx context.Context, in kcl.InitializationInput) (*cut, error) {
	verdict, pl, why := exactlyonce.Judge(in.Pending, in.Checkpoint.ExtendedSequenceNumber, s.identity, s.buckets)
	if verdict == exactlyonce.None {
		return nil, nil
	}
	if s.hooks.PendingFound != nil {
		s.hooks.PendingFound(PendingFoundEvent{ShardID: s.shardID, Verdict: verdict.String()})
	}
	if verdict == exactlyonce.Redo && pl.Bundle != nil {
		return s.carryOn(ctx, in, pl)
	}
	if verdict == exactlyonce.Redo && pl.Awaits != nil {
		return s.goOn(in, pl)
	}
	return nil, s.resolve(ctx, in, verdict, pl, why)
}

// resolve acts on a verdict about a plan that has no marker.
func (s *successor) resolve(ctx context.Context, in kcl.InitializationInput, verdict exactlyonce.Verdict, pl exactlyonce.Plan, why error) error {
	switch verdict {
	case exactlyonce.Redo:
		return s.redo(ctx, in, pl)
	case exactlyonce.Void:
		s.log.Warn("prepared checkpoint does not fit the lease row and is cleared", zap.Error(why))
		return s.try.write(ctx, "clearing a prepared checkpoint", in.Checkpointer.Clear)
	case exactlyonce.Foreign:
		s.log.Warn("prepared checkpoint of another program found: beginning at the checkpoint")
		return nil // the first checkpoint removes it
	case exactlyonce.Forbidden:
		return s.refuse(fmt.Errorf("%w; %s", why, remedyOf(why)))
	default:
		return s.refuse(why)
	}
}

// refuse gives the shard up and leaves the pending checkpoint as it is: neither
// its records nor its object may be given up.
func (s *successor) refuse(why error) error {
	s.log.Error("prepared checkpoint cannot be finished", zap.Error(why))
	return kcl.GiveUp(fmt.Errorf("%w: %w", ErrUnfinishable, why))
}

// abandon is how a person gives a plan up.
const abandon = "somebody else wrote to the lease table: restore the row, or abandon the plan by removing the row's " +
	"attributes that begin with pendingCheckpoint; the records after the checkpoint are then delivered anew"

// remedyOf says what a person must do about a plan that is forbidden.
func remedyOf(why error) string {
	e, ok := errors.AsType[*exactlyonce.BucketError](why)
	if !ok {
		return abandon
	}
	return fmt.Sprintf("if the bucket was changed while the checkpoint was pending, list the former one, shardmill.formerBuckets: [%.255q], "+
		"until the shard goes on; if not, %s", e.Bucket, abandon)
}

// redo finishes an earlier holder's cut of one object: it makes sure that it is in the
// store, and commits.
func (s *successor) redo(ctx context.Context, in kcl.InitializationInput, pl exactlyonce.Plan) error {
	o, format := objectOf(pl)
	if err := s.sink.lookUntil(ctx, o); err != nil {
		return err
	}
	if !o.found {
		if err := s.rebuild(ctx, in, pl, o, format); err != nil {
			return err
		}
	}
	if err := s.commit(ctx, in, pl); err != nil {
		return err
	}
	if !o.durable() {
		s.log.Warn("nothing was left of the cut of an earlier holder: no object was put", zap.String("key", pl.Key))
		return nil
	}
	s.log.Info("cut of an earlier holder finished", zap.String("key", pl.Key), zap.Int64("records", pl.Records), zap.Bool("found", o.found))
	s.sink.delivered(o, reasonRedo)
	return nil
}

// commit moves the checkpoint to the end of an earlier holder's cut.
func (s *successor) commit(ctx context.Context, in kcl.InitializationInput, pl exactlyonce.Plan) error {
	prepared, err := s.resume(in, pl)
	if err != nil {
		return err
	}
	return s.try.write(ctx, fmt.Sprintf("committing the cut that ends at %v", pl.Last), prepared.Checkpoint)
}

// resume returns what commits an earlier holder's cut.
func (s *successor) resume(in kcl.InitializationInput, pl exactlyonce.Plan) (*checkpoint.PreparedCheckpoint, error) {
	// Not at SHARD_END, where the last cut of a shard was prepared: the worker must
	// see the end itself, and make the children.
	prepared, err := in.Checkpointer.Resume(checkpoint.Prepared{At: pl.Last, State: in.Pending.State})
	if err != nil {
		return nil, kcl.GiveUp(fmt.Errorf("resuming the cut that ends at %v: %w", pl.Last, err))
	}
	prepared.SetArrival(pl.LastArrival)
	return prepared, nil
}

// rebuild reads the cut's records again and puts the object they make. What
// has expired is reported; the rest is delivered under the same key. If they are
// other records than the plan's, nothing is put.
func (s *successor) rebuild(ctx context.Context, in kcl.InitializationInput, pl exactlyonce.Plan, o *object, format container.Format) error {
	b, err := s.shop.open(format, pl.UUID, pl.Delimiter, pl.Digest.Rule)
	if err != nil {
		return err
	}
	defer func() { b.release(o.idle(), s.log) }()

	found, err := replay(ctx, in, pl, b)
	if err != nil {
		return err
	}
	if err := b.finish(); err != nil {
		return err
	}
	switch exactlyonce.JudgeReplay(pl, exactlyonce.Replay{First: found, Records: b.records, Bytes: b.bytes, Digest: b.digest()}) {
	case exactlyonce.ReplayShort:
		s.reportLoss(pl, b.records, found)
	case exactlyonce.ReplayWrong:
		return s.refuse(fmt.Errorf("%w: %d records of %d bytes from %v on, the plan has %d of %d bytes from %v to %v, and the digest is another; "+
			"the stream was made anew, or %s", errWrongRecords, b.records, b.bytes, found, pl.Records, pl.Bytes, pl.First, pl.Last, abandon))
	default:
	}
	if b.records == 0 {
		return nil
	}
	o.fill(b)
	if err := s.sink.publish(ctx, o); err != nil {
		return err
	}
	if o.stored {
		o.records, o.bytes = b.records, b.bytes // fewer than planned, if some have expired
	}
	if o.found {
		s.log.Info("the earlier holder's object is there after all", zap.String("key", pl.Key))
	}
	return nil
}

// replay writes the cut's records to b and returns the place of the first.
func replay(ctx context.Context, in kcl.InitializationInput, pl exactlyonce.Plan, b *body) (checkpoint.ExtendedSequenceNumber, error) {
	var first, last checkpoint.ExtendedSequenceNumber
	var o kcl.ReplayOptions
	var ok bool
	o.HashRange.Start, o.HashRange.End = pl.HashRange.Start, pl.HashRange.End
	if o.HashRangeRule, ok = kcl.HashRangeRuleOf(pl.HashRange.Rule); !ok {
		return first, fmt.Errorf("%w: hash range rule %d", exactlyonce.ErrNewer, pl.HashRange.Rule)
	}
	if o.KPLFaults, ok = kcl.KPLFaultsOf(pl.HashRange.Faults); !ok {
		return first, fmt.Errorf("%w: faults of aggregated records %d", exactlyonce.ErrNewer, pl.HashRange.Faults)
	}
	for r, err := range in.Replay(ctx, pl.First, pl.Last, o) {
		deadline.Beat(ctx)
		if err != nil {
			return first, fmt.Errorf("reading %v to %v again: %w", pl.First, pl.Last, err)
		}
		at := place(&r)
		if at.Compare(pl.First) < 0 || at.Compare(pl.Last) > 0 || at.Compare(last) <= 0 {
			return first, fmt.Errorf("reading %v to %v again: got %v after %v", pl.First, pl.Last, at, last)
		}
		if err := b.write(r.Data); err != nil {
			return first, err
		}
		if first.IsZero() {
			first = at
		}
		last = at
	}
	switch {
	case ctx.Err() != nil:
		return first, context.Cause(ctx)
	case !first.IsZero() && last.Compare(pl.Last) != 0:
		// Only a cut's beginning expires: this is not a loss, but a read that
		// stopped short.
		return first, fmt.Errorf("reading %v to %v again: %w after %v", pl.First, pl.Last, errReplayShort, last)
	}
	return first, nil
}

var (
	errReplayShort  = errors.New("it ended early")
	errWrongRecords = errors.New("the stream has other records than those it was prepared for")
)

func (s *successor) reportLoss(pl exactlyonce.Plan, records int64, found checkpoint.ExtendedSequenceNumber) {
	e := RecordsLostEvent{
		ShardID: s.shardID, Bucket: pl.Bucket, Key: pl.Key,
		Lost: pl.Records - records, From: pl.First, To: found, Last: pl.Last,
		FromArrival: pl.FirstArrival, LastArrival: pl.LastArrival,
	}
	s.log.Error("records of a prepared cut have expired", zap.String("key", e.Key), zap.Int64("records", e.Lost),
		zap.Stringer("from", e.From), zap.Stringer("to", e.To), zap.Stringer("last", e.Last),
		zap.Time("from_arrival", e.FromArrival), zap.Time("last_arrival", e.LastArrival))
	if s.hooks.RecordsLost != nil {
		s.hooks.RecordsLost(e)
	}
}
