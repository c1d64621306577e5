package health

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/metrics"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// loads knows what becomes of what is staged, if this worker loads it, and who does if
// not.
type loads struct {
	mu      sync.Mutex            // guards what follows
	role    func() elected.Status // nil if nothing is loaded
	markers int                   // that the last look found
	oldest  time.Time             // arrival of the oldest record of the batch that is tried; zero if there is none
	tries   int                   // of that batch that have failed
	copies  failing               // the tries
	store   failing               // looks for markers, or puts of manifests, or deletions

	left      int       // markers that the last look found and that cannot be loaded
	leftSince time.Time // of the first of them

	givenUp   string    // about the last batch that was given up; "" if one was loaded since
	givenUpAt time.Time // of it

	asked  time.Time // since when COPY is known to be unanswered; zero if it is not
	staged bool      // this worker staged something while nobody was known to load
	nobody time.Time // since when nobody is known to load, and something waits; zero if that is not so

	awaiting map[string]time.Time                // since when a shard's checkpoint waits for a load
	foreign  map[string]processors.AwaitingEvent // those of them whose marker no loader finds
}

// failing is what fails, and since when, until it does not.
type failing struct {
	why   string // "" if it does not
	since time.Time
}

// note notes how it went last.
func (f *failing) note(err error) {
	switch {
	case err == nil:
		*f = failing{}
	case f.why == "":
		*f = failing{err.Error(), time.Now()}
	default:
		f.why = err.Error()
	}
}

// loadPatience is for how long tries may fail, or one may not be answered, or nobody may load, before
// that is a trouble that ends readiness: longer than the five minutes until the second try.
const loadPatience = 6 * time.Minute

// waiting notes what the loader does.
func (l *loads) waiting(e redshiftarchive.WaitingEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.markers, l.tries, l.oldest = e.Markers, e.Tries, time.Time{}
	if l.left == 0 {
		l.leftSince = now
	}
	l.left = e.Left
	if e.Oldest > 0 {
		l.oldest = now.Add(-e.Oldest)
	}
	switch {
	case !e.Trying || e.Err != nil: // no batch is tried, or the trouble is another one
		l.asked = time.Time{}
	case l.asked.IsZero():
		l.asked = now
	}
	l.copies.note(e.Err)
	l.store.note(e.StoreErr)
}

// tried notes that COPY was answered.
func (l *loads) tried(redshiftarchive.TriedEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = time.Time{}
}

// delivered notes what is staged, with its marker, while nobody is known to load.
func (l *loads) delivered(e processors.DeliveredEvent) {
	if e.Role != processors.RoleDelivery {
		return
	}
	s, some := l.status()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.staged = some
	l.lookForLoader(s)
}

// nobodyLoads reports whether no worker is known to.
func nobodyLoads(s elected.Status) bool { return !s.Has && s.Holder == "" }

// lookForLoader notes since when nobody is known to load, while l.mu is locked.
func (l *loads) lookForLoader(s elected.Status) {
	switch {
	case !nobodyLoads(s):
		l.staged, l.nobody = false, time.Time{}
	case !l.staged && len(l.awaiting) == 0:
		l.nobody = time.Time{}
	case l.nobody.IsZero():
		l.nobody = time.Now()
	}
}

// loaded notes that a batch was. That says nothing of markers that could not be looked for.
func (l *loads) loaded(redshiftarchive.LoadedEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.copies, l.givenUp = failing{}, ""
}

// gaveUp notes a batch that was not loaded, and will not be.
func (l *loads) gaveUp(e redshiftarchive.GivenUpEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.copies = failing{}
	became, remedy := "were not loaded", "COPY that manifest once the cause is mended"
	if e.InDoubt {
		became, remedy = "may be loaded already", "look whether rows are there first, and only if none is, "+remedy
	}
	l.givenUp = fmt.Sprintf("%d objects with %d records %s, and %s names them: %s; the last try failed with %v", e.Objects, e.Records, became, e.Manifest, remedy, e.Err)
	l.givenUpAt = now
}

// changed notes that this worker begins or ends to load: then what failed is another
// worker's matter.
func (l *loads) changed(bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.markers, l.left, l.tries, l.oldest, l.asked = 0, 0, 0, time.Time{}, time.Time{}
	l.copies, l.store = failing{}, failing{}
}

