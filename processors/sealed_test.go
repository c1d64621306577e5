package processors_test

import (
	"bytes"
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
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// struck returns a world whose first holder had one fault and is gone, with what is
// backed up.
func struck(t *testing.T, kind string, n int, f fault, cfg processors.Config) *world {
	t.Helper()
	w := newWorld(numbered(23))
	w.fault = at(kind, n, f)
	h, p, ctx := w.take(t.Context(), t, cfg, theShard())
	if err := h.life(ctx, p, []int{4}); err == nil || !h.crashed {
		t.Fatalf("the first holder did not crash: %v, %v", err, w.counts)
	}
	w.fault = nil
	return w
}

// bundles returns the names of the bundles that are there.
func (w *world) bundles() (names []string) {
	for _, name := range w.keys() {
		if _, key, _ := strings.Cut(name, "/"); isBundle(key) {
			names = append(names, name)
		}
	}
	return names
}

// TestBundlesLeftBehind: what a crash leaves is deleted by the next holder, but only
// once a write of the row has shown that it holds the lease; and nothing else is.
func TestBundlesLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := backedUp().WithSize(30)
		w := struck(t, "prepare", 0, crashBefore, cfg)
		left := w.bundles()
		if len(left) != 1 || w.row.pending != nil {
			t.Fatalf("bundles %v, row %+v", left, w.row)
		}
		others := []string{"b/_shardmill/app/shardId-000000000000-00/x", "b/_shardmill/app/shardId-000000000001/x", "b/_shardmill/other/x"}
		for _, name := range others {
			w.objects[name] = stored{}
		}
		h, p, ctx := w.take(t.Context(), t, cfg, theShard())
		if err := h.begin(ctx, p); err != nil || !slices.Contains(w.bundles(), left[0]) {
			t.Errorf("%v, bundles %v; want %v still to be there", err, w.bundles(), left)
		}
		w.fault = at("commit", w.counts["commit"], crashAfter)
		if err := h.life(ctx, p, []int{4}); err == nil {
			t.Error("the second holder did not crash")
		}
		if !slices.Contains(w.bundles(), left[0]) {
			t.Error("deleted though the commit was not confirmed")
		}
		w.fault = nil
		if err := w.run(t.Context(), t, []int{4}, cfg); err != nil {
			t.Error(err)
		}
		if err := w.verdict(true); err != nil || !slices.Equal(w.bundles(), others) {
			t.Errorf("%v, bundles %v; want %v", err, w.bundles(), others)
		}
	})
}

// TestLostBundle: a bundle that somebody else removed. If the cut's objects are known
// and there, nothing is wrong; else it is told, and no record is lost.
func TestLostBundle(t *testing.T) {
	t.Parallel()
	long := with(backedUp(), func(c *processors.Config) {
		c.Prefix, c.Backup.Prefix = strings.Repeat("p", 400), strings.Repeat("q", 400)
	})
	for _, row := range []struct {
		name   string
		cfg    processors.Config
		step   string
		n      int
		broken int
	}{
		{"all of its objects are there", backedUp(), "commit", 0, 0},
		{"one is missing", backedUp(), "put", 4, 1},
		{"all are missing", backedUp(), "put", 0, 1},
		{"all are there, and the plan had no room for their keys", long, "commit", 0, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := struck(t, row.step, row.n, crashBefore, row.cfg.WithSize(30))
				if len(w.bundles()) != 1 || w.row.pending == nil || len(w.row.pending.State) > exactlyonce.MaxBytes {
					t.Fatalf("bundles %v, row %+v", w.bundles(), w.row)
				}
				pl, err := exactlyonce.Decode(w.row.pending.State)
				if err != nil || pl.Bundle.Count != 4 {
					t.Fatalf("%+v, %v", pl.Bundle, err)
				}
				delete(w.objects, w.bundles()[0])
				if err := w.run(t.Context(), t, []int{4}, row.cfg.WithSize(30)); err != nil {
					t.Fatal(err)
				}
				if err := w.verdict(row.broken == 0); err != nil {
					t.Error(err)
				}
				if len(w.bundlesLost) != row.broken {
					t.Fatalf("told %+v", w.bundlesLost)
				}
				want := processors.BundleLostEvent{ShardID: theShard().ShardID, Bucket: "b", Key: pl.Bundle.Key, Objects: 4, Records: pl.Records}
				if row.broken > 0 && w.bundlesLost[0] != want {
					t.Errorf("told %+v, want %+v", w.bundlesLost[0], want)
				}
			})
		})
	}
}

