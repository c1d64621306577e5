package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

// The words' first letters are their partition keys. "w!" is a call that failed.
func TestHandleEach(t *testing.T) {
	t.Parallel()
	errBad := errors.New("bad")
	// times returns what fails with a word for so many times.
	times := func(fails map[string]int, how func() error) func(string) error {
		return func(word string) error {
			if fails[word]--; fails[word] >= 0 {
				return how()
			}
			return nil
		}
	}
	bad := func() error { return errBad }
	for _, tt := range []struct {
		name  string
		words string
		fail  func() func(word string) error
		none  bool                        // there is no DeadLetter
		fault func(op string, n int) bool // the table fails with call n of op
		limit time.Duration               // of a call
		run   time.Duration
		want  string
		at    string // the word at the checkpoint
	}{
		{
			name: "none fails", words: "a1 b1 a2", fail: func() func(string) error { return times(map[string]int{}, bad) },
			want: "a1 b1 a2", at: "a2",
		},
		{
			name: "others go on, and those of its key wait", words: "b0 a1 b1 a2 b2 a3",
			fail: func() func(string) error { return times(map[string]int{"a1": 2}, bad) },
			want: "b0 a1! b1 b2 a1! a1 a2 a3", at: "a3",
		},
		{
			name: "it is dead-lettered alone", words: "a1 b1 a2 b2 a3",
			fail: func() func(string) error { return times(map[string]int{"a1": 99}, bad) },
			want: "a1! b1 b2 a1! a1! a1! dead:a1 a2 a3", at: "a3",
		},
		{
			name: "the last is", words: "a1 b1",
			fail: func() func(string) error { return times(map[string]int{"b1": 99}, bad) },
			want: "a1 b1! b1! b1! b1! dead:b1", at: "b1",
		},
		{
			name: "each of a key is", words: "a1 b1 a2 b2",
			fail: func() func(string) error {
				return times(map[string]int{"a1": 1, "a2": 1}, func() error { return kcl.GiveUp(errBad) })
			},
			want: "a1! b1 b2 dead:a1 a2! dead:a2", at: "b2",
		},
		{
			name: "it panics", words: "a1 b1 a2 b2",
			fail: func() func(string) error { return times(map[string]int{"a1": 99}, func() error { panic(errBad) }) },
			want: "a1! b1 b2 a1! a1! a1! dead:a1 a2", at: "b2",
		},
		{
			name: "two are behind: nothing more is tried", words: "a1 b1 c1 a2 b2",
			fail: func() func(string) error { return times(map[string]int{"a1": 2, "b1": 2}, bad) },
			want: "a1! b1! a1! a1 b1! c1 a2 b1 b2", at: "b2",
		},
		{
			name: "all fail for a while", words: "a1 b1 c1 d1",
			fail: func() func(string) error {
				return times(map[string]int{"a1": 2, "b1": 2, "c1": 2, "d1": 2}, bad)
			},
			want: "a1! b1! a1! a1 b1! c1! b1 c1! d1! c1 d1! d1", at: "d1",
		},
		{
			name: "nobody takes it: the next holder begins at it", words: "b0 a1 b1 a2", none: true,
			fail: func() func(string) error { return times(map[string]int{"a1": 5}, bad) }, run: time.Minute,
			want: "b0 a1! b1 a1! a1! a1! a1! b1 a1 a2", at: "a2",
		},
		{
			name: "what was taken is not taken again when a checkpoint fails", words: "a1 b1 a2",
			fail:  func() func(string) error { return times(map[string]int{}, bad) },
			fault: func(op string, n int) bool { return op == "checkpoint" && n <= 3 },
			limit: 100 * time.Millisecond, // so that the call fails, and not only a try
			want:  "a1 b1 a2", at: "a2",
		},
		{
			name: "nor when that before it fails", words: "b0 a1 b1 a2",
			fail:  func() func(string) error { return times(map[string]int{"a1": 1}, bad) },
			fault: func(op string, n int) bool { return op == "checkpoint" && n <= 3 },
			limit: 100 * time.Millisecond,
			want:  "b0 a1! b1 a1 a2", at: "a2",
		},
		{
			name: "a call that ends its goroutine fails with all", words: "b0 a1 b1",
			fail: func() func(string) error {
				return times(map[string]int{"a1": 1}, func() error { runtime.Goexit(); return nil })
			},
			want: "b0 a1! b0 a1 b1", at: "b1",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
				s.Page = 10
				for w := range strings.FieldsSeq(tt.words) {
					s.PutAs(0, w[:1], w)
				}
				calls := make(map[string]int)
				table.Fault = func(_ context.Context, op, _ string, applied bool) error {
					if applied || tt.fault == nil {
						return nil
					}
					if calls[op]++; tt.fault(op, calls[op]) {
						return errors.New("no answer")
					}
					return nil
				}
				cfg := config(s, table, "me")
				cfg.CallTimeout = tt.limit
				if !tt.none {
					cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
						if !errors.Is(in.Err, errBad) {
							t.Errorf("dead letter has the error %v", in.Err)
						}
						j.note("dead:%s", wordsOf(in.Records))
						return nil
					}
				}
				fail := tt.fail()
				d := tt.run
				if d == 0 {
					d = 20 * time.Second
				}
				if err := run(t, d, cfg, kcl.HandleEach(func(_ context.Context, shard kcl.ShardInfo, r kcl.Record) error {
					if shard.ShardID != s.Shard(0).ID {
						t.Errorf("called for %q", shard.ShardID)
					}
					ok := false
					defer func() { j.note("%s%s", r.Data, map[bool]string{false: "!"}[ok]) }()
					err := fail(string(r.Data))
					ok = err == nil
					return err
				})); err != nil {
					t.Errorf("Run = %v", err)
				}
				if got := j.String(); got != tt.want {
					t.Errorf("calls\n got %s\nwant %s", got, tt.want)
				}
				for _, r := range s.Records(0) {
					if at := row(t, table, 0).Checkpoint; string(r.Data) == tt.at && at.Compare(r.Position().ExtendedSequenceNumber) != 0 {
						t.Errorf("checkpoint %v, want that of %s", at, tt.at)
					}
				}
			})
		})
	}
}

