package kcl_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

// sized is a stream of shards without end, whose pages take what is said of each
// shard, in one record. It tells of each call.
type sized struct {
	*kcltest.Stream

	takes func(shardID string, page int) int64

	mu     sync.Mutex // guards what follows
	calls  map[string][]call
	opened int
}

// call is one of Next.
type call struct {
	at   time.Duration
	room int64
	err  string        // of Grow
	took time.Duration // to be given room
}

func newSized(shards int, takes func(shardID string, page int) int64) *sized {
	return &sized{Stream: kcltest.NewStream(shards), takes: takes, calls: map[string][]call{}}
}

func (s *sized) of(shard int) []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls[s.Shard(shard).ID])
}

func (s *sized) Open(shardID string, _ checkpoint.Position) kcl.ShardReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	return &sizedReader{s: s, shardID: shardID, begun: time.Now()}
}

type sizedReader struct {
	s       *sized
	shardID string
	begun   time.Time
	page    int
}

func (r *sizedReader) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	asked := time.Now()
	takes := r.s.takes(r.shardID, r.page)
	err := room.Grow(ctx, takes)
	c := call{at: asked.Sub(r.begun), room: room.Bytes, took: time.Since(asked)}
	if err != nil {
		c.err = err.Error()
		err = fmt.Errorf("reading %s: %w", r.shardID, err)
	}
	r.s.mu.Lock()
	r.s.calls[r.shardID] = append(r.s.calls[r.shardID], c)
	r.s.mu.Unlock()
	if err != nil {
		return kcl.Page{}, err
	}
	r.page++
	return kcl.Page{Memory: takes, At: time.Now(), BehindLatest: time.Minute, Records: []kcl.Record{{
		SequenceNumber: strconv.Itoa(1_000_000 + r.page), Data: []byte("x"), ApproximateArrivalTimestamp: time.Now(),
	}}}, nil
}

func (*sizedReader) Close() {}

// taking is processors that take so long for each call.
func taking(d func(shardID string) time.Duration) kcl.ProcessorFactory {
	return kcl.Handle(func(ctx context.Context, i kcl.ShardInfo, _ []kcl.Record) error {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(d(i.ShardID)):
			return nil
		}
	})
}

const mib = 1 << 20

func TestRoomOfACall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		shards         int
		maxBytes, want int64
	}{
		{1, 256 * mib, 8 * mib},
		{4, 64 * mib, 7 * mib},
		{4, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSized(tt.shards, func(string, int) int64 { return 1000 })
			cfg := config(s, new(lease.Mem), "me")
			cfg.MaxBytes = tt.maxBytes
			between := 30*time.Second + 500*time.Millisecond // two calls: one at the end may find that other shards are gone
			if err := run(t, between, cfg, taking(func(string) time.Duration { return time.Second })); err != nil {
				t.Error(err)
			}
			for i := range tt.shards {
				if calls := s.of(i); len(calls) < 3 || calls[len(calls)-1].room != tt.want {
					t.Errorf("%d bytes, shard %d of %d: %v, want a room of %d", tt.maxBytes, i, tt.shards, calls, tt.want)
				}
			}
		})
	}
}

