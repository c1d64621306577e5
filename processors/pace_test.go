package processors_test

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors"
)

func TestGrown(t *testing.T) {
	t.Parallel()
	const mib, interval = 1 << 20, 300 * time.Second
	for _, row := range []struct {
		name             string
		hint             int64
		behind, interval time.Duration
		want             int64
	}{
		{"not behind", 5 * mib, 0, interval, 5 * mib},
		{"by the interval", 5 * mib, interval, interval, 5 * mib},
		{"by a little more", 5 * mib, 360 * time.Second, interval, 6 * mib},
		{"by half an interval more", 4 * mib, 450 * time.Second, interval, 6 * mib},
		{"by four intervals", 5 * mib, 4 * interval, interval, 20 * mib},
		{"by a year", 5 * mib, 365 * 24 * time.Hour, interval, 20 * mib},
		{"up to 128 MiB", 64 * mib, 3 * interval, interval, 128 * mib},
		{"the largest hint of Firehose", 128 * mib, time.Hour, interval, 128 * mib},
		{"a hint of ours", 512 * mib, time.Hour, interval, 512 * mib},
		{"zero buffering, not behind", 5 * mib, 0, 0, 5 * mib},
		{"zero buffering", 5 * mib, time.Millisecond, 0, 20 * mib},
		{"the longest time", 5 * mib, math.MaxInt64, 1, 20 * mib},
	} {
		if got := processors.Grown(row.hint, row.behind, row.interval); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		hint := rapid.Int64Range(1, 1<<30).Draw(t, "hint")
		behind := time.Duration(rapid.Int64Range(0, math.MaxInt64-1).Draw(t, "behind"))
		interval := time.Duration(rapid.Int64Range(0, 43_200).Draw(t, "interval")) * time.Second
		got := processors.Grown(hint, behind, interval)
		if got < hint || got > 4*hint || got > max(hint, 128<<20) || behind <= interval && got != hint {
			t.Fatalf("%d", got)
		}
		if more := processors.Grown(hint, behind+1, interval); more < got {
			t.Fatalf("%d, and %d when further behind", got, more)
		}
	})
}

// TestObjectsGrowWhileBehind: those of the backup too, and at once only as long as the
// shard is behind; what is gathered then is complete. It is told when it changes.
func TestObjectsGrowWhileBehind(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]processors.Config{"kind R": config().WithSize(30), "kind S": backedUp().WithSize(30)} {
		synctest.Test(t, func(t *testing.T) {
			core, logs := observer.New(zapcore.InfoLevel)
			cfg.Logger = zap.New(core)
			var told []int64
			s := begin(t, with(cfg, func(c *processors.Config) {
				c.Hooks.Buffered = func(e processors.BufferedEvent) { told = append(told, e.SizeHint) }
			}), numbered(60))
			for _, step := range []struct {
				behind time.Duration
				n      int
			}{{300 * time.Second, 10}, {601 * time.Second, 20}, {time.Hour, 20}, {0, 0}, {0, 10}} {
				s.behind = step.behind
				s.put(step.n)
			}
			s.stop()
			if err := s.verdict(true); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			sizes := map[processors.Role][]int64{}
			for _, e := range s.delivered {
				sizes[e.Role] = append(sizes[e.Role], e.Bytes)
			}
			if got := sizes[processors.RoleDelivery]; !slices.Equal(got, []int64{33, 64, 62, 125, 53, 35, 32}) {
				t.Errorf("%s: objects of %v bytes", name, got)
			}
			if got := sizes[processors.RoleBackup]; cfg.Backup != nil && !slices.Equal(got, []int64{12, 13, 8, 12, 24, 23, 5, 30, 25, 7, 27, 49, 49, 49, 4, 11, 15, 9, 14, 11, 7}) {
				t.Errorf("%s: objects of the backup of %v bytes", name, got)
			}
			if got := slices.Compact(told); !slices.Equal(got, []int64{30, 60, 120, 30}) {
				t.Errorf("%s: told of sizes %v", name, got)
			}
			if l := logs.FilterMessageSnippet("grow"); l.Len() != 1 || l.FilterField(zap.Duration("behind", 601*time.Second)).Len() != 1 {
				t.Errorf("%s: told that objects grow: %v", name, l.All())
			}
			if n := logs.FilterMessageSnippet("caught up").Len(); n != 1 {
				t.Errorf("%s: %d times told that the shard has caught up", name, n)
			}
		})
	}
}

// TestZeroBufferingDoesNotGrow: a call ends the cut, however far the shard is behind.
func TestZeroBufferingDoesNotGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		c := config()
		c.Logger = zap.New(core)
		c.Hints = processors.BufferingHints{SizeInMBs: 5, ZeroBuffering: true}
		s := begin(t, c, numbered(60))
		for i := range 60 {
			s.behind = time.Duration(i%2) * 300 * time.Millisecond
			s.put(1)
		}
		n := logs.FilterMessageSnippet("objects grow").Len() + logs.FilterMessageSnippet("caught up").Len()
		if n > 0 {
			t.Errorf("%d lines for 60 calls; %d objects, each of a record", n, len(s.keys()))
		}
	})
}
