package kcl

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl/internal/budget"
)

const (
	// largestPage is what a page takes at most, unless a record is larger: about
	// three seconds of what Kinesis lets one shard be read at. More would cost
	// memory and save nothing.
	largestPage = 8 << 20

	// smallestPage is what is reserved for a page at least: as much as one without
	// records takes.
	smallestPage = 16 << 10

	// growWait is how long an answer waits for memory before it is read: the
	// service may cut a connection that nobody reads from.
	growWait = 8 * time.Second

	// promised is how long room is kept for an answer that does not begin, such as
	// that of a shard that refuses to be read: longer than a page takes to come, with
	// the wait after one of 10 MiB.
	promised = 10 * time.Second
)

// pager reads pages of one shard within the byte budget.
type pager struct {
	c    *consumer
	read func(context.Context, Room) (Page, error)

	expect  int64 // what the next page will take
	refused bool  // the last answer found no room
}

// newPager returns what reads from r within the budget.
func (c *consumer) newPager(r ShardReader) *pager {
	return &pager{c: c, read: func(ctx context.Context, room Room) (Page, error) {
		return c.stream.read(ctx, c.info.ShardID, r, room)
	}}
}

// next returns the next page and what it takes of the budget, which whoever is
// done with the page releases.
//
// The last page's size is the best guess of the next one's. For one that is larger,
// and the first one, room is asked once its answer begins, so that what is reserved
// is not kept from others meanwhile. If there is none in time, the reader is to ask
// for less; if that is too much again, its size is reserved beforehand. Nor is what
// was reserved kept for an answer that does not begin.
func (p *pager) next(ctx context.Context) (Page, *budget.Reservation, error) {
	for {
		room := min(p.c.acct.Page(), largestPage)
		least := min(room, smallestPage)
		mem, err := p.c.acct.Reserve(ctx, max(p.expect, least), p.waits)
		if err != nil {
			return Page{}, nil, err
		}
		late := time.AfterFunc(promised, func() { mem.Lapse(least) })
		page, err := p.read(ctx, Room{Bytes: room, More: growing(mem)})
		late.Stop()
		if err == nil {
			p.expect, p.refused = page.memory(), false
			mem.Set(page.memory())
			return page, mem, nil
		}
		mem.Release()
		no, ok := errors.AsType[*NoRoomError](err)
		if !ok {
			return Page{}, nil, err
		}
		p.expect = no.Bytes
		if !p.refused {
			p.expect = min(room, no.Bytes)
		}
		p.refused = true
	}
}

// growing returns what Room.More is for a page with the given reservation.
func growing(mem *budget.Reservation) func(context.Context, int64) error {
	return func(ctx context.Context, bytes int64) error {
		no := &NoRoomError{Bytes: bytes}
		ctx, cancel := context.WithTimeoutCause(ctx, growWait, no)
		defer cancel()
		return mem.Grow(ctx, bytes)
	}
}

// waits tells of the waiting for memory until the function that it returns is
// called; louder, if the shard stands still meanwhile.
func (p *pager) waits() (end func()) {
	over := p.c.steps.Begin(loopShard, p.c.info.ShardID, "waiting for memory", 0)
	told := pause.Remind(p.c.cfg.WarnAfter, warnAgain, func(passed time.Duration) {
		if p.c.acct.IsEmpty() {
			used, limit := p.c.acct.Budget().Used()
			p.c.log.Warn("shard is not read: the memory of MaxBytes is in use by what processors have and hold",
				zap.Duration("duration", passed), zap.Int64("bytes_in_use", used), zap.Int64("max_bytes", limit))
		}
	})
	return func() { told(); over() }
}
