package kcl

import (
	"time"

	"github.com/shardmill/shardmill/internal/pause"
)

// newRetries returns the pauses between tries of what may take long to be
// mended: from a fifth of a second to half a minute, half of it random.
func newRetries(what string) *pause.BackOff {
	return pause.NewBackOff(what, 200*time.Millisecond, 30*time.Second, 0.5)
}

// newRestarts returns the pauses between a processor that panicked and the next
// one: from half a second to half a minute.
func newRestarts(what string) *pause.BackOff {
	return pause.NewBackOff(what, 500*time.Millisecond, 30*time.Second, 0)
}
