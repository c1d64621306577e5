package processors_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// panicky is a store whose every put panics.
type panicky struct {
	shelf

	puts atomic.Int64
}

func (p *panicky) Put(context.Context, processors.Object) error {
	p.puts.Add(1)
	panic("store")
}

// TestAStoreThatPanicsIsGivenUp, after as many tries as a worker makes, also if no
// records come with the calls that hear of it.
func TestAStoreThatPanicsIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, c := range kinds() {
		if name == "at least once too" {
			continue // each of several objects is tried again by itself
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.ErrorLevel)
				stream, s := kcltest.NewStream(1), new(panicky)
				stream.Put(0, numbers(0, 9)...)
				archiveFor(t, 10*time.Minute, "one", stream, new(lease.Mem), c, s, func(k *kcl.Config) { k.Logger = zap.New(core) })
				if n, puts := logs.FilterMessage("shard given up").Len(), s.puts.Load(); n == 0 || puts > 50 {
					t.Errorf("the shard was given up %d times, after %d puts", n, puts)
				}
			})
		})
	}
}
