package kinesisd

import (
	"slices"
	"sort"
	"strconv"
)

const (
	minChunkBytes = 4 << 10
	maxChunkBytes = 512 << 10
	// renderedBytes is what a rendered record has besides its data and its key:
	// names, quotes, time and sequence number.
	renderedBytes = 192
)

// recordLog holds the records of one shard, rendered. The stream's lock guards
// it.
type recordLog struct {
	chunks      []*chunk
	first       uint64 // index of the oldest record that can be read
	next        uint64 // index of the next record; first == next when there is none
	trimmed     uint64 // records below this index were expired, as opposed to discarded
	lastArrival int64  // milliseconds; arrivals never go back, whatever the wall clock does
	bytes       int64  // of the data of the records from first on, decoded
}

// chunk is a run of rendered records. Its text never grows beyond its capacity,
// so slices of it stay valid.
type chunk struct {
	base    uint64 // index of records[0]
	text    []byte
	records []recordPlace
}

type recordPlace struct {
	end     uint32 // of the rendered record in text; it begins at the end of the one before
	size    uint32 // of its data, decoded
	arrival int64  // milliseconds
}

func newRecordLog() recordLog { return recordLog{first: 1, next: 1, trimmed: 1} }

// append renders a record after the last one and returns its sequence number,
// which stays valid.
func (l *recordLog) append(q sequence, arrival int64, record *putRecord) []byte {
	arrival = max(arrival, l.lastArrival)
	l.lastArrival = arrival
	q.index, q.seconds = l.next, uint64(max(0, arrival/1000))
	c := l.room(len(record.data) + len(record.keyText) + renderedBytes)
	text := append(c.text, `,{"SequenceNumber":"`...)
	number := len(text)
	text = q.appendTo(text)
	text = append(text, `","ApproximateArrivalTimestamp":`...)
	text = appendSeconds(text, arrival)
	text = append(text, `,"Data":"`...)
	text = append(text, record.data...)
	text = append(text, `","PartitionKey":"`...)
	text = append(text, record.keyText...)
	text = append(text, `"}`...)
	c.text = text
	c.records = append(c.records, recordPlace{end: uint32(len(text)), size: uint32(record.size), arrival: arrival})
	l.next++
	l.bytes += int64(record.size)
	return text[number : number+sequenceDigits]
}

// room gives a chunk with that many bytes free. Chunks grow from small to
// large, so that a thousand idle shards cost little.
func (l *recordLog) room(bytes int) *chunk {
	size := minChunkBytes
	if n := len(l.chunks); n > 0 {
		last := l.chunks[n-1]
		if cap(last.text)-len(last.text) >= bytes {
			return last
		}
		size = min(2*cap(last.text), maxChunkBytes)
	}
	c := &chunk{base: l.next, text: make([]byte, 0, max(size, bytes))}
	l.chunks = append(l.chunks, c)
	return c
}

// appendSeconds writes milliseconds since the epoch as the service writes a
// time: seconds with three decimals.
func appendSeconds(text []byte, millis int64) []byte {
	text = strconv.AppendInt(text, millis/1000, 10)
	rest := millis % 1000
	return append(text, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

// logPage is what one GetRecords answers from a log.
type logPage struct {
	pieces      [][]byte // rendered records, each with a comma before it
	count       int
	bytes       int64  // of data, decoded
	next        uint64 // index to go on from
	lastArrival int64  // of the last record in the page
	more        bool   // there are records after the page
	full        bool   // maxBytes ended the page
}

// read gives the records from index on: at most limit, and at most maxBytes of
// data unless the first alone is larger.
func (l *recordLog) read(index uint64, limit int, maxBytes int64) logPage {
	page := logPage{next: max(index, l.first)}
	for i := l.chunkOf(page.next); i < len(l.chunks) && page.count < limit && !page.full; i++ {
		c := l.chunks[i]
		from := int(page.next - c.base)
		to := from
		for to < len(c.records) && page.count < limit {
			size := int64(c.records[to].size)
			if page.count > 0 && page.bytes+size > maxBytes {
				page.full = true
				break
			}
			page.bytes += size
			page.count++
			to++
		}
		if to > from {
			page.pieces = append(page.pieces, c.text[c.start(from):c.records[to-1].end])
			page.lastArrival = c.records[to-1].arrival
			page.next = c.base + uint64(to)
		}
	}
	page.more = page.next < l.next
	return page
}

// start is where the rendered record at position i of the chunk begins.
func (c *chunk) start(i int) uint32 {
	if i == 0 {
		return 0
	}
	return c.records[i-1].end
}

// chunkOf is the position of the chunk that has the record of that index, or
// len(l.chunks).
func (l *recordLog) chunkOf(index uint64) int {
	return sort.Search(len(l.chunks), func(i int) bool {
		c := l.chunks[i]
		return c.base+uint64(len(c.records)) > index
	})
}

// indexAt is the index of the first record that arrived at or after that time,
// or of the next record to come.
func (l *recordLog) indexAt(millis int64) uint64 {
	i := sort.Search(len(l.chunks), func(i int) bool {
		records := l.chunks[i].records
		return records[len(records)-1].arrival >= millis
	})
	if i == len(l.chunks) {
		return l.next
	}
	c := l.chunks[i]
	j := sort.Search(len(c.records), func(j int) bool { return c.records[j].arrival >= millis })
	return max(l.first, c.base+uint64(j))
}

// drop frees the records below index.
func (l *recordLog) drop(index uint64) {
	index = min(index, l.next)
	freed := 0
	for _, c := range l.chunks {
		end := c.base + uint64(len(c.records))
		for i := max(l.first, c.base); i < min(index, end); i++ {
			l.bytes -= int64(c.records[i-c.base].size)
		}
		if end > index {
			break
		}
		freed++
	}
	l.chunks = slices.Delete(l.chunks, 0, freed)
	l.first = max(l.first, index)
}

// trim expires the records below index.
func (l *recordLog) trim(index uint64) {
	l.drop(index)
	l.trimmed = max(l.trimmed, min(index, l.next))
}

// expire expires the records that arrived before that time.
func (l *recordLog) expire(millis int64) {
	if len(l.chunks) > 0 && l.chunks[0].records[0].arrival < millis {
		l.trim(l.indexAt(millis))
	}
}
