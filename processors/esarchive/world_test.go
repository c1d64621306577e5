package esarchive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// cut is documents of a shard.
type cut []part

type part struct {
	place, data string
	arrival     time.Time
}

func (c cut) Len() int { return len(c) }

func (c cut) Document(i int) processors.Document {
	return processors.Document{Size: len(c[i].data), Arrival: c[i].arrival}
}

func (c cut) Read(i int, buf []byte) (place, data []byte, err error) {
	buf = append(append(buf[:0], c[i].place...), c[i].data...)
	n := len(c[i].place)
	return buf[:n:n], buf[n:], nil
}

// arrivedAt is when documents arrive if a test does not say.
func arrivedAt() time.Time { return time.Date(2016, 2, 25, 13, 0, 0, 0, time.UTC) }

// plain returns n documents of a shard.
func plain(shard string, n int) cut {
	c := make(cut, n)
	for i := range c {
		place := fmt.Sprintf("%s%04d.0", shard, i)
		c[i] = part{place, fmt.Sprintf(`{"n":%q,"id":"id-%d","v":%d}`, place, i, i), arrivedAt()}
	}
	return c
}

// action is an action line, as a server reads it.
type action struct {
	Op          string `json:"-"`
	Index       string `json:"_index"`
	Type        string `json:"_type"`
	ID          string `json:"_id"`
	Version     int64  `json:"version"`
	VersionType string `json:"version_type"`
	Routing     string `json:"routing"`
	Pipeline    string `json:"pipeline"`

	Line   string `json:"-"`
	Source string `json:"-"`
	N      string `json:"-"` // which document it is
}

// parse reads the body of a request as a server does.
func parse(body []byte) (list []action, err error) {
	if !bytes.HasSuffix(body, []byte("\n")) {
		return nil, fmt.Errorf("the body does not end with a new line: %q", body)
	}
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if len(lines)%2 != 0 {
		return nil, fmt.Errorf("%d lines", len(lines))
	}
	for i := 0; i < len(lines); i += 2 {
		var ops map[string]action
		if err := json.Unmarshal([]byte(lines[i]), &ops); err != nil || len(ops) != 1 {
			return nil, fmt.Errorf("action line %s: %w", lines[i], err)
		}
		for op, a := range ops {
			var source struct {
				N string `json:"n"`
			}
			if err := json.Unmarshal([]byte(lines[i+1]), &source); err != nil {
				return nil, fmt.Errorf("source %s: %w", lines[i+1], err)
			}
			a.Op, a.Line, a.Source, a.N = op, lines[i], lines[i+1], source.N
			list = append(list, a)
		}
	}
	return list, nil
}

// answering answers each request by a function, of its number from 0 and its documents.
type answering struct {
	cluster esarchive.Cluster
	answer  func(ctx context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault)

	mu       sync.Mutex
	requests [][]action
	bodies   []int
	at       []time.Time
}

func (a *answering) Cluster() esarchive.Cluster { return a.cluster }

func (a *answering) Bulk(ctx context.Context, body []byte, n int) ([]esarchive.Item, *esarchive.Fault) {
	list, err := parse(body)
	if err != nil || len(list) != n {
		return nil, &esarchive.Fault{Code: "test", Status: 400, Message: fmt.Sprint(len(list), n, err)}
	}
	a.mu.Lock()
	number := len(a.requests)
	a.requests = append(a.requests, list)
	a.bodies = append(a.bodies, len(body))
	a.at = append(a.at, time.Now())
	a.mu.Unlock()
	return a.answer(ctx, number, list)
}

// all answers each document with a status.
func all(list []action, status int) []esarchive.Item {
	items := make([]esarchive.Item, len(list))
	for i := range items {
		items[i] = refusal(status)
	}
	return items
}

// refusal is an answer with what a cluster says of that status.
func refusal(status int) esarchive.Item {
	kind := map[int]string{
		400: "mapper_parsing_exception", 403: "cluster_block_exception", 404: "index_not_found_exception",
		409: "version_conflict_engine_exception", 429: "es_rejected_execution_exception", 503: "unavailable_shards_exception",
	}[status]
	it := esarchive.Item{Status: status, Kind: kind}
	if kind != "" {
		it.Reason = fmt.Sprintf("reason %d", status)
	}
	return it
}

// latest is what a server has under an id.
type latest struct {
	n       string
	version int64
}

// try is a document in a request.
type try struct {
	began   time.Time
	isHeld  bool // a circuit may have held it back
	request int  // number
	id      string
	free    bool // it was cut off, split or without effect: the next one is no try of its own
}

