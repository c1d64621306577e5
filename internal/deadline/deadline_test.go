package deadline_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
)

// server is a Doer whose answers take time.
type server struct {
	headers time.Duration // until the answer begins; never if negative
	step    time.Duration // before each piece of the body
	piece   int           // bytes of a piece
	pieces  int
	ignore  bool // of the request's context

	sent io.ReadCloser
}

func (s *server) Do(r *http.Request) (*http.Response, error) {
	s.sent = r.Body
	if err := s.wait(r.Context(), s.headers); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: &answer{s: s, ctx: r.Context(), left: s.pieces}}, nil
}

func (s *server) wait(ctx context.Context, d time.Duration) error {
	if d < 0 {
		d = 1000 * time.Hour
	}
	done := ctx.Done()
	if s.ignore {
		done = nil
	}
	select {
	case <-done:
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

type answer struct {
	s    *server
	ctx  context.Context
	left int
}

func (a *answer) Read(p []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	if err := a.s.wait(a.ctx, a.s.step); err != nil {
		return 0, err
	}
	a.left--
	return min(len(p), a.s.piece), nil
}

func (a *answer) Close() error { return nil }

// get makes one request within ctx and reads its answer.
func get(ctx context.Context, d deadline.Doer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := d.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(struct{ io.Writer }{io.Discard}, onlyReader{resp.Body})
	return errors.Join(err, resp.Body.Close())
}

type onlyReader struct{ io.Reader }

func TestLimits(t *testing.T) {
	t.Parallel()
	const never = -1
	for _, c := range []struct {
		name   string
		server server
		ends   time.Duration // when the call is over
		late   bool          // its limit has passed
		body   bool
	}{
		{"answered at once", server{}, 0, false, false},
		{"never answered", server{headers: never}, 30 * time.Second, true, false},
		{"answered late", server{headers: 31 * time.Second}, 30 * time.Second, true, false},
		{"answered just in time", server{headers: 29 * time.Second, pieces: 1, step: 9 * time.Second, piece: 1}, 38 * time.Second, false, false},
		{"a page of 10 MiB on a slow link", server{pieces: 320, piece: 32 << 10, step: 4 * time.Second}, 1280 * time.Second, false, false},
		{"a body that never begins", server{pieces: 1, step: never}, 10 * time.Second, true, true},
		{"a byte a second", server{pieces: 1000, piece: 1, step: time.Second}, 10 * time.Second, true, true},
		{"a body that stops", server{pieces: 65, piece: 1 << 10, step: 100 * time.Millisecond}, 6500 * time.Millisecond, false, false},
		{"64 KiB in a little more than 10 s", server{pieces: 128, piece: 1 << 10, step: 160 * time.Millisecond}, 10 * time.Second, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				ctx, call := deadline.Start(t.Context(), 30*time.Second)
				err := deadline.Explain(ctx, get(ctx, deadline.Client(&c.server, 0)))
				took := time.Since(begun)
				call.End()
				late, isLate := errors.AsType[*deadline.Error](err)
				if took != c.ends || isLate != c.late || isLate && late.Body != c.body {
					t.Errorf("it took %v and ended with %v; want %v, late %v, in the body %v", took, err, c.ends, c.late, c.body)
				}
				if !c.late && err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The limit is that of all tries together, less the time in which bodies came.
func TestTriesShareTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, call := deadline.Start(t.Context(), 30*time.Second)
		defer call.End()
		slow := deadline.Client(&server{headers: 8 * time.Second, pieces: 1, piece: 1, step: 9 * time.Second}, 0)
		begun := time.Now()
		n := 0
		for ; get(ctx, slow) == nil; n++ {
		}
		if n != 3 || time.Since(begun) != 30*time.Second+3*9*time.Second {
			t.Errorf("%d tries were made in %v; want 3 in 57s", n, time.Since(begun))
		}
	})
}

// An answer that drips on purpose has one limit for all of it.
func TestWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			pieces int
			late   bool
		}{{300, false}, {1000, true}} {
			step, outer := deadline.Start(t.Context(), time.Minute)
			ctx, call := deadline.StartWhole(step, 10*time.Minute)
			begun := time.Now()
			err := deadline.Explain(ctx, get(ctx, deadline.Client(&server{pieces: c.pieces, piece: 1, step: time.Second}, 0)))
			if late, ok := errors.AsType[*deadline.Error](err); ok != c.late || ok && late.Body || time.Since(begun) != min(10*time.Minute, time.Duration(c.pieces)*time.Second) {
				t.Errorf("an answer of %d s ended after %v with %v", c.pieces, time.Since(begun), err)
			}
			if step.Err() != nil {
				t.Errorf("the step around it ended: %v", context.Cause(step))
			}
			call.End()
			outer.End()
		}
	})
}

