package kinesissource

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A refusal halves the rate, and each half minute without one gives a tenth of
// the limits back.
func TestRate(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type step struct {
		at   time.Duration
		what string // call, page or refuse
		rate int    // after it
	}
	const s = time.Second
	tests := []struct {
		name  string
		steps []step
	}{
		{"it is full until something is refused", []step{{0, "call", 100}, {0, "page", 100}}},
		{"a refused call and its repetitions halve it once", []step{
			{0, "call", 100}, {0, "refuse", 50}, {s, "call", 50}, {s, "refuse", 50},
		}},
		{"the next one halves it again, to a fifth at least", []step{
			{0, "refuse", 50},
			{1 * s, "call", 50},
			{1 * s, "page", 50},
			{2 * s, "call", 50},
			{2 * s, "refuse", 25},
			{3 * s, "call", 25},
			{3 * s, "page", 25},
			{4 * s, "call", 25},
			{4 * s, "refuse", 20},
			{5 * s, "call", 20},
			{5 * s, "page", 20},
			{6 * s, "call", 20},
			{6 * s, "refuse", 20},
		}},
		{"it grows by a tenth of the limits each half minute", []step{
			{0, "refuse", 50},
			{30*s - 1, "call", 50},
			{30 * s, "call", 60},
			{59 * s, "call", 60},
			{61 * s, "call", 70},
			{89 * s, "call", 70},
			{90 * s, "call", 80},
			{150 * s, "call", 100},
			{time.Hour, "call", 100},
		}},
		{"a reader that did not call for long has grown meanwhile", []step{{0, "refuse", 50}, {95 * s, "call", 80}}},
		{"a refusal begins the half minute anew", []step{
			{0, "refuse", 50},
			{20 * s, "call", 50},
			{20 * s, "refuse", 50},
			{49 * s, "call", 50},
			{50 * s, "call", 60},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPace(Options{})
			for i, step := range tt.steps {
				now := begin.Add(step.at)
				switch step.what {
				case "call":
					p = p.call(now)
				case "page":
					p = p.page(1, 0, true)
				case "refuse":
					p = p.refuse(now)
				}
				if p.rate != step.rate {
					t.Errorf("step %d, %s at %v: rate %d, want %d", i, step.what, step.at, p.rate, step.rate)
				}
			}
		})
	}
}

// Whatever comes, a reader keeps to the shard's limits and never stops.
func TestPaceKeepsToTheLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := Options{PollInterval: rapid.SampledFrom([]time.Duration{0, minPollInterval, time.Second, 10 * time.Second}).Draw(t, "poll")}
		p := newPace(o)
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		now, taken := begin, int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			if wait := p.next.Sub(now); wait > 0 {
				now = p.next
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(40*time.Second)).Draw(t, "late")))
			before := p
			p = p.call(now)
			if before.rate > p.rate || p.rate > fullRate || p.rate < minRate {
				t.Fatalf("a call took the rate from %d to %d", before.rate, p.rate)
			}
			if most := max(minCallGap, now.Sub(begin)) * bytesPerSecond / time.Second; !before.called.IsZero() && taken > int64(most) {
				t.Fatalf("%d bytes were taken before %v", taken, now.Sub(begin))
			}
			if rapid.Bool().Draw(t, "refused") {
				p = p.refuse(now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "took"))))
				if wait := p.next.Sub(p.called); wait != minCallGap {
					t.Fatalf("the next call comes %v after one that was refused", wait)
				}
				continue
			}
			bytes := rapid.Int64Range(0, 10<<20).Draw(t, "bytes")
			taken += bytes
			p = p.page(rapid.IntRange(0, 2).Draw(t, "records"), bytes, rapid.Bool().Draw(t, "more"))
			check(t, p, o, bytes)
		}
	})
}

func check(t *rapid.T, p pace, o Options, bytes int64) {
	t.Helper()
	wait := p.next.Sub(p.called)
	byBytes := time.Duration(bytes) * time.Second / bytesPerSecond
	if least := max(minCallGap, byBytes) * fullRate / time.Duration(p.rate); wait < least {
		t.Fatalf("the next call comes %v after one that brought %d bytes", wait, bytes)
	}
	if most := max(maxIdle, o.PollInterval, minCallGap*fullRate/minRate, byBytes*fullRate/minRate); wait > most {
		t.Fatalf("the next call comes only %v after one that brought %d bytes", wait, bytes)
	}
}
