package esarchive_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// world is shards that deliver to a server by one Index.
type world struct {
	cfg    esarchive.Config
	cuts   []cut
	ends   [][]time.Duration // of calls of Run, by shard
	denies []int             // the nth question whether the shard may go on
	seed   uint64
	health float64
	noIDs  bool
	nasty  bool // a hook panics at times
}

func drawWorld(t *rapid.T) world {
	w := world{seed: rapid.Uint64().Draw(t, "seed"), health: rapid.Float64Range(0, 1).Draw(t, "health"), nasty: rapid.Bool().Draw(t, "nasty")}
	retry := time.Duration(rapid.SampledFrom([]int{0, 1, 30, 300}).Draw(t, "retry")) * time.Second
	w.cfg = esarchive.Config{
		IndexName: "i", IndexRotationPeriod: rapid.SampledFrom([]esarchive.IndexRotationPeriod{esarchive.NoRotation, esarchive.OneHour, esarchive.OneDay}).Draw(t, "rotation"),
		RetryDuration: &retry, FastFail: rapid.Bool().Draw(t, "fast"), PauseWhenDown: rapid.Bool().Draw(t, "pause"),
		Parallel: rapid.IntRange(1, 4).Draw(t, "parallel"), MaxRequestBytes: 64 << 10, MaxInFlightBytes: 100 << 10,
		Operation: rapid.SampledFrom([]esarchive.Operation{esarchive.OpIndex, esarchive.OpCreate}).Draw(t, "operation"),
	}
	switch rapid.IntRange(0, 4).Draw(t, "ids") {
	case 0:
		w.cfg.IDs.None = true
	case 1:
		w.cfg.IDs.Field = "id"
		if w.cfg.Operation == esarchive.OpIndex {
			w.cfg.IDs.VersionField = "v"
		}
	case 2:
		w.noIDs, w.cfg.Service, w.cfg.IndexRotationPeriod = true, esarchive.Serverless, ""
	default:
		w.cfg.IDs.Prefix = rapid.Bool().Draw(t, "prefix")
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "shards") {
		w.cuts = append(w.cuts, drawCut(t, string(rune('a'+i))))
		w.ends = append(w.ends, rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 60_000).Draw(t, "ms")) * time.Millisecond
		}), 0, 4).Draw(t, "ends"))
		w.denies = append(w.denies, rapid.IntRange(1, 30).Draw(t, "denied"))
	}
	return w
}

// drawCut draws documents, of which some cannot be sent, some are never taken, and some
// have an id in common.
func drawCut(t *rapid.T, shard string) cut {
	sizes := rapid.SliceOfN(rapid.SampledFrom([]int{0, 100, 3000, 30_000, 70_000}), 0, 40).Draw(t, "sizes")
	c := make(cut, len(sizes))
	for i, size := range sizes {
		place := fmt.Sprintf("%s%04d.0", shard, i)
		kind := rapid.SampledFrom([]string{"good", "good", "good", "good", "bad", "none"}).Draw(t, "kind")
		id := rapid.IntRange(0, 8).Draw(t, "id")
		c[i] = part{place, fmt.Sprintf(`{"n":%q,"kind":%q,"id":"%s%d","v":%d,"pad":%q}`, place, kind, shard, id, rapid.IntRange(0, 9).Draw(t, "v"), strings.Repeat("x", size)), arrivedAt().Add(time.Duration(i) * 7 * time.Minute)}
		if kind == "none" {
			c[i].data = strings.TrimSuffix(c[i].data, "}")
		}
	}
	return c
}

func TestLoopProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		var faults []string
		synctest.Test(t, func(t *testing.T) { faults = w.play(t) })
		if len(faults) > 0 {
			rt.Fatalf("%s\nRetryDuration %v, %+v", strings.Join(faults[:min(len(faults), 10)], "\n"), *w.cfg.RetryDuration, w.cfg)
		}
	})
}

// play delivers all, and returns what is wrong.
func (w *world) play(t *testing.T) []string {
	t.Helper()
	s := newModel(w.seed, w.health)
	s.noIDs, s.nasty, s.parallel, s.most, s.request = w.noIDs, w.nasty, w.cfg.Parallel, w.cfg.MaxInFlightBytes, w.cfg.MaxRequestBytes
	index, err := esarchive.NewWith(w.cfg, s)
	if err != nil {
		return []string{err.Error()}
	}
	began := time.Now()
	var shards sync.WaitGroup
	outcomes := make([]processors.IndexOutcome, len(w.cuts))
	for i := range w.cuts {
		shards.Go(func() { outcomes[i] = w.deliver(t.Context(), s, index, i) })
	}
	shards.Wait()
	for i, c := range w.cuts {
		s.judge(w, began, c, outcomes[i])
	}
	for id, list := range s.order {
		if w.isOrdered() && !sortedUnique(list) {
			s.fault("id %s was sent as %v", id, list)
		}
	}
	if n := index.Used(); n != 0 {
		s.fault("%d bytes are in use at the end", n)
	}
	return s.wrong
}

