package s3d

import (
	"slices"
	"sync"
	"time"
)

// Write is one request that was to change a bucket, whether it did or not.
type Write struct {
	Time        time.Time `json:"time"` // when it was answered
	Op          string    `json:"op"`   // S3's name of the operation
	Bucket      string    `json:"bucket"`
	Key         string    `json:"key"`         // "" if the operation is on the bucket or on several keys
	ETag        string    `json:"etag"`        // of what was stored, without quotes; "" if nothing was
	SHA256      string    `json:"sha256"`      // of the body, in hex, if the client sent it
	Size        int64     `json:"size"`        // bytes stored
	Conditional bool      `json:"conditional"` // it had If-None-Match or If-Match
	Status      int       `json:"status"`      // HTTP status of the answer
}

// writeLog keeps the last writes.
type writeLog struct {
	mu   sync.Mutex
	max  int
	list []Write // a ring once it is full
	next int
}

func (l *writeLog) add(w Write) {
	if l.max <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) < l.max {
		l.list = append(l.list, w)
		return
	}
	l.list[l.next] = w
	l.next = (l.next + 1) % l.max
}

func (l *writeLog) all() []Write {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.list[l.next:], l.list[:l.next])
}
