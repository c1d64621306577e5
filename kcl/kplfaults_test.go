package kcl_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

// seal makes an aggregated record of a message.
func seal(message string) string {
	sum := md5.Sum([]byte(message))
	return "\xf3\x89\x9a\xc2" + message + string(sum[:])
}

// fault is one that an aggregated record may have.
type fault struct {
	name   string
	data   string
	err    error
	faults func(kcl.FaultPolicy) kcl.KPLFaults // that have the policy for this fault alone
}

func faultsOfRecords() []fault {
	return []fault{
		{"short", "\xf3\x89\x9a\xc2short", kpl.ErrShort, func(p kcl.FaultPolicy) kcl.KPLFaults { return kcl.KPLFaults{Short: p} }},
		{"digest", "\xf3\x89\x9a\xc2wrong-digest-of-it", kpl.ErrDigest, func(p kcl.FaultPolicy) kcl.KPLFaults { return kcl.KPLFaults{Digest: p} }},
		{"malformed", seal("\x1a\x00"), kpl.ErrMalformed, func(p kcl.FaultPolicy) kcl.KPLFaults { return kcl.KPLFaults{Malformed: p} }},
		{"index", seal("\x0a\x01k\x1a\x05\x08\x00\x1a\x01x\x1a\x05\x08\x01\x1a\x01y"), kpl.ErrIndex, func(p kcl.FaultPolicy) kcl.KPLFaults { return kcl.KPLFaults{Index: p} }},
	}
}

// story is what becomes of records, in order: "ok:" those that were processed,
// "dead:" those that were dead-lettered, by the names that the test gives them.
type story struct {
	names map[string]string
	told  []string
}

func (s *story) process(in kcl.ProcessRecordsInput) {
	for _, r := range in.Records {
		s.note("ok", r)
	}
}

func (s *story) note(what string, r kcl.Record) {
	name := s.names[string(r.Data)]
	if name == "" {
		name = string(r.Data)
	}
	s.told = append(s.told, what+":"+name)
}

