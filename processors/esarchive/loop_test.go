package esarchive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// ok takes all documents.
func ok(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
	return all(list, 201), nil
}

func dead() *esarchive.Fault {
	return &esarchive.Fault{Code: "OS.ConnectionFailed", Message: "on purpose", Down: true}
}

func places(list []action) (places []string) {
	for _, a := range list {
		places = append(places, a.N)
	}
	return places
}

// padded returns documents of about so many bytes each.
func padded(shard string, n, size int) cut {
	c := plain(shard, n)
	for i := range c {
		c[i].data = strings.Replace(c[i].data, "{", `{"pad":"`+strings.Repeat("x", size)+`",`, 1)
	}
	return c
}

// A collection that takes no ids gets none: what it refused is sent again at once, which
// is no try, and later cuts of all shards go without from the begin.
func TestIDsThatAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			items := all(list, 201)
			for i, a := range list {
				if a.ID != "" {
					items[i] = esarchive.Item{Status: 400, Kind: "illegal_argument_exception", Reason: "Document ID is not supported in create/index operation request"}
				}
			}
			return items, nil
		}}
		core, logs := observer.New(zap.WarnLevel)
		once := time.Duration(0)
		x, err := esarchive.NewWith(esarchive.Config{Service: esarchive.Serverless, IndexName: "i", RetryDuration: &once, FastFail: true, Logger: zap.New(core)}, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, shard := range []string{"a", "b"} {
			i := x.Open(input(plain(shard, 5)))
			if err := i.Run(t.Context()); err != nil || i.Outcome().Indexed != 5 {
				t.Errorf("%+v, %v", i.Outcome(), err)
			}
		}
		if len(s.requests) != 3 || s.requests[0][0].ID == "" || s.requests[1][0].ID != "" || s.requests[2][0].ID != "" || logs.FilterMessageSnippet("takes no document ids").Len() != 1 || s.at[2] != s.at[0] {
			t.Errorf("%+v %v", s.requests, logs.All())
		}
	})
}

// outage is a server that takes nothing for a time, from its first request on.
func outage(d time.Duration) *answering {
	s := &answering{}
	s.answer = func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if time.Since(s.at[0]) < d {
			return nil, dead()
		}
		return all(list, 201), nil
	}
	return s
}

// While a cluster takes nothing it is spared: after four faults one request at a time, less
// and less often, of all shards. It is told of, and so is the end.
func TestCircuit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := outage(4 * time.Minute)
		core, logs := observer.New(zap.InfoLevel)
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", MaxRequestBytes: 64 << 10, Logger: zap.New(core)}, s)
		if err != nil {
			t.Fatal(err)
		}
		var shards sync.WaitGroup
		for _, shard := range []string{"a", "b", "c"} {
			shards.Go(func() {
				in := input(padded(shard, 400, 1000))
				in.Logger = zap.New(core)
				i := x.Open(in)
				if err := i.Run(t.Context()); err != nil || i.Outcome().Indexed != 400 {
					t.Errorf("%d indexed, %v", i.Outcome().Indexed, err)
				}
			})
		}
		shards.Wait()
		var pauses []time.Duration
		for i := 12; i < len(s.at) && s.at[i-1].Sub(s.at[0]) < 4*time.Minute; i++ { // behind those that were under way
			pauses = append(pauses, s.at[i].Sub(s.at[i-1]))
		}
		if len(pauses) < 4 || len(pauses) > 20 || pauses[len(pauses)-1] < 10*time.Second || slices.Max(pauses) > 45*time.Second {
			t.Errorf("pauses %v", pauses)
		}
		delayed, recovered := logs.FilterMessageSnippet("tries are delayed"), logs.FilterMessage("succeeded after failures")
		if n := delayed.Len(); n < 3 || n > 5 || recovered.FilterFieldKey("after").Len() != 1 || recovered.Len() < 2 || recovered.Len() > 4 { // a shard may not have had a failure
			t.Errorf("told %d times, and %v", n, recovered.All())
		}
	})
}

