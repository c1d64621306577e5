package kcl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// deliver calls ProcessRecords with recs until the processor accepts them or
// they are somebody else's to care for. It returns nil if it may go on with
// later records.
func (s *session) deliver(recs []Record, pressure bool) error {
	retries := newRetries("deliver " + s.info.ShardID)
	checkpointed := s.cp.Last()
	for attempt := 1; ; attempt++ {
		if last := s.cp.Last(); last.Compare(checkpointed.ExtendedSequenceNumber) > 0 {
			checkpointed = last
			left := after(recs, last.ExtendedSequenceNumber)
			if len(recs) > 0 && len(left) == 0 {
				s.accept(last)
				return nil
			}
			recs = left
		}
		err := s.call(recs, pressure, attempt)
		if err == nil {
			if len(recs) > 0 {
				s.accept(recs[len(recs)-1].Position())
			}
			return nil
		}
		s.panicked = s.panicked || isPanic(err)
		s.cp.Retract(s.accepted)
		if lost := s.held.CheckTrust(); lost != nil {
			return lost
		}
		if isPanic(err) && s.failed+1 < s.w.cfg.MaxAttempts {
			return err
		}
		if attempt >= s.w.cfg.MaxAttempts || IsGiveUp(err) || isPanic(err) {
			return s.deadLetter(recs, attempt, err)
		}
		s.log.Warn("processor failed; the records are delivered again", zap.Error(err), zap.Int("attempt", attempt), zap.Int("records", len(recs)))
		if err := retries.Wait(s.stop); err != nil {
			return err
		}
	}
}

// call makes one call of ProcessRecords, if the lease is trusted.
func (s *session) call(recs []Record, pressure bool, attempt int) error {
	if err := s.held.CheckTrust(); err != nil {
		return err
	}
	if len(recs) > 0 {
		s.cp.Processed(recs[len(recs)-1].Position())
	}
	start := time.Now()
	s.called = start
	err := s.p.ProcessRecords(s.held.Context(), ProcessRecordsInput{
		Records: recs, Checkpointer: s.cp, BehindLatest: s.behind, Attempt: attempt, Pressure: pressure, Hold: s.hold,
	})
	if isPanic(err) {
		s.panicAt = s.cp.LastProcessed().ExtendedSequenceNumber
	}
	if len(recs) == 0 {
		return err
	}
	e := BatchEvent{
		ShardID: s.info.ShardID, Records: len(recs), Bytes: sizeOf(recs),
		BehindLatest: s.behind, Duration: time.Since(start), Attempt: attempt, Err: original(err),
		Last: recs[len(recs)-1].Position(),
	}
	if err == nil {
		s.setStatus(func(st *ShardStatus) { st.Records += int64(e.Records); st.Bytes += e.Bytes; st.LastError = "" })
	} else {
		s.setStatus(func(st *ShardStatus) { st.LastError = err.Error() })
	}
	s.w.cfg.Hooks.processed(e)
	return err
}

// accept notes that the records up to at are the processor's now.
func (s *session) accept(at checkpoint.Position) {
	if at.Compare(s.accepted.ExtendedSequenceNumber) > 0 {
		s.accepted = at
	}
	if at.Compare(s.panicAt) > 0 {
		s.failed = 0
	}
	s.w.progressed(s.info.ShardID)
}

// deadLetter is the end of the tries with records that the processor cannot
// take: those of them that it has not checkpointed go to Config.DeadLetter, or
// the shard is given up.
func (s *session) deadLetter(recs []Record, attempts int, err error) error {
	gaveUp := fmt.Errorf("processing %d records, attempt %d: %w", len(recs), attempts, err)
	if s.w.cfg.DeadLetter == nil || len(recs) == 0 {
		return gaveUp
	}
	last := recs[len(recs)-1].Position()
	from := s.accepted.ExtendedSequenceNumber
	if at := s.cp.Last(); at.Compare(from) > 0 {
		from = at.ExtendedSequenceNumber
	}
	if recs = after(recs, from); len(recs) == 0 {
		s.log.Warn("processor failed for the last time, but had checkpointed all its records", zap.Error(err), panicStack(err))
	} else if dlErr := s.sendDead(recs, attempts, err); dlErr != nil {
		return fmt.Errorf("%w; and its records were not dead-lettered: %w", gaveUp, dlErr)
	} else {
		s.dead = append(s.dead, span{from: from, through: last.ExtendedSequenceNumber})
	}
	if isPanic(err) {
		s.failed = -1 // which this panic makes 0
		return err    // a new processor, which does not see these records
	}
	s.cp.Processed(last)
	s.accept(last)
	return nil
}

// sendDead gives records to Config.DeadLetter and tells that they are there.
func (s *session) sendDead(recs []Record, attempts int, err error) error {
	in := DeadLetterInput{Shard: s.info, Records: recs, Err: original(err), Attempts: attempts}
	dlErr := s.calls.limited(s.held.Context(), callDeadLetter, callDeadLetter, func(ctx context.Context) error { return s.w.cfg.DeadLetter(ctx, in) })
	if dlErr != nil {
		return dlErr
	}
	first, last := recs[0].Position(), recs[len(recs)-1].Position()
	s.log.Error("records dead-lettered", zap.Error(err), zap.Int("records", len(recs)),
		zap.Stringer("first_sequence_number", first), zap.Stringer("last_sequence_number", last), panicStack(err))
	s.w.cfg.Hooks.deadLettered(BatchEvent{ShardID: s.info.ShardID, Records: len(recs), Bytes: sizeOf(recs), Attempt: attempts, Err: original(err), Last: last})
	return nil
}

// withoutDead leaves out the records that were dead-lettered before.
func (s *session) withoutDead(recs []Record) []Record {
	if len(s.dead) == 0 || len(recs) == 0 {
		return recs
	}
	return slices.DeleteFunc(recs, func(r Record) bool {
		at := r.Position().ExtendedSequenceNumber
		return slices.ContainsFunc(s.dead, func(d span) bool { return at.Compare(d.from) > 0 && at.Compare(d.through) <= 0 })
	})
}

// after returns the records of recs that come after at.
func after(recs []Record, at checkpoint.ExtendedSequenceNumber) []Record {
	i := slices.IndexFunc(recs, func(r Record) bool { return r.Position().Compare(at) > 0 })
	if i < 0 {
		return nil
	}
	return recs[i:]
}

func sizeOf(recs []Record) (n int64) {
	for i := range recs {
		n += int64(len(recs[i].Data))
	}
	return n
}

// markInterval is how often an idle shard's checkpoint is written again with a
// later timestamp, so that its age does not look like a loss.
const markInterval = time.Hour

// markLag is how far the mark stays behind the service's clock.
const markLag = time.Minute

// markIdle notes that everything up to now is done, if it is.
func (s *session) markIdle(p Page) error {
	if len(p.Records) > 0 || p.BehindLatest > 0 || p.At.IsZero() || time.Since(s.lastMark) < markInterval {
		return nil
	}
	if at := s.cp.Last(); !at.IsRecord() || at.ExtendedSequenceNumber != s.cp.LastProcessed().ExtendedSequenceNumber {
		return nil
	}
	s.lastMark = time.Now()
	if err := s.cp.Refresh(s.stop, p.At.Add(-markLag)); errors.Is(err, lease.ErrLost) {
		return err
	}
	return nil // it only serves to tell losses; the next one will do
}
