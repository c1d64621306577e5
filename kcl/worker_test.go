package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

// journal notes the calls of all processors of a test, in order.
type journal struct {
	mu    sync.Mutex
	calls []string
}

func (j *journal) note(format string, a ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, fmt.Sprintf(format, a...))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.calls, " ")
}

// words returns the records that processors accepted.
func (j *journal) words() []string {
	var out []string
	for f := range strings.FieldsSeq(j.String()) {
		if w, ok := strings.CutPrefix(f, "ok:"); ok {
			out = append(out, w)
		}
	}
	return out
}

// before returns the calls before the first one of a name.
func (j *journal) before(call string) *journal {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.Index(j.calls, call)
	return &journal{calls: slices.Clone(j.calls[:max(0, i)])}
}

// count returns how many calls of a name there were.
func (j *journal) count(call string) (n int) {
	for f := range strings.FieldsSeq(j.String()) {
		if f == call {
			n++
		}
	}
	return n
}

// journals are one for each shard: the calls for one shard have an order, those
// for two of them have none, but that a parent's come before a child's.
type journals struct {
	mu sync.Mutex
	of map[string]*journal
}

func newJournals() *journals { return &journals{of: make(map[string]*journal)} }

// shard returns the journal of a shard.
func (j *journals) shard(id string) *journal {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.of[id] == nil {
		j.of[id] = new(journal)
	}
	return j.of[id]
}

func (j *journals) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, id := range slices.Sorted(maps.Keys(j.of)) {
		out = append(out, j.of[id].String())
	}
	return strings.Join(out, " | ")
}

// recorder is a processor that notes every call and fails as it is told.
type recorder struct {
	j         *journal
	fail      func(call string, attempt int) error // "init", "stop", "end", or a record's data
	keep      bool                                 // does not checkpoint
	keepAfter string                               // nor from this record on
	in        kcl.InitializationInput
}

func (r *recorder) err(call string, attempt int) error {
	if r.fail == nil {
		return nil
	}
	return r.fail(call, attempt)
}

func (r *recorder) Initialize(_ context.Context, in kcl.InitializationInput) error {
	r.in = in
	r.j.note("init")
	return r.err("init", 0)
}

func (r *recorder) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	if len(in.Records) == 0 {
		r.j.note("tick")
		return r.err("tick", in.Attempt)
	}
	for _, rec := range in.Records {
		r.j.note("%s#%d", rec.Data, in.Attempt)
		if err := r.err(string(rec.Data), in.Attempt); err != nil {
			return err
		}
	}
	for _, rec := range in.Records {
		r.keep = r.keep || r.keepAfter != "" && string(rec.Data) == r.keepAfter
	}
	if !r.keep {
		if err := in.Checkpointer.Checkpoint(ctx); err != nil {
			return err
		}
	}
	for _, rec := range in.Records {
		r.j.note("ok:%s", rec.Data)
	}
	return nil
}

func (r *recorder) LeaseLost(context.Context, kcl.LeaseLostInput) { r.j.note("lost") }

func (r *recorder) ShardEnded(ctx context.Context, in kcl.ShardEndedInput) error {
	r.j.note("end#%d", in.Attempt)
	if err := r.err("end", in.Attempt); err != nil {
		return err
	}
	return in.Checkpointer.Checkpoint(ctx)
}

func (r *recorder) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	r.j.note("stop")
	if err := r.err("stop", 0); err != nil {
		return err
	}
	return in.Checkpointer.Checkpoint(ctx)
}

// config is a worker's with short, unequal periods, so that no two things
// happen at the same instant.
func config(s kcl.Source, table lease.Table, id string) kcl.Config {
	return kcl.Config{
		ApplicationName: "app", StreamName: "s", Source: s, Leases: table, WorkerID: id,
		FailoverTime: 10 * time.Second, ScanInterval: 1700 * time.Millisecond, ShardSyncInterval: 31 * time.Second,
		MaxAttempts: 4,
	}
}

// run runs a worker for d and returns its error.
func run(t *testing.T, d time.Duration, cfg kcl.Config, f kcl.ProcessorFactory) error {
	t.Helper()
	w, err := kcl.New(cfg, f)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return w.Run(ctx)
}