// The circuit does not stop the clock of RetryDuration: when it is over each document that
// waited is sent once, and fails.
func TestCircuitAndTime(t *testing.T) {
	t.Parallel()
	s := outage(time.Hour)
	began := time.Time{}
	c := padded("s", 1000, 1000)
	var o processors.IndexOutcome
	var took time.Duration
	synctest.Test(t, func(t *testing.T) {
		began = time.Now()
		o = runTo(t, esarchive.Config{IndexName: "i", MaxRequestBytes: 64 << 10}, s, c)
		took = time.Since(began)
	})
	sent := map[string]int{}
	for _, list := range s.requests {
		for _, p := range places(list) {
			sent[p]++
		}
	}
	once := 0
	for _, n := range sent {
		if n == 1 {
			once++
		}
	}
	if len(o.Failed) != 1000 || len(sent) != 1000 || once < 400 || took < 5*time.Minute || took > 5*time.Minute+5*time.Second {
		t.Errorf("%d failed, %d sent, %d of these once, in %v", len(o.Failed), len(sent), once, took)
	}
}

// PauseWhenDown waits for as long as a cluster takes nothing, and then counts as ever.
func TestPauseWhenDown(t *testing.T) {
	t.Parallel()
	for _, retry := range []time.Duration{0, time.Minute} {
		s := outage(5 * time.Hour)
		taking := s.answer
		s.answer = func(ctx context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			items, f := taking(ctx, n, list)
			for i, a := range list {
				if f == nil && strings.HasSuffix(a.N, "7.0") {
					items[i] = refusal(400)
				}
			}
			return items, f
		}
		var o processors.IndexOutcome
		synctest.Test(t, func(t *testing.T) {
			o = runTo(t, esarchive.Config{IndexName: "i", RetryDuration: &retry, PauseWhenDown: true, MaxRequestBytes: 64 << 10}, s, padded("s", 400, 1000))
		})
		if o.Indexed != 360 || len(o.Failed) != 40 || len(s.requests) > 1500 {
			t.Fatalf("%d indexed, %d failed, %d requests", o.Indexed, len(o.Failed), len(s.requests))
		}
		if after := o.Failed[0].Ended.Sub(s.at[0]) - 5*time.Hour; after < retry || after > retry+2*time.Minute || o.Failed[0].Code != "400" {
			t.Errorf("failed %v after the cluster was back: %+v", after, o.Failed[0])
		}
	}
}

