package esarchive

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/processors"
)

// Index delivers documents to the indices of a cluster. It implements
// [processors.DocumentIndex] and is safe for concurrent use. All shards that deliver by
// it share what it learns of the cluster, and its MaxInFlightBytes.
type Index struct {
	s      settings
	client *client
	r      requester

	budget  *budget
	lesson  *lesson
	circuit *circuit
	clock   *clock
	pool    sync.Pool // of *request

	noIDs     atomic.Bool // the collection takes no ids
	typesTold atomic.Bool
}

var _ processors.DocumentIndex = (*Index)(nil)

// New returns an Index. It does no I/O. The error names everything that is wrong with c,
// each with its field, its value and what it must be.
func New(c Config) (*Index, error) {
	s, err := c.settle()
	client, errClient := newClient(s)
	if err := errors.Join(err, errClient); err != nil {
		return nil, fmt.Errorf("esarchive: %w", err)
	}
	x := newIndex(s, client)
	x.client = client
	return x, nil
}

func newIndex(s settings, r requester) *Index {
	if upper := s.IndexName; s.IndexRotationPeriod == NoRotation && hasUpper(upper) {
		s.Logger.Warn("the name has upper case, which only an alias may have", zap.String("index", upper))
	}
	return &Index{
		s: s, r: r,
		budget:  newBudget(s.MaxInFlightBytes),
		lesson:  newLesson(s.MaxRequestBytes, s.Logger),
		circuit: newCircuit(s.Logger),
		clock:   newClock(s.PauseWhenDown, time.Now()),
		pool:    sync.Pool{New: func() any { return new(request) }},
	}
}

// IndexName returns the name of the index of documents whose records arrived at that
// time, in whatever time zone it is told: UTC counts.
func (x *Index) IndexName(at time.Time) string { return x.s.rotation.index(at) }

// FailedType implements [processors.DocumentIndex] with Firehose's words.
func (x *Index) FailedType() string {
	if x.s.Service == Elasticsearch {
		return "elasticsearch-failed"
	}
	return "AmazonOpenSearchService-failed"
}

// Check implements [processors.DocumentIndex]: it is the error of what is wrong of Looks,
// nil if nothing is.
func (x *Index) Check(ctx context.Context) error { return x.client.check(ctx, x.IndexName(time.Now())) }

// Looks looks at the cluster, at the index that documents go to now, and at what is
// permitted, and changes nothing. Each look ends by itself.
func (x *Index) Looks(ctx context.Context) []Look {
	return x.client.looks(ctx, x.IndexName(time.Now()))
}

// Open implements [processors.DocumentIndex].
func (x *Index) Open(in processors.IndexInput) processors.Indexing {
	return newIndexing(x, in)
}

// typeless tells once that a cluster has no types.
func (x *Index) typeless(c cluster) {
	if x.s.TypeName != "" && c.lacksTypes() && !x.typesTold.Swap(true) {
		x.s.Logger.Error(noTypes+" It is left out.", zap.String("type", x.s.TypeName), zap.String("engine", c.engine), zap.Int("major", c.major))
	}
}

// refuseIDs notes that the collection takes no ids.
func (x *Index) refuseIDs() {
	if !x.noIDs.Swap(true) {
		x.s.Logger.Warn("the collection takes no document ids, documents are sent without: what is delivered again is in the index again", zap.String("index", x.s.IndexName))
	}
}
