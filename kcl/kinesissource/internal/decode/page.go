package decode

import (
	"unsafe"

	"github.com/shardmill/shardmill/kcl"
)

const recordBytes = int(unsafe.Sizeof(kcl.Record{}))

// Page is what one GetRecords brought, if Ours; else the SDK's output has the
// records. Release it.
type Page struct {
	Ours    bool
	Records []kcl.Record
	Size    int64 // bytes of data and partition keys
	Memory  int64 // what it takes

	// Plain says that no record's data begins as an aggregated record of the KPL.
	Plain bool

	pool    *Pool
	buf     *buffer
	strings int    // bytes of the page's string
	next    string // iterator of the next page, which tells one answer from another
}

// Release gives the page's memory back. The records are gone, and a second call
// has no effect.
func (p *Page) Release() {
	if p.buf != nil {
		p.pool.put(p.buf)
	}
	*p = Page{}
}

// need returns what the page of an answer of n bytes takes, about: the buffer, and
// at most limit records with their strings.
func need(n, limit int) int64 {
	const (
		strings  = 100 // of a record: sequence number and partition key
		smallest = 150 // a record in JSON, without data
	)
	return int64(sizeFor(max(n, minBuffer))) + int64(min(limit, n/smallest))*int64(recordBytes+strings)
}

// finish notes what the page takes once all is in place.
func (p *Page) finish() {
	p.Ours, p.Records = true, p.buf.records
	p.Memory = int64(p.buf.memory() + p.strings)
	p.pool.grew(p.buf)
}