// What is wrong with an aggregated record decides what becomes of it: by each
// policy, and of no other fault. Nothing passes what is dead-lettered.
func TestKPLFaults(t *testing.T) {
	t.Parallel()
	all := faultsOfRecords()
	names := map[string]string{}
	for _, f := range all {
		names[f.data] = f.name
	}
	for _, f := range all {
		for policy, becomes := range map[kcl.FaultPolicy]string{kcl.FaultRaw: "ok", kcl.FaultDrop: "", kcl.FaultDeadLetter: "dead"} {
			t.Run(fmt.Sprintf("%s, policy %d", f.name, policy), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, table, said := kcltest.NewStream(1), new(lease.Mem), &story{names: names}
					want := []string{"ok:a", "ok:u", "ok:v"}
					s.Put(0, "a")
					aggregate(s, 0, "u", "v")
					for _, other := range all {
						s.Put(0, other.data)
						switch {
						case other.name != f.name:
							want = append(want, "ok:"+other.name)
						case becomes != "":
							want = append(want, becomes+":"+f.name)
						}
					}
					s.Put(0, "b")
					want = append(want, "ok:b")
					cfg := config(s, table, "me")
					cfg.KPLFaults = f.faults(policy)
					var malformed, dropped, dead int
					cfg.Hooks.AggregatesMalformed = func(_ string, n int) { malformed += n }
					cfg.Hooks.AggregatesDropped = func(_ string, n int) { dropped += n }
					cfg.Hooks.DeadLettered = func(e kcl.BatchEvent) {
						if dead += e.Records; !errors.Is(e.Err, f.err) || e.Attempt != 0 || e.Bytes != int64(len(f.data)) {
							t.Errorf("told of %+v", e)
						}
					}
					cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
						if len(in.Records) != 1 || !errors.Is(in.Err, f.err) || in.Attempts != 0 || in.Shard.ShardID != s.Shard(0).ID {
							t.Errorf("dead-lettered %+v", in)
						}
						said.note("dead", in.Records[0])
						return nil
					}
					if err := run(t, 5*time.Second, cfg, func(i kcl.ShardInfo) kcl.RecordProcessor {
						if i.KPLFaults != cfg.KPLFaults {
							t.Errorf("the processor is told of %+v", i.KPLFaults)
						}
						return process(func(in kcl.ProcessRecordsInput) error {
							said.process(in)
							return in.Checkpointer.Checkpoint(t.Context())
						})
					}); err != nil {
						t.Error(err)
					}
					if !slices.Equal(said.told, want) {
						t.Errorf("got  %q\nwant %q", said.told, want)
					}
					if malformed != 4 || dropped != count(policy == kcl.FaultDrop) || dead != count(policy == kcl.FaultDeadLetter) {
						t.Errorf("counted %d malformed, %d dropped and %d dead", malformed, dropped, dead)
					}
				})
			})
		}
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// A checkpoint stands within a record that now cannot be taken apart: as the rest
// of it is not done, the policy is for all of it. One that stands at its end, or
// was made of it as it is, is not for it any more.
func TestKPLFaultsAtTheCheckpoint(t *testing.T) {
	t.Parallel()
	const broken = "\xf3\x89\x9a\xc2short"
	for _, tt := range []struct {
		policy  kcl.FaultPolicy
		sub     int64
		want    string
		dropped int
	}{
		{kcl.FaultRaw, 3, "ok:broken ok:after", 0},
		{kcl.FaultDrop, 3, "ok:after", 1},
		{kcl.FaultDeadLetter, 3, "dead:broken ok:after", 0},
		{kcl.FaultDrop, 0, "ok:after", 0},
		{kcl.FaultDeadLetter, 0, "ok:after", 0},
	} {
		t.Run(fmt.Sprintf("policy %d, checkpoint at sub-sequence number %d", tt.policy, tt.sub), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, said := kcltest.NewStream(1), new(lease.Mem), &story{names: map[string]string{broken: "broken"}}
				s.Put(0, broken, "after")
				table.Put(lease.Lease{
					Key: s.Shard(0).ID, Range: s.Shard(0).Range,
					Checkpoint: checkpoint.At(s.Records(0)[0].SequenceNumber, tt.sub, time.Time{}),
				})
				cfg := config(s, table, "me")
				cfg.KPLFaults.Short = tt.policy
				dropped := 0
				cfg.Hooks.AggregatesDropped = func(_ string, n int) { dropped += n }
				cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error { said.note("dead", in.Records[0]); return nil }
				if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
					return process(func(in kcl.ProcessRecordsInput) error {
						said.process(in)
						return in.Checkpointer.Checkpoint(t.Context())
					})
				}); err != nil {
					t.Error(err)
				}
				if got := strings.Join(said.told, " "); got != tt.want || dropped != tt.dropped {
					t.Errorf("got %q and %d dropped, want %q and %d", got, dropped, tt.want, tt.dropped)
				}
				if at := row(t, table, 0).Checkpoint; at.SequenceNumber != s.Records(0)[1].SequenceNumber {
					t.Errorf("the checkpoint is %v", at)
				}
			})
		})
	}
}

