package checkpoint

import (
	"context"
	"fmt"
	"time"
)

// Writer writes checkpoints to the lease row. It is fenced: a write by a
// worker that no longer holds the lease fails with an error that is
// lease.ErrLost, and then no later one can succeed.
type Writer interface {
	// Checkpoint stores at and removes any prepared checkpoint.
	Checkpoint(ctx context.Context, at Position) error

	// Prepare stores p beside the checkpoint, which stays.
	Prepare(ctx context.Context, p Prepared) error
}

// Checkpointer writes the checkpoints of one shard for one holding of its
// lease. It keeps Java's rules: last checkpoint ≤ new ≤ last processed, which
// is what was handed to the processor and not taken back since (Retract); a
// checkpoint at the last one writes nothing, and SHARD_END only once every
// record was processed.
//
// One goroutine owns it: the one that calls the shard's record processor.
// Source: KCL ShardRecordProcessorCheckpointer.
type Checkpointer struct {
	w         Writer
	last      Position // what the row holds
	processed Position // the last record handed to the processor; SHARD_END at the end
	final     ExtendedSequenceNumber
	prepared  *PreparedCheckpoint // the newest one, while open
	pending   bool                // the row has a pending checkpoint
}

// New returns a Checkpointer that starts at the row's checkpoint. pending says
// that the row has a prepared checkpoint of an earlier holder, which the next
// write at any position removes.
func New(w Writer, at Position, pending bool) *Checkpointer {
	return &Checkpointer{w: w, last: at, processed: at, pending: pending}
}

// Processed notes that every record up to at was handed to the processor. The
// library calls it, before the processor sees the records. It never goes back.
func (c *Checkpointer) Processed(at Position) {
	if at.Compare(c.processed.ExtendedSequenceNumber) > 0 {
		c.processed = at
	}
}

// Found notes what the row holds, if that is later: a write whose outcome was
// unknown has happened. The library calls it before it calls the processor again.
func (c *Checkpointer) Found(at Position, pending bool) {
	if at.Compare(c.last.ExtendedSequenceNumber) > 0 {
		c.last, c.prepared, c.pending = at, nil, pending
		c.Processed(at)
	}
}

// Retract notes that what came after at was not accepted, so that
// Checkpoint does not count it as done. The library calls it after a call of
// the processor that failed.
func (c *Checkpointer) Retract(at Position) {
	if c.processed.IsShardEnd() {
		return
	}
	if at.Compare(c.last.ExtendedSequenceNumber) < 0 {
		at = c.last
	}
	c.processed = at
}

// EndShard notes that the shard has no more records, so that Checkpoint
// writes SHARD_END. The library calls it, before ShardEnded.
func (c *Checkpointer) EndShard() {
	if c.processed.IsShardEnd() {
		return
	}
	c.final = c.processed.ExtendedSequenceNumber
	c.processed = Position{ExtendedSequenceNumber: ExtendedSequenceNumber{SequenceNumber: ShardEnd}, Arrival: c.processed.Arrival}
}

// Last returns the last checkpoint that was written.
func (c *Checkpointer) Last() Position { return c.last }

// LastProcessed returns the last place that Processed named, less what was
// retracted, or SHARD_END.
func (c *Checkpointer) LastProcessed() Position { return c.processed }

// Checkpoint says that everything processed so far is done. At shard end it
// writes SHARD_END.
//
// Errors: lease.ErrLost if the lease is gone; any other error leaves it
// unknown whether the checkpoint was written, and calling again is safe.
func (c *Checkpointer) Checkpoint(ctx context.Context) error {
	return c.write(ctx, c.processed)
}

// CheckpointAt says that the records up to and including the one at at are
// done; record r's place is r.Position(). A zero sub-sequence number is the
// first record of an aggregate, not its end. At shard end the place of the
// last record means SHARD_END, as in Java.
//
// Errors: those of Checkpoint, and ErrInvalid, ErrBeforeCheckpoint,
// ErrNotProcessed and ErrSentinel, after which nothing was written.
func (c *Checkpointer) CheckpointAt(ctx context.Context, at Position) error {
	at, err := c.permit(at)
	if err != nil {
		return err
	}
	return c.write(ctx, at.Clone())
}

// Refresh writes the last checkpoint again with a later timestamp: everything
// that arrived before arrival is done. The library calls it on idle shards.
// It does nothing while a prepared checkpoint is open, or if arrival is not
// later.
func (c *Checkpointer) Refresh(ctx context.Context, arrival time.Time) error {
	if c.pending || !arrival.After(c.last.Arrival) {
		return nil
	}
	return c.put(ctx, Position{ExtendedSequenceNumber: c.last.ExtendedSequenceNumber, Arrival: arrival})
}

// Clear removes a prepared checkpoint from the row; the checkpoint stays. It
// writes nothing if there is none.
func (c *Checkpointer) Clear(ctx context.Context) error {
	if !c.pending {
		return nil
	}
	return c.put(ctx, c.last)
}

// Prepare stores the last processed position as the next checkpoint, with
// state, and returns what commits it. The checkpoint itself stays: after a
// crash the next holder finds position and state in its InitializationInput.
//
// Errors: those of Checkpoint, and ErrStateTooLarge.
func (c *Checkpointer) Prepare(ctx context.Context, state []byte) (*PreparedCheckpoint, error) {
	return c.prepare(ctx, c.processed, state)
}

// PrepareAt is Prepare for the position at, with the rules of CheckpointAt.
func (c *Checkpointer) PrepareAt(ctx context.Context, at Position, state []byte) (*PreparedCheckpoint, error) {
	at, err := c.permit(at)
	if err != nil {
		return nil, err
	}
	return c.prepare(ctx, at.Clone(), state)
}