// TestABundleIsNotBelieved: what is in a bundle is put only if it is what its writer
// sealed, and goes where this archiver's objects go.
func TestABundleIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*testing.T, *world, *exactlyonce.Plan, []byte) []byte // of the bundle
		want   string
	}{
		{"a body was changed", func(_ *testing.T, _ *world, _ *exactlyonce.Plan, b []byte) []byte { b[0]++; return b }, "is not the one that was staged"},
		{"the index was changed", func(_ *testing.T, _ *world, _ *exactlyonce.Plan, b []byte) []byte { b[len(b)-1]++; return b }, "is not the plan's"},
		{"the index leads elsewhere, and the plan with it", readdressed(func(x *exactlyonce.Index) { x.Objects[0].Bucket = "evil" }), "a bucket that is not this archiver's"},
		{"a key of the index leads elsewhere, and the plan with it", readdressed(func(x *exactlyonce.Index) { x.Objects[1].Key = "a/../b" }), "a key that no archiver makes"},
		{"the plan's bundle is elsewhere", func(_ *testing.T, w *world, p *exactlyonce.Plan, b []byte) []byte {
			p.Bundle.Bucket = "evil"
			w.row.pending.State = p.Encode()
			return b
		}, "a bucket that is not this archiver's"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := struck(t, "put", 0, crashBefore, backedUp().WithSize(30))
				pl, err := exactlyonce.Decode(w.row.pending.State)
				if err != nil {
					t.Fatal(err)
				}
				name := w.bundles()[0]
				o := w.objects[name]
				o.body = row.change(t, w, &pl, bytes.Clone(o.body))
				w.objects[name] = o
				before, pending := maps.Clone(w.objects), *w.row.pending
				err = w.run(t.Context(), t, []int{4}, backedUp())
				if !errors.Is(err, processors.ErrUnfinishable) || !strings.Contains(err.Error(), row.want) {
					t.Errorf("got %v, want %q", err, row.want)
				}
				if len(w.objects) != len(before) || w.row.pending == nil || w.row.pending.At != pending.At || w.counts["clear"] > 0 {
					t.Errorf("objects %v, row %+v", w.keys(), w.row)
				}
			})
		})
	}
}

// readdressed changes the index of a bundle, and the plan in the row to go with it.
func readdressed(change func(*exactlyonce.Index)) func(*testing.T, *world, *exactlyonce.Plan, []byte) []byte {
	return func(t *testing.T, w *world, p *exactlyonce.Plan, b []byte) []byte {
		t.Helper()
		u := p.Bundle
		bodies := b[:u.Size-u.IndexSize]
		x, err := exactlyonce.JudgeIndex(*u, p.UUID, b[len(bodies):], []string{"b", "backup"})
		if err != nil {
			t.Fatal(err)
		}
		change(&x)
		index := x.Encode()
		u.IndexSize, u.Index, u.Size = int64(len(index)), exactlyonce.Sum(index), int64(len(bodies)+len(index))
		w.row.pending.State = p.Encode()
		return append(bytes.Clone(bodies), index...)
	}
}

