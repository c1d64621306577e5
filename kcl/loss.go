package kcl

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// minRetention is the shortest time for which a stream keeps its records.
// Source: Kinesis API IncreaseStreamRetentionPeriod.
const minRetention = 24 * time.Hour

// checkGap reports a loss if the first record read from a checkpoint on is not
// the checkpoint's: that one has expired, and so may have others after it.
func (s *session) checkGap(p Page) {
	var resume checkpoint.Position
	if len(p.Records) > 0 {
		resume = p.Records[0].Position().Clone()
	}
	if resume.SequenceNumber == s.accepted.SequenceNumber {
		return
	}
	if mayHaveLost(s.accepted, p.At) {
		s.lost(s.accepted, resume)
		return
	}
	s.log.Info("record at the checkpoint has expired; nothing after it is missing", zap.Stringer("checkpoint", s.accepted))
}

// quietUntil notes that a page at the tip, without records, says that all that
// arrived before it is done: on a quiet shard time alone loses nothing, also if
// the reader cannot go on later because the last record has expired.
func (s *session) quietUntil(p Page) {
	if len(p.Records) > 0 || p.BehindLatest > 0 || p.At.IsZero() || mayHaveLost(s.accepted, p.At) {
		return
	}
	if until := p.At.Add(-markLag); until.After(s.accepted.Arrival) {
		s.accepted.Arrival = until
	}
}

// mayHaveLost reports whether records that came after at may have expired
// unread by now: unless everything up to a time is known to be done that lies
// within the retention period.
func mayHaveLost(at checkpoint.Position, now time.Time) bool {
	return at.Arrival.IsZero() || now.IsZero() || now.Sub(at.Arrival) > minRetention
}

// lost reports that the records between two places may be lost.
func (s *session) lost(after, before checkpoint.Position) {
	s.log.Error("records expired before they were read",
		zap.Stringer("checkpoint", after), zap.Time("done_until", after.Arrival),
		zap.Stringer("resumed_at", before), zap.Time("resumed_from", before.Arrival))
	s.cfg.Hooks.recordsLost(LossEvent{ShardID: s.info.ShardID, After: after, Before: before})
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
