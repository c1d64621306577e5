package kinesissource_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// shape is what the pages of a canned stream are like.
type shape struct {
	name  string // of the stream
	size  int    // of a record's data, in bytes
	count int    // records of a page
	pages int    // of each shard, which make a measurement long enough
}

func shapes() []shape {
	return []shape{
		{"10MB-of-1KB", 1 << 10, 10_000, 2},
		{"2MB-of-1KB", 1 << 10, 2000, 6},
		{"1MB-of-100B", 100, 10_000, 3},
		{"10MB-of-100KB", 100 << 10, 100, 2},
	}
}

func shapeOf(stream string) (shape, bool) {
	for _, s := range shapes() {
		if s.name == stream {
			return s, true
		}
	}
	return shape{}, false
}

// cannedPage is an answer to GetRecords as Kinesis writes it: random data, sequence
// numbers of 56 digits, timestamps in both its spellings. It is made once, and any
// number of requests may be answered with it at once: what is of one page of one
// shard is written between the parts that all share.
type cannedPage struct {
	records [][]byte // from the number of the page on, which is in each sequence number
	ends    []int    // of so many records in the body, less what comes before the first
}

const (
	recordBegin = `{"SequenceNumber":"4959033827149025660855969253836157`
	pageDigits  = 12 // of the number of a page
	pageEnd     = `]}`
)

// newCannedPage makes a page of a shape.
func newCannedPage(s shape) *cannedPage {
	random := rand.NewChaCha8([32]byte{})
	data := make([]byte, s.size)
	at := time.Now().UnixMilli()
	p, end := new(cannedPage), 0
	for i := range s.count {
		_, _ = random.Read(data)
		arrived := fmt.Sprintf("%d.%03d", at/1000, at%1000)
		if i%2 == 0 {
			arrived = strings.ToUpper(strconv.FormatFloat(float64(at)/1000, 'e', -1, 64))
			arrived = strings.Replace(arrived, "E+0", "E", 1)
		}
		r := fmt.Appendf(nil, `%010d","ApproximateArrivalTimestamp":%s,"Data":"%s","PartitionKey":"customer-%012d"},`,
			i, arrived, base64.StdEncoding.EncodeToString(data), i*7919)
		end += len(recordBegin) + pageDigits + len(r)
		p.records, p.ends = append(p.records, r), append(p.ends, end)
	}
	return p
}

// begin returns what comes before the records of a page with a number.
func (*cannedPage) begin(shard string, number int) string {
	return fmt.Sprintf(`{"MillisBehindLatest":60000,"NextShardIterator":"%s %0*d","Records":[`, shard, pageDigits, number+1)
}

// size returns how long the page is with so many records.
func (p *cannedPage) size(shard string, records int) int {
	return len(p.begin(shard, 0)) + p.ends[records-1] - len(",") + len(pageEnd)
}

// write writes the page with a number and so many records, of a shard named
// "STREAM SHARD".
func (p *cannedPage) write(to io.Writer, shard string, number, records int) error {
	w := bufio.NewWriterSize(to, 64<<10)
	_, _ = w.WriteString(p.begin(shard, number))
	digits := fmt.Appendf(nil, "%0*d", pageDigits, number)
	for i, r := range p.records[:records] {
		if i == records-1 {
			r = bytes.TrimSuffix(r, []byte(","))
		}
		_, _ = w.WriteString(recordBegin)
		_, _ = w.Write(digits)
		_, _ = w.Write(r)
	}
	_, _ = w.WriteString(pageEnd)
	return w.Flush()
}

// cannedShards is how many shards a stream of a canned server has, unless its name
// says another number.
const cannedShards = 4

// canned answers as Kinesis does: each shape is the name of a stream whose shards
// never end, and have always a whole page to be read. An iterator is the stream,
// the shard and the number of a page. An answer has a whole page, whatever Limit
// says; see cannedStream for others.
type canned struct {
	mu    sync.Mutex
	pages map[string]*cannedPage // by shape
}

func newCanned() *canned { return &canned{pages: make(map[string]*cannedPage)} }

// cannedStream returns the name of the stream of a shape that has so many shards.
// heeds means that its answers have no more records than they were asked for.
func cannedStream(s shape, shards int, heeds bool) string {
	name := fmt.Sprintf("%s@%d", s.name, shards)
	if heeds {
		name += limited
	}
	return name
}

const limited = "/limited"

// ServeHTTP implements http.Handler.
func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		StreamName, ShardId, ShardIterator string
		Limit                              int
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch _, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); op {
	case "ListShards":
		_, _ = io.WriteString(w, cannedListing(in.StreamName))
	case "GetShardIterator":
		_, _ = fmt.Fprintf(w, `{"ShardIterator":"%s %s %012d"}`, in.StreamName, in.ShardId, 1)
	case "GetRecords":
		c.records(w, in.ShardIterator, in.Limit)
	default:
		http.Error(w, op, http.StatusBadRequest)
	}
}

func (c *canned) records(w http.ResponseWriter, iterator string, limit int) {
	at := strings.LastIndexByte(iterator, ' ')
	shard := iterator[:at]
	number, err := strconv.Atoi(iterator[at+1:])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	stream, _, _ := strings.Cut(shard, " ")
	name, _, _ := strings.Cut(stream, "@")
	page, err := c.page(name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	records := len(page.records)
	if strings.HasSuffix(stream, limited) {
		records = min(limit, records)
	}
	w.Header().Set("Content-Length", strconv.Itoa(page.size(shard, records)))
	_ = page.write(w, shard, number, records) // an error is the client's, which is gone
}

// page returns the page of a shape.
func (c *canned) page(name string) (*cannedPage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.pages[name]; p != nil {
		return p, nil
	}
	s, ok := shapeOf(name)
	if !ok {
		return nil, fmt.Errorf("no stream %q", name)
	}
	p := newCannedPage(s)
	c.pages[name] = p
	return p, nil
}

func cannedListing(stream string) string {
	n := cannedShards
	if _, number, ok := strings.Cut(stream, "@"); ok {
		n, _ = strconv.Atoi(strings.TrimSuffix(number, limited))
	}
	all := new(big.Int).Lsh(big.NewInt(1), 128)
	edge := func(i int) *big.Int {
		first := new(big.Int).Mul(all, big.NewInt(int64(i)))
		return first.Div(first, big.NewInt(int64(n)))
	}
	var shards []string
	for i := range n {
		last := edge(i + 1)
		shards = append(shards, fmt.Sprintf(`{"ShardId":%q,"HashKeyRange":{"StartingHashKey":"%v","EndingHashKey":"%v"},"SequenceNumberRange":{"StartingSequenceNumber":"1"}}`,
			cannedShard(i), edge(i), last.Sub(last, big.NewInt(1))))
	}
	return `{"Shards":[` + strings.Join(shards, ",") + `]}`
}

func cannedShard(i int) string { return fmt.Sprintf("shardId-%012d", i) }