// Resume returns the prepared checkpoint that an earlier holder left, so that
// it can be committed once its work is finished. Its position has no timestamp,
// which the row does not keep: SetArrival. It writes nothing, and nothing counts as
// processed before the commit: what was resumed may be given up.
func (c *Checkpointer) Resume(pending Prepared) (*PreparedCheckpoint, error) {
	at := Position{ExtendedSequenceNumber: pending.At}
	if err := at.Validate(); err != nil {
		return nil, err
	}
	if at.Compare(c.last.ExtendedSequenceNumber) < 0 {
		return nil, fmt.Errorf("%w: %v, checkpoint %v", ErrBeforeCheckpoint, at, c.last)
	}
	c.prepared = &PreparedCheckpoint{c: c, at: at, state: pending.State}
	return c.prepared, nil
}

// PreparedCheckpoint is a prepared checkpoint that is not committed yet. It
// belongs to the goroutine that owns its Checkpointer.
type PreparedCheckpoint struct {
	c     *Checkpointer
	at    Position
	state []byte
}

// SetArrival sets the server-side timestamp of the record at the position of a
// prepared checkpoint that was resumed, if it is known: Checkpoint stores it.
func (p *PreparedCheckpoint) SetArrival(at time.Time) { p.at.Arrival = at }

// At returns the position that Checkpoint commits.
func (p *PreparedCheckpoint) At() Position { return p.at }

// Checkpoint commits: the position becomes the checkpoint and the prepared one
// is removed. Committing again after success does nothing.
//
// Errors: those of Checkpointer.Checkpoint, and ErrPreparedStale if another
// checkpoint was prepared or written since.
func (p *PreparedCheckpoint) Checkpoint(ctx context.Context) error {
	if p.c.prepared != p {
		if p.c.prepared == nil && p.c.last.ExtendedSequenceNumber == p.at.ExtendedSequenceNumber {
			return nil
		}
		return fmt.Errorf("%w: %v, checkpoint %v", ErrPreparedStale, p.at, p.c.last)
	}
	return p.c.put(ctx, p.at)
}

// Replace stores another state beside the same position, in place of the one that was
// prepared: what the next holder finds if this one does not commit.
//
// Errors: those of Checkpointer.Prepare, and ErrPreparedStale if another checkpoint was
// prepared or written since. After any error but ErrStateTooLarge and ErrPreparedStale it
// is not known which of the two states the row has, and calling again is safe.
func (p *PreparedCheckpoint) Replace(ctx context.Context, state []byte) error {
	switch {
	case len(state) > MaxStateBytes:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrStateTooLarge, len(state), MaxStateBytes)
	case p.c.prepared != p:
		return fmt.Errorf("%w: %v, checkpoint %v", ErrPreparedStale, p.at, p.c.last)
	}
	if err := p.c.w.Prepare(ctx, Prepared{At: p.at.ExtendedSequenceNumber, State: state}); err != nil {
		return fmt.Errorf("replacing the state of prepared checkpoint %v: %w", p.at, err)
	}
	p.state = state
	return nil
}

// permit applies the range rules to a position that a processor named.
func (c *Checkpointer) permit(at Position) (Position, error) {
	if err := at.Validate(); err != nil {
		return at, err
	}
	if at.ExtendedSequenceNumber == c.final && c.processed.IsShardEnd() {
		return c.processed, nil
	}
	if at.IsSentinel() && at.ExtendedSequenceNumber != c.processed.ExtendedSequenceNumber && at.ExtendedSequenceNumber != c.last.ExtendedSequenceNumber {
		return at, fmt.Errorf("%w: %v", ErrSentinel, at)
	}
	if at.Compare(c.last.ExtendedSequenceNumber) < 0 {
		return at, fmt.Errorf("%w: %v, checkpoint %v", ErrBeforeCheckpoint, at, c.last)
	}
	if at.Compare(c.processed.ExtendedSequenceNumber) > 0 {
		return at, fmt.Errorf("%w: %v, processed up to %v", ErrNotProcessed, at, c.processed)
	}
	return at, nil
}

// write is put, less the write that would change nothing.
func (c *Checkpointer) write(ctx context.Context, at Position) error {
	if at.ExtendedSequenceNumber == c.last.ExtendedSequenceNumber && !c.pending {
		return nil
	}
	return c.put(ctx, at)
}

func (c *Checkpointer) put(ctx context.Context, at Position) error {
	if err := c.w.Checkpoint(ctx, at); err != nil {
		return fmt.Errorf("checkpointing at %v: %w", at, err)
	}
	c.last, c.prepared, c.pending = at, nil, false
	c.Processed(at) // it may have been retracted after it was prepared
	return nil
}

func (c *Checkpointer) prepare(ctx context.Context, at Position, state []byte) (*PreparedCheckpoint, error) {
	if len(state) > MaxStateBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrStateTooLarge, len(state), MaxStateBytes)
	}
	p := &PreparedCheckpoint{c: c, at: at, state: state}
	if at.ExtendedSequenceNumber == c.last.ExtendedSequenceNumber && !c.pending {
		return p, nil // as Java: preparing what is checkpointed writes nothing
	}
	c.pending = true // also if the outcome is unknown
	if err := c.w.Prepare(ctx, Prepared{At: at.ExtendedSequenceNumber, State: state}); err != nil {
		return nil, fmt.Errorf("preparing checkpoint %v: %w", at, err)
	}
	c.prepared = p
	return p, nil
}
