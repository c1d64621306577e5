package kcl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline"
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
	hold  func(bytes int64)

	// accepted is the last record that the processor took, or where reading
	// began: what is at or before it is not delivered any more.
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
		w.c.w.cfg.Hooks.checkpointed(CheckpointEvent{ShardID: w.c.info.ShardID, Checkpoint: at})
	}
	return err
}

// begin notes a call that is made for the shard.
func (c *consumer) begin(doing string, call *deadline.Call) (end func()) {
	return c.w.steps.BeginCall(loopShard, c.info.ShardID, doing, call)
}

func newSession(c *consumer) *session {
	row := c.held.Lease()
	s := &session{
		consumer: c,
		cp:       checkpoint.New(writes{c.held, c}, row.Checkpoint, row.Pending != nil),
		split:    newExpander(c.info.HashRangeRule, c.info.Range),
		calls:    newCalls(c.w.cfg, c.log, c.begin),
		lastMark: time.Now(), called: time.Now(),
	}
	hold := c.acct.Holder() // what a processor before this one held went with it
	s.hold = func(bytes int64) {
		if bytes < 0 {
			c.log.Error("processor says that it holds less than nothing; it counts as nothing", zap.Int64("bytes", bytes))
		}
		hold(bytes)
	}
	return s
}

// run returns why the session ended; it is never nil. Unless the processor
// panicked it has had its last call.
func (s *session) run() error {
	defer s.calls.close()
	err := s.stampStart()
	if err != nil {
		return err
	}
	if s.p, err = newGuarded(s.calls, s.w.factory, s.info); err != nil {
		return err
	}
	err = s.initialize()
	if err == nil {
		s.initialized = true
		err = s.stampStart() // what was pending is settled now
	}
	if s.cp.Last().IsShardEnd() {
		return errEnded
	}
	if err == nil {
		s.accepted = s.cp.Last()
		err = s.process()
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
		if begin := s.w.cfg.InitialPosition.at.Arrival; !begin.IsZero() {
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
		list, err := s.w.listShards(s.stop, loopShard, s.info.ShardID)
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

func (l ShardList) now() time.Time {
	if l.At.IsZero() {
		return time.Now()
	}
	return l.At
}

func (s *session) initialize() error {
	s.state(ShardInitializing)
	return s.retry("initializing", func(int) error {
		row := s.held.Lease() // a try before this one may have written to it
		return s.p.Initialize(s.held.Context(), InitializationInput{
			Shard: s.info, Checkpoint: row.Checkpoint, Pending: row.Pending,
			Checkpointer: s.cp, Replay: s.replay, CheckTrust: s.held.CheckTrust,
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
		if attempt >= s.w.cfg.MaxAttempts || isPanic(err) || IsGiveUp(err) || errors.Is(err, errOtherParent) {
			return fmt.Errorf("%s, attempt %d: %w", what, attempt, err)
		}
		s.log.Warn("processor failed", zap.String("call", what), zap.Error(err), zap.Int("attempt", attempt))
		if err := retries.Wait(s.stop); err != nil {
			return err
		}
	}
}

// process delivers until something ends it; it never returns nil.
func (s *session) process() error {
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
		case errors.Is(err, errRefuted) && !refuted:
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
		errRefuted, refused.SequenceNumber, first)
}

// readFrom delivers what a reader opened at from returns. refused is the
// checkpoint that could not be read from, if that is why from is another place.
func (s *session) readFrom(from, refused checkpoint.Position) error {
	f := s.startFetcher(from)
	defer f.stop()
	tick := s.startTicks()
	defer tick.Stop()
	first := s.accepted.IsRecord() // the next record tells whether some are missing before it
	for {
		var err error
		called := s.called
		select {
		case <-s.stop.Done():
			return context.Cause(s.stop)
		case <-tick.C:
			err = s.deliver(nil, false)
		case <-s.acct.Pressure():
			err = s.deliver(nil, true)
		case got := <-f.pages:
			if first && (len(got.page.Records) > 0 || got.page.End) {
				if err := refutes(got.page, refused); err != nil {
					s.acct.Release(got.bytes)
					got.page.release()
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
	if every := s.w.cfg.TickInterval; every > 0 {
		t.Reset(time.Until(s.called.Add(every)))
	} else {
		t.Stop()
	}
}

// page delivers one page.
func (s *session) page(got fetched) error {
	if got.err != nil {
		return s.readFailed(got.err)
	}
	if err := s.deliverPage(got); err != nil {
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
		list, err := s.w.listShards(s.stop, loopShard, s.info.ShardID)
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

// endShard creates the children's leases and has the processor end the shard.
func (s *session) endShard(children []Shard) error {
	s.state(ShardEnding)
	for waited := false; ; waited = true {
		err := s.retry("creating child leases", func(int) error { return s.createChildren(children) })
		if err == nil {
			break
		}
		if !errors.Is(err, errOtherParent) {
			return err
		}
		if !waited {
			s.log.Info("shard was read to its end and waits", zap.Error(err))
			s.setStatus(func(st *ShardStatus) { st.LastError = err.Error() })
		}
		if err := s.idle(s.w.cfg.ScanInterval); err != nil {
			return err
		}
	}
	s.cp.EndShard()
	err := s.retry("ending the shard", func(attempt int) error {
		err := s.p.ShardEnded(s.held.Context(), ShardEndedInput{Checkpointer: s.cp, Attempt: attempt})
		if err == nil && !s.cp.Last().IsShardEnd() {
			return errors.New("ShardEnded returned without a checkpoint: it must call in.Checkpointer.Checkpoint")
		}
		return err
	})
	if err != nil {
		return err
	}
	return errEnded
}

// idle waits for d, in which the processor gets its ticks.
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
		case <-s.acct.Pressure():
			pressure = true
		}
		if err := s.deliver(nil, pressure); err != nil {
			return err
		}
		s.resetTicks(tick)
	}
}

// end makes the processor's last call, as the reason asks for.
func (s *session) end(why error) error {
	if s.panicked || errors.Is(why, errEnded) {
		return why
	}
	if s.initialized && s.held.CheckTrust() == nil && (errors.Is(why, ErrShutdown) || errors.Is(why, errSurplus)) {
		s.state(ShardStopping)
		err := s.shutdownRequested(errors.Is(why, errSurplus))
		if err != nil && s.held.CheckTrust() == nil {
			s.log.Warn("processor failed to stop well; its records will be delivered again", zap.Error(err), panicStack(err))
		}
		if isPanic(err) {
			return why
		}
	}
	cause := why
	if lost := s.held.CheckTrust(); lost != nil {
		why, cause = lost, lost
		if c := context.Cause(s.held.Context()); c != nil {
			cause = c
		}
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(s.held.Context()), s.w.cfg.ShutdownTimeout, ErrShutdownTimeout)
	defer cancel()
	if err := s.p.LeaseLost(ctx, LeaseLostInput{Cause: cause}); err != nil {
		s.log.Error("processor panicked after its lease had ended", zap.Error(err), panicStack(err))
	}
	return why
}

func (s *session) shutdownRequested(surplus bool) error {
	ctx, in := s.held.Context(), ShutdownRequestedInput{Checkpointer: s.cp, Surplus: surplus}
	in.Deadline = s.w.deadline()
	if in.Deadline.IsZero() {
		in.Deadline = time.Now().Add(s.w.cfg.ShutdownTimeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, in.Deadline, ErrShutdownTimeout)
		defer cancel()
	}
	return s.p.ShutdownRequested(ctx, in)
}

func (s *session) state(now ShardState) {
	s.setStatus(func(st *ShardStatus) { st.State = now })
}