// deliver calls Run until it has done its work.
func (w *world) deliver(ctx context.Context, s *model, index *esarchive.Index, shard int) processors.IndexOutcome {
	ctx = pause.WithChance(ctx, func(string) float64 { return float64(w.seed%1000) / 1000 })
	denied := errors.New("denied")
	asked := 0
	var mu sync.Mutex
	told := 0
	in := processors.IndexInput{
		ShardID: strconv.Itoa(shard), Stream: "stream", Documents: w.cuts[shard],
		MayGoOn: func() error {
			if asked++; asked == w.denies[shard] {
				return denied
			}
			return nil
		},
		Tried: func(e processors.BulkEvent) {
			mu.Lock()
			defer mu.Unlock()
			told++
			if e.Documents == 0 || e.Indexed+e.Failed > e.Documents || e.Err != nil && e.Indexed > 0 {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.fault("event %+v", e)
			}
			if w.nasty && told%7 == 3 {
				panic("on purpose")
			}
		},
	}
	x := index.Open(in)
	for i := 0; ; i++ {
		running, end := context.WithCancel(ctx)
		if i < len(w.ends[shard]) {
			time.AfterFunc(w.ends[shard][i], end)
		}
		alive, call := deadline.Start(running, 1500*time.Millisecond)
		err := x.Run(alive)
		cause := context.Cause(alive)
		call.End()
		end()
		s.mu.Lock()
		if n := len(s.flying[w.cuts[shard].name()]); n != 0 {
			s.fault("%d requests are under way when Run has returned", n)
		}
		late, isLate := errors.AsType[*deadline.Error](cause)
		switch {
		case isLate:
			s.fault("no sign of life: %v", late)
		case err != nil && !errors.Is(err, denied) && !errors.Is(err, context.Canceled):
			s.fault("Run: %v", err)
		}
		s.mu.Unlock()
		if err == nil || isLate {
			return x.Outcome()
		}
	}
}

// isOrdered reports whether documents of one id are sent in their order.
func (w *world) isOrdered() bool { return w.cfg.IDs.Field != "" && w.cfg.IDs.VersionField == "" }

// firstOf is when a document with an id was first sent.
func (s *model) firstOf(id string) time.Time { return s.tries[s.order[id][0]][0].began }

func (c cut) name() string {
	if len(c) == 0 {
		return ""
	}
	return c[0].place[:1]
}

// judge compares what is told of a cut with what the server has seen.
func (s *model) judge(w *world, began time.Time, c cut, o processors.IndexOutcome) {
	if o.Indexed+o.Superseded+int64(len(o.Failed)) != int64(len(c)) {
		s.fault("%d indexed, %d superseded and %d failed of %d", o.Indexed, o.Superseded, len(o.Failed), len(c))
	}
	failed := map[int]processors.DocumentFailure{}
	for i, f := range o.Failed {
		if i > 0 && o.Failed[i-1].Document >= f.Document {
			s.fault("failures are not in order")
		}
		failed[f.Document] = f
	}
	for i, d := range c {
		f, isFailed := failed[i]
		s.judgeOne(w, began, d, f, isFailed)
	}
}

func (s *model) judgeOne(w *world, began time.Time, d part, f processors.DocumentFailure, isFailed bool) {
	tries := s.tries[d.place]
	isNone := !strings.HasSuffix(d.data, "}")
	switch {
	case isNone && (len(tries) > 0 || !isFailed || f.Code != "OS.MalformedData" || f.Attempts != 0):
		s.fault("%s is malformed: %d tries, %+v", d.place, len(tries), f)
	case isNone:
		return
	case len(tries) == 0:
		s.fault("%s was never sent", d.place)
		return
	case !isFailed && !s.has(w, d):
		s.fault("%s is said to be in the index, and is not", d.place)
	}
	s.judgeTimes(w, began, d.place, tries, f, isFailed)
}

// has reports whether the index has a document, or a later version of it.
func (s *model) has(w *world, d part) bool {
	if w.cfg.IDs.VersionField == "" {
		return s.effects[d.place] > 0
	}
	doc, _ := parse([]byte(`{"index":{}}` + "\n" + d.data + "\n"))
	version := int64(doc[0].Source[strings.Index(d.data, `"v":`)+4] - '0')
	for key, have := range s.index {
		if strings.HasSuffix(key, "/"+d.data[strings.Index(d.data, `"id":"`)+6:][:2]) && have.version >= version {
			return true
		}
	}
	return false
}

// judgeTimes checks that a document was tried while its time lasted, and not longer.
func (s *model) judgeTimes(w *world, began time.Time, place string, tries []try, f processors.DocumentFailure, isFailed bool) {
	first, retry := tries[0].began, *w.cfg.RetryDuration
	last := tries[len(tries)-1]
	isFast := w.cfg.FastFail && (f.Code == "400" || f.Code == "413") || f.Code == "409"
	if isFailed && !isFast {
		since := first
		switch {
		case tries[0].isHeld:
			since = began // the circuit may have held it back
		case w.isOrdered():
			since = s.firstOf(tries[0].id) // it may have waited for others
		}
		if took := f.Ended.Sub(since); took < retry {
			s.fault("%s failed with %s %v after its first try", place, f.Code, took)
		}
		if !w.cfg.PauseWhenDown && f.Attempts > len(tries) || f.Attempts == 0 {
			s.fault("%s: %d attempts, %d tries", place, f.Attempts, len(tries))
		}
	}
	for i, t := range tries[1:] {
		if late := t.began.Sub(first); late >= max(retry, 1) && !tries[i].free && !w.cfg.PauseWhenDown {
			s.fault("%s was tried again %v after its first try", place, late)
		}
	}
	if last.free && isFailed && !isFast && last.began.Sub(first) < retry && f.Ended.Sub(last.began) < 0 {
		s.fault("%s failed before its last try", place)
	}
}
