package health

import (
	"fmt"
	"sync"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// indexes knows whether the cluster takes documents, of all shards, since it is one for
// all, and whether what is put into its bucket is taken.
type indexes struct {
	mu     sync.Mutex // guards what follows
	failed int        // requests since the last one of which a document was taken
	since  time.Time  // of the first of them
	last   time.Time
	why    string // of the last one

	put   string // why the last put failed; "" if it did not
	putAt time.Time
}

// over reports whether nothing is known any more: no request has failed for long. While
// puts fail documents that have failed wait for them, and no request is made.
func (x *indexes) over(now time.Time) bool {
	return x.failed == 0 || now.Sub(x.last) >= forgetAfter && !x.putsFail(now)
}

// putsFail reports whether what is put into the bucket is not taken.
func (x *indexes) putsFail(now time.Time) bool { return x.put != "" && now.Sub(x.putAt) < forgetAfter }

// bulked notes a request. One of which a document was taken says that the cluster takes
// them, and so does one for which the index had the same or a later version. An answer that
// refuses a single document says nothing, unless for what the cluster lacks: it may be that
// document's fault, which others do not share.
func (x *indexes) bulked(e processors.BulkEvent) {
	x.mu.Lock()
	defer x.mu.Unlock()
	why := "an answer that refuses each document"
	switch {
	case e.Indexed+e.Superseded > 0:
		x.failed = 0
		return
	case e.Err != nil:
		why = e.Err.Error()
	case e.Documents < 2 && !e.AuthFailure && !e.Rejected && !e.Blocked:
		return
	}
	now := time.Now()
	if x.over(now) {
		x.failed, x.since = 0, now
	}
	x.failed++
	x.last, x.why = now, why
}

// delivered notes a cut that is durable; without a put it says nothing.
func (x *indexes) delivered(e processors.DeliveredEvent) {
	if e.Puts > 0 {
		x.noted("")
	}
}

// putFailed notes a put that failed, for whatever reason.
func (x *indexes) putFailed(e processors.PutFailedEvent) {
	x.noted(fmt.Sprintf("bucket %s: %v", e.Bucket, e.Err))
}

func (x *indexes) noted(put string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.put, x.putAt = put, time.Now()
}

// troubles returns one if no document is taken.
func (x *indexes) troubles() []kcl.Trouble {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	if x.over(now) {
		return nil
	}
	text := fmt.Sprintf("%d requests have failed since the cluster took a document, the last one with %s", x.failed, x.why)
	if x.putsFail(now) {
		text = "cluster and backup both down: pause; nothing is lost, documents that have failed wait for the bucket, and others for the cluster: " + text + "; the last put failed, into " + x.put
	} else {
		text += "; nothing is lost: documents are tried again, as RetryOptions and shardmill.pauseWhenDown have it, and what is tried in vain goes into error objects"
	}
	return []kcl.Trouble{{Reason: metrics.TroubleIndex, Since: x.since, Text: text}}
}
