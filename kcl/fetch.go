package kcl

import (
	"context"
	"sync"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/internal/budget"
)

// fetcher reads one page of a shard ahead of its processor, within the byte
// budget.
type fetcher struct {
	pages  chan fetched // unbuffered: the page in flight is the one read ahead
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// fetched is a page and what it takes of the budget, or why there is none.
type fetched struct {
	page Page
	mem  *budget.Reservation // nil if there is no page
	err  error               // the fetcher goes on by itself unless isFinal(err)
}

// release lets go of the page.
func (f fetched) release() {
	f.page.release()
	if f.mem != nil {
		f.mem.Release()
	}
}

// startFetcher begins to read the shard at from. Stop the fetcher.
func (s *session) startFetcher(from checkpoint.Position) *fetcher {
	f := &fetcher{pages: make(chan fetched)}
	r := s.stream.source.Open(s.info.ShardID, from)
	ctx, cancel := context.WithCancel(s.stop)
	f.cancel = cancel
	end := s.troubles.reads()
	f.wg.Go(func() {
		defer end()
		defer r.Close()
		f.run(ctx, s.info.ShardID, s.newPager(r))
	})
	return f
}

// stop ends the reading and waits for it.
func (f *fetcher) stop() {
	f.cancel()
	f.wg.Wait()
}

func (f *fetcher) run(ctx context.Context, shard string, p *pager) {
	retries := newRetries("read " + shard)
	for {
		var got fetched
		got.page, got.mem, got.err = p.next(ctx)
		if got.err != nil && ctx.Err() != nil {
			return
		}
		if !f.send(ctx, got) {
			got.release()
			return
		}
		if got.page.End || isFinal(got.err) {
			return
		}
		if got.err == nil {
			retries.Reset()
		} else if retries.Wait(ctx) != nil {
			return
		}
	}
}

func (f *fetcher) send(ctx context.Context, p fetched) bool {
	select {
	case f.pages <- p:
		return true
	case <-ctx.Done():
		return false
	}
}