// TestBackup: a cut ends by what is delivered; within it each object of the backup ends
// by its own size, and its bytes are those of the records.
func TestBackup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(numbered(23))
		cfg := with(backedUp(), func(c *processors.Config) { c.AppendDelimiterToRecord = true })
		if err := w.run(t.Context(), t, []int{4}, cfg.WithSize(30)); err != nil {
			t.Fatal(err)
		}
		if err := w.verdict(true); err != nil {
			t.Error(err)
		}
		bytesOf := map[processors.Role]int64{}
		small, cuts := map[processors.Role]int{}, 0
		for _, e := range w.delivered {
			bytesOf[e.Role] += e.Bytes
			limit := int64(30)
			if e.Role == processors.RoleBackup {
				limit = 11
			} else {
				cuts++
			}
			if e.Bytes < limit {
				small[e.Role]++
			}
			if e.Bytes >= limit+12 {
				t.Errorf("%s has %d bytes, of %d", e.Key, e.Bytes, limit)
			}
			body, err := w.objects[objectName(e.Bucket, e.Key)].inflated()
			if want := e.Bytes + map[processors.Role]int64{processors.RoleDelivery: e.Records}[e.Role]; err != nil || int64(len(body)) != want {
				t.Errorf("%s has %d bytes, %v; want %d", e.Key, len(body), err, want)
			}
			if strings.HasPrefix(e.Key, "raw/2016/") != (e.Role == processors.RoleBackup) {
				t.Errorf("%s is %s", e.Key, e.Role)
			}
		}
		if small[processors.RoleDelivery] > 1 || small[processors.RoleBackup] > cuts || cuts < 4 { // only the last ones of a cut
			t.Errorf("too small are %v, in %d cuts", small, cuts)
		}
		if bytesOf[processors.RoleBackup] == 0 || bytesOf[processors.RoleBackup] != bytesOf[processors.RoleDelivery] {
			t.Errorf("delivered %v", bytesOf)
		}
		if len(w.bundles()) > 0 || w.counts["seal"] == 0 {
			t.Errorf("bundles %v, operations %v", w.bundles(), w.counts)
		}
	})
}

// TestBackupAtLeastOnce: nothing is staged, listed or deleted.
func TestBackupAtLeastOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(numbered(23))
		cfg := with(backedUp(), func(c *processors.Config) { c.Delivery = processors.AtLeastOnce })
		if err := w.run(t.Context(), t, []int{4}, cfg.WithSize(30)); err != nil {
			t.Fatal(err)
		}
		if err := w.verdict(true); err != nil {
			t.Error(err)
		}
		for _, kind := range []string{"seal", "prepare", "list", "delete", "get"} {
			if w.counts[kind] > 0 {
				t.Errorf("operations %v", w.counts)
			}
		}
	})
}

// TestOutputs: each object has what went into it, in order, whatever the others got
// between, and the arrival of the oldest record.
func TestOutputs(t *testing.T) {
	t.Parallel()
	records := numbered(300)
	for i := range records { // arrivals are not in order
		records[i].ApproximateArrivalTimestamp = start().Add(time.Duration((i*37)%100) * time.Second)
	}
	for _, keepEvery := range []int{1, 2, 3} {
		for _, delimiter := range []string{"", "\n"} {
			got := processors.Outputs(t, records, delimiter, 50, func(i int, data []byte) []byte {
				switch i % keepEvery {
				case 0:
					return data
				case 1:
					return []byte(strings.ToUpper(string(data)))
				default:
					return nil
				}
			})
			var delivered, backup strings.Builder
			for _, o := range got {
				if o.Backup {
					backup.WriteString(o.Body)
				} else {
					delivered.WriteString(o.Body)
				}
				first := slices.IndexFunc(records, func(r kcl.Record) bool { return strings.HasPrefix(strings.ToLower(o.Body), string(r.Data)) })
				oldest := records[first].ApproximateArrivalTimestamp
				for _, r := range records[first:] {
					if strings.Contains(strings.ToLower(o.Body), string(r.Data)) && r.ApproximateArrivalTimestamp.Before(oldest) {
						oldest = r.ApproximateArrivalTimestamp
					}
				}
				if !o.Oldest.Equal(oldest) {
					t.Errorf("%q: oldest %v, want %v", o.Body, o.Oldest, oldest)
				}
			}
			var wantDelivered, wantBackup strings.Builder
			for i, r := range records {
				wantBackup.Write(r.Data)
				switch i % keepEvery {
				case 0:
					fmt.Fprintf(&wantDelivered, "%s%s", r.Data, delimiter)
				case 1:
					fmt.Fprintf(&wantDelivered, "%s%s", strings.ToUpper(string(r.Data)), delimiter)
				}
			}
			if delivered.String() != wantDelivered.String() || backup.String() != wantBackup.String() {
				t.Errorf("every %d, delimiter %q: delivered\n%s\nwant\n%s\nbackup\n%s", keepEvery, delimiter, delivered.String(), wantDelivered.String(), backup.String())
			}
		}
	}
}

