package health

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// transforms knows whether the calls of the transform fail, of all shards, since it is
// one for all. What fails for good becomes lines of an error object, so the shard goes
// on, and whatever comes goes there: somebody should know.
type transforms struct {
	mu     sync.Mutex // guards what follows
	failed int        // calls since the last one of which a record succeeded
	since  time.Time  // of the first of them
	last   time.Time
	why    string // of the last one
}

// forgetAfter is for how long a failure counts that nothing follows: without records
// nobody knows whether the transform works again.
const forgetAfter = 5 * time.Minute

// called notes a call. One of which a record succeeds says that the transform works. An
// answer alone does not: one without results, as of a function that forgets to return
// any, fails each record.
func (t *transforms) called(e processors.TransformedEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Succeeded > 0 {
		t.failed = 0
		return
	}
	now := time.Now()
	if t.failed == 0 || now.Sub(t.last) >= forgetAfter {
		t.failed, t.since = 0, now
	}
	t.failed++
	t.last, t.why = now, cmp.Or(e.Err, "an answer that fails each record")
}

// troubles returns one if calls fail.
func (t *transforms) troubles() []kcl.Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == 0 || time.Since(t.last) >= forgetAfter {
		return nil
	}
	return []kcl.Trouble{{Reason: metrics.TroubleTransform, Since: t.since, Text: fmt.Sprintf(
		"%d calls of the transform have failed since a record succeeded, the last one with %s; what is tried in vain goes into error objects", t.failed, t.why)}}
}
