package transform_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/transform"
)

// What a function does to its goroutine is a failure of its batch, and logged.
func TestPanics(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"panic":  func() { panic("broken on purpose") },
		"index":  func() { _ = make([]int, 0)[len(fmt.Sprint())] },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				logger, logs := logged()
				n := 0
				c := transform.Func("panics", func(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
					if n++; n != 3 {
						f()
					}
					return echo(ctx, b)
				})
				outcomes, err := transform.NewRunner(c, transform.Options{Retries: 1, Logger: logger}).Run(t.Context(), records("a"))
				if got := lines(outcomes); err != nil || !slices.Equal(got, []string{functionError + " (2)"}) {
					t.Errorf("got %q, %v", got, err)
				}
				last := logs.FilterMessage("transform failed; the records of the batch become lines of an error object").All()
				if len(last) != 1 || last[0].Level != zap.ErrorLevel || last[0].ContextMap()["transform"] != "urn:shardmill:transform:panics" {
					t.Fatalf("logged %+v", logs.All())
				}
				if stack, _ := last[0].ContextMap()["stack"].(string); strings.Contains(stack, "TestPanics") != (name != "Goexit") {
					t.Errorf("logged with the stack %q", stack)
				}
				n = 2
				if got := lines(run(t, c, 0, records("b"))); !slices.Equal(got, []string{`"b" map[] (1)`}) {
					t.Errorf("afterwards: %q", got)
				}
			})
		})
	}
}

// A failure that may pass is tried again, after pauses that grow, and with what is told
// of each try.
func TestRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logger, logs := logged()
		begun := time.Now()
		var at []time.Duration
		c := &calls{}
		c.do = func(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
			at = append(at, time.Since(begun))
			time.Sleep(time.Second)
			if len(c.all()) <= 10 {
				return nil, &transform.Error{Code: "Lambda.InvokeLimitExceeded", Message: "m", Retry: true}
			}
			results, err := echo(ctx, b)
			results[1] = transform.Result{ID: b.Records[1].ID, Status: transform.ProcessingFailed}
			return results, err
		}
		var told []transform.Invocation
		r := transform.NewRunner(c, transform.Options{Retries: 20, Logger: logger, Origin: origin(), Invoked: func(i transform.Invocation) {
			told = append(told, i)
			panic("a hook")
		}})
		outcomes, err := r.Run(t.Context(), records("abc", "de"))
		if got := lines(outcomes); err != nil || !slices.Equal(got, []string{`"abc" map[] (11)`, processingFailed + " (11)"}) {
			t.Errorf("got %q, %v", got, err)
		}
		pause := 500 * time.Millisecond
		for i := 1; i < len(at); i++ {
			if got := at[i] - at[i-1] - time.Second; got < pause/2 || got > pause+pause/2 {
				t.Errorf("pause %d was of %v, want %v give or take half", i, got, pause)
			}
			pause = min(2*pause, 30*time.Second)
		}
		for i, e := range told {
			isLast := i == 10
			if e.ARN != c.ARN() || e.Attempt != i+1 || e.Records != 2 || e.Bytes != 5 || e.Duration != time.Second || e.InvocationID != c.all()[0].InvocationID || (e.Err == nil) != isLast {
				t.Errorf("told %+v", e)
			}
			if isLast && (e.Succeeded != 1 || e.SucceededBytes != 3 || e.Failed["Lambda.ProcessingFailedStatus"] != 1) {
				t.Errorf("told at last %+v", e)
			}
		}
		if len(told) != 11 || count(logs, "hook panicked") != 11 {
			t.Errorf("told %d times; logged %v", len(told), logs.All())
		}
		if n := count(logs, "transform failed, will be repeated"); n < 2 || n > 5 {
			t.Errorf("%d warnings in %v", n, at[len(at)-1])
		}
		if o := c.all()[0].Origin; o != origin() {
			t.Errorf("the origin was %+v", o)
		}
	})
}

