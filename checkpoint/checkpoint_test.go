package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/checkpoint"
)

func esn(spec string) checkpoint.ExtendedSequenceNumber {
	seq, sub, _ := strings.Cut(spec, "/")
	e := checkpoint.ExtendedSequenceNumber{SequenceNumber: seq}
	_, _ = fmt.Sscan(sub, &e.SubSequenceNumber)
	return e
}

func at(spec string) checkpoint.Position {
	return checkpoint.Position{ExtendedSequenceNumber: esn(spec)}
}

// The order is that of Java's ExtendedSequenceNumber.compareTo.
func TestOrder(t *testing.T) {
	t.Parallel()
	want := []checkpoint.ExtendedSequenceNumber{
		{},
		esn("AT_TIMESTAMP"), esn("TRIM_HORIZON"), esn("LATEST"), esn("0"), esn("7"), esn("7/1"), esn("10"),
		esn("49590338271490256608559692538361571095921575989136588898"),
		esn("49590338271490256608559692538361571095921575989136588898/2"),
		esn("49590338271490256608559692540925702759324208523137515618"),
		esn("SHARD_END"),
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, checkpoint.ExtendedSequenceNumber.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted:\n got %v\nwant %v", got, want)
	}
}

func TestOrderIsTotal(t *testing.T) {
	t.Parallel()
	gen := rapid.Custom(func(t *rapid.T) checkpoint.ExtendedSequenceNumber {
		seq := rapid.OneOf(
			rapid.SampledFrom([]string{"", "LATEST", "TRIM_HORIZON", "AT_TIMESTAMP", "SHARD_END", "latest", "1x", "007"}),
			rapid.StringMatching(`[0-9]{1,58}`),
		).Draw(t, "seq")
		return checkpoint.ExtendedSequenceNumber{SequenceNumber: seq, SubSequenceNumber: rapid.Int64Range(-1, 3).Draw(t, "sub")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := gen.Draw(t, "a"), gen.Draw(t, "b"), gen.Draw(t, "c")
		if a.Compare(b) != -b.Compare(a) || a.Compare(a) != 0 {
			t.Fatalf("not antisymmetric: %v, %v", a, b)
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatalf("not transitive: %v, %v, %v", a, b, c)
		}
	})
}

// FuzzCompare checks the order of numbers against math/big.
func FuzzCompare(f *testing.F) {
	f.Add([]byte{1}, []byte{1, 0}, uint8(3))
	f.Fuzz(func(t *testing.T, a, b []byte, zeros uint8) {
		x, y := new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)
		p, q := esn(strings.Repeat("0", int(zeros))+x.String()), esn(y.String())
		if got, want := p.Compare(q), x.Cmp(y); got != want {
			t.Errorf("%v.Compare(%v) = %d, want %d", p, q, got, want)
		}
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct{ at, want string }{
		{"123", ""},
		{"123/9", ""},
		{"LATEST", ""},
		{"SHARD_END", ""},
		{"", `invalid checkpoint position: sequence number ""; it must be decimal digits or one of TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END`},
		{"12a", `invalid checkpoint position: sequence number "12a"; it must be decimal digits or one of TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END`},
		{"-5", `invalid checkpoint position: sequence number "-5"; it must be decimal digits or one of TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END`},
		{"12/-1", "invalid checkpoint position: sub-sequence number -1; it must be at least 0"},
		{"LATEST/2", "invalid checkpoint position: LATEST with sub-sequence number 2; a sentinel has 0"},
	}
	for _, tt := range tests {
		t.Run(tt.at, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := esn(tt.at).Validate(); err != nil {
				got = err.Error()
				if !errors.Is(err, checkpoint.ErrInvalid) {
					t.Errorf("%v is not ErrInvalid", err)
				}
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// table is a Writer that notes what it is asked to write.
type table struct {
	writes []string
	fail   error
}

func (w *table) Checkpoint(_ context.Context, p checkpoint.Position) error {
	w.writes = append(w.writes, "at:"+p.String())
	return w.fail
}

func (w *table) Prepare(_ context.Context, p checkpoint.Prepared) error {
	w.writes = append(w.writes, fmt.Sprintf("prepare:%v:%s", p.At, p.State))
	return w.fail
}

func TestRange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, last, processed, at string
		err                       error
		writes                    string
	}{
		{name: "the last record processed", last: "10", processed: "20", at: "20", writes: "at:20"},
		{name: "one in between", last: "10", processed: "20", at: "15", writes: "at:15"},
		{name: "a sub-sequence number", last: "10", processed: "20/5", at: "20/3", writes: "at:20/3"},
		{name: "the last checkpoint writes nothing", last: "10", processed: "20", at: "10"},
		{name: "before the last checkpoint", last: "10", processed: "20", at: "9", err: checkpoint.ErrBeforeCheckpoint},
		{name: "before it by the sub-sequence number", last: "10/4", processed: "20", at: "10/3", err: checkpoint.ErrBeforeCheckpoint},
		{name: "not processed yet", last: "10", processed: "20", at: "21", err: checkpoint.ErrNotProcessed},
		{name: "not processed yet, by the sub-sequence number", last: "10", processed: "20/4", at: "20/5", err: checkpoint.ErrNotProcessed},
		{name: "nothing was processed", last: "TRIM_HORIZON", processed: "TRIM_HORIZON", at: "1", err: checkpoint.ErrNotProcessed},
		{name: "a sentinel", last: "10", processed: "20", at: "LATEST", err: checkpoint.ErrSentinel},
		{name: "the end before it has come", last: "10", processed: "20", at: "SHARD_END", err: checkpoint.ErrSentinel},
		{name: "the sentinel that stands", last: "LATEST", processed: "20", at: "LATEST"},
		{name: "nonsense", last: "10", processed: "20", at: "x", err: checkpoint.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := new(table)
			c := checkpoint.New(w, at(tt.last), false)
			c.Processed(at(tt.processed))
			if err := c.CheckpointAt(t.Context(), at(tt.at)); !errors.Is(err, tt.err) {
				t.Errorf("CheckpointAt = %v, want %v", err, tt.err)
			}
			if got := strings.Join(w.writes, " "); got != tt.writes {
				t.Errorf("wrote %q, want %q", got, tt.writes)
			}
			w.writes = nil
			_, err := c.PrepareAt(t.Context(), at(tt.at), []byte("s"))
			if !errors.Is(err, tt.err) {
				t.Errorf("PrepareAt = %v, want %v", err, tt.err)
			}
		})
	}
}

func TestShardEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, last, at string // at "" is Checkpoint
		writes         string
		err            error
	}{
		{name: "Checkpoint writes SHARD_END", last: "10", writes: "at:SHARD_END"},
		{name: "also if the last record was checkpointed", last: "20", writes: "at:SHARD_END"},
		{name: "the last record means the end", last: "10", at: "20", writes: "at:SHARD_END"},
		{name: "also if it was checkpointed before", last: "20", at: "20", writes: "at:SHARD_END"},
		{name: "an earlier record does not", last: "10", at: "19", writes: "at:19"},
		{name: "SHARD_END may be named", last: "10", at: "SHARD_END", writes: "at:SHARD_END"},
		{name: "no other sentinel", last: "10", at: "TRIM_HORIZON", err: checkpoint.ErrSentinel},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := new(table)
			c := checkpoint.New(w, at(tt.last), false)
			c.Processed(at("20"))
			c.EndShard()
			c.EndShard()
			c.Retract(at("5")) // has no effect any more
			write := c.Checkpoint
			if tt.at != "" {
				write = func(ctx context.Context) error { return c.CheckpointAt(ctx, at(tt.at)) }
			}
			err := write(t.Context())
			if !errors.Is(err, tt.err) || strings.Join(w.writes, " ") != tt.writes {
				t.Errorf("%v, wrote %q; want %v, %q", err, w.writes, tt.err, tt.writes)
			}
		})
	}
}

