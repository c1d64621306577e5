package kcl_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// slow returns the configuration of a worker that does little in a day.
func slow(s *kcltest.Stream, table lease.Table) kcl.Config {
	s.Poll = 20 * time.Second
	cfg := config(s, table, "me")
	cfg.FailoverTime, cfg.ScanInterval, cfg.ShardSyncInterval = time.Minute, time.Minute, 10*time.Minute
	return cfg
}

// A worker reads a quiet shard all the time. The first record after more than a
// day is no loss: every page before it was at the tip.
func TestAQuietShardThatIsReadAllTheTimeLosesNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		at   func(*kcltest.Stream) checkpoint.Position
	}{
		{"at LATEST, made by the worker", nil},
		{"at a record that expired, with the mark of an hour ago", func(s *kcltest.Stream) checkpoint.Position {
			s.Put(0, "old")
			p := s.Records(0)[0].Position()
			time.Sleep(30 * time.Hour)
			s.Trim(0, 1)
			p.Arrival = time.Now().Add(-time.Hour)
			return p
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				cfg := slow(s, table)
				cfg.InitialPosition = kcl.Latest()
				if row.at != nil {
					table.Put(lease.Lease{Key: s.Shard(0).ID, Range: s.Shard(0).Range, Checkpoint: row.at(s)})
				}
				cfg.Hooks.RecordsLost = func(e kcl.LossEvent) { t.Errorf("a loss is told: %+v", e) }
				time.AfterFunc(25*time.Hour, func() { s.Put(0, "first") })
				if err := run(t, 25*time.Hour+time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
					t.Error(err)
				}
				if got := j.words(); len(got) != 1 || got[0] != "first" {
					t.Errorf("processed %q", got)
				}
			})
		})
	}
}

// The same for a shard that was not quiet at first. When the next record comes,
// the source cannot tell that it follows the last one, which has expired.
func TestAQuietShardWhoseReaderIsTrimmedLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		var trimmed atomic.Bool
		s.Fail = func(context.Context, string) error {
			if trimmed.CompareAndSwap(true, false) {
				return kcl.ErrTrimmed
			}
			return nil
		}
		cfg := slow(s, table)
		cfg.Hooks.RecordsLost = func(e kcl.LossEvent) { t.Errorf("a loss is told: %+v", e) }
		s.Put(0, "old")
		time.AfterFunc(25*time.Hour, func() {
			s.Trim(0, 1)
			s.Put(0, "first")
			trimmed.Store(true)
		})
		if err := run(t, 25*time.Hour+time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		if got := strings.Join(j.words(), " "); got != "old first" || trimmed.Load() {
			t.Errorf("processed %q", got)
		}
	})
}