func row(t *testing.T, table lease.Table, shard int) lease.Lease {
	t.Helper()
	l, err := table.Get(context.Background(), fmt.Sprintf("shardId-%012d", shard))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	failing := func(call string, below int) func(string, int) error {
		return func(c string, attempt int) error {
			if c == call && attempt < below {
				return boom
			}
			return nil
		}
	}
	tests := []struct {
		name    string
		fail    func(call string, attempt int) error
		split   bool
		steal   time.Duration
		keep    bool
		run     time.Duration
		want    string // the calls, those of each shard by themselves
		at      string // the word of the record at the checkpoint, or a sentinel
		owner   string // of the lease at the end
		letters bool
	}{
		{name: "shutdown releases the lease", want: "init a#1 b#1 c#1 ok:a ok:b ok:c d#1 ok:d stop lost", at: "d"},
		{name: "shutdown asks for a last checkpoint", keep: true, want: "init a#1 b#1 c#1 ok:a ok:b ok:c d#1 ok:d stop lost", at: "d"},
		{name: "shard end", split: true, want: "init a#1 b#1 c#1 ok:a ok:b ok:c d#1 ok:d end#1 | init stop lost | init stop lost", at: checkpoint.ShardEnd},
		{
			name: "an error is retried and nothing is skipped", fail: failing("b", 3),
			want: "init a#1 b#1 a#2 b#2 a#3 b#3 c#3 ok:a ok:b ok:c d#1 ok:d stop lost", at: "d",
		},
		{
			name: "a processor that panicked is replaced",
			fail: func() func(string, int) error {
				n := 0
				return func(c string, _ int) error {
					if n++; c == "b" && n < 4 {
						panic(boom)
					}
					return nil
				}
			}(),
			want: "init a#1 b#1 init a#1 b#1 c#1 ok:a ok:b ok:c d#1 ok:d stop lost", at: "d",
		},
		{
			name: "after enough tries the shard is given up", fail: failing("b", 99), run: 8 * time.Second,
			want: "init a#1 b#1 a#2 b#2 a#3 b#3 a#4 b#4 lost", at: checkpoint.TrimHorizon,
		},
		{
			name: "so it is if every processor panics", run: 8 * time.Second,
			fail: func(c string, _ int) error {
				if c == "b" {
					panic(boom)
				}
				return nil
			},
			want: "init a#1 b#1 init a#1 b#1 init a#1 b#1 init a#1 b#1", at: checkpoint.TrimHorizon,
		},
		{
			name: "or it goes to the dead letters", fail: failing("b", 99), letters: true,
			want: "init a#1 b#1 a#2 b#2 a#3 b#3 a#4 b#4 dead:abc d#1 ok:d stop lost", at: "d",
		},
		{
			name: "or at once if the processor gives up", run: 8 * time.Second,
			fail: func(c string, _ int) error {
				if c == "b" {
					return kcl.GiveUp(boom)
				}
				return nil
			},
			want: "init a#1 b#1 lost", at: checkpoint.TrimHorizon,
		},
		{
			name: "or its use of the checkpointer was a mistake, which the next try would make again", run: 8 * time.Second,
			fail: func(c string, _ int) error {
				if c == "b" {
					return fmt.Errorf("checkpointing: %w", checkpoint.ErrNotProcessed)
				}
				return nil
			},
			want: "init a#1 b#1 lost", at: checkpoint.TrimHorizon,
		},
		{
			name: "a lease that is taken away", steal: 7 * time.Second, run: 12 * time.Second,
			want: "init a#1 b#1 c#1 ok:a ok:b ok:c d#1 ok:d lost", at: "d", owner: "thief",
		},
		{
			name: "a shard end that takes long and is retried", split: true, run: 20 * time.Second,
			fail: func(c string, attempt int) error {
				if c == "end" {
					time.Sleep(3 * time.Second)
				}
				return failing("end", 3)(c, attempt)
			},
			want: "init a#1 b#1 c#1 ok:a ok:b ok:c d#1 ok:d end#1 end#2 end#3 | init stop lost | init stop lost", at: checkpoint.ShardEnd,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j := kcltest.NewStream(1), new(lease.Mem), newJournals()
				s.Put(0, "a", "b", "c", "d")
				recs := s.Records(0)
				if tt.split {
					s.Split(0)
				}
				cfg := config(s, table, "me")
				if tt.letters {
					cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
						var word []byte
						for _, r := range in.Records {
							word = append(word, r.Data...)
						}
						j.shard(in.Shard.ShardID).note("dead:%s", word)
						return nil
					}
				}
				if tt.steal > 0 {
					time.AfterFunc(tt.steal, func() {
						if _, err := table.Take(context.Background(), row(t, table, 0), lease.Claim{Owner: "thief", Instance: "thief-1"}); err != nil {
							t.Error(err)
						}
					})
				}
				d := tt.run
				if d == 0 {
					d = 15 * time.Second
				}
				if err := run(t, d, cfg, func(shard kcl.ShardInfo) kcl.RecordProcessor {
					if at := row(t, table, 0).Checkpoint; shard.ShardID != s.Shard(0).ID && !at.IsShardEnd() {
						t.Errorf("%s began before its parent ended, at %v", shard.ShardID, at)
					}
					return &recorder{j: j.shard(shard.ShardID), fail: tt.fail, keep: tt.keep}
				}); err != nil {
					t.Errorf("Run = %v", err)
				}
				if got := j.String(); got != tt.want {
					t.Errorf("calls\n got %s\nwant %s", got, tt.want)
				}
				l := row(t, table, 0)
				at := l.Checkpoint.SequenceNumber
				for _, r := range recs {
					if r.SequenceNumber == at {
						at = string(r.Data)
					}
				}
				if at != tt.at || l.Owner != tt.owner {
					t.Errorf("checkpoint %s, owner %q; want %s, %q", at, l.Owner, tt.at, tt.owner)
				}
			})
		})
	}
}

