package transform

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

const (
	// DefaultTimeout is how long one call of a Function may take, Firehose's.
	DefaultTimeout = 5 * time.Minute

	// Pauses between the tries of a batch: around the first of them, doubling to around
	// the second, each more or less by half. Firehose's are not known.
	firstPause = 500 * time.Millisecond
	longPause  = 30 * time.Second

	beatInterval = time.Second // between two signs of life
	warnInterval = time.Minute // between two warnings of one trouble
)

// Options say how a Runner calls its Function.
type Options struct {
	// Retries is how often a batch is tried again that failed as a whole: Firehose's
	// NumberOfRetries, 0-300.
	Retries int

	// Timeout is how long one call may take. Default DefaultTimeout.
	Timeout time.Duration

	// Origin is told to the Function with each batch.
	Origin Origin

	// Logger. Default none. Neither data nor keys of records are logged; what an Error
	// has in Err is.
	Logger *zap.Logger

	// Invoked, unless nil, is called after each call of the Function that Run's end did
	// not interrupt, on the goroutine of Run. It must be quick. One that panics is logged.
	Invoked func(Invocation)
}

// Invocation is one call of a Function, for metrics: Firehose's ExecuteProcessing.Duration
// is Duration, ExecuteProcessing.Success is 1 if Err is nil and else 0,
// and SucceedProcessing.Records and .Bytes are Succeeded and SucceededBytes.
type Invocation struct {
	ARN          string
	InvocationID string
	Attempt      int   // from 1
	Records      int   // of the batch
	Bytes        int64 // of the data of these
	Duration     time.Duration
	Err          *Error // of the batch; nil if there was an answer

	// What was answered with Ok or Dropped, and how many bytes of data these records
	// had, before.
	Succeeded      int
	SucceededBytes int64

	// Failed counts the other records of an answer, by code.
	Failed map[string]int
}

// Runner calls a Function: within its limits, again if that may help, and never so that
// a fault of it is more than failed records. It is safe for concurrent use. Several may
// share a Function.
type Runner struct {
	f     Function
	o     Options
	guard guard
	tells tells
}

// NewRunner returns a Runner. It panics if f is nil.
func NewRunner(f Function, o Options) *Runner {
	if f == nil {
		panic("transform: NewRunner needs a Function")
	}
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Logger = cmp.Or(o.Logger, zap.NewNop()).With(zap.String("transform", f.ARN()))
	return &Runner{f: f, o: o, guard: newGuard(f, o), tells: tells{log: o.Logger}}
}

// ARN returns that of the Function.
func (r *Runner) ARN() string { return r.f.ARN() }

// Run says what becomes of records, one outcome for each in order. The IDs that the
// Function sees are its own: each is unique, and of no meaning.
//
// It blocks as long as calls and the pauses between them take, and shows meanwhile each
// second that it is alive. The error is the cause of ctx's end, before which not all
// was known: then nothing is decided, and who calls again with the same records may have
// the Function see them twice.
//
//   - What has more than MaxBytes together is split, in order, into as many calls. A
//     record that alone has more fails with Lambda.InvocationFailure, without a call.
//   - An Error with Retry is tried again up to Options.Retries times, with the same
//     InvocationID; then each record of the batch fails with it.
//   - Of an Error that is TooLarge, two halves are tried, with retries of their own, and
//     halves of these, down to one record.
//   - A call that takes longer than Options.Timeout is Lambda.FunctionTimedOut, whatever
//     it answers, unless it returns an *Error. Its ctx ends then, and also with Run's. One that does not return
//     within 10 s of that is left behind: its goroutine goes on, what it returns is not
//     used, and each minute it is logged as an error. When 16 calls are left behind the
//     next one waits until one of them has returned.
//   - One that panics, or ends its goroutine, is a Lambda.FunctionError, logged with the
//     stack. So is an error that is no *Error.
//
// The data of records must stay as they are even after Run returned, for the calls that
// are left behind. Data of an outcome may be those of its record, or the Function's. A
// call through JSON holds, beside them, about four thirds of the data as its request,
// the answer, and what is decoded of it.
func (r *Runner) Run(ctx context.Context, records []Record) ([]Outcome, error) {
	records = slices.Clone(records)
	identify(records)
	outcomes := make([]Outcome, len(records))
	for begin := 0; begin < len(records); {
		end := fitting(records, begin)
		if end == begin {
			outcomes[begin] = Outcome{Failure: recordTooLarge(), Ended: time.Now()}
			r.tells.tooLarge()
			begin++
			continue
		}
		if err := r.batch(ctx, records[begin:end], outcomes[begin:end]); err != nil {
			return nil, err
		}
		begin = end
	}
	return outcomes, nil
}

