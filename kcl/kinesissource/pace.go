package kinesissource

import (
	"context"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// What one reader takes at most of the limits of a shard, which are 5 calls
	// and 2 MiB a second for all its readers that poll. A twentieth is left: calls
	// may arrive closer to each other than they were made, and who comes to a shard
	// that another one uses up would find nothing.
	minCallGap     = 210 * time.Millisecond
	bytesPerSecond = 2_000_000

	// The time between two calls on a shard that has nothing new, just after
	// there was something and after a while, unless another one is asked for.
	firstIdle = time.Second / 4
	maxIdle   = time.Second

	// fullRate is all that one reader takes, minRate as little as it takes when
	// others read the shard too. rateStep is what it takes more after each
	// cleanTime without a refusal. All in percent.
	fullRate  = 100
	minRate   = 20
	rateStep  = 10
	cleanTime = 30 * time.Second
)

// pace says when a shard may be read next. Readers of one shard do not know of
// each other: each halves what it takes when the shard refuses, and then takes a
// little more from time to time, by which they come to share it evenly.
type pace struct {
	unlimited bool          // without regard to the limits of a shard
	poll      time.Duration // between calls when there is nothing new; 0: as pages come

	rate    int       // percent of the limits that are in force
	steady  time.Time // since when nothing was refused and the rate stayed as it is
	refused bool      // no page has come since a refusal

	idle   time.Duration // before the next call if there is nothing new
	called time.Time
	next   time.Time // when the next call may be made
}

func newPace(o Options) pace {
	return pace{unlimited: o.NoRateLimit, poll: o.PollInterval, rate: fullRate}
}

// call returns the pace after the begin of a call. The next one may follow when
// the limit of calls allows; page puts it off further.
func (p pace) call(now time.Time) pace {
	for p.rate < fullRate && now.Sub(p.steady) >= cleanTime {
		p.rate = min(fullRate, p.rate+rateStep)
		p.steady = p.steady.Add(cleanTime)
	}
	p.called, p.next = now, now
	if !p.unlimited {
		p.next = now.Add(p.scaled(minCallGap))
	}
	return p
}

// page returns the pace after a page of so many records and bytes. more says
// that there are more to read.
func (p pace) page(records int, bytes int64, more bool) pace {
	p.refused = false
	if !p.unlimited {
		p.putOff(p.scaled(time.Duration(bytes) * time.Second / bytesPerSecond))
	}
	switch {
	case p.poll > 0:
		p.idle = p.poll
	case records > 0 || more:
		p.idle = firstIdle // where records came there will soon be others
	default:
		p.idle = max(firstIdle, min(maxIdle, 2*p.idle))
	}
	if !more {
		p.putOff(p.idle)
	}
	return p
}

// refuse returns the pace after a call that was refused because of the shard's
// limits. Its repetitions do not halve the rate again, and come without regard
// to it: a page of another reader can make the shard refuse for five seconds, and
// who then comes too seldom finds that the other one was there before.
func (p pace) refuse(now time.Time) pace {
	if p.unlimited {
		return p
	}
	if !p.refused {
		p.rate = max(minRate, p.rate/2)
	}
	p.refused, p.steady = true, now
	p.next = p.called.Add(minCallGap)
	return p
}

// scaled returns what takes d at the full rate.
func (p pace) scaled(d time.Duration) time.Duration { return d * fullRate / time.Duration(p.rate) }

func (p *pace) putOff(d time.Duration) {
	if next := p.called.Add(d); next.After(p.next) {
		p.next = next
	}
}

// waitTurn waits until a call may be made.
func (r *reader) waitTurn(ctx context.Context) error {
	if err := rest(ctx, time.Until(r.pace.next)); err != nil {
		return err
	}
	was := r.pace.rate
	r.pace = r.pace.call(time.Now())
	if was < fullRate && r.pace.rate == fullRate {
		r.tellPace(zap.InfoLevel, "a shard is read at the full rate again")
	}
	return nil
}

// slowDown draws from a refusal how fast the shard may be read.
func (r *reader) slowDown(err error) {
	was := r.pace.rate
	r.pace = r.pace.refuse(time.Now())
	if r.pace.rate == was {
		return
	}
	level := zap.DebugLevel // where several read a shard it happens again and again
	if was == fullRate {
		level = zap.InfoLevel
	}
	r.tellPace(level, "a shard's limits are exceeded; reading it more slowly", zap.Error(err))
}

func (r *reader) tellPace(level zapcore.Level, message string, fields ...zap.Field) {
	r.src.o.Logger.Log(level, message, append(fields, zap.String("stream", r.src.o.StreamName),
		zap.String("shard", r.shardID), zap.Int("percent_of_limits", r.pace.rate))...)
}