// A shutdown while a batch fails must not checkpoint the batch, although the
// processor checkpoints "everything delivered" when it is asked to stop.
func TestShutdownDoesNotCheckpointAFailedBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Put(0, "a", "b", "c", "d", "e")
		cfg := config(s, table, "me")
		cfg.MaxAttempts = 1000
		err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			return &recorder{j: j, keep: true, fail: func(c string, _ int) error {
				if c == "e" {
					return errors.New("boom")
				}
				return nil
			}}
		})
		if err != nil {
			t.Errorf("Run = %v", err)
		}
		if got := j.String(); !strings.HasSuffix(got, "stop lost") || !strings.Contains(got, "e#3") {
			t.Errorf("calls: %s", got)
		}
		if got, want := row(t, table, 0).Checkpoint.SequenceNumber, s.Records(0)[2].SequenceNumber; got != want {
			t.Errorf("checkpoint %s, want %s: that of c", got, want)
		}
	})
}

// Two workers share the shards of a stream through splits and merges while
// records come in: each record is processed once, in the order of its shard,
// and parents before children.
func TestTwoWorkersThroughReshards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(4), new(lease.Mem), new(journal)
		ctx, cancel := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		for i := range 2 {
			w, err := kcl.New(config(s, table, fmt.Sprintf("worker-%d", i)), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} })
			if err != nil {
				t.Fatal(err)
			}
			workers.Go(func() {
				time.Sleep(time.Duration(i) * 13 * time.Second)
				if err := w.Run(ctx); err != nil {
					t.Errorf("Run = %v", err)
				}
			})
		}
		n := 0
		put := func(shards ...int) {
			for range 40 {
				for _, sh := range shards {
					n++
					s.Put(sh, fmt.Sprintf("%d.%d", sh, n))
				}
				time.Sleep(300 * time.Millisecond)
			}
		}
		put(0, 1, 2, 3)
		s.Split(0) // 4, 5
		put(1, 2, 3, 4, 5)
		s.Merge(2, 3) // 6
		put(1, 4, 5, 6)
		s.Merge(5, 1) // 7
		put(4, 6, 7)
		time.Sleep(25 * time.Minute) // finished leases stay for twenty
		cancel()
		workers.Wait()

		checkOrder(t, s, j.words())
		list, _, _ := table.List(context.Background())
		for _, l := range list {
			if l.Owner != "" {
				t.Errorf("%s is still owned by %s", l.Key, l.Owner)
			}
		}
		if len(list) != 3 {
			t.Errorf("%d leases left, want 3: those of finished shards are deleted: %v", len(list), list)
		}
	})
}

// checkOrder checks that words are each of the stream's records once, in the
// order of each shard, parents before children.
func checkOrder(t *testing.T, s *kcltest.Stream, words []string) {
	t.Helper()
	place := make(map[string]int, len(words))
	for i, w := range words {
		if j, twice := place[w]; twice {
			t.Errorf("%s was processed twice, as number %d and %d", w, j, i)
		}
		place[w] = i
	}
	last := make(map[string]int) // of a shard, by ID
	for i := range s.Len() {
		sh := s.Shard(i)
		for _, r := range s.Records(i) {
			at, ok := place[string(r.Data)]
			if !ok {
				t.Errorf("%s was not processed", r.Data)
				continue
			}
			for _, before := range append([]string{sh.ID}, sh.ParentIDs...) {
				if prev, ok := last[before]; ok && at < prev {
					t.Errorf("%s came before the last of %s", r.Data, before)
				}
			}
			last[sh.ID] = at
		}
	}
}

