package sim_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
)

// seeds is how many worlds each test runs: `make sim SEEDS=n`.
var seeds = flag.Uint64("seeds", 12, "worlds to run")

func follows(end, start string) bool {
	e, ok1 := new(big.Int).SetString(end, 10)
	s, ok2 := new(big.Int).SetString(start, 10)
	return ok1 && ok2 && e.Add(e, big.NewInt(1)).Cmp(s) == 0
}

// each runs a world for each seed, and prints at the end what they met.
func each(t *testing.T, world func(t *testing.T, seed uint64) map[string]int) {
	t.Helper()
	var mu sync.Mutex
	total := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for seed := range *seeds {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					counts := world(t, seed)
					mu.Lock()
					defer mu.Unlock()
					for k, n := range counts {
						total[k] += n
					}
				})
			})
		}
	})
	var keys []string
	for k := range total {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		t.Logf("%8d  %s", total[k], k)
	}
	t.Logf("%d worlds", *seeds)
}

// TestProcessors checks the promises of package kcl with processors that fail,
// panic, block, and checkpoint when they like.
func TestProcessors(t *testing.T) { //nolint:tparallel // each makes the subtests parallel
	t.Parallel()
	each(t, func(t *testing.T, seed uint64) map[string]int {
		t.Helper()
		w := newWorld(t, seed)
		w.play(func(m *machine) kcl.ProcessorFactory {
			return func(s kcl.ShardInfo) kcl.RecordProcessor { return &taker{w: w, m: m, shard: s.ShardID} }
		}, 0)
		for i := range w.stream.Len() {
			if n := w.unaccepted(w.stream.Shard(i).ID); n > 0 {
				w.violate("%d of %d records of shard %d were never accepted", n, len(w.stream.Records(i)), i)
			}
		}
		return w.counts
	})
}

// play runs producer and workers to the end of the world.
func (w *world) play(factory func(*machine) kcl.ProcessorFactory, tick time.Duration) {
	ctx, cancel := context.WithTimeout(w.t.Context(), trouble+calm)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(w.produce)
	for slot := range workers {
		wg.Go(func() {
			time.Sleep(time.Duration(slot) * 1300 * time.Millisecond)
			w.live(ctx, slot, factory, tick)
		})
	}
	wg.Wait()
	list, err := w.table.List(context.Background())
	if err != nil {
		w.t.Error(err)
	}
	for _, l := range list {
		if !l.Finished() && l.Owner != "" && time.Since(w.early[l.Key]) > failover {
			w.violate("%s is still owned by %s at the end", l.Key, l.Owner)
		}
		if !l.Finished() && w.stream.Shard(shardNumber(l.Key)).EndingSequenceNumber != "" {
			w.violate("%s has ended and its lease is at %v", l.Key, l.Checkpoint)
		}
	}
}

// taker is a processor that accepts records, or not.
type taker struct {
	w       *world
	m       *machine
	shard   string
	last    checkpoint.ExtendedSequenceNumber // delivered to this processor
	trusted func() error
}

var errBoom = errors.New("boom")

// enter notes that a call begins, and checks that it may.
func (p *taker) enter(ctx context.Context) (leave func()) {
	if p.m.isDead() {
		return func() {}
	}
	if err := p.trusted(); err != nil {
		p.w.violate("%s is called for %s after trust has ended: %v", p.m.name, p.shard, err)
	}
	p.w.mu.Lock()
	var other, running2 string
	for m, running := range p.w.calls[p.shard] {
		if m != p.m && running.Err() == nil && !m.isDead() {
			other, running2 = m.name, fmt.Sprint(running.Err())
		}
	}
	if p.w.calls[p.shard] == nil {
		p.w.calls[p.shard] = map[*machine]context.Context{}
	}
	p.w.calls[p.shard][p.m] = ctx //nolint:fatcontext // to see later whether it has ended
	p.w.counts["calls"]++
	p.w.mu.Unlock()
	if other != "" {
		p.w.violate("%s is called for %s while %s is (%s)", p.m.name, p.shard, other, running2)
	}
	return func() {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		delete(p.w.calls[p.shard], p.m)
	}
}

func (p *taker) Initialize(ctx context.Context, in kcl.InitializationInput) error {
	p.trusted, p.last = in.Trusted, in.Checkpoint.ExtendedSequenceNumber
	leave := p.enter(ctx)
	defer leave()
	p.m.wait()
	if !p.m.isDead() {
		p.parentsEnded()
	}
	return nil
}

// parentsEnded checks that every parent with a lease is finished.
func (p *taker) parentsEnded() {
	for _, parent := range p.w.stream.Shard(shardNumber(p.shard)).ParentIDs {
		if n := p.w.unaccepted(parent); n > 0 {
			p.w.violate("%s begins and %d records of its parent %s were not accepted", p.shard, n, parent)
		}
	}
}

func (p *taker) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	leave := p.enter(ctx)
	defer leave()
	if in.Attempt == 1 {
		first := in.Records[0].Position().ExtendedSequenceNumber
		if p.last.IsRecord() && first.Compare(p.last) <= 0 {
			p.w.violate("%s is delivered %v of %s after %v", p.m.name, first, p.shard, p.last)
		}
	}
	p.last = in.Records[len(in.Records)-1].Position().ExtendedSequenceNumber
	if !p.w.calmed() {
		switch p.m.draw(40) {
		case 0:
			p.w.count("processor errors")
			return errBoom
		case 1:
			p.w.count("processor panics")
			panic(errBoom)
		case 2, 3:
			p.w.count("slow processors")
			if err := pause(ctx, time.Duration(p.m.draw(int(2*failover)))); err != nil {
				return err
			}
		}
	}
	p.m.wait()
	if p.m.isDead() || ctx.Err() != nil {
		return errDead
	}
	p.w.mu.Lock()
	if p.w.accepted[p.shard] == nil {
		p.w.accepted[p.shard] = map[string]bool{}
	}
	for _, r := range in.Records {
		if p.w.accepted[p.shard][string(r.Data)] {
			p.w.counts["records delivered again"]++
		}
		p.w.accepted[p.shard][string(r.Data)] = true
		p.w.counts["records delivered"]++
	}
	p.w.mu.Unlock()
	if p.m.draw(3) > 0 {
		return nil
	}
	return in.Checkpointer.Checkpoint(ctx)
}

func (p *taker) LeaseLost(context.Context, kcl.LeaseLostInput) {}

func (p *taker) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	leave := p.enter(ctx)
	defer leave()
	return in.Checkpointer.Checkpoint(ctx)
}

func (p *taker) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	leave := p.enter(ctx)
	defer leave()
	if p.m.draw(2) == 0 {
		return nil
	}
	return in.Checkpointer.Checkpoint(ctx)
}