// waits notes that a shard waits for its load, or does not any more.
func (l *loads) waits(e processors.AwaitingEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Since.IsZero() {
		delete(l.awaiting, e.ShardID)
		delete(l.foreign, e.ShardID)
		return
	}
	if delete(l.foreign, e.ShardID); e.Foreign {
		if l.foreign == nil {
			l.foreign = map[string]processors.AwaitingEvent{}
		}
		l.foreign[e.ShardID] = e
	}
	if l.awaiting == nil {
		l.awaiting = map[string]time.Time{}
	}
	l.awaiting[e.ShardID] = e.Since
}

// forget forgets a shard whose lease has ended.
func (l *loads) forget(shard string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.awaiting, shard)
	delete(l.foreign, shard)
}

// troubles returns what keeps records from being loaded.
func (l *loads) troubles() (list []kcl.Trouble) {
	s, some := l.status()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, shard := range slices.Sorted(maps.Keys(l.foreign)) {
		e := l.foreign[shard]
		list = append(list, kcl.Trouble{Reason: metrics.TroubleNotLoaded, Since: e.Since, Text: fmt.Sprintf(
			"shard %s waits for a marker of a former configuration, which no loader with this one finds, s3://%s/%s: "+
				"run a loader with the former staging and DeliveryStreamName, or load its objects by hand and delete it then", shard, e.Bucket, e.Key)})
	}
	if !some {
		return list
	}
	const kept = "; nothing is lost: what is staged waits"
	l.lookForLoader(s)
	switch {
	case s.Err != nil:
		list = append(list, kcl.Trouble{Reason: metrics.TroubleLoad, Since: s.ErrSince, Text: "this worker cannot stand ready to load: " + s.Err.Error() + kept})
	case !l.nobody.IsZero():
		list = append(list, kcl.Trouble{Reason: metrics.TroubleLoad, Since: l.nobody, Text: "no worker is known to load, though something waits for it: see to the log, and to the table of the lease of who loads" + kept})
	}
	if !l.asked.IsZero() {
		list = append(list, kcl.Trouble{Reason: metrics.TroubleLoad, Since: l.asked, Text: "a COPY is not answered: look in the database for what it waits for, a queue or a lock" + kept})
	}
	if l.store.why != "" {
		list = append(list, kcl.Trouble{Reason: metrics.TroubleLoad, Since: l.store.since, Text: "markers cannot be looked for, or not all, or a manifest not be put, or a marker not be deleted: " + l.store.why + kept})
	}
	if l.copies.why != "" {
		list = append(list, kcl.Trouble{Reason: metrics.TroubleLoad, Since: l.copies.since, Text: fmt.Sprintf("%d tries to load a batch have failed, the last one with %s%s, for as long as RetryOptions says", l.tries, l.copies.why, kept)})
	}
	if l.givenUp != "" && time.Since(l.givenUpAt) < forgetAfter {
		list = append(list, kcl.Trouble{Reason: metrics.TroubleNotLoaded, Since: l.givenUpAt, Text: l.givenUp})
	}
	if l.left > 0 {
		list = append(list, kcl.Trouble{Reason: metrics.TroubleNotLoaded, Since: l.leftSince, Text: fmt.Sprintf(
			"%d markers cannot be loaded: they cannot be read, or are damaged, of a newer version of this program, or of another delivery stream, application or stream; the log names them, and what they name is not lost", l.left)})
	}
	return list
}

// status returns who loads, and false if nothing is loaded.
func (l *loads) status() (elected.Status, bool) {
	l.mu.Lock()
	role := l.role
	l.mu.Unlock()
	if role == nil {
		return elected.Status{}, false
	}
	return role(), true // it has a lock of its own
}

// describe says in a few lines who loads, and what waits.
func (l *loads) describe(b *strings.Builder) {
	s, some := l.status()
	l.mu.Lock()
	defer l.mu.Unlock()
	ago := func(at time.Time) time.Duration { return time.Since(at).Truncate(time.Second) }
	switch {
	case !some:
	case s.Has:
		fmt.Fprintf(b, "loader: this worker, for %v; %d markers wait", ago(s.Since), l.markers)
		if !l.oldest.IsZero() {
			fmt.Fprintf(b, ", the oldest record is %v old", ago(l.oldest))
		}
		if l.tries > 0 {
			fmt.Fprintf(b, ", %d tries have failed", l.tries)
		}
		b.WriteByte('\n')
	case s.Holder != "":
		fmt.Fprintf(b, "loader: worker %s\n", s.Holder)
	default:
		b.WriteString("loader: nobody, or not known yet\n")
	}
	for _, shard := range slices.Sorted(maps.Keys(l.awaiting)) {
		fmt.Fprintf(b, "%s: its checkpoint has waited for a load for %v\n", shard, ago(l.awaiting[shard]))
	}
}