// Whatever fails, however often: each record is taken or dead-lettered once, those
// of one key are taken in order, and no checkpoint passes one that is neither.
func TestHandleEachInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { anyOrder(t, chance(seed, 1)) })
		})
	}
}

// chance returns chance that goroutines may share: a checkpoint whose outcome is
// unknown is settled on another one than the processor's.
func chance(seed, what uint64) *rand.Rand {
	return rand.New(&lockedSource{src: rand.NewPCG(seed, what)})
}

type lockedSource struct {
	mu  sync.Mutex // guards src
	src rand.Source
}

// Uint64 implements rand.Source.
func (l *lockedSource) Uint64() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.src.Uint64()
}

func anyOrder(t *testing.T, rng *rand.Rand) {
	t.Helper()
	s, table := kcltest.NewStream(1), new(lease.Mem)
	s.Page = 1 + rng.IntN(12)
	fails := make(map[string]int) // how often each word fails; less than none: with GiveUp
	var put []checkpoint.ExtendedSequenceNumber
	note := func(users int64) {
		recs := s.Records(0)
		for sub := range users {
			put = append(put, checkpoint.At(recs[len(recs)-1].SequenceNumber, sub, time.Time{}).ExtendedSequenceNumber)
		}
	}
	for i := range 40 {
		word := fmt.Sprintf("%c%d", 'a'+rng.IntN(4), i)
		switch p := rng.IntN(20); {
		case p < 5:
			fails[word] = 1 + rng.IntN(3)
		case p == 5:
			fails[word] = 99
		case p == 6:
			fails[word] = -1
		}
		if rng.IntN(4) > 0 {
			s.PutAs(0, word[:1], word)
			note(1)
			continue
		}
		var packed kpl.Aggregator
		for _, w := range []string{word, "b" + word, word + "'"} {
			packed.Add(kpl.UserRecord{PartitionKey: w[:1], Data: []byte(w)})
		}
		s.Put(0, string(packed.Append(nil)))
		note(3)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Hour)
	defer stop()
	settled := make(map[checkpoint.ExtendedSequenceNumber]string)
	last := make(map[string]checkpoint.ExtendedSequenceNumber)
	var done atomic.Bool // all are settled
	settle := func(r kcl.Record, how string) {
		at := r.Position().ExtendedSequenceNumber
		if was := settled[at]; was != "" {
			t.Errorf("%s is %s, and was %s", r.Data, how, was)
		}
		if settled[at] = how; len(settled) == len(put) {
			done.Store(true)
			time.AfterFunc(time.Minute, stop)
		}
	}
	table.Fault = func(_ context.Context, op, _ string, _ bool) error {
		if op == "checkpoint" && !done.Load() && rng.IntN(5) == 0 {
			return errors.New("no answer")
		}
		return nil
	}
	cfg := config(s, table, "me")
	cfg.MaxAttempts = 20
	cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
		for _, r := range in.Records {
			settle(r, "dead")
		}
		return nil
	}
	cfg.Hooks.Checkpointed = func(e kcl.CheckpointEvent) {
		for _, at := range put {
			if e.Checkpoint.Compare(at) >= 0 && settled[at] == "" {
				t.Errorf("checkpoint %v passes %s, which is not settled", e.Checkpoint, at)
			}
		}
	}
	taken := 0
	w, err := kcl.New(cfg, kcl.HandleEach(func(_ context.Context, _ kcl.ShardInfo, r kcl.Record) error {
		word, at := string(r.Data), r.Position().ExtendedSequenceNumber
		if n := fails[word]; n < 0 {
			return kcl.GiveUp(errors.New("bad"))
		} else if n > 0 {
			if fails[word]--; n%2 == 0 {
				panic("bad")
			}
			return errors.New("bad")
		}
		if before := last[r.PartitionKey]; before.Compare(at) > 0 {
			t.Errorf("%s comes after %v", word, before)
		}
		last[r.PartitionKey] = at
		settle(r, "taken")
		taken++
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
	end := put[len(put)-1]
	if at := row(t, table, 0).Checkpoint; at.ExtendedSequenceNumber != end {
		t.Errorf("checkpoint %v, want that of the last record, %v", at, end)
	}
	if len(settled) != len(put) || taken == 0 {
		t.Errorf("%d settled, of them %d taken; want %d", len(settled), taken, len(put))
	}
}

// Who stops while a record is behind does not wait for what comes after it.
func TestStopWhileARecordIsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.PutAs(0, "a", "a1", "a2")
		ctx, stop := context.WithCancel(t.Context())
		log, lines := logged()
		cfg := config(s, table, "me")
		cfg.Logger = log
		w, err := kcl.New(cfg, kcl.HandleEach(func(_ context.Context, _ kcl.ShardInfo, r kcl.Record) error {
			j.note("%s", r.Data)
			if j.count("a1") == 1 {
				panic("bad")
			}
			stop()
			time.Sleep(time.Millisecond) // until the worker knows
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
		if got := j.String(); got != "a1 a1" {
			t.Errorf("calls %s, want a1 a1", got)
		}
		if at, want := row(t, table, 0).Checkpoint, s.Records(0)[0].Position(); at.Compare(want.ExtendedSequenceNumber) != 0 {
			t.Errorf("checkpoint %v, want %v", at, want)
		}
		told := lines.FilterMessage("processor failed; the records are processed again").All()
		if len(told) != 1 || !strings.Contains(fmt.Sprintf("%s", told[0].ContextMap()["stack"]), "each_test.go") {
			t.Errorf("told %v, want one line with the stack of the panic", told)
		}
	})
}

// What was dead-lettered last is checkpointed at the end, or it would be again.
func TestHandleCheckpointsAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table := kcltest.NewStream(1), new(lease.Mem)
		s.Put(0, "a", "b")
		cfg, dead := config(s, table, "me"), 0
		cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
			dead += len(in.Records)
			return nil
		}
		for range 2 {
			if err := run(t, 10*time.Second, cfg, kcl.Handle(func(context.Context, kcl.ShardInfo, []kcl.Record) error {
				return kcl.GiveUp(errors.New("bad"))
			})); err != nil {
				t.Errorf("Run = %v", err)
			}
		}
		if want := s.Records(0)[1].Position(); dead != 2 || row(t, table, 0).Checkpoint.Compare(want.ExtendedSequenceNumber) != 0 {
			t.Errorf("%d records dead-lettered, and the checkpoint is %v; want 2 and %v", dead, row(t, table, 0).Checkpoint, want)
		}
	})
}
