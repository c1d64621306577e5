package decode

import (
	"context"
	"unsafe"

	"github.com/shardmill/shardmill/kcl"
)

const recordBytes = int(unsafe.Sizeof(kcl.Record{}))

// Page is what one GetRecords brought, if Ours; else the SDK's output has the
// records. Release it.
type Page struct {
	Room    kcl.Room // what it may take
	Limit   int      // the most records that were asked for
	Ours    bool
	Records []kcl.Record
	Size    int64 // bytes of data and partition keys
	Memory  int64 // what it takes

	// Plain says that no record's data begins as an aggregated record of the KPL.
	Plain bool

	pool    *Pool
	buf     *buffer
	strings int // bytes of the page's string
}

type pageKey struct{}

// Into returns a context for a call of GetRecords whose page is to be p.
func Into(ctx context.Context, p *Page) context.Context {
	return context.WithValue(ctx, pageKey{}, p)
}

// of returns the page of the call, or nil.
func of(ctx context.Context) *Page {
	p, _ := ctx.Value(pageKey{}).(*Page)
	return p
}

// Release gives the page's memory back. The records are gone, and a second call
// has no effect.
func (p *Page) Release() {
	if p.buf != nil {
		p.pool.put(p.buf)
	}
	*p = Page{Room: p.Room, Limit: p.Limit}
}

// need returns what a page of an answer of n bytes takes, about: the buffer, and
// at most so many records with their strings.
func (p *Page) need(n int) int64 {
	const (
		strings  = 100 // of a record: sequence number and partition key
		smallest = 150 // a record in JSON, without data
	)
	return int64(sizeFor(max(n, minBuffer))) + int64(min(p.Limit, n/smallest))*int64(recordBytes+strings)
}

// finish notes what the page takes once all is in place.
func (p *Page) finish() {
	p.Ours = true
	p.Memory = int64(p.buf.memory() + p.strings)
}