// A record that DeadLetter does not take stops its shard like any other: nothing
// after it is processed, no checkpoint passes it, and it comes again.
func TestKPLFaultThatIsNotDeadLettered(t *testing.T) {
	t.Parallel()
	const broken = "\xf3\x89\x9a\xc2short"
	for name, refuse := range map[string]func() error{
		"an error": func() error { return errors.New("full") },
		"a panic":  func() error { panic("full") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, said := kcltest.NewStream(1), new(lease.Mem), &story{names: map[string]string{broken: "broken"}}
				s.Put(0, "a", broken, "b")
				cfg := config(s, table, "me")
				log, lines := logged()
				cfg.Logger, cfg.KPLFaults.Short = log, kcl.FaultDeadLetter
				refused := 0
				cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error {
					if refused++; refused == 1 {
						if got := strings.Join(said.told, " "); got != "ok:a" {
							t.Errorf("it is dead-lettered after %q", got)
						}
						return refuse()
					}
					if at := row(t, table, 0).Checkpoint; at.SequenceNumber != s.Records(0)[0].SequenceNumber {
						t.Errorf("the checkpoint is %v", at)
					}
					said.note("dead", in.Records[0])
					return nil
				}
				if err := run(t, 10*time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
					return process(func(in kcl.ProcessRecordsInput) error {
						said.process(in)
						return in.Checkpointer.Checkpoint(t.Context())
					})
				}); err != nil {
					t.Error(err)
				}
				if got := strings.Join(said.told, " "); got != "ok:a dead:broken ok:b" {
					t.Errorf("got %q", got)
				}
				gaveUp := lines.FilterMessage("shard given up").All()
				if len(gaveUp) != 1 || !strings.Contains(fmt.Sprint(gaveUp[0].ContextMap()["error"]), "aggregated record too short, "+s.Records(0)[1].Position().String()+", was not dead-lettered: ") {
					t.Errorf("told %v", gaveUp)
				}
			})
		})
	}
}

// What is dead-lettered counts as accepted: a checkpoint passes it, and before
// one does, a new processor after a panic does not have it dead-lettered again.
func TestKPLFaultIsDeadLetteredOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const broken = "\xf3\x89\x9a\xc2short"
		s, table, said := kcltest.NewStream(1), new(lease.Mem), &story{names: map[string]string{broken: "broken"}}
		s.Put(0, "a", broken, "b", broken)
		cfg := config(s, table, "me")
		cfg.KPLFaults.Short = kcl.FaultDeadLetter
		cfg.DeadLetter = func(_ context.Context, in kcl.DeadLetterInput) error { said.note("dead", in.Records[0]); return nil }
		panicked := false
		if err := run(t, time.Minute, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
			return &stopping{process(func(in kcl.ProcessRecordsInput) error {
				said.process(in)
				if string(in.Records[0].Data) == "b" && !panicked {
					panicked = true
					panic("b")
				}
				return nil
			})}
		}); err != nil {
			t.Error(err)
		}
		if got, want := strings.Join(said.told, " "), "ok:a dead:broken ok:b ok:a ok:b dead:broken"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if at := row(t, table, 0).Checkpoint; at.SequenceNumber != s.Records(0)[3].SequenceNumber {
			t.Errorf("the checkpoint is %v, want the last record's", at)
		}
	})
}

// It stays accepted when what comes after it is not.
func TestKPLFaultIsCheckpointedThoughWhatFollowsFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const broken = "\xf3\x89\x9a\xc2short"
		s, table, dead := kcltest.NewStream(1), new(lease.Mem), 0
		s.Put(0, "a", broken, "b")
		for range 2 {
			cfg := config(s, table, "me")
			cfg.KPLFaults.Short, cfg.MaxAttempts = kcl.FaultDeadLetter, 1000
			cfg.DeadLetter = func(context.Context, kcl.DeadLetterInput) error { dead++; return nil }
			if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
				return &stopping{process(func(in kcl.ProcessRecordsInput) error {
					if string(in.Records[0].Data) == "b" {
						return errors.New("not b")
					}
					return nil
				})}
			}); err != nil {
				t.Error(err)
			}
			if at := row(t, table, 0).Checkpoint; dead != 1 || at.SequenceNumber != s.Records(0)[1].SequenceNumber {
				t.Errorf("dead-lettered %d times, and the checkpoint is %v", dead, at)
			}
		}
	})
}

// stopping checkpoints when it is asked to stop.
type stopping struct{ kcl.RecordProcessor }