// What cannot have a better end is not tried again.
func TestNoRetry(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"Lambda.X":             &transform.Error{Code: "Lambda.X", Message: "m"},
		"Lambda.Y":             fmt.Errorf("wrapped: %w", &transform.Error{Code: "Lambda.Y", Message: "m"}),
		"Lambda.FunctionError": transform.AnswerTooLarge(nil),
	} {
		c := &calls{do: func(context.Context, *transform.Batch) ([]transform.Result, error) { return nil, err }}
		if got := run(t, c, 3, records("a"))[0]; got.Failure == nil || got.Failure.Code != name || got.Attempts != 1 || len(c.all()) != 1 {
			t.Errorf("%v became %s after %d calls", err, told(&got), len(c.all()))
		}
	}
}

// The context of a call ends with its limit, or with Run's; that one too ends Run.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	why := errors.New("lease lost")
	for name, f := range map[string]func(ctx context.Context, b *transform.Batch) ([]transform.Result, error){
		"a call that heeds its context": func(ctx context.Context, _ *transform.Batch) ([]transform.Result, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"one that answers in that instant": func(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
			<-ctx.Done()
			return echo(ctx, b)
		},
		"one that does not": func(context.Context, *transform.Batch) ([]transform.Result, error) {
			time.Sleep(time.Hour)
			return nil, nil
		},
		"one that waits to be repeated": func(context.Context, *transform.Batch) ([]transform.Result, error) { return nil, errors.New("broken") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				begun := time.Now()
				time.AfterFunc(time.Minute, func() { cancel(why) })
				outcomes, err := transform.NewRunner(&calls{do: f}, transform.Options{Retries: 300}).Run(ctx, records("a", "b"))
				took := time.Since(begun)
				if outcomes != nil || !errors.Is(err, why) || took < time.Minute || took > 70*time.Second {
					t.Errorf("after %v: %v, %v", took, outcomes, err)
				}
				if _, err := transform.NewRunner(&calls{do: f}, transform.Options{}).Run(ctx, records("a")); !errors.Is(err, why) {
					t.Errorf("begun when it was over: %v", err)
				}
				time.Sleep(time.Hour) // for what was left behind
			})
		})
	}
}

// A call that does not return is left behind, and its answer is not used.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logger, logs := logged()
		var n atomic.Int64
		c := &calls{do: func(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
			if n.Add(1) == 1 {
				time.Sleep(10 * time.Minute)
				b.Records[0].Data = []byte("late") // its own copy
			}
			return echo(ctx, b)
		}}
		begun := time.Now()
		outcomes, err := transform.NewRunner(c, transform.Options{Retries: 1, Logger: logger}).Run(t.Context(), records("a"))
		took := time.Since(begun)
		if got := lines(outcomes); err != nil || !slices.Equal(got, []string{`"a" map[] (2)`}) || took < 310*time.Second || took > 312*time.Second {
			t.Errorf("after %v: %q, %v", took, got, err)
		}
		if n := count(logs, "no answer yet"); n != 5 {
			t.Errorf("%d warnings before the limit", n)
		}
		const left = "transform does not return though its time is over: its call is left behind, and what it holds with it"
		if n := logs.FilterMessage(left).FilterLevelExact(zap.ErrorLevel).Len(); n != 1 {
			t.Errorf("%d errors when it was left", n)
		}
		time.Sleep(time.Hour)
		if n := count(logs, left); n != 5 {
			t.Errorf("%d errors until it returned", n)
		}
		if back := logs.FilterMessage("a call that was left behind has returned; its answer is not used").All(); len(back) != 1 || back[0].ContextMap()["left_behind"] != int64(0) {
			t.Errorf("that it returned is told as %v", back)
		}
	})
}