// slowStore takes its time for each put, and counts how many run at once.
type slowStore struct {
	shelf

	refuse  string // the first so many puts of a body that begins so fail
	refused int

	mu        sync.Mutex
	now, most int
}

func (s *slowStore) Put(ctx context.Context, o processors.Object) error {
	if !isBundle(o.Key) {
		s.count(1)
		defer s.count(-1)
	}
	time.Sleep(30 * time.Millisecond)
	body := make([]byte, min(4, o.Body.Size()))
	_, _ = o.Body.ReadAt(body, 0)
	if s.isRefused(string(body)) {
		return errFault
	}
	return s.shelf.Put(ctx, o)
}

func (s *slowStore) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.most = max(s.most, s.now)
}

func (s *slowStore) isRefused(body string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse == "" || body != s.refuse || s.refused == 0 {
		return false
	}
	s.refused--
	return true
}

// TestManyObjectsArePutSideBySide: as many at once as are allowed, of all shards; one
// that fails holds up no other.
func TestManyObjectsArePutSideBySide(t *testing.T) {
	t.Parallel()
	for _, refused := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := &slowStore{refuse: "<777", refused: refused}
			cfg := with(backedUp(), func(c *processors.Config) { c.ParallelPuts, c.Backup.Compression = 0, processors.Uncompressed })
			archiver, err := processors.New(cfg.WithBackupSize(1), s)
			if err != nil {
				t.Fatal(err)
			}
			var shards sync.WaitGroup
			begun := time.Now()
			for range 2 {
				shards.Go(func() { deliverAll(t, archiver, numbered(2500)) })
			}
			if refused > 0 {
				time.Sleep(6 * time.Second) // all puts of both shards take 5 s, and the second try comes 5 s after a round
				s.shelf.mu.Lock()
				if n := len(s.objects); n < 5002-2 || n > 5002 {
					t.Errorf("%d objects are there, one of 5,002 fails", n)
				}
				s.shelf.mu.Unlock()
			}
			shards.Wait()
			limit := 6*time.Second + time.Duration(refused)*7*time.Second
			if took := time.Since(begun); took > limit || s.most != 32 {
				t.Errorf("took %v, want at most %v, with up to %d puts at once, want 32", took, limit, s.most)
			}
			if n := len(s.objects); n != 5002 {
				t.Errorf("%d objects, want 5,002", n)
			}
		})
	}
}

// deliverAll has an archiver deliver records in one cut.
func deliverAll(t *testing.T, archiver *processors.Archiver, records []kcl.Record) {
	t.Helper()
	p := archiver.Processor(theShard())
	cp := checkpoint.New(noRow{}, checkpoint.Sentinel(checkpoint.TrimHorizon), false)
	cp.Processed(records[len(records)-1].Position())
	in := kcl.InitializationInput{Checkpointer: cp, Checkpoint: cp.Last(), CheckTrust: func() error { return nil }}
	if err := errors.Join(
		p.Initialize(t.Context(), in),
		p.ProcessRecords(t.Context(), kcl.ProcessRecordsInput{Records: records, Checkpointer: cp}),
		p.ShutdownRequested(t.Context(), kcl.ShutdownRequestedInput{Checkpointer: cp}),
	); err != nil {
		t.Error(err)
	}
	p.LeaseLost(t.Context(), kcl.LeaseLostInput{})
}