// A full disk is an outage too, though documents are answered one by one; an index that
// alone takes none is not.
func TestPauseWhenDownAndBlocks(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 429} {
		for _, retry := range []time.Duration{0, time.Minute} {
			s := &answering{}
			s.answer = func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
				s.mu.Lock()
				defer s.mu.Unlock()
				if time.Since(s.at[0]) < 5*time.Hour {
					return all(list, status), nil
				}
				return all(list, 201), nil
			}
			if o := run(t, esarchive.Config{IndexName: "i", RetryDuration: &retry, PauseWhenDown: true}, s, plain("s", 5)); o.Indexed != 5 || len(s.requests) > 1000 {
				t.Errorf("%+v", o)
			}
		}
	}
	s := &answering{answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		items := all(list, 403)
		for i, a := range list {
			if a.N[0] == 'b' {
				items[i] = refusal(201)
			}
		}
		return items, nil
	}}
	synctest.Test(t, func(t *testing.T) {
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", PauseWhenDown: true}, s)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var others sync.WaitGroup
		others.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(10 * time.Second) {
				if err := x.Open(input(plain("b", 1))).Run(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		i := x.Open(input(plain("a", 5)))
		err = i.Run(t.Context())
		cancel()
		others.Wait()
		if o := i.Outcome(); err != nil || len(o.Failed) != 5 || o.Failed[0].Ended.Sub(s.at[0]) > 7*time.Minute {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

// While it stands still the clock also leaves out the requests that were not answered.
func TestPauseWhenDownLeavesOutTimeouts(t *testing.T) {
	t.Parallel()
	retry := 90 * time.Second
	s := &answering{answer: func(ctx context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		if n%2 == 0 {
			wait(ctx, time.Minute)
			return nil, dead()
		}
		return all(list, 503), nil
	}}
	var o processors.IndexOutcome
	synctest.Test(t, func(t *testing.T) {
		o = runTo(t, esarchive.Config{IndexName: "i", RetryDuration: &retry, PauseWhenDown: true}, s, plain("s", 1))
	})
	if took := o.Failed[0].Ended.Sub(s.at[0]); took < 4*time.Minute {
		t.Errorf("failed after %v", took)
	}
}

// A cluster that is too busy gets fewer requests at a time, and more again one by one.
func TestBusy(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]func(list []action) ([]esarchive.Item, *esarchive.Fault){
		"all": func([]action) ([]esarchive.Item, *esarchive.Fault) {
			return nil, &esarchive.Fault{Code: "429", Status: 429, Rejected: true}
		},
		"some": func(list []action) ([]esarchive.Item, *esarchive.Fault) {
			return append(all(list[1:], 201), refusal(429)), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var flying, most atomic.Int64
			s := &answering{}
			s.answer = func(ctx context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
				if n == 8 {
					flying.Store(0)
					most.Store(0)
				}
				most.Store(max(most.Load(), flying.Add(1)))
				defer flying.Add(-1)
				if wait(ctx, time.Second); n < 8 {
					return busy(list)
				}
				return all(list, 201), nil
			}
			if o := run(t, esarchive.Config{IndexName: "i", MaxRequestBytes: 64 << 10, Parallel: 8}, s, padded("s", 6000, 1000)); o.Indexed != 6000 {
				t.Errorf("%d indexed", o.Indexed)
			}
			if !s.at[7].Equal(s.at[0]) || s.at[9].Sub(s.at[8]) < time.Second || s.at[11].Sub(s.at[9]) < time.Second || most.Load() != 8 {
				t.Errorf("at most %d under way, the first ones at %v", most.Load(), s.at[:12])
			}
		})
	}
}

// What has an outcome is not sent again, and what was cut off is.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: func(ctx context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			if n == 1 {
				wait(ctx, time.Hour)
				return nil, dead()
			}
			return all(list, 201), nil
		}}
		once := time.Duration(0)
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", MaxRequestBytes: 64 << 10, RetryDuration: &once}, s)
		if err != nil {
			t.Fatal(err)
		}
		i := x.Open(input(padded("s", 200, 1000)))
		for range 2 {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("on purpose"))
			begun := time.Now()
			if err := i.Run(ctx); err != nil && (err.Error() != "indexing documents: on purpose" || time.Since(begun) != 10*time.Second) {
				t.Error(err)
			}
			cancel()
		}
		if o := i.Outcome(); o.Indexed != 200 || len(o.Failed) > 0 {
			t.Errorf("%+v", o)
		}
		sent := map[string]int{}
		for _, list := range s.requests {
			for _, p := range places(list) {
				sent[p]++
			}
		}
		for _, p := range places(s.requests[1]) {
			sent[p]--
		}
		for p, n := range sent {
			if n != 1 {
				t.Errorf("%s was sent %d times", p, n)
			}
		}
		if err := i.Run(t.Context()); err != nil || len(s.requests) > 6 {
			t.Errorf("%d requests, %v", len(s.requests), err)
		}
	})
}

// Without the lease no request is made, and who called learns why.
func TestMayGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: ok}
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", MaxRequestBytes: 64 << 10, Parallel: 1}, s)
		if err != nil {
			t.Fatal(err)
		}
		in := input(padded("s", 400, 1000))
		asked := 0
		in.MayGoOn = func() error {
			if asked++; asked > 2 {
				return fmt.Errorf("wrapped: %w", kcl.ErrLeaseLost)
			}
			return nil
		}
		i := x.Open(in)
		if err := i.Run(t.Context()); !errors.Is(err, kcl.ErrLeaseLost) || len(s.requests) != 2 || x.Used() != 0 {
			t.Errorf("%v, %d requests, %d bytes in use", err, len(s.requests), x.Used())
		}
	})
}

// unreadable are documents of which some cannot be read.
type unreadable struct {
	cut
	from int
}

func (u unreadable) Read(i int, buf []byte) (place, data []byte, err error) {
	if i >= u.from {
		return nil, nil, errors.New("no such file")
	}
	return u.cut.Read(i, buf)
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i"}, &answering{answer: ok})
		if err != nil {
			t.Fatal(err)
		}
		in := input(nil)
		in.Documents = unreadable{plain("s", 9), 5}
		if err := x.Open(in).Run(t.Context()); err == nil || err.Error() != "indexing documents: what was gathered cannot be read: no such file" || x.Used() != 0 {
			t.Error(err, x.Used())
		}
	})
}

