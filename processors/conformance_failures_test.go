package processors_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors"
)

// conformFailures is about what happens when S3 fails, or the process dies.
func conformFailures(t *testing.T) {
	t.Helper()
	for _, d := range []processors.Delivery{processors.ExactlyOnce, processors.AtLeastOnce} {
		delivery := func(c *processors.Config) { c.Delivery = d }
		statement(t, "W1/"+string(d), func(t *testing.T) {
			t.Helper()
			theSameObjectIsPutAfter(t, 10*time.Minute, delivery)
		})
		statement(t, "W2/"+string(d), func(t *testing.T) {
			t.Helper()
			theSameObjectIsPutAfter(t, 30*time.Hour, delivery)
		})
		statement(t, "W3/"+string(d), func(t *testing.T) {
			t.Helper()
			failedRecordsBlock(t, delivery)
		})
	}
	statement(t, "W2/until retention", whatExpiredIsTold)
	statement(t, "W5/exactly once", aDeathBetweenPutAndCheckpoint)
	statement(t, "W5/at least once", aDeathBetweenPutAndCheckpointDoubles)
	statement(t, "W6/latest", func(t *testing.T) {
		t.Helper()
		readsFrom(t, kcl.Latest(), "after")
	})
	statement(t, "W6/ours", func(t *testing.T) {
		t.Helper()
		readsFrom(t, kcl.InitialPosition{}, "before", "after")
	})
}

// The key is fixed at the first try, nothing behind overtakes, and the time that it
// takes does not matter.
func theSameObjectIsPutAfter(t *testing.T, outage time.Duration, delivery func(*processors.Config)) {
	t.Helper()
	s := begin(t, with(config().WithSize(2), delivery), arrived([]string{"a", "b", "c"}))
	s.downUntil = time.Now().Add(outage)
	s.put(2)
	s.put(1)
	s.stop()
	if len(s.objects) != 2 || len(s.delivered) != 2 {
		t.Fatalf("objects %v, deliveries %v", s.keys(), s.delivered)
	}
	for i, want := range []string{"ab", "c"} {
		e := s.delivered[i]
		if got := string(s.objects[objectName(e.Bucket, e.Key)].body); got != want {
			t.Errorf("object %d is %q, want %q", i, got, want)
		}
	}
	first := s.delivered[0].Key
	if n := len(s.failures); n < 100 || slices.ContainsFunc(s.failures, func(e processors.PutFailedEvent) bool { return e.Key != first }) {
		t.Errorf("%d failures, not all of the key %s", n, first)
	}
}

// A record that the stream did not keep for long enough is lost only if no process
// holds it any more; then it is told, and the rest is delivered.
func whatExpiredIsTold(t *testing.T) {
	t.Helper()
	w := prepared(t, 9, 6, config(), theShard())
	w.horizon = 3
	h, p, ctx := w.take(t.Context(), t, config(), theShard())
	if err := h.life(ctx, p, []int{9}); err != nil {
		t.Fatal(err)
	}
	if err := w.verdict(true); err != nil || len(w.lost) == 0 {
		t.Errorf("losses told %+v, %v", w.lost, err)
	}
}

// refusing is a store that refuses puts whose key has a text, as long as it says so.
type refusing struct {
	*shelf

	text  string
	until time.Time
}

func (r refusing) Put(ctx context.Context, o processors.Object) error {
	if strings.Contains(o.Key, r.text) && time.Now().Before(r.until) {
		_, _ = io.Copy(io.Discard, o.Body)
		return errFault
	}
	return r.shelf.Put(ctx, o)
}