func (stopping) ShutdownRequested(ctx context.Context, in kcl.ShutdownRequestedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

// A replay yields what the processor got the first time, if it is told the same
// policies, whatever the worker's are; what was dead-lettered is not again.
func TestReplayLeavesOutWhatWasNotProcessed(t *testing.T) {
	t.Parallel()
	const short, digest = "\xf3\x89\x9a\xc2short", "\xf3\x89\x9a\xc2wrong-digest-of-it"
	for _, tt := range []struct {
		faults kcl.KPLFaults
		want   string
	}{
		{kcl.KPLFaults{}, "a short b digest c"},
		{kcl.KPLFaults{Short: kcl.FaultDrop}, "a b digest c"},
		{kcl.KPLFaults{Digest: kcl.FaultDeadLetter}, "a short b c"},
		{kcl.KPLFaults{Short: kcl.FaultDeadLetter, Digest: kcl.FaultDrop}, "a b c"},
	} {
		for _, workers := range []kcl.KPLFaults{{}, {Short: kcl.FaultDrop, Digest: kcl.FaultDrop}} {
			synctest.Test(t, func(t *testing.T) {
				s, table := kcltest.NewStream(1), new(lease.Mem)
				s.Put(0, "a", short, "b", digest, "c")
				recs := s.Records(0)
				cfg := config(s, table, "me")
				cfg.KPLFaults = workers
				cfg.DeadLetter = func(context.Context, kcl.DeadLetterInput) error { t.Error("dead-lettered in a replay"); return nil }
				var got []string
				if err := run(t, 5*time.Second, cfg, func(kcl.ShardInfo) kcl.RecordProcessor {
					return &initializer{f: func(ctx context.Context, in kcl.InitializationInput) {
						stored, ok := kcl.KPLFaultsOf(tt.faults.Wire())
						if !ok {
							t.Errorf("%+v is stored as %d, and not known", tt.faults, tt.faults.Wire())
						}
						for _, faults := range []kcl.KPLFaults{tt.faults, stored} {
							got = nil
							for r, err := range in.Replay(ctx, recs[0].Position().ExtendedSequenceNumber, recs[4].Position().ExtendedSequenceNumber, kcl.ReplayOptions{KPLFaults: faults}) {
								if err != nil {
									t.Error(err)
								}
								got = append(got, strings.NewReplacer(short, "short", digest, "digest").Replace(string(r.Data)))
							}
							if strings.Join(got, " ") != tt.want {
								t.Errorf("faults %+v: replayed %q, want %q", faults, got, tt.want)
							}
						}
					}}
				}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestKPLFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	for wire := range 256 {
		f, ok := kcl.KPLFaultsOf(uint8(wire))
		if ok != (wire < 16) || ok && f.Wire() != uint8(wire) {
			t.Errorf("%d is %+v, %v, which is %d", wire, f, ok, f.Wire())
		}
	}
	for want, f := range map[uint8]kcl.KPLFaults{
		1: {Short: kcl.FaultDrop}, 2: {Digest: kcl.FaultDeadLetter}, 4: {Malformed: kcl.FaultDrop}, 8: {Index: kcl.FaultDrop},
	} {
		if got := f.Wire(); got != want {
			t.Errorf("%+v is %d, want %d: plans have it", f, got, want)
		}
	}
}

// Each fault of the configuration is told, with its remedy.
func TestKPLFaultsAreChecked(t *testing.T) {
	t.Parallel()
	cfg := config(kcltest.NewStream(1), new(lease.Mem), "me")
	cfg.KPLFaults = kcl.KPLFaults{Short: -1, Digest: kcl.FaultDrop, Malformed: kcl.FaultDeadLetter, Index: 3}
	_, err := kcl.New(cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return nil })
	want := "kcl: Config.KPLFaults.Short is -1; it must be one of the constants\n" +
		"kcl: Config.KPLFaults.Malformed is FaultDeadLetter, and Config.DeadLetter is not set; set it, or choose FaultRaw or FaultDrop\n" +
		"kcl: Config.KPLFaults.Index is 3; it must be one of the constants"
	if fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	cfg.KPLFaults.Short, cfg.KPLFaults.Index = kcl.FaultRaw, kcl.FaultRaw
	cfg.DeadLetter = func(context.Context, kcl.DeadLetterInput) error { return nil }
	if _, err := kcl.New(cfg, func(kcl.ShardInfo) kcl.RecordProcessor { return nil }); err != nil {
		t.Error(err)
	}
}