// Who shares the bytes under way gets them in turn, and one request each in any case.
func TestInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var began []string
		s := &answering{answer: func(ctx context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			mu.Lock()
			began = append(began, list[0].N[:1])
			mu.Unlock()
			wait(ctx, time.Second)
			return all(list, 201), nil
		}}
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", MaxRequestBytes: 64 << 10, MaxInFlightBytes: 200 << 10, Parallel: 32}, s)
		if err != nil {
			t.Fatal(err)
		}
		var shards sync.WaitGroup
		for i, shard := range []string{"a", "b"} {
			shards.Go(func() {
				time.Sleep(time.Duration(i) * 500 * time.Millisecond)
				alive, call := deadline.Start(t.Context(), 1500*time.Millisecond)
				defer call.End()
				if err := x.Open(input(padded(shard, 1200, 1000))).Run(alive); err != nil {
					t.Error(err)
				}
			})
		}
		shards.Wait()
		of := map[string]int{}
		for _, shard := range began[:30] {
			of[shard]++
		}
		if of["a"] < 10 || of["b"] < 10 || x.Used() != 0 { // about half; who gets nothing but what is due to each has 7
			t.Errorf("%v of the first requests, %s; %d bytes are in use", of, began, x.Used())
		}
	})
}

// A document whose arrival is unknown goes to the index of its first try, in each try.
func TestUnknownArrival(t *testing.T) {
	t.Parallel()
	c := plain("s", 1)
	c[0].arrival = time.Time{}
	s := &answering{answer: func(_ context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		return all(list, []int{503, 503, 503, 503, 503, 503, 503, 503, 503, 201}[min(n, 9)]), nil
	}}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2031, 1, 1, 0, 59, 50, 0, time.UTC)))
		runTo(t, esarchive.Config{IndexName: "i", IndexRotationPeriod: esarchive.OneHour}, s, c)
	})
	for _, list := range s.requests {
		if list[0].Index != "i-2031-01-01-00" {
			t.Errorf("it went to %s", list[0].Index)
		}
	}
	if len(s.requests) != 10 || s.at[9].Hour() != 1 {
		t.Errorf("%d requests, the last one at %v", len(s.requests), s.at[len(s.at)-1])
	}
}

// Each request is told of: what it had, and what became of that.
func TestBulkEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := []func(list []action) ([]esarchive.Item, *esarchive.Fault){
			func(list []action) ([]esarchive.Item, *esarchive.Fault) {
				return []esarchive.Item{{Status: 201}, refusal(429), {Status: 403, Kind: "security_exception"}, refusal(409)}, nil
			},
			func([]action) ([]esarchive.Item, *esarchive.Fault) {
				return nil, &esarchive.Fault{Code: "OS.AccessDenied", Message: "m", Status: 403, Auth: true}
			},
			func([]action) ([]esarchive.Item, *esarchive.Fault) {
				return nil, &esarchive.Fault{Code: "429", Message: "m", Status: 429, Rejected: true}
			},
		}
		s := &answering{answer: func(ctx context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			wait(ctx, time.Second)
			if n < len(answers) {
				return answers[n](list)
			}
			return all(list, 201), nil
		}}
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", IDs: esarchive.IDs{Field: "id", VersionField: "v"}}, s)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		in := input(plain("s", 4))
		in.Tried = func(e processors.BulkEvent) {
			got = append(got, fmt.Sprintf("%s: %d documents of %d bytes in %v, %d indexed, %d superseded, %d failed, status %d, %v, auth %v, rejected %v", e.ShardID, e.Documents, e.Bytes, e.Duration, e.Indexed, e.Superseded, e.Failed, e.Status, e.Err, e.AuthFailure, e.Rejected))
		}
		i := x.Open(in)
		if err := i.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"shard: 4 documents of 132 bytes in 1s, 1 indexed, 1 superseded, 2 failed, status 200, <nil>, auth true, rejected true",
			"shard: 2 documents of 66 bytes in 1s, 0 indexed, 0 superseded, 2 failed, status 403, OS.AccessDenied: the cluster answered 403 Forbidden, auth true, rejected false",
			"shard: 2 documents of 66 bytes in 1s, 0 indexed, 0 superseded, 2 failed, status 429, 429: the cluster answered 429 Too Many Requests, auth false, rejected true",
			"shard: 2 documents of 66 bytes in 1s, 2 indexed, 0 superseded, 0 failed, status 200, <nil>, auth false, rejected false",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s", strings.Join(got, "\n"))
		}
		if o := i.Outcome(); o.Indexed != 3 || o.IndexedBytes != 99 || o.Superseded != 1 || o.Requests != 4 {
			t.Errorf("%+v", o)
		}
	})
}