// While an object of records that failed cannot be put, nothing is committed and
// nothing behind is delivered; then all of it is, once.
func failedRecordsBlock(t *testing.T, delivery func(*processors.Config)) {
	t.Helper()
	const outage = 2 * time.Hour
	s := refusing{new(shelf), "/decompression-failed/", time.Now().Add(outage)}
	stream, table := kcltest.NewStream(1), new(lease.Mem)
	stream.Put(0, zipped(t, "good "), "bad")
	go func() {
		time.Sleep(outage / 4) // into the next cut
		stream.Put(0, zipped(t, "behind "))
	}()
	archiver, err := processors.New(with(config(), delivery, func(c *processors.Config) {
		c.Decompression, c.Prefix = true, "p/"
	}), s)
	if err != nil {
		t.Fatal(err)
	}
	c := kcl.Config{ApplicationName: "app", StreamName: "clicks", Source: stream, Leases: table, WorkerID: "me"}
	if err := archiver.Configure(&c); err != nil {
		t.Fatal(err)
	}
	w, err := kcl.New(c, archiver.Processor)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), outage+time.Hour)
	defer stop()
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	time.Sleep(outage - time.Minute)
	l, err := table.Get(ctx, stream.Shard(0).ID)
	second := stream.Records(0)[1]
	if err != nil || l.Checkpoint.IsRecord() && l.Checkpoint.Compare(second.Position().ExtendedSequenceNumber) >= 0 {
		t.Errorf("the checkpoint is at %v, %v", l.Checkpoint, err)
	}
	if n := len(s.keys()); n > 1 {
		t.Errorf("%d objects beside that of the good record", n)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var all []string
	for _, key := range s.keys() {
		all = append(all, string(s.find("b", key).body))
	}
	text := strings.Join(all, "")
	for _, once := range []string{"good ", "behind ", `"rawData":"YmFk"`} {
		if n := strings.Count(text, once); n != 1 {
			t.Errorf("%q is there %d times, in %q", once, n, all)
		}
	}
}

// dies has the first holder die once at an operation of a kind, after it was applied.
func dies(w *world, kind string) {
	w.fault = func(k string, nth, _ int) fault {
		if k == kind && nth == 0 {
			return crashAfter
		}
		return noFault
	}
}

func aDeathBetweenPutAndCheckpoint(t *testing.T) {
	t.Helper()
	w := newWorld(arrived([]string{"a", "b", "c"}))
	dies(w, "put")
	if err := w.run(t.Context(), t, []int{3}, config()); err != nil {
		t.Fatal(err)
	}
	if w.holders != 2 || len(w.objects) != 1 || len(w.violations) > 0 {
		t.Fatalf("%d holders, objects %v, %v", w.holders, w.keys(), w.violations)
	}
	o := w.objects[w.keys()[0]]
	if string(o.body) != "abc" || !o.condit {
		t.Errorf("body %q, conditional %v", o.body, o.condit)
	}
	if e := w.delivered[0]; !e.Found {
		t.Errorf("the second holder put it: %+v", e)
	}
}

func aDeathBetweenPutAndCheckpointDoubles(t *testing.T) {
	t.Helper()
	w := newWorld(arrived([]string{"a", "b", "c"}))
	dies(w, "put")
	if err := w.run(t.Context(), t, []int{3}, with(config(), func(c *processors.Config) { c.Delivery = processors.AtLeastOnce })); err != nil {
		t.Fatal(err)
	}
	for _, key := range w.keys() {
		if o := w.objects[key]; string(o.body) != "abc" {
			t.Errorf("%s has %q", key, o.body)
		}
	}
	if len(w.objects) != 2 {
		t.Errorf("objects %v", w.keys())
	}
}

// readsFrom checks what an application delivers that begins at a position, of what was
// put before it began and after.
func readsFrom(t *testing.T, position kcl.InitialPosition, want ...string) {
	t.Helper()
	stream, s := kcltest.NewStream(1), new(shelf)
	stream.Put(0, "before ")
	time.Sleep(time.Second)
	go func() {
		time.Sleep(30 * time.Second)
		stream.Put(0, "after ")
	}()
	archiveFor(t, time.Minute, "me", stream, new(lease.Mem), config(), s, func(c *kcl.Config) { c.InitialPosition = position })
	if got := s.words(); !slices.Equal(got, want) {
		t.Errorf("delivered %q, want %q", got, want)
	}
}
