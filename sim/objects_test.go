package sim_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

type object struct {
	body     string
	metadata map[string]string
}

// store is an object store as one machine sees it.
type store struct {
	w *world
	m *machine
}

func (s store) Put(ctx context.Context, o processors.Object) error {
	if err := s.m.hop(ctx, "put"); err != nil {
		return err
	}
	body, err := io.ReadAll(o.Body)
	if err != nil {
		return err
	}
	if !s.w.calmed() {
		switch s.m.draw(12) {
		case 0: // it lands later, whatever becomes of the sender
			s.w.count("late puts")
			time.AfterFunc(time.Duration(s.m.draw(int(3*failover))), func() { _ = s.w.store(o, body) })
			return errNet
		case 1:
			s.w.count("lost answers of puts")
			_ = s.w.store(o, body)
			return errNet
		}
	}
	return s.w.store(o, body)
}

// store applies a put.
func (w *world) store(o processors.Object, body []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.objects[o.Key]; ok && o.IfAbsent {
		return processors.ErrExists
	}
	w.objects[o.Key] = object{body: string(body), metadata: o.Metadata}
	w.counts["objects"]++
	return nil
}

func (s store) Head(ctx context.Context, _, key string) (map[string]string, bool, error) {
	if err := s.m.hop(ctx, "head"); err != nil {
		return nil, false, err
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	o, ok := s.w.objects[key]
	return o.metadata, ok, nil
}

func (s store) Check(ctx context.Context, _ string) error { return s.m.hop(ctx, "check") }

// archived returns the keys of the objects that each record is in; w.mu is
// held, or nothing runs any more.
func (w *world) archived() map[string][]string {
	in := map[string][]string{}
	for key, o := range w.objects {
		for rec := range strings.SplitAfterSeq(o.body, "|") {
			if rec != "" {
				in[rec] = append(in[rec], key)
			}
		}
	}
	return in
}

// TestArchivers checks that every record is in exactly one object.
func TestArchivers(t *testing.T) { //nolint:tparallel // each makes the subtests parallel
	t.Parallel()
	each(t, func(t *testing.T, seed uint64) map[string]int {
		t.Helper()
		w := newWorld(t, seed)
		w.done = func(string) map[string]bool {
			done := map[string]bool{}
			for rec := range w.archived() {
				done[rec] = true
			}
			return done
		}
		w.play(func(m *machine) kcl.ProcessorFactory {
			f, err := processors.New(processors.Config{
				DeliveryStreamName: "s", Bucket: "b", Hints: processors.BufferingHints{SizeInMBs: 1, IntervalInSeconds: 5 + int(seed%40)},
				Compression: processors.Uncompressed, SpoolDir: t.TempDir(),
			}, store{w, m})
			if err != nil {
				t.Fatal(err)
			}
			return f
		}, time.Second)
		w.judgeObjects()
		return w.counts
	})
}

func (w *world) judgeObjects() {
	in := w.archived()
	var missing, twice []string
	n := 0
	for i := range w.stream.Len() {
		for _, r := range w.stream.Records(i) {
			n++
			switch rec := string(r.Data); len(in[rec]) {
			case 0:
				missing = append(missing, rec)
			case 1:
			default:
				twice = append(twice, rec)
			}
		}
	}
	slices.Sort(missing)
	slices.Sort(twice)
	if len(missing)+len(twice) > 0 {
		w.violate("of %d records %d are missing: %.200v and %d are in two objects: %.200v", n, len(missing), missing, len(twice), twice)
	}
	w.counts["records archived"] += n
}
