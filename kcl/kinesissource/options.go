package kinesissource

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"go.uber.org/zap"
)

// Options say what to read and how. StreamName or StreamARN is required.
type Options struct {
	StreamName string

	// StreamARN, if given, is what calls name the stream by. It is needed for
	// a stream of another account.
	StreamARN string

	// FallBackToName names the stream by its name once the server has said that
	// it does not take StreamARN, as kinesalite does not. Only for a server that
	// is not AWS: there, the name is of a stream of the caller's own account.
	// Default: such a server's refusal is ListShards' error, and says so.
	FallBackToName bool

	// PollInterval is the time from one call of GetRecords to the next on a
	// shard whose tip was reached, at least 200 ms. A shard that is behind is read
	// without such pauses, as fast as its limits allow.
	//
	// Default: 250 ms after a page with records; twice as long after each page
	// without any, up to 1 s. Set it where applications that poll at fixed times
	// share the stream, so that all of them together make less than 5 calls a
	// second, or to make fewer calls.
	// Source: KCL idleTimeBetweenReadsInMillis.
	PollInterval time.Duration

	// MaxRecords is the most records to ask for in one call, 1..10000. Default
	// 10000.
	MaxRecords int

	// RequestTimeout bounds each call, with the SDK's retries, until its answer
	// begins. From then on the answer must progress, by 64 KiB in 10 s: a page
	// of 10 MiB may take as long as a slow link needs. After a page that did not
	// come the reader asks for half as many records. Default 30 s.
	RequestTimeout time.Duration

	// NoRateLimit reads a shard that is behind without regard to the limits of
	// Kinesis, 5 calls and 2 MiB a second per shard. For emulators that have
	// none.
	//
	// Default: a reader takes 2 MB a second of these limits at most, and makes a
	// call in 210 ms. When the shard refuses a call, as others read it too, the
	// reader takes half as much, but not less than a fifth, and a tenth of all that
	// more after each 30 s without a refusal. So applications that all do so share
	// a shard evenly.
	NoRateLimit bool

	// CBOR reads records in CBOR, as the AWS SDKs for Java do: without base64, for
	// less work and a quarter less of the wire. If the server does not know it, the
	// source says so once and reads JSON. Default: JSON, as the SDK for Go does.
	// It has no effect with SDKDecoding.
	CBOR bool

	// SDKDecoding leaves the decoding of records to the SDK, which takes several
	// times the work and memory. It is for an API, or a middleware of the client,
	// that looks at the records of GetRecords or changes them: without it they get
	// an output that has none.
	SDKDecoding bool

	// Logger is told of throttling that lasts, of shards that are read more slowly
	// because of it, of pages that come too slowly and of renewed iterators. Nil:
	// nothing is logged.
	Logger *zap.Logger

	// Throttled, if not nil, is called for each call that the service refused
	// because of a limit, before it is tried again. operation is the API's
	// name of it; shardID is "" for ListShards. It must not block.
	Throttled func(operation, shardID string)
}

const (
	minPollInterval       = 200 * time.Millisecond
	maxRecords            = 10_000
	defaultRequestTimeout = 30 * time.Second
)

// withDefaults returns o with every field set, or all that is wrong with it.
func (o Options) withDefaults() (Options, error) {
	if o.MaxRecords == 0 {
		o.MaxRecords = maxRecords
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = defaultRequestTimeout
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	var errs []error
	if o.PollInterval != 0 && o.PollInterval < minPollInterval {
		errs = append(errs, fmt.Errorf("PollInterval is %v; it must be at least %v: a shard takes 5 reads a second from all its readers", o.PollInterval, minPollInterval))
	}
	if o.MaxRecords < 1 || o.MaxRecords > maxRecords {
		errs = append(errs, fmt.Errorf("MaxRecords is %d; it must be 1 to %d", o.MaxRecords, maxRecords))
	}
	if o.RequestTimeout < 0 {
		errs = append(errs, fmt.Errorf("RequestTimeout is %v; it must be positive", o.RequestTimeout))
	}
	errs = append(errs, o.nameFromARN())
	return o, errors.Join(errs...)
}

// nameFromARN checks the stream's names against each other, and fills in the
// one that the other contains.
func (o *Options) nameFromARN() error {
	if o.StreamARN == "" {
		if o.StreamName == "" {
			return errors.New("StreamName or StreamARN is required")
		}
		return nil
	}
	a, err := arn.Parse(o.StreamARN)
	name, ok := strings.CutPrefix(a.Resource, "stream/")
	if err != nil || a.Service != "kinesis" || !ok || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("StreamARN is %q; it must look like arn:aws:kinesis:REGION:ACCOUNT:stream/NAME", o.StreamARN)
	}
	if o.StreamName != "" && o.StreamName != name {
		return fmt.Errorf("StreamName is %q but StreamARN names %q", o.StreamName, name)
	}
	o.StreamName = name
	return nil
}
