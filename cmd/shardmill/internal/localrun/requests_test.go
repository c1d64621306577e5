package localrun_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/localrun"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
)

// No request of a local run goes out without a deadline.
func TestRequestsHaveDeadlines(t *testing.T) {
	t.Parallel()
	o, _ := options(t, strings.Repeat("some line\n", 100))
	o.Reshard = true
	o = localrun.Sending(o, deadlinetest.Bounded(t, awshttp.NewBuildableClient()))
	if sum, err := localrun.Run(t.Context(), o); err != nil || !sum.Verified {
		t.Errorf("Run = %+v, %v", sum, err)
	}
}

// halting is an S3 whose first answers stop coming.
type halting struct{ answers int }

// Do implements deadline.Doer.
func (h *halting) Do(r *http.Request) (*http.Response, error) {
	body := io.Reader(strings.NewReader("object"))
	if h.answers > 0 {
		h.answers--
		body = io.MultiReader(strings.NewReader("obj"), until{r.Context()})
	}
	return &http.Response{StatusCode: http.StatusOK, Request: r, Header: http.Header{}, ContentLength: 6, Body: io.NopCloser(body)}, nil
}

type until struct{ ctx context.Context } //nolint:containedctx // the request's

func (u until) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, u.ctx.Err()
}

// An object whose answer stopped coming is asked for again, and at last given
// up with an error that says so.
func TestAnObjectIsAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		data, err := localrun.GetObject(t.Context(), &halting{2}, "k")
		if string(data) != "object" || err != nil {
			t.Errorf("got %q, %v", data, err)
		}
		begun := time.Now()
		_, err = localrun.GetObject(t.Context(), &halting{100}, "k")
		if late, ok := errors.AsType[*deadline.Error](err); !ok || !late.Body || time.Since(begun) != 3*deadline.Within {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}