func TestPrepared(t *testing.T) {
	t.Parallel()
	start := func() (*table, *checkpoint.Checkpointer) {
		w := new(table)
		c := checkpoint.New(w, at("10"), false)
		c.Processed(at("20"))
		return w, c
	}
	check := func(t *testing.T, w *table, want string) {
		t.Helper()
		if got := strings.Join(w.writes, " "); got != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
	}
	ctx := t.Context()
	t.Run("prepare and commit", func(t *testing.T) {
		t.Parallel()
		w, c := start()
		p, err := c.Prepare(ctx, []byte("plan"))
		if err != nil || p.At().String() != "20" || c.Last().String() != "10" {
			t.Fatalf("%v, at %v, last %v", err, p.At(), c.Last())
		}
		c.Processed(at("30"))
		for range 2 { // the second time it does nothing
			if err := p.Checkpoint(ctx); err != nil {
				t.Error(err)
			}
		}
		check(t, w, "prepare:20:plan at:20")
	})
	t.Run("a newer one replaces it", func(t *testing.T) {
		t.Parallel()
		w, c := start()
		old, _ := c.PrepareAt(ctx, at("15"), nil)
		_, _ = c.PrepareAt(ctx, at("18"), nil)
		if err := old.Checkpoint(ctx); !errors.Is(err, checkpoint.ErrPreparedStale) {
			t.Errorf("Checkpoint = %v", err)
		}
		check(t, w, "prepare:15: prepare:18:")
	})
	t.Run("so does a checkpoint", func(t *testing.T) {
		t.Parallel()
		w, c := start()
		old, _ := c.PrepareAt(ctx, at("15"), nil)
		if err := c.CheckpointAt(ctx, at("16")); err != nil {
			t.Error(err)
		}
		if err := old.Checkpoint(ctx); !errors.Is(err, checkpoint.ErrPreparedStale) {
			t.Errorf("Checkpoint = %v", err)
		}
		check(t, w, "prepare:15: at:16")
	})
	t.Run("at the checkpoint it writes nothing", func(t *testing.T) {
		t.Parallel()
		w, c := start()
		p, err := c.PrepareAt(ctx, at("10"), nil)
		if err != nil || p.Checkpoint(ctx) != nil {
			t.Error(err)
		}
		check(t, w, "")
	})
	t.Run("a state that is too large", func(t *testing.T) {
		t.Parallel()
		w, c := start()
		if _, err := c.Prepare(ctx, make([]byte, checkpoint.MaxStateBytes+1)); !errors.Is(err, checkpoint.ErrStateTooLarge) {
			t.Errorf("Prepare = %v", err)
		}
		check(t, w, "")
	})
	t.Run("after a doubtful prepare the checkpoint that stands is written", func(t *testing.T) {
		t.Parallel()
		w, c := start()
		w.fail = errors.New("timeout")
		if _, err := c.Prepare(ctx, nil); !errors.Is(err, w.fail) {
			t.Errorf("Prepare = %v", err)
		}
		w.fail = nil
		if err := c.CheckpointAt(ctx, at("10")); err != nil { // it has to remove what may be there
			t.Error(err)
		}
		check(t, w, "prepare:20: at:10")
	})
	t.Run("an earlier holder's is resumed", func(t *testing.T) {
		t.Parallel()
		w := new(table)
		c := checkpoint.New(w, at("10"), true)
		p, err := c.Resume(checkpoint.Prepared{At: esn("20"), State: []byte("plan")})
		p.SetArrival(time.UnixMilli(5))
		if err != nil || p.Checkpoint(ctx) != nil || !c.Last().Equal(checkpoint.At("20", 0, time.UnixMilli(5))) {
			t.Errorf("%v, last %v", err, c.Last())
		}
		check(t, w, "at:20")
	})
	t.Run("or refused if the checkpoint has passed it", func(t *testing.T) {
		t.Parallel()
		if _, err := checkpoint.New(new(table), at("10"), true).Resume(checkpoint.Prepared{At: esn("9")}); !errors.Is(err, checkpoint.ErrBeforeCheckpoint) {
			t.Errorf("Resume = %v", err)
		}
	})
	t.Run("or cleared", func(t *testing.T) {
		t.Parallel()
		w := new(table)
		c := checkpoint.New(w, at("10"), true)
		for range 2 {
			if err := c.Clear(ctx); err != nil {
				t.Error(err)
			}
		}
		check(t, w, "at:10")
	})
}