// Who is told of a request may panic, or end the goroutine: the request counts as failed.
func TestHostileHook(t *testing.T) {
	t.Parallel()
	s := &answering{answer: ok}
	synctest.Test(t, func(t *testing.T) {
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i"}, s)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		in := input(plain("s", 3))
		in.Tried = func(processors.BulkEvent) {
			if told++; told == 1 {
				panic("on purpose")
			}
		}
		i := x.Open(in)
		if err := i.Run(t.Context()); err != nil || i.Outcome().Indexed != 3 || len(s.requests) != 2 {
			t.Errorf("%+v, %v", i.Outcome(), err)
		}
	})
}

// Held counts what is in memory: requests while they are under way, and failures.
func TestHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &answering{answer: func(ctx context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			wait(ctx, 10*time.Second)
			items := make([]esarchive.Item, len(list))
			for i := range items {
				items[i] = esarchive.Item{Status: 400, Reason: strings.Repeat("r", 4000)}
			}
			return items, nil
		}}
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", FastFail: true, MaxRequestBytes: 1 << 20, Parallel: 2}, s)
		if err != nil {
			t.Fatal(err)
		}
		i := x.Open(input(padded("s", 10_000, 1000)))
		var run sync.WaitGroup
		run.Go(func() {
			if err := i.Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(5 * time.Second)
		if held := i.Held(); held < 2<<20 || held > 4<<20 {
			t.Errorf("%d bytes held with two requests under way", held)
		}
		run.Wait()
		if held := i.Held(); held < 16<<20 || held > 30<<20 {
			t.Errorf("%d bytes held with 10,000 failures", held)
		}
		o := i.Outcome()
		if n := len(o.Failed[0].Message); n != 4000 {
			t.Errorf("the first message has %d bytes", n)
		}
		if n := len(o.Failed[9999].Message); n > 300 {
			t.Errorf("the last message has %d bytes", n)
		}
	})
}

// What is logged has neither documents nor what the cluster quotes of them, tells of each
// trouble once a minute, and when it is over.
func TestLogs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &answering{cluster: esarchive.Cluster{Engine: "OpenSearch", Major: 2}}
		s.answer = func(ctx context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
			if n == 0 {
				wait(ctx, 90*time.Second)
			}
			return slices.Repeat([]esarchive.Item{{Status: 400, Kind: "mapper_parsing_exception", Reason: "Preview of field's value: 'secret'"}}, len(list)), nil
		}
		core, logs := observer.New(zap.InfoLevel)
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i", TypeName: "log", Logger: zap.New(core)}, s)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			in := input(plain("s", 5))
			in.Logger = zap.New(core)
			if err := x.Open(in).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		count := map[string]int{}
		for _, e := range logs.All() {
			count[e.Message]++
			if strings.Contains(fmt.Sprint(e), "secret") {
				t.Errorf("%v", e)
			}
		}
		const types = "Types are deprecated in Elasticsearch version 7+ and all OpenSearch versions. TypeName must be empty. It is left out."
		if count["no answer yet"] != 1 || count[types] != 1 || count["documents failed for good, they go to the error output"] != 2 || count["succeeded after failures"] != 0 {
			t.Errorf("%v", count)
		}
		if n := count["documents were refused, will be repeated"]; n < 6 || n > 12 {
			t.Errorf("told %d times of refusals in ten minutes", n)
		}
	})
}
