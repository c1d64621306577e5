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
	s.split.begin(got.page.Records, s.accepted.ExtendedSequenceNumber)
	defer s.split.end()
	for later := false; ; later = true {
		if later {
			if err := s.betweenBatches(); err != nil {
				return err
			}
		}
		s.split.within(s.acct.Spare())
		recs, ok := s.split.next()
		if !ok {
			return nil
		}
		s.countSplit()
		got.mem.Set(got.page.memory() + s.split.bytes())
		if recs = s.withoutDead(recs); len(recs) > 0 {
			if err := s.process(recs, false); err != nil {
				return err
			}
		}
	}
}

// betweenBatches does what must not wait for the end of a long page.
func (s *session) betweenBatches() error {
	if s.stop.Err() != nil {
		return context.Cause(s.stop)
	}
	select {
	case <-s.acct.Pressure():
		return s.process(nil, true)
	default:
		return nil
	}
}

func (s *session) countSplit() {
	s.cfg.Hooks.malformed(s.info.ShardID, s.split.malformed)
	s.cfg.Hooks.dropped(s.info.ShardID, s.split.dropped)
	if s.split.malformed > 0 {
		s.log.Warn("aggregated records that cannot be split are processed whole", zap.Int("records", s.split.malformed))
	}
	if s.split.dropped > 0 {
		s.log.Warn("user records outside the shard's hash range are not processed", zap.Int("records", s.split.dropped))
	}
	s.split.malformed, s.split.dropped = 0, 0
}
