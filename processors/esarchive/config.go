package esarchive

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"
)

// Config says where documents go and how. Its names are Firehose's, where it has one.
type Config struct {
	// Service is what the endpoints are of. Default OpenSearchService.
	Service Service

	// Endpoints are the URLs of the cluster, or of nodes of it, without a path:
	// "https://search-x.us-east-1.es.amazonaws.com". At least one; requests go to each
	// in turn, and those that do not answer rest. http:// is for loopback addresses
	// alone, unless InsecureHTTP is set.
	Endpoints []string

	InsecureHTTP bool // allows http:// to other machines: documents and passwords are readable on the way

	// Engine is what the cluster is, as Amazon spells it: "OpenSearch_2.19",
	// "Elasticsearch_6.8". Default "": it is asked, and what it says counts before this.
	// Not for Serverless.
	Engine string

	// DomainEngine is Domain.Engine, as ResolveDomain returned it: what counts if Engine is
	// empty and the cluster does not say. Another spelling is as if it were empty.
	DomainEngine string

	// IndexName is the index, alias or data stream, 1-80 characters; required. What
	// IndexRotationPeriod says of the UTC arrival of a document's record follows.
	IndexName           string
	IndexRotationPeriod IndexRotationPeriod // default OneDay; for Serverless, and data streams, NoRotation
	Weeks               Weeks               // of OneWeek; default USWeeks

	// TypeName is the mapping type, at most 100 characters; only for Elasticsearch
	// before 7. It is left out, and an error logged, where the cluster is known to have no
	// types, and sent while that is not known. Default none.
	TypeName string

	// Operation is that of each document. Default OpIndex. OpCreate is what data streams
	// need.
	Operation Operation

	IDs IDs // of documents

	// Pipeline is the ingest pipeline. Default none, and then the index's own, if it has
	// one (index.default_pipeline). With OpCreate a document that is refused with 409
	// fails, as a pipeline may have given its id to another; one of the index, which is
	// not known here, must set no _id.
	Pipeline string

	RoutingField string // path in the document, "a.b", of the value by which it is routed; default none

	// RetryDuration is for how long a document is tried, the first try included:
	// 0-7200 s, whole seconds, Firehose's RetryOptions. 0 means one try. Default (nil) 300 s.
	// For a document that waits for one with its IDs.Field it also counts while it waits;
	// each has one try in any case.
	RetryDuration *time.Duration

	// FastFail gives up at once what cannot succeed: documents that are refused with
	// 400, and one that is too large by itself (413).
	FastFail bool

	// PauseWhenDown keeps documents while the cluster as a whole does not take any, for as
	// long as it takes: RetryDuration then only counts while it answers for documents. A
	// document whose requests fail while others, sent later, are taken has its time. One that
	// is alone in its stream cannot be told from an outage.
	PauseWhenDown bool

	GZIP bool // compresses the bodies of requests

	// MaxRequestBytes is how large the body of a request may get, before compression,
	// unless one document is larger: 64 KiB-100 MiB. Default 5 MiB. A smaller limit of
	// the cluster (http.max_content_length) counts before it.
	MaxRequestBytes int64

	// MaxInFlightBytes is how large all requests of all shards may be that are under way
	// at once; each shard may always have one. Default 32 MiB.
	MaxInFlightBytes int64

	// Parallel is how many requests of a shard are under way at once: 1-32. Default 4.
	Parallel int

	// RequestTimeout ends a request that is not answered, beside a second for each MiB of
	// it. Default 60 s.
	RequestTimeout time.Duration

	// Auth is how requests are authenticated. Default none.
	Auth Auth

	RootCAs []byte // certificates of the authorities that sign the cluster's, PEM; default the system's

	// Transport makes requests instead of a transport of our own. RootCAs must then be
	// empty. For tests.
	Transport http.RoundTripper

	Logger *zap.Logger // default none
}

// Service is what kind of service takes the documents.
type Service string

// The services, each Firehose's destination of that name.
const (
	OpenSearchService Service = "AmazonOpenSearchService"    // Amazonopensearchservice…; signed for es
	Elasticsearch     Service = "Elasticsearch"              // Elasticsearch…; signed for es, and failures are elasticsearch-failed
	Serverless        Service = "AmazonOpenSearchServerless" // AmazonOpenSearchServerless…; signed for aoss
)

// IndexRotationPeriod is how often documents go to another index.
type IndexRotationPeriod string

// The periods, as Firehose spells them.
const (
	NoRotation IndexRotationPeriod = "NoRotation"
	OneHour    IndexRotationPeriod = "OneHour"
	OneDay     IndexRotationPeriod = "OneDay"
	OneWeek    IndexRotationPeriod = "OneWeek"
	OneMonth   IndexRotationPeriod = "OneMonth"
)

// Weeks is how OneWeek counts.
type Weeks string

// The ways to count weeks.
const (
	USWeeks  Weeks = "us"  // from Sunday on; the first one of a year has a Saturday in it: Firehose's
	ISOWeeks Weeks = "iso" // ISO 8601
)

// Operation is an action of a bulk request.
type Operation string

// The operations.
const (
	OpIndex  Operation = "index"  // replaces the document that has the id: Firehose's
	OpCreate Operation = "create" // refuses then, with 409
)

// IDs says which ids documents have.
type IDs struct {
	// None leaves the ids to the cluster: Firehose's NO_DOCUMENT_ID. What is delivered
	// again is in the index again. Default false: the sequence number and the
	// sub-sequence number of the record, "SEQUENCE.SUBSEQUENCE", Firehose's
	// FIREHOSE_DEFAULT; what is delivered again replaces itself.
	None bool

	// Field is the path in the document, "a.b", of its id: a text or an integer, of
	// 1-512 bytes. A document without fails. With OpIndex VersionField is needed.
	Field string

	// VersionField is the path of an integer, from 0 on: of two documents of one id the
	// one with the greater version is kept, in whatever order they come
	// (version_type external). With Field alone, and not with OpCreate.
	VersionField string

	// Prefix puts a digest of the stream before the sequence number. Needed if documents
	// of several streams go to one index: two streams can give equal numbers.
	Prefix bool
}

// Auth authenticates requests. It is safe for concurrent use.
type Auth interface {
	// Authenticate completes a request that is about to be sent, whose body is body, as
	// it goes over the wire. It is called for each try, and has to end with ctx; those of
	// this package do, whatever gives them their credentials.
	Authenticate(ctx context.Context, r *http.Request, body []byte) error
}

// SigV4 signs requests for AWS, with credentials that are asked for each time.
type SigV4 struct {
	Credentials aws.CredentialsProvider
	Region      string
	Service     string // es or aoss
}

// Basic is a user name and a password. They are asked for each time.
type Basic struct {
	Credentials func(ctx context.Context) (user, password string, err error)
}

// APIKey is an API key of Elasticsearch, in its encoded form. It is asked for each time.
type APIKey struct {
	Key func(ctx context.Context) (string, error)
}
