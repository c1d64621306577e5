package esarchive

import (
	"cmp"
	"slices"
	"time"

	"github.com/shardmill/shardmill/processors"
)

// failures are the documents of a cut that failed, in as little memory as will do: all of a
// cut may fail, a hundred thousand and more.
type failures struct {
	list    []failed
	ids     int64 // bytes of their ids, and of messages that are not shared
	indices map[string]string
}

type failed struct {
	document, attempts int32
	ended              int64 // nanoseconds since 1970
	last               *last
	id, index          string // index is one string for all that have it
}

const failedBytes = 64

// add notes one. The index is the name of its index.
func (f *failures) add(d failure, id, index string) {
	if f.indices == nil {
		f.indices = map[string]string{}
	}
	name, ok := f.indices[index]
	if !ok {
		name = index
		f.indices[name] = name
	}
	f.list = append(f.list, failed{
		document: int32(d.document), attempts: int32(min(d.attempts, 1<<31-1)), ended: d.ended.UnixNano(), last: d.last, id: id, index: name,
	})
	f.ids += int64(len(id))
	if !d.last.shared {
		f.ids += int64(len(d.last.message))
	}
}

// held is about how many bytes they take.
func (f *failures) held() int64 { return failedBytes*int64(cap(f.list)) + f.ids }

// all returns them in the order of their documents.
func (f *failures) all(typeName string, isServerless bool) []processors.DocumentFailure {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortFunc(f.list, func(a, b failed) int { return cmp.Compare(a.document, b.document) })
	all := make([]processors.DocumentFailure, 0, len(f.list))
	for _, d := range f.list {
		all = append(all, processors.DocumentFailure{
			Document: int(d.document), Code: d.last.code, Message: d.last.message, Attempts: int(d.attempts), Ended: time.Unix(0, d.ended),
			ID: d.id, Index: d.index, Type: typeName, Serverless: isServerless,
		})
	}
	return all
}

// reasons are those of which documents share the memory: a cluster that refuses many
// says the same of most.
type reasons map[item]*last

// maxReasons is how many are known at once.
const maxReasons = 64

// of says why a document failed.
func (r reasons) of(it item, brief bool) *last {
	if known := r[it]; known != nil {
		return known
	}
	l := it.of(brief)
	if len(r) >= maxReasons {
		clear(r)
	}
	if len(it.reason) <= maxMessage {
		l.shared = true
		r[it] = l
	}
	return l
}
