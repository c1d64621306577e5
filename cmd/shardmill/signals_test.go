package main

import (
	"bytes"
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The first signal ends what runs. Another one within a second is the same one
// said twice; a later one ends the process at once.
func TestObey(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		first os.Signal
		again []time.Duration // after the first
		exit  time.Duration   // 0 for never
		says  string
	}{
		"once":                         {syscall.SIGTERM, nil, 0, ""},
		"twice within a second":        {syscall.SIGTERM, []time.Duration{0, 900 * time.Millisecond}, 0, ""},
		"again a second later":         {syscall.SIGTERM, []time.Duration{100 * time.Millisecond, time.Second}, time.Second, ""},
		"Ctrl-C, and again much later": {os.Interrupt, []time.Duration{time.Hour}, time.Hour, "finishing; again, a second later, ends at once\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				signals := make(chan os.Signal, 2)
				begun := time.Now()
				var exit time.Duration
				code := 0
				var notes bytes.Buffer
				done := make(chan bool)
				go func() {
					defer close(done)
					obey(signals, cancel, func(c int) { code, exit = c, time.Since(begun) }, stdio{err: &notes})
				}()
				signals <- row.first
				<-ctx.Done()
				if got, _ := signalCode(ctx); got != 128+int(row.first.(syscall.Signal)) {
					t.Errorf("the context ends with %v", context.Cause(ctx))
				}
				for _, at := range row.again {
					time.Sleep(time.Until(begun.Add(at)))
					signals <- syscall.SIGTERM
				}
				close(signals)
				<-done
				if exit != row.exit || (row.exit > 0) != (code == 143) || notes.String() != row.says {
					t.Errorf("it ends after %v with %d, and says %q", exit, code, notes.String())
				}
			})
		})
	}
}
