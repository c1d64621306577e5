package lines

import (
	"bytes"
	"context"
	"iter"
	"sync/atomic"
	"time"
)

// blockBytes is about how much is read before it is handed over, though more is
// at hand.
const blockBytes = 64 << 10

// arrival is some records, or the error after the last one.
type arrival struct {
	records []Record
	err     error
}

// Arriving yields the records of all inputs as Records does, and meanwhile, d
// after the first record that followed the last such sign, one without Data: so
// long what arrived has waited. Once ctx is done it yields what has been read, and
// ends with context.Cause(ctx), d later at most if an input is silent.
//
// Another goroutine reads. One that waits for a silent input when the loop ends
// is left behind: it ends with the process, since nothing else can end a read
// from standard input.
func (in Input) Arriving(ctx context.Context, d time.Duration) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		gone := make(chan struct{}) // closed when nobody takes arrivals any more
		defer close(gone)
		arrivals := make(chan arrival)
		var busy atomic.Bool // who reads has something that was not handed over
		go func() {
			defer close(arrivals)
			in.hand(ctx, arrivals, gone, &busy)
		}()
		var waited <-chan time.Time // nil while nothing waits
		for {
			if ctx.Err() != nil {
				if rest(arrivals, d, &busy, yield) {
					yield(Record{}, context.Cause(ctx))
				}
				return
			}
			select {
			case a, more := <-arrivals:
				if !more || !a.each(yield) {
					return
				}
				if waited == nil {
					waited = time.After(d)
				}
			case <-waited:
				waited = nil
				if !yield(Record{}, nil) {
					return
				}
			case <-ctx.Done():
			}
		}
	}
}

// rest yields what was read before the end. It is false if yield is.
func rest(arrivals <-chan arrival, d time.Duration, busy *atomic.Bool, yield func(Record, error) bool) bool {
	for {
		select {
		case a, more := <-arrivals:
			if !more {
				return true
			}
			if !a.each(yield) {
				return false
			}
		case <-time.After(d):
			if !busy.Load() { // who reads waits for more
				return true
			}
		}
	}
}

func (a arrival) each(yield func(Record, error) bool) bool {
	for _, r := range a.records {
		if !yield(r, nil) {
			return false
		}
	}
	return a.err == nil || yield(Record{}, a.err)
}

// hand hands over what it reads, at the latest before it must wait for more; that
// it does not do once ctx is done.
func (in Input) hand(ctx context.Context, to chan<- arrival, gone <-chan struct{}, busy *atomic.Bool) {
	var a arrival
	size := 0
	pass := func() bool {
		if len(a.records) == 0 && a.err == nil {
			return true
		}
		select {
		case to <- a:
			a, size = arrival{}, 0
			return true
		case <-gone:
			return false
		}
	}
	for r, err := range in.Records() {
		busy.Store(true)
		if a.err = err; err == nil {
			r.Data = bytes.Clone(r.Data)
			a.records, size = append(a.records, r), size+len(r.Data)
		}
		if (err != nil || !r.more || size >= blockBytes) && !pass() || !r.more && ctx.Err() != nil {
			return
		}
		busy.Store(r.more)
	}
	pass()
}
