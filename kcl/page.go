package kcl

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// processPage processes the records of a page, batch by batch, and lets go of
// their memory. What is built of aggregated records is counted with the page, and
// so much at once as there is room for. It never waits for memory: what is in
// memory already must be able to go on.
func (s *session) processPage(got fetched) error {
	defer got.release()
	s.behind = got.page.BehindLatest
	s.setStatus(func(st *ShardStatus) { st.BehindLatest, st.LastRead = got.page.BehindLatest, time.Now() })
	s.split.begin(got.page, s.accepted.ExtendedSequenceNumber)
	defer s.split.end()
	for later := false; ; later = true {
		if later {
			if err := s.betweenBatches(); err != nil {
				return err
			}
		}
		s.split.within(s.acct.Spare())
		b, ok := s.split.next()
		if !ok {
			return nil
		}
		s.countSplit()
		got.mem.Set(got.page.memory() + s.split.bytes())
		if b.recs = s.withoutDead(b.recs); len(b.recs) > 0 {
			if err := s.processBatch(b); err != nil {
				return err
			}
		}
	}
}

func (s *session) processBatch(b batch) error {
	if b.fault != nil {
		return s.deadLetterFaulty(b.recs, b.fault)
	}
	return s.process(b.recs, false)
}

// betweenBatches does what must not wait for the end of a long page.
func (s *session) betweenBatches() error {
	if s.stop.Err() != nil {
		return context.Cause(s.stop)
	}
	select {
	case <-s.acct.Pressure():
		return s.process(nil, true)
	case <-s.wake:
		return s.process(nil, false)
	default:
		return nil
	}
}

func (s *session) countSplit() {
	n := s.split.counts
	s.split.counts = expanded{}
	s.cfg.Hooks.malformed(s.info.ShardID, n.malformed)
	s.cfg.Hooks.aggregatesDropped(s.info.ShardID, n.left)
	s.cfg.Hooks.dropped(s.info.ShardID, n.outside)
	if n.whole > 0 {
		s.log.Warn("aggregated records that cannot be split are processed whole", zap.Int("records", n.whole))
	}
	if n.left > 0 {
		s.log.Warn("aggregated records that cannot be split are not processed", zap.Int("records", n.left))
	}
	if n.outside > 0 {
		s.log.Warn("user records outside the shard's hash range are not processed", zap.Int("records", n.outside))
	}
}
