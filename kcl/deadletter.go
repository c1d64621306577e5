package kcl

import (
	"context"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
)

// span is the records from first to last, both included.
type span struct {
	first, last checkpoint.ExtendedSequenceNumber
}

// deadLetter is the end of the tries with records that the processor cannot
// take: those of them that it has not checkpointed go to Config.DeadLetter, or
// the shard is given up.
func (s *session) deadLetter(recs []Record, attempts int, err error) error {
	gaveUp := fmt.Errorf("processing %d records, attempt %d: %w", len(recs), attempts, err)
	if s.cfg.DeadLetter == nil || len(recs) == 0 {
		return gaveUp
	}
	last := lastOf(recs)
	from := s.accepted.ExtendedSequenceNumber
	if at := s.cp.Last(); at.Compare(from) > 0 { // only then: see openFaulty for one that comes after its place
		from = at.ExtendedSequenceNumber
		recs = after(recs, from)
	}
	if len(recs) == 0 {
		s.log.Warn("processor failed for the last time, but had checkpointed all its records", zap.Error(err), panicStack(err))
	} else if dlErr := s.sendDead(recs, attempts, err); dlErr != nil {
		return fmt.Errorf("%w; and its records were not dead-lettered: %w", gaveUp, dlErr)
	} else {
		s.noteDead(from, span{recs[0].Position().ExtendedSequenceNumber.Clone(), last.ExtendedSequenceNumber}, s.cp.Last().SequenceNumber)
	}
	if isPanic(err) {
		s.failed = -1 // which this panic makes 0
		return err    // a new processor, which does not see these records
	}
	s.cp.Processed(last)
	s.accept(last)
	return nil
}

// deadLetterFaulty gives the one record that cannot be taken apart to
// Config.DeadLetter instead of the processor, or the shard is given up. It may come
// before what is accepted: see openFaulty.
func (s *session) deadLetterFaulty(recs []Record, fault error) error {
	if err := s.held.CheckTrust(); err != nil {
		return err
	}
	at, from := lastOf(recs), s.accepted.ExtendedSequenceNumber
	if err := s.sendDead(recs, 0, fault); err != nil {
		if lost := s.held.CheckTrust(); lost != nil {
			return lost
		}
		return fmt.Errorf("%w, %v, was not dead-lettered: %w", fault, at, err)
	}
	s.noteDead(from, span{at.ExtendedSequenceNumber, at.ExtendedSequenceNumber}, s.cp.Last().SequenceNumber)
	s.cp.Processed(at)
	s.accept(at)
	return nil
}

// sendDead gives records to Config.DeadLetter and tells that they are there.
func (s *session) sendDead(recs []Record, attempts int, err error) error {
	in := DeadLetterInput{Shard: s.info, Records: recs, Err: original(err), Attempts: attempts}
	dlErr := s.calls.limited(s.held.Context(), callDeadLetter, callDeadLetter, func(ctx context.Context) error { return s.cfg.DeadLetter(ctx, in) })
	if dlErr != nil {
		return dlErr
	}
	first, last := recs[0].Position(), lastOf(recs)
	s.log.Error("records dead-lettered", zap.Error(err), zap.Int("records", len(recs)),
		zap.Stringer("first_sequence_number", first), zap.Stringer("last_sequence_number", last), panicStack(err))
	s.cfg.Hooks.deadLettered(BatchEvent{ShardID: s.info.ShardID, Records: len(recs), Bytes: sizeOf(recs), Attempt: attempts, Err: original(err), Last: last})
	return nil
}

// noteDead notes that the records of d, which come next after from, were
// dead-lettered, and forgets those before the checkpoint's sequence number done.
func (c *consumer) noteDead(from checkpoint.ExtendedSequenceNumber, d span, done string) {
	c.dead = slices.DeleteFunc(c.dead, func(old span) bool {
		return old.last.Compare(checkpoint.ExtendedSequenceNumber{SequenceNumber: done}) < 0
	})
	if n := len(c.dead); n > 0 && c.dead[n-1].last == from {
		c.dead[n-1].last = d.last
		return
	}
	c.dead = append(c.dead, d)
}

// withoutDead leaves out the records that were dead-lettered before. It changes
// nothing of recs, which may be the page's own.
func (s *session) withoutDead(recs []Record) []Record {
	if len(s.dead) == 0 || len(recs) == 0 {
		return recs
	}
	return slices.DeleteFunc(slices.Clone(recs), func(r Record) bool {
		at := r.Position().ExtendedSequenceNumber
		return slices.ContainsFunc(s.dead, func(d span) bool { return at.Compare(d.first) >= 0 && at.Compare(d.last) <= 0 })
	})
}