// An answer waits for memory for a while, twice at most; then its size is reserved
// before the next call. It is no failure, and that a shard stands still is told.
func TestAnAnswerWithoutRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSized(2, func(string, int) int64 { return 100 * mib })
		core, logs := observer.New(zap.InfoLevel)
		cfg := config(s, new(lease.Mem), "me")
		cfg.MaxBytes, cfg.Logger, cfg.ShutdownTimeout = 64*mib, zap.New(core), time.Hour
		w, err := kcl.New(cfg, taking(func(string) time.Duration { return 10 * time.Minute }))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(5 * time.Minute)
		waits, silent := 0, ""
		for _, l := range w.Snapshot().Loops {
			if l.Doing == "waiting for memory" {
				waits++
				silent = fmt.Sprint(l.Loop, l.Limit)
			}
		}
		if waits != 2 || silent != "shard0s" { // one waits for its own page to be processed
			t.Errorf("%d shards wait for memory, the last one with %s", waits, silent)
		}
		for _, st := range w.Snapshot().Shards {
			if st.LastError != "" {
				t.Errorf("%s: %s", st.ShardID, st.LastError)
			}
		}
		if used := w.Snapshot().BytesInUse; used/mib != 100 {
			t.Errorf("%d bytes in use", used)
		}
		time.Sleep(8 * time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		first, second := s.of(0), s.of(1)
		if len(first) > len(second) {
			first, second = second, first
		}
		if len(first) != 1 || first[0].err != "" || len(second) != 3 {
			t.Fatalf("calls for the one shard %v, for the other %v", first, second)
		}
		no := "no memory for a page of 104857600 bytes now: that of Config.MaxBytes is in use"
		for i, want := range []call{{err: no, took: 8 * time.Second}, {err: no, took: 8 * time.Second}, {}} {
			if got := second[i]; got.err != want.err || got.took != want.took {
				t.Errorf("call %d: %+v, want %+v", i, got, want)
			}
		}
		if at := second[2].at; at < 9*time.Minute || at > 11*time.Minute {
			t.Errorf("the third call was made after %v", at)
		}
		if n := logs.FilterMessageSnippet("not read").FilterField(zap.Int64("max_bytes", 64*mib)).Len(); n < 9 || n > 13 {
			t.Errorf("told %d times in thirteen minutes that a shard is not read", n)
		}
		if n := logs.FilterMessage("shard not read").Len(); n != 0 {
			t.Errorf("told %d times that a read failed", n)
		}
	})
}

// refused is a stream whose service refuses one shard, after its first page, for as
// long as the test lasts.
type refused struct {
	*sized

	shardID string
}

func (s refused) Open(shardID string, at checkpoint.Position) kcl.ShardReader {
	r := s.sized.Open(shardID, at)
	if shardID != s.shardID {
		return r
	}
	return &refusedReader{ShardReader: r}
}

type refusedReader struct {
	kcl.ShardReader

	pages int
}

func (r *refusedReader) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	for r.pages++; r.pages > 1; {
		if err := pause.For(ctx, time.Second); err != nil {
			return kcl.Page{}, err
		}
		deadline.Beat(ctx)
	}
	return r.ShardReader.Next(ctx, room)
}

// A shard whose answers do not come does not keep from others what was reserved for
// them, large as its last page was.
func TestWhatDoesNotComeTakesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := refused{sized: newSized(3, func(string, int) int64 { return 10 * mib })}
		s.shardID = s.Shard(1).ID
		cfg := config(s, new(lease.Mem), "me")
		cfg.MaxBytes = mib
		if err := run(t, time.Hour, cfg, taking(func(string) time.Duration { return time.Second })); err != nil {
			t.Error(err)
		}
		if a, b := len(s.of(0)), len(s.of(2)); a < 1000 || b < 1000 || len(s.of(1)) != 1 {
			t.Errorf("%d and %d calls for the others in an hour", a, b)
		}
	})
}

// Once a page had room the next one that has none is a first one again: the reader
// is to ask for less, at once.
func TestAnotherAnswerWithoutRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := ""
		calls := 0
		s := newSized(2, func(shardID string, _ int) int64 {
			if stuck == "" {
				stuck = shardID // no other is asked for at the same time: it takes all at once
			}
			if shardID == stuck {
				return 100 * mib
			}
			if calls++; calls%2 == 1 {
				return 100 * mib
			}
			return mib // it has learnt
		})
		cfg := config(s, new(lease.Mem), "me")
		cfg.MaxBytes, cfg.ShutdownTimeout = 64*mib, time.Hour
		if err := run(t, 5*time.Minute, cfg, taking(func(shardID string) time.Duration {
			if shardID == stuck {
				return 10 * time.Minute
			}
			return time.Second
		})); err != nil {
			t.Error(err)
		}
		if calls < 40 {
			t.Errorf("%d calls in five minutes", calls)
		}
	})
}

