package pause_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/internal/pause"
)

func TestFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := pause.For(t.Context(), 3*time.Second); err != nil || time.Since(begun) != 3*time.Second {
			t.Errorf("waited %v: %v", time.Since(begun), err)
		}
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		begun = time.Now()
		if err := pause.For(ctx, time.Minute); !errors.Is(err, why) || time.Since(begun) != time.Second {
			t.Errorf("waited %v: %v", time.Since(begun), err)
		}
		if err := pause.For(ctx, 0); !errors.Is(err, why) {
			t.Errorf("a wait of nothing under a context that is done: %v", err)
		}
	})
}

func TestChanceDecides(t *testing.T) {
	t.Parallel()
	asked := ""
	chance := 0.0
	ctx := pause.WithChance(t.Context(), func(what string) float64 { asked = what; return chance })
	rows := []struct {
		chance           float64
		less, around, bo time.Duration
	}{
		{0, 100, 80, 50},
		{0.5, 95, 100, 100},
		{0.75, 92, 110, 125},
	}
	for _, r := range rows {
		chance = r.chance
		if got := pause.Less(ctx, "it", 100, 0.1); got < r.less || got > r.less+1 || asked != "it" {
			t.Errorf("chance %v: %d less up to a tenth is %d, want %d (asked for %q)", r.chance, 100, got, r.less, asked)
		}
		if got := pause.Around(ctx, "it", 100, 0.2); got != r.around {
			t.Errorf("chance %v: %d give or take a fifth is %d, want %d", r.chance, 100, got, r.around)
		}
		if got := pause.NewBackOff("try", 100, 1000, 0.5).Next(ctx); got != r.bo || asked != "try" {
			t.Errorf("chance %v: first pause %d, want %d (asked for %q)", r.chance, got, r.bo, asked)
		}
	}
	if a, b := pause.Rand(ctx, "x").Uint64(), pause.Rand(ctx, "x").Uint64(); a != b {
		t.Error("two generators of one chance differ")
	}
}

func TestBackOffGrowsToItsLimit(t *testing.T) {
	t.Parallel()
	ctx := pause.WithChance(t.Context(), func(string) float64 { return 0.5 })
	b := pause.NewBackOff("try", time.Second, 5*time.Second, 0.5)
	for i, want := range []float64{1, 2, 4, 5, 5} {
		if got := b.Next(ctx).Seconds(); got != want {
			t.Errorf("pause %d is %vs, want %vs", i, got, want)
		}
	}
	b.Reset()
	if got := b.Next(ctx); got != time.Second {
		t.Errorf("after Reset: %v", got)
	}
}

func TestWithoutChanceThePausesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 20 {
		d := pause.Less(t.Context(), "x", time.Hour, 0.5)
		if d <= time.Hour/2 || d > time.Hour {
			t.Errorf("%v", d)
		}
		seen[d] = true
	}
	if len(seen) < 15 {
		t.Errorf("%d different pauses of 20", len(seen))
	}
}

// Remind calls after the first time, then each other one, and not after its end.
func TestRemind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []time.Duration
		end := pause.Remind(5*time.Second, time.Minute, func(passed time.Duration) { got = append(got, passed) })
		time.Sleep(3 * time.Minute)
		end()
		time.Sleep(time.Hour)
		if want := []time.Duration{5 * time.Second, 65 * time.Second, 125 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("called after %v, want %v", got, want)
		}
	})
}
