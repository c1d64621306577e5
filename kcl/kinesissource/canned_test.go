package kinesissource_test

import (
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
// numbers of 56 digits, timestamps in both its spellings. It is made once, and
// only the page's number in it changes.
type cannedPage struct {
	mu    sync.Mutex
	body  []byte
	spots [][]byte // where the number stands; first that of the next page
}

// pageMark stands for the number of a page.
const pageMark = "PAGEPAGEPAGE"

// newCannedPage makes a page of a shard.
func newCannedPage(s shape, shard string) *cannedPage {
	random := rand.NewChaCha8([32]byte{})
	data := make([]byte, s.size)
	at := time.Now().UnixMilli()
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"MillisBehindLatest":60000,"NextShardIterator":"%s %s %s","Records":[`, s.name, shard, pageMark)
	for i := range s.count {
		if i > 0 {
			b.WriteByte(',')
		}
		_, _ = random.Read(data)
		arrived := fmt.Sprintf("%d.%03d", at/1000, at%1000)
		if i%2 == 0 {
			arrived = strings.ToUpper(strconv.FormatFloat(float64(at)/1000, 'e', -1, 64))
			arrived = strings.Replace(arrived, "E+0", "E", 1)
		}
		fmt.Fprintf(&b, `{"SequenceNumber":"4959033827149025660855969253836157%s%010d","ApproximateArrivalTimestamp":%s,"Data":"%s","PartitionKey":"customer-%012d"}`,
			pageMark, i, arrived, base64.StdEncoding.EncodeToString(data), i*7919)
	}
	b.WriteString(`]}`)
	p := &cannedPage{body: b.Bytes()}
	for rest := p.body; ; {
		i := bytes.Index(rest, []byte(pageMark))
		if i < 0 {
			return p
		}
		p.spots = append(p.spots, rest[i:i+len(pageMark)])
		rest = rest[i+len(pageMark):]
	}
}

// write writes the page with a number.
func (p *cannedPage) write(w io.Writer, number int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	copy(p.spots[0], fmt.Sprintf("%012d", number+1))
	digits := fmt.Appendf(nil, "%012d", number)
	for _, spot := range p.spots[1:] {
		copy(spot, digits)
	}
	_, err := w.Write(p.body)
	return err
}

// cannedShards is how many shards each stream of a canned server has.
const cannedShards = 4

// canned answers as Kinesis does: each shape is the name of a stream whose shards
// never end, and have always a whole page to be read. An iterator is the stream,
// the shard and the number of a page.
type canned struct {
	mu    sync.Mutex
	pages map[string]*cannedPage // by stream and shard
}

func newCanned() *canned { return &canned{pages: make(map[string]*cannedPage)} }

// ServeHTTP implements http.Handler.
func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ StreamName, ShardId, ShardIterator string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch _, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); op {
	case "ListShards":
		_, _ = io.WriteString(w, cannedListing())
	case "GetShardIterator":
		_, _ = fmt.Fprintf(w, `{"ShardIterator":"%s %s %012d"}`, in.StreamName, in.ShardId, 1)
	case "GetRecords":
		c.records(w, in.ShardIterator)
	default:
		http.Error(w, op, http.StatusBadRequest)
	}
}

func (c *canned) records(w http.ResponseWriter, iterator string) {
	at := strings.LastIndexByte(iterator, ' ')
	number, err := strconv.Atoi(iterator[at+1:])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	page, err := c.page(iterator[:at])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(page.body)))
	_ = page.write(w, number) // an error is the client's, which is gone
}

// page returns the page of a shard, named "STREAM SHARD".
func (c *canned) page(name string) (*cannedPage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.pages[name]; p != nil {
		return p, nil
	}
	stream, shard, _ := strings.Cut(name, " ")
	s, ok := shapeOf(stream)
	if !ok {
		return nil, fmt.Errorf("no stream %q", stream)
	}
	p := newCannedPage(s, shard)
	c.pages[name] = p
	return p, nil
}

func cannedListing() string {
	each := new(big.Int).Rsh(new(big.Int).Lsh(big.NewInt(1), 128), 2)
	var shards []string
	for i := range cannedShards {
		first := new(big.Int).Mul(each, big.NewInt(int64(i)))
		last := new(big.Int).Add(first, each)
		shards = append(shards, fmt.Sprintf(`{"ShardId":%q,"HashKeyRange":{"StartingHashKey":"%v","EndingHashKey":"%v"},"SequenceNumberRange":{"StartingSequenceNumber":"1"}}`,
			cannedShard(i), first, last.Sub(last, big.NewInt(1))))
	}
	return `{"Shards":[` + strings.Join(shards, ",") + `]}`
}

func cannedShard(i int) string { return fmt.Sprintf("shardId-%012d", i) }
