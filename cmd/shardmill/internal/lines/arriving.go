package lines

import (
	"bytes"
	"context"
	"iter"
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
// long what arrived has waited. It ends with context.Cause(ctx) once ctx is done,
// also while an input is silent.
//
// Another goroutine reads. One that waits for a silent input when the loop ends
// is left behind: it ends with the process, since nothing else can end a read
// from standard input.
func (in Input) Arriving(ctx context.Context, d time.Duration) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(context.Canceled)
		arrivals := make(chan arrival)
		go func() {
			defer close(arrivals)
			in.hand(ctx, arrivals)
		}()
		var waited <-chan time.Time // nil while nothing waits
		for {
			if ctx.Err() != nil {
				yield(Record{}, context.Cause(ctx))
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

func (a arrival) each(yield func(Record, error) bool) bool {
	for _, r := range a.records {
		if !yield(r, nil) {
			return false
		}
	}
	return a.err == nil || yield(Record{}, a.err)
}

// hand hands over what it reads, at the latest before it must wait for more.
func (in Input) hand(ctx context.Context, to chan<- arrival) {
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
		case <-ctx.Done():
			return false
		}
	}
	for r, err := range in.Records() {
		if a.err = err; err == nil {
			r.Data = bytes.Clone(r.Data)
			a.records, size = append(a.records, r), size+len(r.Data)
		}
		if (err != nil || !r.more || size >= blockBytes) && !pass() {
			return
		}
	}
	pass()
}