// Not too many calls are left behind: then the next one waits, alive.
func TestManyLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logger, logs := logged()
		release := make(chan struct{})
		var begun atomic.Int64
		c := transform.Func("hangs", func(context.Context, *transform.Batch) ([]transform.Result, error) {
			begun.Add(1)
			<-release
			return nil, nil
		})
		r := transform.NewRunner(c, transform.Options{Retries: 300, Timeout: time.Second, Logger: logger})
		ctx, cancel := context.WithCancel(t.Context())
		limited, call := deadline.Start(ctx, time.Minute)
		defer call.End()
		done := make(chan error)
		go func() {
			_, err := r.Run(limited, records("a"))
			done <- err
		}()
		time.Sleep(2 * time.Hour)
		if begun.Load() != 16 || limited.Err() != nil {
			t.Errorf("%d calls began; alive: %v", begun.Load(), limited.Err())
		}
		if n := count(logs, "too many calls of the transform do not return: no other one begins before one of them has"); n < 60 {
			t.Errorf("told %d times", n)
		}
		release <- struct{}{}
		time.Sleep(time.Minute)
		if begun.Load() != 17 {
			t.Errorf("%d calls began when one had returned", begun.Load())
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(release)
		synctest.Wait()
	})
}

// A limit is one, even if the answer is good.
func TestAnswerAfterTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &calls{do: func(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
			time.Sleep(5*time.Minute + time.Second)
			return echo(ctx, b)
		}}
		if got := lines(run(t, slow, 0, records("a"))); got[0] != functionTimedOut+" (1)" {
			t.Errorf("got %q", got)
		}
		own := &calls{do: func(ctx context.Context, _ *transform.Batch) ([]transform.Result, error) {
			<-ctx.Done()
			return nil, &transform.Error{Code: "Lambda.FunctionRequestTimedOut"}
		}}
		if got := lines(run(t, own, 0, records("a"))); got[0] != "Lambda.FunctionRequestTimedOut:  (1)" {
			t.Errorf("got %q", got)
		}
	})
}

// While a call runs, and between two, Run is alive.
func TestSignsOfLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, call := deadline.Start(t.Context(), 5*time.Second)
		defer call.End()
		c := &calls{do: func(context.Context, *transform.Batch) ([]transform.Result, error) {
			time.Sleep(4 * time.Minute)
			return nil, errors.New("broken")
		}}
		outcomes, err := transform.NewRunner(c, transform.Options{Retries: 10}).Run(ctx, records("a"))
		if got := lines(outcomes); err != nil || !slices.Equal(got, []string{functionError + " (11)"}) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// waiting is a Queue whose calls wait for an hour.
type waiting struct {
	calls

	entered, left atomic.Int64
}

type enteredKey struct{}

func (w *waiting) Enter(ctx context.Context) (context.Context, func(), error) {
	n := w.entered.Add(1)
	if n == 3 {
		return nil, nil, &transform.Error{Code: "closed"}
	}
	time.Sleep(time.Hour)
	return context.WithValue(ctx, enteredKey{}, n), func() { w.left.Add(1) }, nil
}

// The wait for other calls is not part of a call's time, and each place is given back.
func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &waiting{}
		w.do = func(ctx context.Context, b *transform.Batch) ([]transform.Result, error) {
			if ctx.Value(enteredKey{}) == nil {
				t.Error("called without having entered")
			}
			panic("broken")
		}
		var told []transform.Invocation
		r := transform.NewRunner(w, transform.Options{Retries: 1, Invoked: func(i transform.Invocation) { told = append(told, i) }})
		outcomes, err := r.Run(t.Context(), records("a"))
		if got := lines(outcomes); err != nil || !slices.Equal(got, []string{functionError + " (2)"}) || w.left.Load() != 2 || told[0].Duration != 0 {
			t.Errorf("got %q, %v; left %d of 2; told %+v", got, err, w.left.Load(), told)
		}
		if outcomes, err = r.Run(t.Context(), records("a")); err != nil || outcomes[0].Failure.Code != "closed" || w.left.Load() != 2 {
			t.Errorf("got %q, %v", lines(outcomes), err)
		}
	})
}
