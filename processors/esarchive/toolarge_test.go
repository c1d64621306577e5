package esarchive_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// A request that is refused as too large is sent again in smaller ones, which is no try of
// its documents; other shards need not learn it, and soon larger ones are tried again.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		most := 150_000
		s := &answering{}
		s.answer = func(_ context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			if s.bodies[n] > most {
				return nil, &esarchive.Fault{Code: "413", Status: 413, Message: "too large", TooLarge: true}
			}
			return all(list, 201), nil
		}
		once := time.Duration(0)
		core, logs := observer.New(zap.InfoLevel)
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", RetryDuration: &once, MaxRequestBytes: 1 << 20, Parallel: 1, Logger: zap.New(core)}, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, shard := range []string{"a", "b"} {
			i := x.Open(input(padded(shard, 2000, 1000)))
			if err := i.Run(t.Context()); err != nil || i.Outcome().Indexed != 2000 {
				t.Fatalf("%+v, %v", i.Outcome(), err)
			}
		}
		refused := slices.IndexFunc(s.bodies, func(n int) bool { return n <= most })
		if refused != 3 || slices.ContainsFunc(s.bodies[refused:], func(n int) bool { return n > most }) || x.Limit(time.Now()) > int64(most) {
			t.Errorf("requests of %d bytes, then at most %d", s.bodies, x.Limit(time.Now()))
		}
		before := x.Limit(time.Now())
		time.Sleep(59 * time.Second)
		soon := x.Limit(time.Now())
		time.Sleep(2 * time.Second)
		if later := x.Limit(time.Now()); soon != before || later != 2*before {
			t.Errorf("the limit is %d, %d after a minute", soon, later)
		}
		if time.Sleep(3 * time.Minute); x.Limit(time.Now()) != 1<<20 || logs.FilterMessage("requests become larger again").Len() == 0 {
			t.Errorf("the limit is %d after four minutes, told %v", x.Limit(time.Now()), logs.All())
		}
	})
}

// What passes is forgotten in minutes; what stays is asked for about once an hour.
func TestTooLargeForLong(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		lasts       time.Duration
		least, most int // refusals in a day
	}{"a burst": {10 * time.Second, 2, 10}, "for ever": {48 * time.Hour, 24, 100}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, refused := time.Now(), 0
				s := &answering{}
				s.answer = func(_ context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
					if s.bodies[n] > 100_000 && time.Since(began) < row.lasts {
						refused++
						return nil, &esarchive.Fault{Code: "413", Status: 413, TooLarge: true}
					}
					return all(list, 201), nil
				}
				x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", Parallel: 1}, s)
				if err != nil {
					t.Fatal(err)
				}
				for range 24 * 6 {
					if i := x.Open(input(padded("a", 300, 1000))); i.Run(t.Context()) != nil || i.Outcome().Indexed != 300 {
						t.Fatalf("%+v", i.Outcome())
					}
					if time.Sleep(10 * time.Minute); row.lasts < time.Hour && x.Limit(time.Now()) != 5<<20 {
						t.Fatalf("the limit is %d", x.Limit(time.Now()))
					}
				}
				if refused < row.least || refused > row.most {
					t.Errorf("%d refusals, the limit is %d", refused, x.Limit(time.Now()))
				}
			})
		})
	}
}

// What is sent again in smaller requests is, even if its time is over meanwhile.
func TestTooLargeAtTheEnd(t *testing.T) {
	t.Parallel()
	short := time.Second
	s := &answering{answer: func(ctx context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		switch n {
		case 0:
			return all(list, 503), nil
		case 1:
			wait(ctx, 2*time.Second)
			return nil, &esarchive.Fault{Code: "413", Status: 413, TooLarge: true}
		default:
			return all(list, 201), nil
		}
	}}
	if o := run(t, esarchive.Config{IndexName: "i", RetryDuration: &short}, s, plain("s", 4)); o.Indexed != 4 || len(s.requests) != 4 {
		t.Errorf("%+v, %d requests", o, len(s.requests))
	}
}

// A document that is larger than all requests goes alone, and others go around it.
func TestLargeDocument(t *testing.T) {
	t.Parallel()
	c := padded("s", 9, 1000)
	c[4] = padded("s", 5, 300_000)[4]
	s := &answering{answer: ok}
	if o := run(t, esarchive.Config{IndexName: "i", MaxRequestBytes: 64 << 10, MaxInFlightBytes: 64 << 10, Parallel: 1}, s, c); o.Indexed != 9 || len(s.requests) != 3 || len(s.requests[1]) != 1 {
		t.Errorf("%+v, requests of %d bytes", o, s.bodies)
	}
}

// A node that closes the connection while it is sent what is larger than its limit is no
// cluster that is down, for which PauseWhenDown would wait without end.
func TestLargerThanTheCluster(t *testing.T) {
	t.Parallel()
	s := &answering{cluster: esarchive.Cluster{Engine: "OpenSearch", Major: 2, MaxContent: 100_000, IsLimited: true}}
	s.answer = func(_ context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.bodies[n] > 100_000 {
			return nil, &esarchive.Fault{Code: "OS.ConnectionReset", Message: "on purpose", Down: true}
		}
		return all(list, 201), nil
	}
	c := padded("s", 9, 1000)
	c[4] = padded("s", 5, 300_000)[4]
	o := run(t, esarchive.Config{IndexName: "i", PauseWhenDown: true}, s, c)
	if o.Indexed != 8 || len(o.Failed) != 1 || o.Failed[0].Code != "413" || o.Failed[0].Document != 4 || !strings.Contains(o.Failed[0].Message, "http.max_content_length is 100000") {
		t.Errorf("%+v", o)
	}
}

// What cannot be reached, or has not said which limit it has, has not refused what is large.
func TestLargerThanNobodyIsThere(t *testing.T) {
	t.Parallel()
	for code, isLimited := range map[string]bool{"OS.ConnectionFailed": true, "OS.RequestTimeout": true, "OS.ConnectionReset": false} {
		s := &answering{cluster: esarchive.Cluster{MaxContent: 100_000, IsLimited: isLimited}}
		s.answer = func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if time.Since(s.at[0]) < time.Hour {
				return nil, &esarchive.Fault{Code: code, Message: "on purpose", Down: true}
			}
			return all(list, 201), nil
		}
		if o := run(t, esarchive.Config{IndexName: "i", PauseWhenDown: true, FastFail: true}, s, padded("s", 1, 300_000)); o.Indexed != 1 {
			t.Errorf("%s: %+v", code, o)
		}
	}
}

// A limit of our own is none that the cluster said.
func TestLimitThatIsSaid(t *testing.T) {
	t.Parallel()
	const root = `{"version":{"number":"2.19.0","distribution":"opensearch"}}`
	for nodes, want := range map[string]bool{
		`{"nodes":{"a":{"version":"2.19.0","http":{"max_content_length_in_bytes":1048576}}}}`: true,
		`{"nodes":{"a":{"http":{"max_content_length_in_bytes":1048576}}}}`:                    true,
		`{"nodes":{"a":{"version":"2.19.0"}}}`:                                                false,
		`{}`:                                                                                  false,
	} {
		if got := esarchive.IsLimited([]byte(nodes), []byte(root)); got != want {
			t.Errorf("%s: %v", nodes, got)
		}
	}
}
