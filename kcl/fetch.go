package kcl

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/pause"
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

// recordOverhead is what a Record takes beside its data, about.
const recordOverhead = 128

// startFetcher begins to read the shard at from. Stop the fetcher.
func (s *session) startFetcher(from checkpoint.Position) *fetcher {
	f := &fetcher{pages: make(chan fetched)}
	r := s.w.cfg.Source.Open(s.info.ShardID, from)
	read := func(ctx context.Context) (Page, error) { return s.read(ctx, r) }
	ctx, cancel := context.WithCancel(s.stop)
	f.cancel = cancel
	end := s.w.troubles.reads()
	f.wg.Go(func() {
		defer end()
		defer r.Close()
		f.run(ctx, s.info.ShardID, read, s.acct)
	})
	return f
}

// read reads a page as a step of the shard's loop.
func (s *session) read(ctx context.Context, r ShardReader) (page Page, err error) {
	err = s.w.steps.do(ctx, loopShard, s.info.ShardID, "reading", func(ctx context.Context) (err error) {
		page, err = r.Next(ctx)
		return err
	})
	if ctx.Err() == nil {
		s.w.troubles.outcome(doingRead, err)
	}
	return page, err
}

// stop ends the reading and waits for it.
func (f *fetcher) stop() {
	f.cancel()
	f.wg.Wait()
}

func (f *fetcher) run(ctx context.Context, shard string, read func(context.Context) (Page, error), a *budget.Account) {
	retries := newRetries("read " + shard)
	expect := int64(1 << 20) // of the next page; the last one's size is the best guess
	for {
		if a.Reserve(ctx, expect) != nil {
			return
		}
		page, err := read(ctx)
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

// memory returns what the page takes.
func (p Page) memory() int64 { return p.Bytes() + recordOverhead*int64(len(p.Records)) }

func (p Page) release() {
	if p.Release != nil {
		p.Release()
	}
}

// isFinal reports whether a reader that returned err is of no more use.
func isFinal(err error) bool {
	return errors.Is(err, ErrTrimmed) || errors.Is(err, ErrShardNotFound)
}

// newRetries returns the pauses between tries of what may take long to be
// mended: from a fifth of a second to half a minute, half of it random.
func newRetries(what string) *pause.BackOff {
	return pause.NewBackOff(what, 200*time.Millisecond, 30*time.Second, 0.5)
}
