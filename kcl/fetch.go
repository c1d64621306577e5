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
	page  Page
	bytes int64
	err   error // the fetcher goes on by itself unless isFinal(err)
}

// startFetcher begins to read the shard at from. Stop the fetcher.
func (s *session) startFetcher(from checkpoint.Position) *fetcher {
	f := &fetcher{pages: make(chan fetched)}
	r := s.stream.source.Open(s.info.ShardID, from)
	read := func(ctx context.Context, room Room) (Page, error) { return s.stream.read(ctx, s.info.ShardID, r, room) }
	ctx, cancel := context.WithCancel(s.stop)
	f.cancel = cancel
	end := s.troubles.reads()
	f.wg.Go(func() {
		defer end()
		defer r.Close()
		f.run(ctx, s.info.ShardID, read, s.acct)
	})
	return f
}

// stop ends the reading and waits for it.
func (f *fetcher) stop() {
	f.cancel()
	f.wg.Wait()
}

func (f *fetcher) run(ctx context.Context, shard string, read func(context.Context, Room) (Page, error), a *budget.Account) {
	retries := newRetries("read " + shard)
	expect := int64(1 << 20) // of the next page; the last one's size is the best guess
	for {
		if a.Reserve(ctx, expect) != nil {
			return
		}
		page, err := read(ctx, Room{})
		if err != nil {
			a.Release(expect)
			if !f.send(ctx, fetched{err: err}) || isFinal(err) || retries.Wait(ctx) != nil {
				return
			}
			continue
		}
		retries.Reset()
		bytes := page.memory()
		a.Adjust(expect, bytes)
		if !f.send(ctx, fetched{page: page, bytes: bytes}) {
			a.Release(bytes)
			page.release()
			return
		}
		if page.End {
			return
		}
		expect = max(bytes, 64<<10)
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