// model is one of a cluster with faults, which follow from seed alone.
type model struct {
	seed     uint64
	health   float64 // share of requests without a fault
	until    time.Time
	noIDs    bool
	nasty    bool
	parallel int
	most     int64 // bytes under way
	request  int64 // bytes of a request

	mu      sync.Mutex
	seen    map[string]int
	index   map[string]latest // by index and id
	effects map[string]int    // of a document
	tries   map[string][]try
	order   map[string][]string // documents by id, as they were sent
	open    map[string]int      // requests under way, by id
	inARow  int
	isOpen  time.Time        // the last time at which a circuit may have been open
	flying  map[string][]int // bytes of requests, by shard
	limit   int64            // learned of 413
	number  int
	wrong   []string
}

func newModel(seed uint64, health float64) *model {
	return &model{
		seed: seed, health: health, until: time.Now().Add(20 * time.Minute), seen: map[string]int{}, index: map[string]latest{}, effects: map[string]int{},
		tries: map[string][]try{}, order: map[string][]string{}, open: map[string]int{}, flying: map[string][]int{}, limit: 1 << 40,
	}
}

func (s *model) Cluster() esarchive.Cluster {
	return esarchive.Cluster{Engine: "OpenSearch", Major: 2, MaxContent: 10 << 20}
}

func (s *model) fault(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// chance returns what decides about a request: the same for the same documents when they
// come as often.
func (s *model) chance(list []action) *rand.Rand {
	key := list[0].N + strconv.Itoa(len(list))
	s.seen[key]++
	h := fnv.New64a()
	fmt.Fprint(h, s.seed, key, s.seen[key])
	return rand.New(rand.NewPCG(h.Sum64(), s.seed))
}

// Bulk implements esarchive.Requester.
func (s *model) Bulk(ctx context.Context, body []byte, n int) ([]esarchive.Item, *esarchive.Fault) {
	list, err := parse(body)
	s.mu.Lock()
	if err != nil || len(list) != n || n == 0 {
		s.fault("%d documents of %d, %v", len(list), n, err)
		s.mu.Unlock()
		return nil, nil
	}
	rng := s.chance(list)
	number := s.begin(list, len(body))
	s.mu.Unlock()
	isBack := false
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.end(list, len(body), number, ctx.Err() != nil || !isBack)
	}()
	items, f := s.answer(ctx, rng, list, len(body), number)
	if isBack = true; f == nil {
		s.mu.Lock()
		s.closes()
		s.mu.Unlock()
	}
	return items, f
}

func shardOf(list []action) string { return list[0].N[:1] }

// begin notes that a request has come, and checks the limits. mu is held.
func (s *model) begin(list []action, size int) (number int) {
	shard := shardOf(list)
	s.flying[shard] = append(s.flying[shard], size)
	if n := len(s.flying[shard]); n > s.parallel {
		s.fault("%d requests of a shard under way", n)
	}
	bytes := 0 // beside one request of each shard
	for _, sizes := range s.flying {
		for i, size := range slices.Sorted(slices.Values(sizes)) {
			if i < len(sizes)-1 {
				bytes += size
			}
		}
	}
	if int64(bytes) > s.most {
		s.fault("%d bytes under way, beside one request of each shard", bytes)
	}
	if len(list) > 1 && int64(size) > min(s.request, s.limit) {
		s.fault("a request of %d bytes, and the limit is %d and %d", size, s.request, s.limit)
	}
	s.number++
	for _, a := range list {
		s.tries[a.N] = append(s.tries[a.N], try{began: time.Now(), isHeld: s.inARow >= 4 || time.Since(s.isOpen) == 0, request: s.number, id: a.ID})
		if a.ID != "" {
			s.order[a.ID] = append(s.order[a.ID], a.N)
			if s.open[a.ID]++; s.open[a.ID] > 1 && a.VersionType == "" {
				s.fault("id %s is under way twice", a.ID)
			}
		}
	}
	return s.number
}

// end notes that a request is over. mu is held.
func (s *model) end(list []action, size, number int, isCut bool) {
	shard := shardOf(list)
	i := slices.Index(s.flying[shard], size)
	s.flying[shard] = slices.Delete(s.flying[shard], i, i+1)
	for _, a := range list {
		s.open[a.ID]--
	}
	if isCut {
		s.exempt(list, number)
	}
}

// exempt notes that what follows for the documents of a request is no try of their own.
func (s *model) exempt(list []action, number int) {
	for _, a := range list {
		for i := range s.tries[a.N] {
			if t := &s.tries[a.N][i]; t.request == number {
				t.free = true
			}
		}
	}
}