// What is in use is what the page takes and what is built of it, nothing for an empty page
// ahead, and while one is awaited, what is reserved for it.
func TestWhatAPageTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kcltest.NewStream(1)
		s.Poll = time.Hour
		s.Put(0, "x")
		cfg := config(s, new(lease.Mem), "me")
		w, err := kcl.New(cfg, taking(func(string) time.Duration { return time.Minute }))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		for _, want := range []int64{129 + 128, 16 << 10} {
			time.Sleep(30 * time.Second)
			if used := w.Snapshot().BytesInUse; used != want {
				t.Errorf("%d bytes in use, want %d", used, want)
			}
			time.Sleep(31 * time.Second)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What a call takes long for is no reason to cut reading off: the page that was read
// ahead is there when it ends, and nothing is read twice, or reported.
func TestPeer82LongCallsDoNotCutReadingOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSized(3, func(string, int) int64 { return mib })
		core, logs := observer.New(zap.WarnLevel)
		cfg := config(s, new(lease.Mem), "me")
		cfg.MaxBytes, cfg.Logger, cfg.WarnAfter, cfg.ShutdownTimeout = 16*mib, zap.New(core), time.Hour, time.Hour
		var mu sync.Mutex
		next := map[string]int{}
		err := run(t, 5*time.Hour, cfg, func(i kcl.ShardInfo) kcl.RecordProcessor {
			return process(func(in kcl.ProcessRecordsInput) error {
				time.Sleep(40 * time.Minute)
				mu.Lock()
				defer mu.Unlock()
				for _, r := range in.Records {
					next[i.ShardID]++
					if want := strconv.Itoa(1_000_000 + next[i.ShardID]); r.SequenceNumber != want {
						t.Errorf("%s: record %s came, want %s", i.ShardID, r.SequenceNumber, want)
					}
				}
				return nil
			})
		})
		for i := range 3 {
			if n := next[s.Shard(i).ID]; n < 7 || len(s.of(i)) > n+2 {
				t.Errorf("shard %d: %d records in five hours, %d reads", i, n, len(s.of(i)))
			}
		}
		if err != nil || logs.FilterMessageSnippet("not read").Len() > 0 {
			t.Errorf("%v; %v", err, logs.All())
		}
	})
}

// Processors that accept nothing for long cost neither leases nor memory: each shard
// has one reader, which waits.
func TestPeer43BackPressureKeepsLeasesAndMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const shards = 64
		s, table := newSized(shards, func(string, int) int64 { return 5 * mib }), new(lease.Mem)
		cfg := config(s, table, "me")
		cfg.MaxBytes, cfg.ShutdownTimeout = 64*mib, 2*time.Hour
		w, err := kcl.New(cfg, taking(func(string) time.Duration { return time.Hour }))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		for minute := range 30 {
			time.Sleep(time.Minute)
			if used := w.Snapshot().BytesInUse; used > cfg.MaxBytes+5*mib {
				t.Fatalf("%d bytes in use after %d minutes", used, minute)
			}
		}
		for i := range shards {
			if l := row(t, table, i); l.Owner != "me" {
				t.Errorf("lease of shard %d: %+v", i, l)
			}
		}
		if held := len(w.Snapshot().Shards); held != shards || s.opened != shards {
			t.Errorf("%d leases are held, %d readers were opened", held, s.opened)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// With little memory, little is built of aggregated records at once.
func TestAggregatesInLittleMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := kpl.Aggregator{MaxBytes: 1 << 30}
		for range 10_000 {
			a.Add(kpl.UserRecord{PartitionKey: "k"})
		}
		data := string(a.Append(nil))
		for _, tt := range []struct {
			maxBytes int64
			want     int // user records of the largest call
		}{{64 * mib, 10_000}, {mib, 2048}, {1, 100}} {
			s := kcltest.NewStream(1)
			s.Put(0, data)
			cfg := config(s, new(lease.Mem), "me")
			cfg.MaxBytes = tt.maxBytes
			got, most := 0, 0
			if err := run(t, 20*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
				return process(func(in kcl.ProcessRecordsInput) error {
					got += len(in.Records)
					most = max(most, len(in.Records))
					return nil
				})
			}); err != nil {
				t.Error(err)
			}
			if got != 10_000 || most > max(tt.want, int(tt.maxBytes/128)) || most < tt.want {
				t.Errorf("MaxBytes %d: %d user records in calls of up to %d, want %d", tt.maxBytes, got, most, tt.want)
			}
		}
	})
}