// A step of a loop lives as long as its requests do something.
func TestAStepLivesByItsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		step, outer := deadline.Start(t.Context(), time.Minute)
		defer outer.End()
		for range 10 { // ten minutes altogether
			ctx, call := deadline.Start(step, 50*time.Second)
			if err := get(ctx, deadline.Client(&server{headers: 40 * time.Second, pieces: 40, piece: 64 << 10, step: time.Second}, 0)); err != nil {
				t.Fatal(err)
			}
			if s := outer.Silent(); s != 0 {
				t.Fatalf("silent for %v after an answer", s)
			}
			call.End()
		}
		for range 10 {
			time.Sleep(50 * time.Second)
			deadline.Beat(step)
		}
		time.Sleep(59 * time.Second)
		if step.Err() != nil {
			t.Fatal("the step ended too early")
		}
		if s := outer.Silent(); s != 59*time.Second {
			t.Errorf("silent for %v", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if _, ok := errors.AsType[*deadline.Error](context.Cause(step)); !ok {
			t.Errorf("after a minute without a sign of life: %v", context.Cause(step))
		}
	})
}

// Who ends a call is not told that it was late.
func TestEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, call := deadline.Start(t.Context(), time.Second)
		if !deadline.Bounded(ctx) || deadline.Bounded(t.Context()) || deadline.Bounded(context.WithoutCancel(ctx)) {
			t.Error("it is not told which context ends by itself")
		}
		call.End()
		time.Sleep(time.Minute)
		failed := errors.New("failed")
		if err := deadline.Explain(ctx, failed); err != failed { //nolint:errorlint // it must be the same
			t.Errorf("explained as %v", err)
		}
		deadline.Beat(t.Context()) // nobody's
	})
}

// A request without a limit gets the fallback, also behind a context whose end
// somebody hid, as the SDK's cache of credentials does.
func TestFallback(t *testing.T) {
	t.Parallel()
	for _, hidden := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if hidden {
				outer, call := deadline.Start(ctx, time.Hour)
				defer call.End()
				ctx = context.WithoutCancel(outer)
			}
			begun := time.Now()
			err := get(ctx, deadline.Client(deadline.Client(&server{headers: -1}, 0), 20*time.Second))
			if _, ok := errors.AsType[*deadline.Error](err); !ok || time.Since(begun) != 20*time.Second {
				t.Errorf("ended after %v with %v", time.Since(begun), err)
			}
			begun = time.Now()
			err = get(ctx, deadline.Client(&server{pieces: 5, step: time.Hour}, 20*time.Second))
			if late, ok := errors.AsType[*deadline.Error](err); !ok || !late.Body || time.Since(begun) != deadline.Within {
				t.Errorf("a body that never begins ended after %v with %v", time.Since(begun), err)
			}
			if err := get(ctx, deadline.Client(&server{headers: time.Second}, 20*time.Second)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A closed body that still has a WriteTo makes net/http cut the connection.
func TestBodyHidesWriteTo(t *testing.T) {
	t.Parallel()
	type both struct {
		io.Reader
		io.WriterTo
		io.Closer
	}
	data := bytes.NewReader([]byte("abc"))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = both{data, data, io.NopCloser(nil)}
	s := new(server)
	resp, err := deadline.Client(s, 0).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, ok := s.sent.(io.WriterTo); ok {
		t.Error("the body shows its WriteTo")
	}
	if got, err := io.ReadAll(s.sent); string(got) != "abc" || err != nil {
		t.Errorf("the body reads %q, %v", got, err)
	}
	if deadline.Client(nil, 0) != nil {
		t.Error("no client became one")
	}
}