// A parent ended, and the lease of one of its children is missing, which a
// crash at the worst moment or an operator can cause: it is made again.
func TestMissingChildIsRepaired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Split(0)
		s.Put(1, "left")
		s.Put(2, "right")
		table.Put(lease.Lease{
			Key: s.Shard(0).ID, Range: s.Shard(0).Range, Counter: 7, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd),
			Children: []string{s.Shard(1).ID, s.Shard(2).ID},
		})
		table.Put(lease.Lease{
			Key: s.Shard(1).ID, Range: s.Shard(1).Range, Parents: []string{s.Shard(0).ID},
			Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon),
		})
		if err := run(t, time.Minute, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: j} }); err != nil {
			t.Error(err)
		}
		got := j.words()
		slices.Sort(got)
		if !slices.Equal(got, []string{"left", "right"}) {
			t.Errorf("processed %q", got)
		}
	})
}

// A table that is another stream's ends Run at the start, with a sentence that says what to do.
func TestRunRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	const foreign, remedy = "lease table unusable: table app belongs to another application or stream: ", "; give each application a name of its own, or see `shardmill leases`"
	s := kcltest.NewStream(1)
	of := func(id lease.Identity) lease.Lease {
		return lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.At("1005", 0, time.Time{}), Identity: id}
	}
	tests := []struct {
		name string
		row  lease.Lease
		want string
	}{
		{
			"a checkpoint of another stream",
			lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.At("7", 0, time.Time{})},
			foreign + "lease shardId-000000000000 has the checkpoint 7, which is not within its shard (1001 to open)" + remedy,
		},
		{"a row of another stream", of(lease.Identity{Stream: "other", Start: "1001"}), foreign + "lease shardId-000000000000 is of stream other, not s" + remedy},
		{
			"a stream that was created anew", of(lease.Identity{Stream: "s", Start: "900"}),
			"lease table unusable: table app: stream s was created anew; use a new application name, or `shardmill leases adopt`: " +
				"lease shardId-000000000000 is of a shard that begins at 900, not 1001",
		},
		{
			"fewer shards",
			lease.Lease{Key: s.Shard(0).ID, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon), Range: lease.HashRange{Start: "0", End: "99"}},
			foreign + "lease shardId-000000000000 has the hash keys 0 to 99, and its shard has 0 to 340282366920938463463374607431768211455" + remedy,
		},
		{
			"an application of many streams",
			lease.Lease{Key: "123456789012:orders:1700000000:shardId-000000000000", Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)},
			foreign + "lease 123456789012:orders:1700000000:shardId-000000000000 is of an application that reads several streams" + remedy,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := new(lease.Mem)
				table.Put(tt.row)
				start := time.Now()
				err := run(t, time.Hour, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: new(journal)} })
				if !errors.Is(err, lease.ErrInvalidState) || err.Error() != tt.want || time.Since(start) > 5*time.Second {
					t.Errorf("after %v\n got %v\nwant %s", time.Since(start), err, tt.want)
				}
			})
		})
	}
}

func TestConfigErrorsAreAllReported(t *testing.T) {
	t.Parallel()
	_, err := kcl.New(kcl.Config{FailoverTime: 1, ScanInterval: -1, ShardSyncInterval: -1, TickInterval: -1, MaxLeases: -1, MaxSteal: -1, MaxAttempts: -1, MaxBytes: -1, ShutdownTimeout: -1, CallTimeout: -1, WarnAfter: -1, HashRangeRule: -1, KPLFaults: kcl.KPLFaults{Short: -1, Digest: 3, Malformed: kcl.FaultDeadLetter, Index: kcl.FaultDeadLetter}}, nil)
	got := strings.Split(fmt.Sprint(err), "\n")
	if len(got) != 22 {
		t.Errorf("%d faults, want 22:\n%s", len(got), strings.Join(got, "\n"))
	}
}

// A failover time that cannot be is not also a fault of what follows from it.
func TestAConfigErrorIsReportedOnce(t *testing.T) {
	t.Parallel()
	cfg := config(kcltest.NewStream(1), new(lease.Mem), "me")
	cfg.FailoverTime, cfg.ScanInterval = -1, 0
	_, err := kcl.New(cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return nil })
	if want := "kcl: Config.FailoverTime is -1ns; it must be at least 500ms"; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRunMayBeCalledOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, err := kcl.New(config(kcltest.NewStream(1), new(lease.Mem), "me"), func(kcl.ShardInfo) kcl.RecordProcessor { return &recorder{j: new(journal)} })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		if err := w.Run(ctx); err == nil {
			t.Error("a second Run succeeded")
		}
	})
}