// answer decides what becomes of a request.
func (s *model) answer(ctx context.Context, rng *rand.Rand, list []action, size, number int) ([]esarchive.Item, *esarchive.Fault) {
	wait(ctx, time.Duration(rng.Int64N(int64(2*time.Second))))
	if ctx.Err() != nil {
		return nil, s.down("OS.ConnectionReset", 0)
	}
	if rng.Float64() < s.health || time.Now().After(s.until) {
		return s.take(list, number, nil), nil
	}
	switch rng.IntN(11) {
	case 0, 1:
		return s.take(list, number, rng), nil
	case 2: // the answer of what took effect is lost
		s.take(list, number, rng)
		return nil, s.down("OS.ConnectionReset", 0)
	case 3: // half an answer
		items := s.take(list, number, nil)
		return items[:len(items)/2], nil
	case 4:
		return nil, s.large(list, size, number)
	case 5:
		return nil, s.down("429", 429)
	case 6:
		return nil, s.down("503", 503)
	case 7:
		return nil, s.down("OS.AccessDenied", 403)
	case 8: // not answered, and perhaps it takes effect
		if wait(ctx, time.Minute); rng.IntN(2) == 0 {
			s.take(list, number, nil)
		}
		return nil, s.down("OS.RequestTimeout", 0)
	case 9:
		panic("on purpose")
	default:
		runtime.Goexit()
		return nil, nil
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (s *model) down(code string, status int) *esarchive.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inARow++
	return &esarchive.Fault{Code: code, Status: status, Message: "on purpose", Down: status == 0 || status == 503, Rejected: status == 429, Auth: status == 403}
}

func (s *model) large(list []action, size, number int) *esarchive.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(list) > 1 {
		s.exempt(list, number)
		s.closes()
	}
	return &esarchive.Fault{Code: "413", Status: 413, Message: "on purpose", TooLarge: true}
}

// closes notes an answer, which a hook that panics may keep from the circuit. mu is held.
func (s *model) closes() {
	if s.nasty {
		return
	}
	if s.inARow >= 4 {
		s.isOpen = time.Now()
	}
	s.inARow = 0
}

// refusals are what a document may be answered with instead of being taken.
func refusals() []int { return []int{400, 403, 404, 429, 500, 503, 0} }

// take has documents take effect: all but those that chance refuses, if there is any.
func (s *model) take(list []action, number int, rng *rand.Rand) []esarchive.Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := make([]esarchive.Item, len(list))
	for i, a := range list {
		switch {
		case s.noIDs && a.ID != "":
			items[i] = esarchive.Item{Status: 400, Kind: "illegal_argument_exception", Reason: "Document ID is not supported in create/index operation request"}
			s.exempt(list[i:i+1], number)
		case strings.Contains(a.Source, `"bad"`):
			items[i] = refusal(400)
		case rng != nil && rng.IntN(3) == 0:
			items[i] = refusal(refusals()[rng.IntN(len(refusals()))])
		default:
			items[i] = refusal(s.store(a))
		}
	}
	return items
}

// store has one document take effect, and returns the status.
func (s *model) store(a action) int {
	key := a.Index + "/" + a.ID
	old, isThere := s.index[key]
	switch {
	case a.ID == "":
	case isThere && (a.Op == "create" || a.VersionType == "external" && old.version >= a.Version):
		return 409
	default:
		s.index[key] = latest{a.N, a.Version}
	}
	s.effects[a.N]++
	return 201
}

// sortedUnique reports whether documents were sent in their order, each until it was done.
func sortedUnique(list []string) bool { return slices.IsSorted(list) }

// run brings a cut to a server, in virtual time, and returns what became of it.
func run(t *testing.T, cfg esarchive.Config, s esarchive.Requester, c cut) (o processors.IndexOutcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { o = runTo(t, cfg, s, c) })
	return o
}

// runTo is run for who is in virtual time.
func runTo(t *testing.T, cfg esarchive.Config, s esarchive.Requester, c cut) processors.IndexOutcome {
	t.Helper()
	x, err := esarchive.NewWith(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	i := x.Open(input(c))
	if err := i.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := x.Used(); n != 0 {
		t.Errorf("%d bytes are in use", n)
	}
	return i.Outcome()
}

// input is the documents of a shard that nothing is asked of.
func input(c cut) processors.IndexInput {
	return processors.IndexInput{ShardID: "shard", Stream: "stream", Documents: c, Tried: func(processors.BulkEvent) {}}
}
