package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors/transform"
)

// seat is room for one process. Who has entered owns it.
type seat struct {
	c        *Command
	p        *process // nil: it has to be started
	answered bool     // by p
	routine  bool     // the one before p answered, and ended by itself
	pauses   *pause.BackOff
	earliest time.Time // when it may be started again
}

// rest is how long a call may not begin yet.
func (s *seat) rest() time.Duration {
	if s.p != nil {
		return 0
	}
	return max(0, time.Until(s.earliest))
}

// transform makes one call. After one that fails there is no process.
func (s *seat) transform(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
	request := append(transform.Request(b), '\n')
	for {
		mayHaveEnded := s.p != nil && s.answered
		answer, err := s.exchange(ctx, request)
		if mayHaveEnded && errors.Is(err, errEndedWell) && ctx.Err() == nil {
			continue // it was of those that end after an answer; a new process has answered nothing yet
		}
		if err == nil {
			var results []transform.Result
			if results, err = s.read(b, answer); err == nil {
				s.succeeded()
				return results, nil
			}
		}
		return nil, s.failed(ctx, err)
	}
}

// exchange has a process answer the request.
func (s *seat) exchange(ctx context.Context, request []byte) ([]byte, error) {
	if s.p != nil && s.p.isUsable() != nil {
		s.drop("command is started anew", s.p.isUsable())
	}
	if s.p == nil {
		p, err := start(ctx, s.c)
		if err != nil {
			return nil, err
		}
		level := zap.InfoLevel
		if s.routine {
			level = zap.DebugLevel
		}
		s.c.o.Logger.Log(level, "command started", zap.Int("pid", p.pid))
		s.p, s.answered, s.routine = p, false, false
	}
	answer, err := s.p.exchange(ctx, request)
	if errors.Is(err, errEndedWell) {
		s.p.release()
		s.p, s.routine = nil, s.answered
	}
	return answer, err
}

// read returns the results of an answer to b.
func (s *seat) read(b *transform.Batch, answer []byte) ([]transform.Result, error) {
	a, err := transform.ParseAnswer(answer)
	switch {
	case err != nil && a.InvocationID == "":
		return nil, fmt.Errorf("%w: %w; what is meant for the log belongs on the standard error", errNoAnswer, err)
	case a.InvocationID == b.InvocationID:
	case a.InvocationID == "":
		return nil, fmt.Errorf("%w: it lacks the request's invocationId", errNoAnswer)
	default:
		return nil, fmt.Errorf("%w: its invocationId is not the request's", errNoAnswer)
	}
	if err != nil {
		s.c.o.Logger.Warn("answer of the command has no results: none of its records has a record id", zap.Error(err))
	}
	return a.Results, nil
}

// errNoAnswer means that the program wrote a line that answers nothing.
var errNoAnswer = errors.New("a line on the standard output is not the answer to the request")

func (s *seat) succeeded() {
	s.answered, s.earliest = true, time.Time{}
	s.pauses.Reset()
}

// failed ends the process, and returns the error of the call.
func (s *seat) failed(ctx context.Context, err error) error {
	if s.p != nil {
		s.drop("command is killed", err)
	}
	isNotStarted := errors.Is(err, errNotStarted)
	if hasEndedIt := !isNotStarted && ctx.Err() != nil || errors.Is(err, errTooLong); !hasEndedIt {
		s.earliest = time.Now().Add(s.pauses.Next(ctx))
	}
	switch {
	case ctx.Err() != nil:
		return transform.FunctionTimedOut(context.Cause(ctx))
	case errors.Is(err, errTooLong):
		return transform.AnswerTooLarge(err)
	case isNotStarted:
		return transform.InvocationFailure(err)
	case errors.Is(err, errClosed):
		return errClosed
	}
	return transform.FunctionError(err)
}

// drop kills the process, waits for its end, and says why.
func (s *seat) drop(message string, why error) {
	s.p.kill()
	<-s.p.ended
	s.p.release()
	level := zap.WarnLevel
	if s.routine = s.answered && errors.Is(why, errEndedWell); s.routine {
		level = zap.DebugLevel
	}
	s.c.o.Logger.Log(level, message, zap.Int("pid", s.p.pid), zap.Error(why), zap.String("state", s.p.state))
	s.p = nil
}
