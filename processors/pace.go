package processors

import (
	"time"

	"go.uber.org/zap"
)

// pace is how a shard's objects grow while it is behind. One goroutine uses it.
type pace struct {
	interval time.Duration // of the cut
	behind   time.Duration // the tip of the shard, in the latest call
	log      *zap.Logger
}

// note takes in how far the shard is behind.
func (p *pace) note(behind time.Duration) {
	before := p.isBehind()
	p.behind = behind
	switch is := p.isBehind(); {
	case is && !before:
		p.log.Info("the shard is behind by more than the buffering interval: objects grow until it is not",
			zap.Duration("behind", behind), zap.Duration("interval", p.interval))
	case before && !is:
		p.log.Info("the shard has caught up: objects are complete at the buffering size again", zap.Duration("behind", behind))
	}
}

// isBehind is false with zero buffering: there a call's records end the cut.
func (p *pace) isBehind() bool { return p.interval > 0 && p.behind > p.interval }

// size returns how large an object with this hint may get now.
func (p *pace) size(hint int64) int64 {
	if !p.isBehind() {
		return hint
	}
	return grown(hint, p.behind, p.interval)
}

const (
	maxGrowth       = 4
	maxGrown  int64 = 128 * mib // Firehose's largest hint
)

// grown returns a size hint, times the number of intervals that a shard is behind, if
// that is more than one: at most 4 times the hint and 128 MiB, and never less than the
// hint. So what is late becomes fewer objects, and less of its time is spent on requests.
// That Firehose raises the buffer size then is documented; by how much is not, so that
// these numbers are ours.
func grown(hint int64, behind, interval time.Duration) int64 {
	if behind <= interval {
		return hint
	}
	times := min(maxGrowth, float64(behind)/float64(interval))
	return min(int64(float64(hint)*times), max(hint, maxGrown))
}