// fitting returns where the longest batch ends that begins at begin; begin if not even
// one record fits.
func fitting(records []Record, begin int) (end int) {
	room := MaxBytes
	for end = begin; end < len(records); end++ {
		if room -= Size(&records[end]); room < 0 {
			break
		}
	}
	return end
}

// batch decides the outcomes of records that fit into one request.
func (r *Runner) batch(ctx context.Context, records []Record, outcomes []Outcome) error {
	results, failure, attempts, err := r.tries(ctx, records)
	if err != nil {
		return err
	}
	now := time.Now()
	switch {
	case failure == nil:
		copy(outcomes, results)
	case failure.TooLarge && len(records) > 1:
		return r.halves(ctx, records, outcomes, attempts)
	default:
		for i := range outcomes {
			outcomes[i] = Outcome{Failure: failure}
		}
	}
	for i := range outcomes {
		outcomes[i].Attempts, outcomes[i].Ended = attempts, now
	}
	return nil
}

// halves decides the outcomes of records that had so many calls together.
func (r *Runner) halves(ctx context.Context, records []Record, outcomes []Outcome, attempts int) error {
	half := len(records) / 2
	if err := r.batch(ctx, records[:half], outcomes[:half]); err != nil {
		return err
	}
	if err := r.batch(ctx, records[half:], outcomes[half:]); err != nil {
		return err
	}
	for i := range outcomes {
		outcomes[i].Attempts += attempts
	}
	return nil
}

// tries calls the Function until there is an answer, or a failure that stays. The error
// is the cause of ctx's end.
func (r *Runner) tries(ctx context.Context, records []Record) (outcomes []Outcome, failure *Error, attempts int, err error) {
	id := newInvocationID()
	pauses := pause.NewBackOff("transform "+id, firstPause, longPause, 0.5)
	for attempts = 1; ; attempts++ {
		outcomes, failure, err = r.try(ctx, id, attempts, records)
		if err != nil || failure == nil {
			return outcomes, nil, attempts, err
		}
		if !failure.Retry || attempts > r.o.Retries {
			r.tells.gaveUp(id, attempts, len(records), failure)
			return nil, failure, attempts, nil
		}
		in := pauses.Next(ctx)
		r.tells.again(id, attempts, len(records), in, failure)
		if err := rest(ctx, in); err != nil {
			return nil, nil, attempts, err
		}
	}
}

// try calls the Function once.
func (r *Runner) try(ctx context.Context, id string, attempt int, records []Record) ([]Outcome, *Error, error) {
	if ctx.Err() != nil {
		return nil, nil, ended(ctx)
	}
	e := Invocation{ARN: r.f.ARN(), InvocationID: id, Attempt: attempt, Records: len(records)}
	for i := range records {
		e.Bytes += int64(len(records[i].Data))
	}
	results, took, err := r.guard.do(ctx, &Batch{InvocationID: id, Origin: r.o.Origin, Records: slices.Clone(records)})
	if ctx.Err() != nil {
		return nil, nil, ended(ctx)
	}
	e.Duration, e.Err = took, asError(err)
	var outcomes []Outcome
	if e.Err == nil {
		var unknown int
		outcomes, unknown = Judge(records, results)
		e.count(records, outcomes)
		r.tells.answered(id, unknown, e.Failed, outcomes)
	}
	r.invoked(e)
	return outcomes, e.Err, nil
}

// count fills in what became of the records.
func (e *Invocation) count(records []Record, outcomes []Outcome) {
	for i := range outcomes {
		if f := outcomes[i].Failure; f != nil {
			if e.Failed == nil {
				e.Failed = map[string]int{}
			}
			e.Failed[f.Code]++
			continue
		}
		e.Succeeded++
		e.SucceededBytes += int64(len(records[i].Data))
	}
}

func (r *Runner) invoked(e Invocation) {
	if r.o.Invoked == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			r.o.Logger.Error("hook panicked", zap.String("hook", "Invoked"), zap.Any("panic", v), zap.Stack("stack"))
		}
	}()
	r.o.Invoked(e)
}

// asError returns what an error of a Function says of the batch.
func asError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		return e
	}
	return FunctionError(err)
}

func ended(ctx context.Context) error {
	return fmt.Errorf("transforming records: %w", context.Cause(ctx))
}

// rest waits for d, alive.
func rest(ctx context.Context, d time.Duration) error {
	for ; d > 0; d -= beatInterval {
		if pause.For(ctx, min(d, beatInterval)) != nil {
			return ended(ctx)
		}
		deadline.Beat(ctx)
	}
	return nil
}

// newInvocationID returns a random UUID, as RFC 9562 writes it.
func newInvocationID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
