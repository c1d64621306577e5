package lease

import (
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
)

// LoopStatus is one try that is under way.
type LoopStatus struct {
	Loop   string        // scan: reading the table, judging and taking; renewal: the writes of a held lease; hook: a function of Config that is told something
	Key    string        // of the lease; "" if the try is about none
	Doing  string        // such as "renewing"
	Silent time.Duration // how long ago its last sign of life was: its begin, or progress of an answer
	Limit  time.Duration // after so much silence it is given up; one that is silent for twice as long does not heed its context. 0: there is no limit
}

// loops returns what w knows, sorted.
func loops(w *deadline.Watch) []LoopStatus {
	tries := w.UnderWay()
	out := make([]LoopStatus, 0, len(tries))
	for _, t := range tries {
		out = append(out, LoopStatus(t))
	}
	return out
}