func TestRetractAndRefresh(t *testing.T) {
	t.Parallel()
	w := new(table)
	c := checkpoint.New(w, at("10"), false)
	c.Processed(at("20"))
	c.Processed(at("15")) // never goes back by itself
	c.Retract(at("12"))
	if err := c.CheckpointAt(t.Context(), at("13")); !errors.Is(err, checkpoint.ErrNotProcessed) {
		t.Errorf("CheckpointAt = %v after it was retracted", err)
	}
	c.Retract(at("3"))
	if got := c.LastProcessed().String(); got != "10" {
		t.Errorf("retracted to %s, before the checkpoint", got)
	}
	now := time.UnixMilli(1000)
	for _, arrival := range []time.Time{now, now, now.Add(-1)} { // only the first is later
		if err := c.Refresh(t.Context(), arrival); err != nil {
			t.Error(err)
		}
	}
	if !c.Last().Arrival.Equal(now) || len(w.writes) != 1 {
		t.Errorf("last %v, writes %v", c.Last().Arrival, w.writes)
	}
}

func TestIsOutside(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		at, first, last string
		want            bool
	}{
		{"100", "100", "", false},
		{"99", "100", "", true},
		{"99/3", "100", "", true},
		{"1000", "100", "", false}, // as text it is neither below nor above
		{"200", "100", "200", false},
		{"201", "100", "200", true},
		{"1000", "100", "200", true},
		{"20", "100", "200", true},
		{"201", "100", "100", false}, // the end is unknown
		{"201", "100", "99", false},
		{"99", "100", "99", true},
		{"201", "", "200", false}, // nothing is known
		{"TRIM_HORIZON", "100", "200", false},
		{"LATEST", "100", "200", false},
		{"SHARD_END", "100", "200", false},
		{"", "100", "200", false},
		{"?", "100", "200", false},
	} {
		if got := esn(tt.at).IsOutside(tt.first, tt.last); got != tt.want {
			t.Errorf("%q outside %q to %q: %v", tt.at, tt.first, tt.last, got)
		}
	}
}

