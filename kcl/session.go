package kcl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// session is the life of one processor. A consumer has one after another only
// if they panic.
type session struct {
	*consumer

	p     guarded
	cp    *checkpoint.Checkpointer
	split *expander
	calls *calls
	wake  chan struct{} // holds one wish for a call without records

	hold    func(bytes int64)
	tryHold func(bytes int64) bool

	// accepted is the last record that the processor took, or where reading
	// began: what is at or before it is not processed any more.
	accepted checkpoint.Position

	initialized bool // the processor may be asked to stop
	panicked    bool // it gets no call any more

	called   time.Time // when ProcessRecords was called last; before that, the start
	behind   time.Duration
	lastMark time.Time // when the idle mark was last written
}

// writes is the checkpoint.Writer of a session: the lease's, which also tells
// the hooks.
type writes struct {
	*lease.Held

	c *consumer
}

func (w writes) Checkpoint(ctx context.Context, at checkpoint.Position) error {
	err := w.Held.Checkpoint(ctx, at)
	if err == nil {
		w.c.setStatus(func(s *ShardStatus) { s.Checkpoint = at })
		w.c.cfg.Hooks.checkpointed(CheckpointEvent{ShardID: w.c.info.ShardID, Checkpoint: at})
	}
	return err
}

func newSession(c *consumer) *session {
	row := c.held.Lease()
	s := &session{
		consumer: c,
		cp:       checkpoint.New(writes{c.held, c}, row.Checkpoint, row.Pending != nil),
		split:    newExpander(c.info.HashRangeRule, c.info.Range, c.info.KPLFaults),
		calls:    newCalls(c.cfg.CallTimeout, c.cfg.WarnAfter, c.log, c.begin),
		lastMark: time.Now(), called: time.Now(), wake: make(chan struct{}, 1),
	}
	holder := c.acct.Holder() // what a processor before this one held went with it
	s.hold = func(bytes int64) {
		if bytes < 0 {
			c.log.Error("processor says that it holds less than nothing; it counts as nothing", zap.Int64("bytes", bytes))
		}
		holder.Hold(bytes)
	}
	s.tryHold = holder.Try
	return s
}

// woken is ProcessRecordsInput.Wake.
func (s *session) woken() {
	select {
	case s.wake <- struct{}{}:
	default: // it is asked for already
	}
}

// run returns why the session ended; it is never nil. Unless the processor
// panicked it has had its last call.
func (s *session) run() error {
	defer s.calls.close()
	err := s.stampStart()
	if err != nil {
		return err
	}
	if s.p, err = newGuarded(s.calls, s.factory, s.info); err != nil {
		return err
	}
	err = s.initialize()
	if err == nil {
		s.initialized = true
		err = s.stampStart() // what was pending is settled now
	}
	if s.cp.Last().IsShardEnd() {
		return endFinished
	}
	if err == nil {
		s.accepted = s.cp.Last()
		err = s.consume()
	}
	return s.end(err)
}

// stampStart makes sure that a lease at LATEST or AT_TIMESTAMP says from which
// instant, so that a successor does not begin at a later one. Of a lease that a
// Java worker made at AT_TIMESTAMP only the configuration knows the instant.
func (s *session) stampStart() error {
	at := s.cp.Last()
	if s.held.Lease().Pending != nil || !at.Arrival.IsZero() {
		return nil
	}
	switch at.SequenceNumber {
	case checkpoint.AtTimestamp:
		if begin := s.stream.initial.at.Arrival; !begin.IsZero() {
			return s.cp.Refresh(s.stop, begin)
		}
		s.log.Warn("lease is at AT_TIMESTAMP and nobody says which; reading begins at TRIM_HORIZON")
		return nil
	case checkpoint.Latest:
		begin, err := s.serviceTime()
		if err != nil {
			return err
		}
		return s.cp.Refresh(s.stop, begin)
	}
	return nil
}

// serviceTime returns what the service's clock shows, with as many tries as it
// takes.
func (s *session) serviceTime() (time.Time, error) {
	retries := newRetries("time of " + s.info.ShardID)
	for {
		list, err := s.stream.listShards(s.stop, loopShard, s.info.ShardID)
		if err == nil {
			return list.now(), nil
		}
		s.setStatus(func(st *ShardStatus) { st.LastError = err.Error() })
		s.log.Warn("time of the stream not read", zap.Error(err))
		if err := retries.Wait(s.stop); err != nil {
			return time.Time{}, err
		}
	}
}

func (s *session) initialize() error {
	s.state(ShardInitializing)
	return s.retry("initializing", func(int) error {
		row := s.held.Lease() // a try before this one may have written to it
		s.cp.Found(row.Checkpoint, row.Pending != nil)
		return s.p.Initialize(s.held.Context(), InitializationInput{
			Shard: s.info, Checkpoint: row.Checkpoint, Pending: row.Pending,
			Checkpointer: s.cp, Replay: s.replay, CheckTrust: s.held.CheckTrust, Stopping: s.stop.Done(),
		})
	})
}

// retry calls f until it succeeds, with growing pauses, for MaxAttempts times.
// It returns early if the reading should end, or f panicked or gave up.
func (s *session) retry(what string, f func(attempt int) error) error {
	retries := newRetries(what + " " + s.info.ShardID)
	for attempt := 1; ; attempt++ {
		if err := s.held.CheckTrust(); err != nil {
			return err
		}
		err := f(attempt)
		if err == nil {
			return nil
		}
		s.panicked = s.panicked || isPanic(err)
		if lost := s.held.CheckTrust(); lost != nil {
			return lost
		}
		if s.stop.Err() != nil && !isPanic(err) {
			return context.Cause(s.stop)
		}
		if isOutside(err) { // no fault of the shard's
			attempt = 0
		}
		if attempt >= s.cfg.MaxAttempts || isPanic(err) || IsGiveUp(err) || errors.Is(err, errOtherParent) {
			return fmt.Errorf("%s, attempt %d: %w", what, attempt, err)
		}
		s.log.Warn("processor failed", zap.String("call", what), zap.Error(err), zap.Int("attempt", attempt))
		if err := retries.Wait(s.stop); err != nil {
			return err
		}
	}
}

func (s *session) state(now ShardState) {
	s.setStatus(func(st *ShardStatus) { st.State = now })
}
