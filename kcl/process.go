package kcl

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
)

// process calls ProcessRecords with recs until the processor accepts them or
// they are somebody else's to care for. It returns nil if it may go on with
// later records.
func (s *session) process(recs []Record, pressure bool) error {
	for {
		rest, err := s.accepting(recs, pressure)
		if err != nil || len(rest) == 0 {
			return err
		}
		if s.stop.Err() != nil {
			return context.Cause(s.stop)
		}
		recs = rest
	}
}

// accepting calls ProcessRecords with recs until they are accepted or cared for,
// or, once the processor named the one that it failed with, those up to that one:
// it returns what comes after it.
func (s *session) accepting(recs []Record, pressure bool) (rest []Record, err error) {
	retries := newRetries("process " + s.info.ShardID)
	for attempt := 1; ; attempt++ {
		row := s.held.Lease()
		s.cp.Found(row.Checkpoint, row.Pending != nil)
		if last := s.cp.Last(); last.Compare(s.accepted.ExtendedSequenceNumber) > 0 {
			left := after(recs, last.ExtendedSequenceNumber)
			rest = after(rest, last.ExtendedSequenceNumber)
			if len(recs) > 0 && len(left) == 0 {
				s.accept(last)
				return rest, nil
			}
			recs = left
		}
		err := s.call(recs, pressure, attempt)
		if err == nil {
			if len(recs) > 0 {
				s.accept(lastOf(recs))
			}
			return rest, nil
		}
		if i := failedAt(err, recs); i >= 0 && len(recs) > 1 {
			recs, rest = recs[i:i+1], recs[i+1:]
		}
		s.panicked = s.panicked || isPanic(err)
		s.cp.Retract(s.accepted)
		if lost := s.held.CheckTrust(); lost != nil {
			return nil, lost
		}
		if s.isStopped(err) {
			return nil, context.Cause(s.stop)
		}
		if isPanic(err) && s.failed+1 < s.cfg.MaxAttempts {
			return nil, err
		}
		if attempt >= s.cfg.MaxAttempts || IsGiveUp(err) || isPanic(err) {
			return rest, s.deadLetter(recs, attempt, err)
		}
		s.log.Warn("processor failed; the records are processed again", zap.Error(err), zap.Int("attempt", attempt),
			zap.Int("records", len(recs)), zap.Int("waiting", len(rest)), panicStack(err))
		if err := retries.Wait(s.stop); err != nil {
			return nil, err
		}
	}
}

// call makes one call of ProcessRecords, if the lease is trusted. Those before a
// record that failed by itself are accepted.
func (s *session) call(recs []Record, pressure bool, attempt int) error {
	if err := s.held.CheckTrust(); err != nil {
		return err
	}
	if len(recs) > 0 {
		s.cp.Processed(lastOf(recs))
	}
	start := time.Now()
	s.called = start
	err := s.p.ProcessRecords(s.held.Context(), ProcessRecordsInput{
		Records: recs, Checkpointer: s.cp, BehindLatest: s.behind, Attempt: attempt, OpenShards: s.stream.openShards(), Pressure: pressure, Stopping: s.stop.Done(),
		Hold: s.hold, TryHold: s.tryHold, Wake: s.woken,
	})
	err = foremost(err, recs)
	if isPanic(err) {
		s.panicAt = s.cp.LastProcessed().ExtendedSequenceNumber
	}
	took := time.Since(start)
	if i := failedAt(err, recs); i >= 0 {
		if i > 0 {
			s.accept(lastOf(recs[:i]))
			s.told(recs[:i], took, attempt, nil)
			took = 0
		}
		recs = recs[i : i+1]
	}
	if len(recs) > 0 && !s.isStopped(err) {
		s.told(recs, took, attempt, err)
	}
	return err
}

// isStopped reports whether a call ended with err because the shard is to stop.
func (s *session) isStopped(err error) bool {
	return errors.Is(original(err), ErrStopping) && s.stop.Err() != nil
}

// told tells how a call with recs ended.
func (s *session) told(recs []Record, took time.Duration, attempt int, err error) {
	e := BatchEvent{
		ShardID: s.info.ShardID, Records: len(recs), Bytes: sizeOf(recs),
		BehindLatest: s.behind, Duration: took, Attempt: attempt, Err: original(err),
		Last: lastOf(recs),
	}
	if err == nil {
		s.setStatus(func(st *ShardStatus) { st.Records += int64(e.Records); st.Bytes += e.Bytes; st.LastError = "" })
	} else {
		s.setStatus(func(st *ShardStatus) { st.LastError = err.Error() })
	}
	s.cfg.Hooks.processed(e)
}

// accept notes that the records up to at are the processor's now.
func (s *session) accept(at checkpoint.Position) {
	if at.Compare(s.accepted.ExtendedSequenceNumber) > 0 {
		s.accepted = at
	}
	if at.Compare(s.panicAt) > 0 {
		s.failed = 0
	}
	s.failures.progressed(s.info.ShardID)
}

// lastOf returns the place of the last record, to be kept.
func lastOf(recs []Record) checkpoint.Position { return recs[len(recs)-1].Position().Clone() }

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