func TestIsMisuse(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		checkpoint.ErrInvalid, checkpoint.ErrBeforeCheckpoint, checkpoint.ErrNotProcessed,
		checkpoint.ErrSentinel, checkpoint.ErrStateTooLarge, checkpoint.ErrPreparedStale,
	} {
		if !checkpoint.IsMisuse(fmt.Errorf("doing: %w", err)) {
			t.Errorf("%v is none", err)
		}
	}
	for _, err := range []error{nil, errors.New("lease lost")} {
		if checkpoint.IsMisuse(err) {
			t.Errorf("%v is one", err)
		}
	}
}

// What was resumed counts as processed when it is committed, and not before: a
// processor that gives the plan up must not checkpoint past its records.
func TestAResumedCheckpointIsNotProcessed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		pending string
		commit  bool
		want    string
	}{
		{"given up", "20", false, "11"},
		{"given up, at the shard's end", checkpoint.ShardEnd, false, "11"},
		{"committed", "20", true, "20"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := checkpoint.New(new(table), at("10"), true)
			p, err := c.Resume(checkpoint.Prepared{At: esn(row.pending)})
			if err != nil {
				t.Fatal(err)
			}
			if row.commit {
				err = p.Checkpoint(t.Context())
			} else {
				err = c.Clear(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			c.Processed(at("11"))
			if err := c.Checkpoint(t.Context()); err != nil || c.Last().SequenceNumber != row.want {
				t.Errorf("the checkpoint is %v, %v; want %s", c.Last(), err, row.want)
			}
		})
	}
}

// A row that is later than what was written says that a write has happened whose
// outcome was unknown.
func TestFound(t *testing.T) {
	t.Parallel()
	w := new(table)
	c := checkpoint.New(w, at("10"), true)
	p, err := c.Resume(checkpoint.Prepared{At: esn("20")})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ found, want string }{{"10", "10"}, {"9", "10"}, {"20", "20"}, {"15", "20"}} {
		if c.Found(at(row.found), false); c.Last().SequenceNumber != row.want || c.LastProcessed().SequenceNumber != row.want {
			t.Errorf("after %s it is at %v, processed to %v; want %s", row.found, c.Last(), c.LastProcessed(), row.want)
		}
	}
	if err := p.Checkpoint(t.Context()); err != nil {
		t.Errorf("committing what has happened: %v", err)
	}
	if err := c.Clear(t.Context()); err != nil || len(w.writes) > 0 {
		t.Errorf("clearing what is not pending any more: %v; wrote %q", err, w.writes)
	}
}
