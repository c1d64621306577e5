package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
)

// progressEvery is how often an archiver logs how it does.
const progressEvery = time.Minute

// progress logs what was delivered, and how far the worker is, every so often
// until run returns, and what was delivered in all then: documents, or records in objects.
func progress(snapshot func() kcl.Snapshot, t *archiver.Tally, documents bool, log *zap.Logger, run func() error) error {
	err := every(progressEvery, func() {
		now := snapshot()
		how := append(delivered(t, documents), zap.Int("leases", metrics.Held(now)))
		if behind, some := metrics.FarthestBehind(now); some { // nothing is known without a page, least of all that it is 0
			how = append(how, zap.Duration("behind_latest", behind))
		}
		log.Info("progress", how...)
	}, run)
	records, _, objects := t.Delivered()
	stopped := fmt.Sprintf("stopped: %d records, %d objects", records, objects)
	if documents {
		stopped = fmt.Sprintf("stopped: %d documents indexed, %d failed", records, t.Failed())
	}
	log.Info(stopped, delivered(t, documents)...)
	return err
}

func delivered(t *archiver.Tally, documents bool) []zap.Field {
	records, bytes, objects := t.Delivered()
	if documents {
		return []zap.Field{zap.Int64("documents", records), zap.Int64("bytes", bytes), zap.Int64("failed", t.Failed())}
	}
	return []zap.Field{zap.Int64("records", records), zap.Int64("bytes", bytes), zap.Int64("objects", objects)}
}

// every runs f, and calls tell after each d until f returns.
func every(d time.Duration, tell func(), f func() error) error {
	done := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				tell()
			}
		}
	})
	defer teller.Wait()
	defer close(done)
	return f()
}

// isTerminal reports whether people see what is written.
func (s stdio) isTerminal() bool {
	f, ok := s.err.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
