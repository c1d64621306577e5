package kinesisd

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// TrimmedIterator says what GetShardIterator answers for the sequence number of
// a record that has expired. The service does either.
type TrimmedIterator string

const (
	// TrimmedOldest gives an iterator at the oldest record that is left.
	TrimmedOldest TrimmedIterator = "oldest"
	// TrimmedRefuse answers InvalidArgumentException.
	TrimmedRefuse TrimmedIterator = "refuse"
)

// Options say how a Server behaves. The zero value is ready to use.
type Options struct {
	// Account is the 12 digits of the account in ARNs and messages. Default
	// "000000000000".
	Account string
	// Region is the region in ARNs and messages. Default "us-east-1".
	Region string
	// Limits turns on what the service limits by rate: per shard 1 MiB and 1000
	// records a second in, 2 MiB and 5 GetRecords a second out, and five
	// seconds without reading after a full page. The limits on the size of one
	// request and of one record, and the factor of two of UpdateShardCount,
	// always hold. Default off.
	Limits bool
	// MaxPageBytes is how many bytes of data one GetRecords answers; a single
	// record above it is answered alone. Default 10 MiB.
	MaxPageBytes int
	// Retention is how long a new stream keeps records. Default 24 hours.
	Retention time.Duration
	// Delay is how long a stream is CREATING, UPDATING or DELETING. Default 0:
	// it is done when the request is answered.
	Delay time.Duration
	// ShardLimit is how many open shards one stream may have. Default 10,000.
	ShardLimit int
	// TrimmedIterator is what a sequence number that has expired gives. Default
	// TrimmedOldest.
	TrimmedIterator TrimmedIterator
}

func (o Options) withDefaults() Options {
	o.Account = cmp.Or(o.Account, "000000000000")
	o.Region = cmp.Or(o.Region, "us-east-1")
	o.MaxPageBytes = cmp.Or(o.MaxPageBytes, 10<<20)
	o.Retention = cmp.Or(o.Retention, 24*time.Hour)
	o.ShardLimit = cmp.Or(o.ShardLimit, 10_000)
	o.TrimmedIterator = cmp.Or(o.TrimmedIterator, TrimmedOldest)
	return o
}

// Server is Kinesis in memory for one account and region. Its methods are safe
// for concurrent use, from any bubble.
type Server struct {
	options Options
	known   map[string]operation
	bodies  sync.Pool // *[]byte, for the bodies of requests

	mu      sync.Mutex
	streams map[string]*stream
	created uint64 // streams made so far: tells a stream from an earlier one of its name
}

// New returns a server without streams. It does no I/O and starts nothing.
func New(options Options) *Server {
	s := &Server{options: options.withDefaults(), streams: make(map[string]*stream)}
	s.known = s.operations()
	return s
}

// Discard frees the memory of a shard's records up to and including the one
// with that sequence number.
//
// The records are gone for readers, but they do not count as expired: an
// iterator at one of them starts at the oldest record that is kept, whatever
// Options.TrimmedIterator says. Memory is freed in chunks of up to half a MiB.
// A stream, shard or sequence number that is not there is ignored, so that a
// checkpoint such as TRIM_HORIZON may be passed as it is.
func (s *Server) Discard(streamName, shardID, throughSequenceNumber string) {
	sh, unlock := s.shardNow(streamName, shardID)
	defer unlock()
	if sh == nil {
		return
	}
	if q, err := parseSequence(throughSequenceNumber); err == nil && sh.issued(q) {
		sh.log.drop(min(q.index, lastIndex-1) + 1)
	}
}

// Trim expires the records of a shard below that sequence number at once, as
// the end of their retention would; "" expires all of them.
//
// A closed shard whose records are all expired in this way is expired itself:
// it is listed no more. What is not there is ignored.
func (s *Server) Trim(streamName, shardID, before string) {
	sh, unlock := s.shardNow(streamName, shardID)
	defer unlock()
	if sh == nil {
		return
	}
	if before == "" {
		sh.log.trim(sh.log.next)
		if !sh.open() {
			sh.stream.forget(sh)
		}
		return
	}
	if q, err := parseSequence(before); err == nil && sh.issued(q) {
		sh.log.trim(q.index)
	}
}

// StoredBytes is how many bytes of record data of a stream can be read, all
// shards together, without keys and encoding; 0 without such a stream.
//
// The memory in use is about a third more, for base64, and 200 bytes for each
// record.
func (s *Server) StoredBytes(streamName string) int64 {
	st, err := s.lock(streamName, time.Now())
	if err != nil {
		return 0
	}
	defer st.mu.Unlock()
	var sum int64
	for _, sh := range st.shards {
		sum += sh.log.bytes
	}
	return sum
}

// lock returns a stream as it is at that time, locked: the caller unlocks it.
// ResourceNotFoundException if there is none.
func (s *Server) lock(name string, now time.Time) (*stream, error) {
	s.mu.Lock()
	st := s.streams[name]
	s.mu.Unlock()
	if st == nil {
		return nil, s.streamNotFound(name)
	}
	st.mu.Lock()
	st.settle(now)
	if st.status != statusGone {
		return st, nil
	}
	st.mu.Unlock()
	s.mu.Lock()
	if s.streams[name] == st {
		delete(s.streams, name)
	}
	s.mu.Unlock()
	return nil, s.streamNotFound(name)
}

// lockForData is lock for reading and writing records, for which a stream that
// is not yet or no longer there does not exist.
func (s *Server) lockForData(name string, now time.Time) (*stream, error) {
	st, err := s.lock(name, now)
	if err != nil {
		return nil, err
	}
	if st.status == statusActive || st.status == statusUpdating {
		return st, nil
	}
	st.mu.Unlock()
	return nil, s.streamNotFound(name)
}

// shardNow finds a shard and locks its stream. Without one it is nil; unlock is
// to be called in any case.
func (s *Server) shardNow(streamName, shardID string) (sh *shard, unlock func()) {
	st, err := s.lock(streamName, time.Now())
	if err != nil {
		return nil, func() {}
	}
	return st.shard(shardID), st.mu.Unlock
}

// names are those of all streams, sorted.
func (s *Server) names(now time.Time) []string {
	s.mu.Lock()
	all := make([]string, 0, len(s.streams))
	for name := range s.streams {
		all = append(all, name)
	}
	s.mu.Unlock()
	slices.Sort(all)
	return slices.DeleteFunc(all, func(name string) bool {
		st, err := s.lock(name, now)
		if err == nil {
			st.mu.Unlock()
		}
		return err != nil
	})
}
