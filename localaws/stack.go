package localaws

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/shardmill/shardmill/localaws/internal/clusterd"
	"github.com/shardmill/shardmill/localaws/internal/dynamodbd"
	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// Access key and secret that a Stack accepts unless Options.Credentials names
// others.
const (
	DefaultAccessKeyID     = "local"
	DefaultSecretAccessKey = "local"
)

// ErrDirInUse is New's error if another stack, of this process or another, has
// Options.Dir.
var ErrDirInUse = s3d.ErrInUse

// Services as Fault.Service and Call name them.
const (
	Kinesis  = "Kinesis"
	DynamoDB = "DynamoDB"
	S3       = "S3"
	Search   = "Search" // the Cluster's

	Redshift     = "Redshift"     // the Warehouse's statements and logins
	RedshiftData = "RedshiftData" // requests of the Redshift Data API
)

// Options say how a Stack behaves. The zero value is ready to use.
type Options struct {
	Account string // 12 digits, in ARNs. Default "000000000000".
	Region  string // the one region that requests may be signed for. Default "us-east-1".

	// Dir is the directory that keeps S3's objects as plain files, at
	// <Dir>/<bucket>/<key>; it is made if need be, and what it holds are the
	// objects. It is this stack's until Close or the end of the process; New
	// returns ErrDirInUse if it is another's. Default "": in memory.
	Dir string

	// Limits makes Kinesis throttle as the service does. Default off.
	Limits bool
	// MaxPageBytes is the most data in one GetRecords reply. Default 10 MiB.
	MaxPageBytes int
	// RefuseTrimmed makes GetShardIterator refuse the sequence number of a
	// record that has expired. Default off: it gives the oldest that is left.
	// Kinesis does either.
	RefuseTrimmed bool
	// CreateDelay is how long streams and tables are being created, changed or
	// deleted. Default 0: that is done when the request is answered.
	CreateDelay time.Duration

	// ConsistencyLag makes eventually consistent reads of DynamoDB show what
	// was there so long ago. Default 0: they see everything.
	ConsistencyLag time.Duration
	// OnRowWrite, if set, is told of each committed write of a row, in order
	// and one at a time, before the request that wrote is answered. It must be
	// quick and must not write to DynamoDB.
	OnRowWrite func(RowWrite)

	// StrictBuckets refuses buckets that were not created. Default off: a
	// bucket comes to be when something is first put into it.
	StrictBuckets bool
	// WriteLog is how many of the latest S3 writes are kept for Writes;
	// negative keeps none. Default 10,000.
	WriteLog int

	Cluster   ClusterOptions   // of the cluster that Stack.Cluster returns
	Warehouse WarehouseOptions // of the warehouse that Stack.Warehouse returns

	// SkipSignatures accepts every request, signed or not. Default off.
	SkipSignatures bool
	// Credentials are the access keys that are accepted, with their secrets.
	// Default: DefaultAccessKeyID with DefaultSecretAccessKey.
	Credentials map[string]string

	// Hosts are the names, besides localhost, by which clients over a
	// connection call the stack; names below them are its too. A request that
	// calls it by another name than these and IP addresses is refused, as is
	// one that a browser says is from a page of elsewhere: the default
	// credentials are public. Default: none.
	Hosts []string

	// Control serves /_localaws/: adding and removing faults, and reading the
	// log of writes, by HTTP without signature, for tests whose client is
	// another process. Default off.
	Control bool

	// Logger is told of connections that ended badly. Default: nothing.
	Logger *zap.Logger
}

