package processors_test

import (
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// loader is a world's loader: each so manieth operation it takes all markers that are
// there, loads what they name, and deletes them. With its ledger an object counts once.
type loader struct {
	every  int // 0: never
	toLoad map[string]bool
	loaded map[string]int // objects, by how often
	taken  map[string]int // markers, by how often
}

// isMarker reports whether a key is one of a marker.
func isMarker(key string) bool { return strings.HasPrefix(key, "_shardmill/load/") }

// loading returns config with a load.
func loading(on processors.CommitOn) processors.Config {
	return with(config(), func(c *processors.Config) { c.Load = &processors.Load{CommitOn: on}; c.Compression = processors.GZIP })
}

// turn is the loader's. w.mu is held.
func (w *world) turn() {
	if w.loader.every > 0 && w.total%w.loader.every == 0 {
		w.load()
	}
}

// load has the loader load all that is marked. w.mu is held.
func (w *world) load() {
	for _, name := range w.keys() {
		if _, key, _ := strings.Cut(name, "/"); !isMarker(key) {
			continue
		}
		w.loader.taken[name]++
		m, err := processors.ParseMarker(w.objects[name].body)
		if err != nil || m.DeliveryStreamName != "orders" || m.CheckSource(w.now.shard.Table, w.now.shard.StreamARN) != nil || w.objects[name].ctype != "application/json" {
			w.violate("marker %s: %+v, %v, %s", name, m, err, w.objects[name].ctype)
		}
		w.mostMarked = max(w.mostMarked, len(m.Objects))
		for _, o := range m.Objects {
			there, ok := w.objects[objectName(o.Bucket, o.Key)]
			if !ok || int64(len(there.body)) != o.Size || xxh3.Hash128(there.body).Bytes() != o.Digest || o.Records < 1 || o.Oldest.IsZero() {
				w.violate("marker %s names %+v; there %v, of %d bytes", name, o, ok, len(there.body))
			}
			w.loader.loaded[objectName(o.Bucket, o.Key)]++
		}
		delete(w.objects, name)
	}
}

// isWaiting reports whether an object counts only when it is loaded, and is not.
func (w *world) isWaiting(name string) bool {
	return w.loader.toLoad[name] && w.loader.loaded[name] == 0
}

// notePut notes what was put without a plan by a holder whose objects are loaded.
func (w *world) notePut(o processors.Object) {
	if isDelivery := o.Bucket != "backup" && !isBundle(o.Key) && !isMarker(o.Key) && !strings.Contains(o.Key, "-failed/"); isDelivery && !o.IfAbsent {
		w.loader.toLoad[objectName(o.Bucket, o.Key)] = true
	}
}

// announced returns the plan in the row if it is one that awaits a marker's end.
func (w *world) announced() (exactlyonce.Plan, bool) {
	if w.row.pending == nil {
		return exactlyonce.Plan{}, false
	}
	pl, err := exactlyonce.Decode(w.row.pending.State)
	return pl, err == nil && pl.Awaits != nil
}

// checkLoaded wants all records up to at to be loaded that the checkpoint has not passed,
// if it waits for that.
func (w *world) checkLoaded(h *holding, at checkpoint.Position) {
	if _, isAnnounced := w.announced(); !isAnnounced && !h.awaits {
		return
	}
	n, err := w.places(false)
	if err != nil {
		w.violate("at a commit: %v", err)
	}
	end := len(w.records)
	if at.IsRecord() {
		end = w.index(at.ExtendedSequenceNumber) + 1
	}
	for i := h.firstUndoneOf(w.row.checkpoint); i < end; i++ {
		if n[i] == 0 && !w.skipped[i] && !w.reported(i) && !w.indexed[i] {
			w.violate("the checkpoint passes record %d, which is not loaded", i)
		}
	}
}

func (h *holding) firstUndoneOf(at checkpoint.Position) int {
	if at.IsRecord() {
		return h.w.index(at.ExtendedSequenceNumber) + 1
	}
	return 0
}

// markers returns the names of those that are there.
func (w *world) markers() (names []string) {
	for _, name := range w.keys() {
		if _, key, _ := strings.Cut(name, "/"); isMarker(key) {
			names = append(names, name)
		}
	}
	return names
}

// deliveredNames are the objects that are delivered.
func (w *world) deliveredNames() (names []string) {
	for _, name := range w.keys() {
		if _, key, _ := strings.Cut(name, "/"); !isMarker(key) && !isBundle(key) && !strings.HasPrefix(name, "backup/") {
			names = append(names, name)
		}
	}
	return names
}

// isInOrder reports whether no put of a marker comes before one that its cut needs.
func isInOrder(puts []processors.Object) bool {
	var marked []string
	for _, o := range puts {
		id := o.Metadata[processors.MetadataPlan]
		switch {
		case isMarker(o.Key):
			marked = append(marked, id)
		case slices.Contains(marked, id):
			return false
		}
	}
	return true
}
