package kcl_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
)

func wordsOf(recs []kcl.Record) string {
	var out []string
	for _, r := range recs {
		out = append(out, string(r.Data))
	}
	return strings.Join(out, "")
}

// Of a call whose error names a record those before it are accepted, it alone is
// processed again and dead-lettered, and those after it wait.
func TestFailedAt(t *testing.T) {
	t.Parallel()
	errBad := errors.New("bad")
	named := func(in kcl.ProcessRecordsInput, word string, err error) error {
		for _, r := range in.Records {
			if string(r.Data) == word {
				return kcl.FailedAt(r, err)
			}
		}
		return nil
	}
	for _, tt := range []struct {
		name   string
		call   func(in kcl.ProcessRecordsInput) error
		none   bool   // there is no DeadLetter
		want   string // calls and dead letters
		events string
		at     string // the word at the checkpoint
		taken  int64  // records that Snapshot counts as processed
	}{
		{
			name: "it is taken at the third try",
			call: func(in kcl.ProcessRecordsInput) error {
				if in.Attempt < 3 {
					return named(in, "c", errBad)
				}
				return nil
			},
			want: "abcde#1 c#2 c#3 de#1", events: "ab c! c! c de", at: "e", taken: 5,
		},
		{
			name: "it is never taken",
			call: func(in kcl.ProcessRecordsInput) error { return named(in, "c", errBad) },
			want: "abcde#1 c#2 c#3 c#4 dead:c#4 de#1", events: "ab c! c! c! c! de", at: "e", taken: 4,
		},
		{
			name: "the first",
			call: func(in kcl.ProcessRecordsInput) error { return named(in, "a", errBad) },
			want: "abcde#1 a#2 a#3 a#4 dead:a#4 bcde#1", events: "a! a! a! a! bcde", at: "e", taken: 4,
		},
		{
			name: "the last",
			call: func(in kcl.ProcessRecordsInput) error { return named(in, "e", errBad) },
			want: "abcde#1 e#2 e#3 e#4 dead:e#4", events: "abcd e! e! e! e!", at: "", taken: 4,
		},
		{
			name: "two, one after the other",
			call: func(in kcl.ProcessRecordsInput) error {
				return errors.Join(named(in, "b", kcl.GiveUp(errBad)), named(in, "d", kcl.GiveUp(errBad)))
			},
			want: "abcde#1 dead:b#1 cde#1 dead:d#1 e#1", events: "a b! c d! e", at: "e", taken: 3,
		},
		{
			name: "two, joined in another order",
			call: func(in kcl.ProcessRecordsInput) error {
				return errors.Join(named(in, "d", kcl.GiveUp(errBad)), errors.Join(named(in, "b", kcl.GiveUp(errBad))))
			},
			want: "abcde#1 dead:b#1 cde#1 dead:d#1 e#1", events: "a b! c d! e", at: "e", taken: 3,
		},
		{
			name: "another try cannot help the second of two",
			call: func(in kcl.ProcessRecordsInput) error {
				err := named(in, "d", kcl.GiveUp(errBad))
				if in.Attempt == 1 && len(in.Records) == 5 {
					err = errors.Join(err, named(in, "b", errBad))
				}
				return err
			},
			want: "abcde#1 b#2 cde#1 dead:d#1 e#1", events: "a b! b c d! e", at: "e", taken: 4,
		},
		{
			name: "another try cannot help either of two, said around both",
			call: func(in kcl.ProcessRecordsInput) error {
				return kcl.GiveUp(errors.Join(named(in, "d", errBad), named(in, "b", errBad)))
			},
			want: "abcde#1 dead:b#1 cde#1 dead:d#1 e#1", events: "a b! c d! e", at: "e", taken: 3,
		},
		{
			name: "one of two is not among those of the call",
			call: func(in kcl.ProcessRecordsInput) error {
				if in.Attempt < 3 {
					return errors.Join(named(in, "c", errBad), kcl.FailedAt(kcl.Record{SequenceNumber: "99999"}, errBad))
				}
				return nil
			},
			want: "abcde#1 abcde#2 abcde#3", events: "abcde! abcde! abcde", at: "e", taken: 5,
		},
		{
			name: "another try cannot help, said around it",
			call: func(in kcl.ProcessRecordsInput) error { return kcl.GiveUp(named(in, "c", errBad)) },
			want: "abcde#1 dead:c#1 de#1", events: "ab c! de", at: "e", taken: 4,
		},
		{
			name: "it becomes another error, which names none",
			call: func(in kcl.ProcessRecordsInput) error {
				if in.Attempt == 2 {
					return errBad
				}
				return named(in, "c", errBad)
			},
			want: "abcde#1 c#2 c#3 c#4 dead:c#4 de#1", events: "ab c! c! c! c! de", at: "e", taken: 4,
		},
		{
			name: "after an error about all",
			call: func(in kcl.ProcessRecordsInput) error {
				if in.Attempt == 1 && len(in.Records) == 5 {
					return errBad
				}
				return named(in, "c", errBad)
			},
			want: "abcde#1 abcde#2 c#3 c#4 dead:c#4 de#1", events: "abcde! ab c! c! c! de", at: "e", taken: 4,
		},
		{
			name: "it is not among those of the call",
			call: func(in kcl.ProcessRecordsInput) error {
				if in.Attempt < 3 {
					return kcl.FailedAt(kcl.Record{SequenceNumber: "99999"}, errBad)
				}
				return nil
			},
			want: "abcde#1 abcde#2 abcde#3", events: "abcde! abcde! abcde", at: "e", taken: 5,
		},
		{
			name: "it panics when it is alone",
			call: func(in kcl.ProcessRecordsInput) error {
				if len(in.Records) == 1 && in.Attempt == 2 {
					panic(errBad)
				}
				if len(in.Records) == 5 {
					return named(in, "c", errBad)
				}
				return nil
			}, // a new processor begins at the checkpoint, which is none
			want: "abcde#1 c#2 abcde#1 c#2 abcde#1 c#2 abcde#1 c#2 dead:c#2 abde#1", events: "ab c! c! ab c! c! ab c! c! ab c! c! abde", at: "e", taken: 12,
		},
		{
			name: "it was checkpointed, and the next as well",
			call: func(in kcl.ProcessRecordsInput) error {
				if len(in.Records) == 5 {
					if err := in.Checkpointer.CheckpointAt(context.Background(), in.Records[3].Position()); err != nil {
						t.Error(err)
					}
				}
				return named(in, "c", errBad)
			},
			want: "abcde#1 e#1", events: "ab c! e", at: "e", taken: 3,
		},
		{
			name: "nobody takes it", none: true,
			call: func(in kcl.ProcessRecordsInput) error {
				if len(in.Records) == 5 {
					if err := in.Checkpointer.CheckpointAt(context.Background(), in.Records[1].Position()); err != nil {
						t.Error(err)
					}
				}
				return named(in, "c", kcl.GiveUp(errBad))
			},
			want: "abcde#1 cde#1", events: "ab c! c!", at: "b", taken: 0,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, j, events := kcltest.NewStream(1), new(lease.Mem), new(journal), new(journal)
				s.Page = 5
				s.Put(0, "a", "b", "c", "d", "e")
				cfg := config(s, table, "me")
				var spent time.Duration
				calls := 0
				cfg.Hooks.Processed = func(e kcl.BatchEvent) {
					spent += e.Duration
					for _, r := range s.Records(0) {
						if at := r.Position(); at.Compare(e.Last.ExtendedSequenceNumber) == 0 {
							if e.Err != nil && !errors.Is(e.Err, errBad) && !errors.As(e.Err, new(*kcl.PanicError)) {
								t.Errorf("event has the error %v", e.Err)
							}
							mark := map[bool]string{true: "!"}[e.Err != nil]
							events.note("%d%s%s", e.Records, r.Data, mark)
						}
					}
				}
				if !tt.none {
					cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
						j.note("dead:%s#%d", wordsOf(in.Records), in.Attempts)
						return nil
					}
				}
				w, err := kcl.New(cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
					return process(func(in kcl.ProcessRecordsInput) error {
						j.note("%s#%d", wordsOf(in.Records), in.Attempt)
						calls++
						time.Sleep(time.Millisecond)
						if err := tt.call(in); err != nil {
							return err
						}
						return in.Checkpointer.Checkpoint(t.Context())
					})
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- w.Run(ctx) }()
				time.Sleep(14 * time.Second)
				var taken int64
				for _, st := range w.Snapshot().Shards {
					taken += st.Records
				}
				cancel()
				if err := <-done; err != nil {
					t.Errorf("Run = %v", err)
				}
				if got := j.String(); got != tt.want {
					t.Errorf("calls\n got %s\nwant %s", got, tt.want)
				}
				var want []string
				for f := range strings.FieldsSeq(tt.events) {
					w := strings.TrimSuffix(f, "!")
					want = append(want, fmt.Sprintf("%d%s", len(w), f[len(w)-1:]))
				}
				if got := events.String(); got != strings.Join(want, " ") {
					t.Errorf("events\n got %s\nwant %s", got, strings.Join(want, " "))
				}
				if want := time.Duration(calls) * time.Millisecond; spent != want {
					t.Errorf("events of %v, want %v", spent, want)
				}
				if taken != tt.taken {
					t.Errorf("%d records count as processed, want %d", taken, tt.taken)
				}
				for _, r := range s.Records(0) {
					if string(r.Data) == tt.at && row(t, table, 0).Checkpoint.ExtendedSequenceNumber != r.Position().ExtendedSequenceNumber {
						t.Errorf("checkpoint %v, want that of %s", row(t, table, 0).Checkpoint, tt.at)
					}
				}
			})
		})
	}
}

// FailedAt keeps what it wraps, as GiveUp does.
func TestFailedAtWraps(t *testing.T) {
	t.Parallel()
	if err := kcl.FailedAt(kcl.Record{SequenceNumber: "1"}, nil); err != nil {
		t.Errorf("FailedAt(nil) = %v", err)
	}
	errBad := errors.New("bad")
	err := kcl.FailedAt(kcl.Record{SequenceNumber: "17", SubSequenceNumber: 3}, kcl.GiveUp(errBad))
	if !errors.Is(err, errBad) || !kcl.IsGiveUp(err) || !strings.Contains(err.Error(), "17") || !strings.Contains(err.Error(), "3") {
		t.Errorf("FailedAt = %v", err)
	}
}
