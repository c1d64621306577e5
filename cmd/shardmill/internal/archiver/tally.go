package archiver

import (
	"sync/atomic"

	"github.com/shardmill/shardmill/processors"
)

// Tally counts what this process has delivered. The zero value counts from 0. It
// is safe for concurrent use.
type Tally struct{ records, bytes, objects, failed atomic.Int64 }

// Delivered returns how many records, of how many bytes before compression, are
// in how many objects. A backup's do not count. Of documents it returns those that are in
// the index, in no objects.
func (t *Tally) Delivered() (records, bytes, objects int64) {
	return t.records.Load(), t.bytes.Load(), t.objects.Load()
}

// Failed returns how many documents could not be indexed.
func (t *Tally) Failed() int64 { return t.failed.Load() }

// counting returns hooks that count too.
func (t *Tally) counting(h processors.Hooks) processors.Hooks {
	h.Delivered = both(func(e processors.DeliveredEvent) {
		if e.Role == processors.RoleDelivery {
			t.records.Add(e.Records)
			t.bytes.Add(e.Bytes)
			t.objects.Add(1)
		}
	}, h.Delivered)
	h.Indexed = both(func(e processors.IndexedEvent) {
		t.records.Add(e.Documents + e.Superseded)
		t.bytes.Add(e.Bytes)
		t.failed.Add(e.Failed)
	}, h.Indexed)
	return h
}