func (o Options) withDefaults() Options {
	o.Account = cmp.Or(o.Account, "000000000000")
	o.Region = cmp.Or(o.Region, "us-east-1")
	o.WriteLog = cmp.Or(o.WriteLog, 10_000)
	o.Credentials = maps.Clone(o.Credentials)
	if len(o.Credentials) == 0 {
		o.Credentials = map[string]string{DefaultAccessKeyID: DefaultSecretAccessKey}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// Write is one request that was to change a bucket, as Stack.Writes tells it.
type Write = s3d.Write

// RowWrite is a committed write of one row of a table, as Options.OnRowWrite is
// told.
type RowWrite = dynamodbd.Write

// Stack is Kinesis, DynamoDB and S3 of one account in one region, a cluster of
// Elasticsearch or OpenSearch, and a warehouse of Redshift. It is safe for concurrent use.
type Stack struct {
	options Options
	kinesis *kinesisd.Server
	dynamo  *dynamodbd.Server
	s3      *s3d.Server
	search  *clusterd.Server
	house   *Warehouse
	faults  Faults
	hosts   []string            // lower-case names that are the stack's
	bodies  sync.Pool           // *bytes.Buffer
	room    *semaphore.Weighted // bytes of bodies that may be in memory
	beyond  *semaphore.Weighted // one body that may be there beyond them

	permitMu sync.Mutex
	permits  map[string][]string // actions of S3, by access key

	closed    chan struct{}
	closeOnce sync.Once
	calls     sync.WaitGroup // handlers of calls in this process
	beginMu   sync.Mutex     // guards what follows
	ending    bool           // begin begins nothing any more
}

// New returns a Stack without streams and tables. It starts nothing. If
// Options.Dir is set it reads the directory, and fails if it cannot.
func New(o Options) (*Stack, error) {
	o = o.withDefaults()
	hosts := []string{"localhost"}
	for _, name := range o.Hosts {
		hosts = append(hosts, strings.ToLower(strings.TrimSuffix(name, ".")))
	}
	objects, err := s3d.New(s3d.Options{
		Account: o.Account, Region: o.Region, Dir: o.Dir, StrictBuckets: o.StrictBuckets, WriteLog: o.WriteLog,
		HostSuffixes: append([]string{inProcessHost, "s3.localhost"}, hosts...),
	})
	if err != nil {
		return nil, fmt.Errorf("opening the local S3: %w", err)
	}
	search, err := clusterd.New(clusterd.Options{
		Engine: o.Cluster.Engine, Collection: o.Cluster.Collection, MaxContentLength: o.Cluster.MaxContentLength,
		NoExplicitIndex: o.Cluster.NoExplicitIndex, NoAutoCreate: o.Cluster.NoAutoCreate,
	})
	if err != nil {
		return nil, fmt.Errorf("making the local cluster: %w", err)
	}
	trimmed := kinesisd.TrimmedOldest
	if o.RefuseTrimmed {
		trimmed = kinesisd.TrimmedRefuse
	}
	stack := &Stack{
		options: o,
		kinesis: kinesisd.New(kinesisd.Options{
			Account: o.Account, Region: o.Region, Limits: o.Limits, MaxPageBytes: o.MaxPageBytes,
			Delay: o.CreateDelay, TrimmedIterator: trimmed,
		}),
		dynamo: dynamodbd.New(dynamodbd.Options{
			Account: o.Account, Region: o.Region, ConsistencyLag: o.ConsistencyLag,
			CreateDelay: o.CreateDelay, OnWrite: o.OnRowWrite,
		}),
		s3:     objects,
		search: search,
		hosts:  hosts,
		room:   semaphore.NewWeighted(maxBodies),
		beyond: semaphore.NewWeighted(1),
		bodies: sync.Pool{New: func() any { return new(bytes.Buffer) }},
		closed: make(chan struct{}),
	}
	stack.house = newWarehouse(stack, o.Warehouse)
	return stack, nil
}

// Close drops what faults hold, waits for calls in this process to end, and
// frees Options.Dir. After it the stack is not to be used.
func (s *Stack) Close() {
	s.closeOnce.Do(func() {
		s.beginMu.Lock()
		s.ending = true
		s.beginMu.Unlock()
		close(s.closed)
		s.calls.Wait()
		if err := s.s3.Close(); err != nil {
			s.options.Logger.Warn("closing the local S3", zap.Error(err))
		}
	})
}

// begin runs f on a goroutine that Close waits for, unless Close was called: what is
// called late, such as for a cancellation, is called by nobody who waits.
func (s *Stack) begin(f func()) bool {
	s.beginMu.Lock()
	defer s.beginMu.Unlock()
	if s.ending {
		return false
	}
	s.calls.Go(f)
	return true
}

// Faults returns what breaks requests on purpose.
func (s *Stack) Faults() *Faults { return &s.faults }

// Writes returns the latest S3 writes, oldest first, with their outcome, those
// among them whose client did not get it. Requests that were refused for their
// signature or by a fault did not come to S3 and are not among them.
func (s *Stack) Writes() []Write { return s.s3.Writes() }

// Discard frees the memory of a shard's records up to and including a sequence
// number, without counting them as expired. What is not there is ignored.
func (s *Stack) Discard(stream, shardID, throughSequenceNumber string) {
	s.kinesis.Discard(stream, shardID, throughSequenceNumber)
}

// Trim expires a shard's records below a sequence number at once, as the end of
// their retention would; "" expires all of them. What is not there is ignored.
func (s *Stack) Trim(stream, shardID, before string) { s.kinesis.Trim(stream, shardID, before) }

// StoredBytes is the data in memory of a stream's records; 0 if there is no
// such stream.
func (s *Stack) StoredBytes(stream string) int64 { return s.kinesis.StoredBytes(stream) }

// call is what a request asks for.
type call struct {
	service   string
	operation string // as the service names it; "" if it is none
	body      []byte // of a JSON service
}

// ServeHTTP implements http.Handler.
func (s *Stack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why := s.foreign(r); why != "" {
		s.refuseForeign(w, r, why)
		return
	}
	s.serve(w, r)
}

// serve answers a request that no web page sent. Who signed it, for what and
// when is checked before its body is read.
func (s *Stack) serve(w http.ResponseWriter, r *http.Request) {
	if s.isControl(r) {
		s.serveControl(w, r)
		return
	}
	if service := absentService(r); service != "" {
		refuseAbsent(w, r, service)
		return
	}
	c := s.identify(r)
	var a authorization
	if !s.options.SkipSignatures {
		var err *authError
		if a, err = s.authorize(r, c, time.Now()); err != nil {
			err.write(w, r, c.service)
			return
		}
	}
	if c.service == S3 {
		s.serveSigned(w, r, c, a) // its body is read as a stream
		return
	}
	s.withBody(w, r, c, func(body []byte) {
		c.body = body
		s.serveSigned(w, r, c, a)
	})
}

// identify tells a request's service and operation.
func (s *Stack) identify(r *http.Request) call {
	target := r.Header.Get("X-Amz-Target")
	if operation, ok := strings.CutPrefix(target, "Kinesis_20131202."); ok {
		return call{service: Kinesis, operation: operation}
	}
	if operation, ok := strings.CutPrefix(target, "DynamoDB_20120810."); ok {
		return call{service: DynamoDB, operation: operation}
	}
	if operation, ok := strings.CutPrefix(target, "RedshiftData."); ok {
		return call{service: RedshiftData, operation: operation}
	}
	return call{service: S3, operation: s.s3.Parse(r).Operation}
}

// serveSigned checks the signature, lets faults strike, and serves.
func (s *Stack) serveSigned(w http.ResponseWriter, r *http.Request, c call, a authorization) {
	if !s.options.SkipSignatures {
		if err := s.compareSignature(r, c, a); err != nil {
			err.write(w, r, c.service)
			return
		}
		r = s.withChunkSigner(r, a)
	}
	if c.service == S3 {
		r = s3d.WithCaller(r, s3d.Caller{Region: a.region, May: s.permitted(a.accessKey)})
	}
	if c.service == S3 {
		hoist(r)
	}
	s.strike(w, r, c)
}

func (s *Stack) dispatch(w http.ResponseWriter, r *http.Request, c call) {
	switch c.service {
	case Kinesis:
		s.kinesis.ServeHTTP(w, r)
	case DynamoDB:
		s.dynamo.ServeHTTP(w, r)
	case RedshiftData:
		s.house.api.ServeHTTP(w, r)
	case Search:
		s.search.ServeHTTP(w, r)
	default:
		s.s3.ServeHTTP(w, r)
	}
}

// endKey is the context value of what ends the server of a request.
type endKey struct{}

// ended is closed when the server that took a request in ends, which its
// context does not tell from the client having gone.
func (s *Stack) ended(ctx context.Context) <-chan struct{} {
	if end, ok := ctx.Value(endKey{}).(context.Context); ok {
		return end.Done()
	}
	return s.closed
}
