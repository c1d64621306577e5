package esarchive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// TestChoice: in turn, those that rest only if all do, and then the one that has rested
// most nearly enough.
func TestChoice(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	rested := func(seconds ...int) (all []esarchive.Endpoint) {
		for _, s := range seconds { // until then from now
			e := esarchive.Endpoint{}
			if s != 0 {
				for e.Until().Before(now.Add(time.Duration(s) * time.Second)) {
					e = e.After(false, now.Add(time.Hour), now.Add(time.Duration(s-1)*time.Second))
				}
			}
			all = append(all, e)
		}
		return all
	}
	for _, row := range []struct {
		rest       []int
		next, want int
	}{
		{[]int{0}, 0, 0},
		{[]int{0, 0, 0}, 0, 0},
		{[]int{0, 0, 0}, 1, 1},
		{[]int{0, 0, 0}, 2, 2},
		{[]int{0, 0, 0}, 3, 0},
		{[]int{5, 0, 0}, 0, 1},
		{[]int{0, 5, 5}, 1, 0},
		{[]int{5}, 0, 0},
		{[]int{5, 3, 9}, 0, 1},
		{[]int{5, 3, 9}, 2, 1},
		{[]int{5, 5}, 1, 1},
		{[]int{-1, 4}, 1, 0},
	} {
		if got := esarchive.Choose(rested(row.rest...), row.next, now); got != row.want {
			t.Errorf("of %v, with %d to come, %d is chosen, want %d", row.rest, row.next, got, row.want)
		}
	}
}

// TestRest: 1 s, doubled up to 30 s; requests that were under way together count once.
func TestRest(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	var e esarchive.Endpoint
	for _, want := range []int{1, 2, 4, 8, 16, 30, 30, 30, 30} {
		begun := now
		now = now.Add(time.Second)
		e = e.After(false, begun, now)
		for range 3 {
			e = e.After(false, begun, now.Add(time.Second/2))
		}
		if got := e.Until().Sub(now); got != time.Duration(want)*time.Second {
			t.Errorf("it rests for %v, want %d s", got, want)
		}
		now = e.Until()
	}
	if e = e.After(true, now, now); !e.Until().IsZero() {
		t.Error("it rests after an answer")
	}
	if e = e.After(false, now, now); e.Until() != now.Add(time.Second) {
		t.Error("the next rest is not the shortest")
	}
}

// TestChoiceIsFair: of those that do not rest each has its turn, and one that rests is
// never chosen before.
func TestChoiceIsFair(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		now := time.Unix(1e9, 0)
		all := make([]esarchive.Endpoint, rapid.IntRange(1, 6).Draw(r, "endpoints"))
		awake := 0
		for i := range all {
			if rapid.Bool().Draw(r, "rests") {
				all[i] = all[i].After(false, now, now)
			} else {
				awake++
			}
		}
		turns := map[int]int{}
		next := 0
		for range len(all) * awake {
			at := esarchive.Choose(all, next, now)
			if now.Before(all[at].Until()) {
				r.Fatalf("%d rests, and is chosen", at)
			}
			turns[at]++
			next = at + 1
		}
		if awake > 0 && len(turns) != awake {
			r.Fatalf("%d of %d have a turn", len(turns), awake)
		}
	})
}

// TestEndpoints: requests go on while one of the endpoints is dead, and find it when it is
// back; the log says so once each way.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asked, dead := map[string]int{}, "b.example"
		core, logs := observer.New(zapcore.DebugLevel)
		x := newClient(t, "", over(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			asked[r.Host]++
			if r.Host == dead {
				return respond(503, strings.NewReader("")), nil
			}
			return respond(200, strings.NewReader(accepted)), nil
		}), func(c *esarchive.Config) {
			c.Endpoints, c.Logger = []string{"https://a.example", "https://b.example", "https://c.example"}, zap.New(core)
		})
		failed := 0
		second := func(n int) {
			for range n {
				if _, f := x.Bulk(t.Context(), []byte(bulkBody), 1); f != nil {
					failed++
				}
				time.Sleep(time.Second / 10)
			}
		}
		second(600)
		if failed > 7 || asked["b.example"] != failed || asked["a.example"] < 250 || asked["c.example"] < 250 {
			t.Errorf("%d failed; asked were %v", failed, asked)
		}
		dead = ""
		second(400)
		clear(asked)
		second(30)
		if asked["b.example"] != 10 || len(asked) != 3 {
			t.Errorf("asked were %v", asked)
		}
		var told []string
		for _, l := range logs.All() {
			told = append(told, fmt.Sprint(l.Message, " ", l.ContextMap()["endpoint"]))
		}
		if got := strings.Join(told, "\n"); got != "endpoint rests, as it does not answer b.example\nendpoint answers again b.example" {
			t.Error(got)
		}
	})
}

// Whether an endpoint rests is only about whether somebody answers there.
func TestRestsAfter(t *testing.T) {
	t.Parallel()
	for status, rests := range map[int]bool{200: false, 400: false, 403: false, 404: false, 413: false, 429: false, 500: false, 502: true, 503: true, 504: true} {
		synctest.Test(t, func(t *testing.T) {
			asked := map[string]int{}
			x := newClient(t, "", over(func(r *http.Request) (*http.Response, error) {
				asked[r.Host]++
				if r.Host == "a.example" {
					return respond(status, strings.NewReader(accepted)), nil
				}
				return respond(200, io.NopCloser(strings.NewReader(accepted))), nil
			}), func(c *esarchive.Config) { c.Endpoints = []string{"https://a.example", "https://b.example"} })
			for range 4 {
				_, _ = x.Bulk(t.Context(), []byte(bulkBody), 1)
			}
			if got := asked["a.example"] == 1; got != rests {
				t.Errorf("%d: asked were %v", status, asked)
			}
		})
	}
}

// What was never sent, or its caller ended, does not wake an endpoint, nor put it to rest.
func TestRestsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		hasKey, never := true, false
		x := newClient(t, "", over(func(r *http.Request) (*http.Response, error) {
			if never {
				<-r.Context().Done()
			}
			return nil, errors.New("broken")
		}), func(c *esarchive.Config) {
			c.Endpoints, c.Logger = []string{"https://a.example", "https://b.example"}, zap.New(core)
			c.Auth = esarchive.APIKey{Key: func(context.Context) (string, error) {
				if hasKey {
					return "key", nil
				}
				return "", errors.New("no key")
			}}
		})
		bulk := func(ctx context.Context) {
			for range 2 {
				if _, f := x.Bulk(ctx, []byte(bulkBody), 1); f == nil {
					t.Error("it did not fail")
				}
			}
		}
		hasKey = false
		bulk(t.Context())
		if logs.Len() > 0 {
			t.Errorf("without a key: %v", logs.All())
		}
		hasKey = true
		bulk(t.Context())
		hasKey = false
		bulk(t.Context())
		hasKey, never = true, true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		bulk(ctx)
		if logs.FilterMessage("endpoint rests, as it does not answer").Len() != 2 || logs.Len() != 2 {
			t.Errorf("%v", logs.All())
		}
	})
}
