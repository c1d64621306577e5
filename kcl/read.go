package kcl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
)

// consume reads and processes until something ends it; it never returns nil.
func (s *session) consume() error {
	s.state(ShardProcessing)
	from := s.cp.Last()
	if from.SequenceNumber == checkpoint.AtTimestamp && from.Arrival.IsZero() {
		from = checkpoint.Sentinel(checkpoint.TrimHorizon)
	}
	var refused checkpoint.Position // the checkpoint, if the service refused it
	for refuted := false; ; {
		err := s.readFrom(from, refused)
		switch {
		case isPanic(err):
			return err
		case errors.Is(err, endRefuted) && !refuted:
			// The service is asked once more: it may have refused by mistake.
			refuted, from, refused = true, refused, checkpoint.Position{}
		case errors.Is(err, ErrTrimmed):
			refused, from = from, checkpoint.Sentinel(checkpoint.TrimHorizon)
		default:
			return err
		}
	}
}

// refutes returns an error if a page proves that the checkpoint that the service
// refused is of another stream: had it expired, so had all records before it.
func refutes(p Page, refused checkpoint.Position) error {
	if !refused.IsRecord() || len(p.Records) == 0 {
		return nil
	}
	first := p.Records[0].SequenceNumber
	if checkpoint.CompareDecimal(first, refused.SequenceNumber) >= 0 {
		return nil
	}
	return fmt.Errorf("%w: the service refused %s, and the stream has %s, which comes before it; nothing is skipped: see `shardmill leases`",
		endRefuted, refused.SequenceNumber, first)
}

// readFrom processes what a reader opened at from returns. refused is the
// checkpoint that could not be read from, if that is why from is another place.
func (s *session) readFrom(from, refused checkpoint.Position) error {
	f := s.startFetcher(from)
	defer f.stop()
	tick := s.startTicks()
	defer tick.Stop()
	first := s.accepted.IsRecord() // the next record tells whether some are missing before it
	for {
		if s.stop.Err() != nil {
			return context.Cause(s.stop) // whatever else there is to do
		}
		var err error
		called := s.called
		select {
		case <-s.stop.Done():
			return context.Cause(s.stop)
		case <-tick.C:
			err = s.process(nil, false)
		case <-s.wake:
			err = s.process(nil, false)
		case <-s.acct.Pressure():
			err = s.process(nil, true)
		case got := <-f.pages:
			if first && (len(got.page.Records) > 0 || got.page.End) {
				if err := refutes(got.page, refused); err != nil {
					got.release()
					return err
				}
				first = false
				s.checkGap(got.page)
			}
			if s.accepted.IsRecord() {
				s.quietUntil(got.page)
			}
			err = s.page(got)
		}
		if err != nil {
			return err
		}
		if s.called != called {
			s.resetTicks(tick)
		}
	}
}

// startTicks returns a timer that fires when the next tick is due, or never if
// there are none.
func (s *session) startTicks() *time.Timer {
	t := time.NewTimer(time.Hour)
	s.resetTicks(t)
	return t
}

func (s *session) resetTicks(t *time.Timer) {
	if every := s.cfg.TickInterval; every > 0 {
		t.Reset(time.Until(s.called.Add(every)))
	} else {
		t.Stop()
	}
}

// page processes one page, or what came instead.
func (s *session) page(got fetched) error {
	if got.err != nil {
		return s.readFailed(got.err)
	}
	if err := s.processPage(got); err != nil {
		return err
	}
	if got.page.End {
		return s.endShard(got.page.Children)
	}
	return s.markIdle(got.page)
}

// readFailed decides what follows from a failed read: the fetcher tries again
// by itself unless the shard is gone.
func (s *session) readFailed(err error) error {
	if errors.Is(err, ErrTrimmed) {
		return err
	}
	s.log.Warn("shard not read", zap.Error(err))
	s.setStatus(func(st *ShardStatus) { st.LastError = err.Error() })
	if !errors.Is(err, ErrShardNotFound) {
		return nil
	}
	list, err := s.followers()
	if err != nil {
		return err
	}
	s.lost(s.accepted, checkpoint.Position{})
	return s.endShard(childrenOf(s.info.ShardID, list.Shards))
}

// followers lists the shards, with as many tries as it takes. Meanwhile the
// processor gets its ticks.
func (s *session) followers() (ShardList, error) {
	retries := newRetries("list " + s.info.ShardID)
	for {
		list, err := s.stream.listShards(s.stop, loopShard, s.info.ShardID)
		if err == nil {
			return list, nil
		}
		if s.stop.Err() != nil {
			return ShardList{}, context.Cause(s.stop)
		}
		s.log.Warn("shard is gone, and the shards that follow it cannot be listed", zap.Error(err))
		s.setStatus(func(st *ShardStatus) { st.LastError = err.Error() })
		if err := s.idle(retries.Next(s.stop)); err != nil {
			return ShardList{}, err
		}
	}
}

func childrenOf(id string, shards []Shard) []Shard {
	var out []Shard
	for _, sh := range shards {
		if slices.Contains(sh.ParentIDs, id) {
			out = append(out, sh)
		}
	}
	return out
}

// idle waits for d, in which the processor gets its ticks, and is called if it asks.
func (s *session) idle(d time.Duration) error {
	over := time.NewTimer(d)
	defer over.Stop()
	tick := s.startTicks()
	defer tick.Stop()
	for {
		pressure := false
		select {
		case <-s.stop.Done():
			return context.Cause(s.stop)
		case <-over.C:
			return nil
		case <-tick.C:
		case <-s.wake:
		case <-s.acct.Pressure():
			pressure = true
		}
		if err := s.process(nil, pressure); err != nil {
			return err
		}
		s.resetTicks(tick)
	}
}
