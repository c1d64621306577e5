// Package check looks at what an archiver would use, as one that starts does, and
// writes nothing.
package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource"
	"github.com/shardmill/shardmill/lease/leasedynamo"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/s3archive"
)

const (
	// requestTimeout bounds each request until its answer begins. It is shorter
	// than an archiver's: somebody waits.
	requestTimeout = 10 * time.Second

	// lookTimeout bounds a look, of whose requests some may be repeated.
	lookTimeout = 30 * time.Second
)

// Status is what became of a look.
type Status string

// The statuses.
const (
	OK         Status = "ok"
	Wrong      Status = "wrong"
	NotChecked Status = "not checked" // nothing can be learned without a write, or before something else is mended
)

// Look is what one look found.
type Look struct {
	What   string `json:"what"` // it was at, such as "stream orders"
	Status Status `json:"status"`
	Text   string `json:"text"` // what was found; of what is wrong also what to do

	// Lifecycle is set of a place where bundles may be left behind.
	Lifecycle *Lifecycle `json:"lifecycleConfiguration,omitempty"`
}

// Options say what to look at.
type Options struct {
	Worker   kcl.Config        // ApplicationName, StreamName and StreamARN
	Delivery processors.Config // Bucket, FormerBuckets, Prefix and SpoolDir
	Logger   *zap.Logger       // is told of what is repeated

	LoaderTable string // of the lease of who loads what is delivered; "" if nothing is loaded

	// Explain adds to an error what to do about it that only the caller knows.
	Explain func(error) error

	// OpenShards is told how many open shards the stream has, if that can be learned.
	OpenShards func(int)
}

// looker makes the looks.
type looker struct {
	Options

	clients archiver.Clients
	source  *kinesissource.Source
	table   *leasedynamo.Table
	store   *s3archive.Store
	tell    func(Look)

	encrypted bool  // the stream is
	retention int32 // hours that it keeps its records; 0 if that is not known
}

// Run makes one look after the other and tells each when it is over: at the
// stream, the lease table, the buckets and the directory. Each ends by itself. The
// error is the cause of ctx, or says what options cannot be.
func Run(ctx context.Context, c archiver.Clients, o Options, tell func(Look)) error {
	source, err1 := kinesissource.New(c.Kinesis, kinesissource.Options{
		StreamName: o.Worker.StreamName, StreamARN: o.Worker.StreamARN, FallBackToName: ownEndpoint(c),
		MaxRecords: 1, RequestTimeout: requestTimeout, Logger: o.Logger,
	})
	table, err2 := leasedynamo.New(c.DynamoDB, leasedynamo.Options{TableName: o.Worker.ApplicationName, NeverCreate: true, RequestTimeout: requestTimeout})
	store, err3 := s3archive.New(c.S3, s3archive.Options{RequestTimeout: requestTimeout})
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	l := &looker{Options: o, clients: c, source: source, table: table, store: store, tell: tell}
	exists := l.lookAtTable(ctx, l.lookAtStream(ctx))
	loaderExists := l.lookAtLoaderTable(ctx)
	l.lookAtBuckets(ctx)
	l.lookAtDirectory(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.tellWrites(l.Worker.ApplicationName, exists)
	if l.LoaderTable != "" {
		l.tellWrites(l.LoaderTable, loaderExists)
		l.tellMarkers()
	}
	l.tellBuckets()
	return nil
}

// ownEndpoint reports whether Kinesis is not AWS's.
func ownEndpoint(c archiver.Clients) bool { return c.Kinesis.Options().BaseEndpoint != nil }

// unknownError is of a look that found nothing wrong, and not all it was to find.
type unknownError string

func (e unknownError) Error() string { return string(e) }

// look makes one look and tells what f found, or that it is wrong. It reports
// whether nothing is. What ctx ended is not told.
func (l *looker) look(ctx context.Context, what string, f func(context.Context) (string, error)) bool {
	limited, cancel := context.WithTimeoutCause(ctx, lookTimeout, fmt.Errorf("not done within %v: the service throttles, or is not ready; try again", lookTimeout))
	defer cancel()
	found, err := f(limited)
	switch {
	case ctx.Err() != nil:
		return false
	case errors.As(err, new(unknownError)):
		l.tell(Look{What: what, Status: NotChecked, Text: err.Error()})
		return false
	case err != nil:
		text := l.Explain(err).Error()
		if unreached(err) {
			text += "; is the network up, and are the region and the endpoint right?"
		}
		l.tell(Look{What: what, Status: Wrong, Text: text})
		return false
	}
	l.tell(Look{What: what, Status: OK, Text: found})
	return true
}

// unreached reports whether a service did not answer at all.
func unreached(err error) bool {
	_, unsent := errors.AsType[*smithyhttp.RequestSendError](err)
	late, silent := errors.AsType[*deadline.Error](err)
	return unsent || silent && !late.Body
}

// skip tells of a look that is of no use before something else is mended.
func (l *looker) skip(ctx context.Context, what, why string) {
	if ctx.Err() == nil {
		l.tell(Look{What: what, Status: NotChecked, Text: why})
	}
}

// need ends what only a write would show.
const need = ": needs a write"

// tellWrites names what an archiver needs of a table besides, and only a write would show.
func (l *looker) tellWrites(table string, exists bool) {
	onTable := "dynamodb:PutItem, UpdateItem, DeleteItem and ConditionCheckItem"
	if !exists {
		onTable = "dynamodb:CreateTable, PutItem, UpdateItem, DeleteItem and ConditionCheckItem"
	}
	l.tell(Look{What: "writes to table " + table, Status: NotChecked, Text: onTable + need})
}

// tellMarkers does so for the markers of what is to be loaded.
func (l *looker) tellMarkers() {
	bucket, prefix := l.Delivery.Markers()
	l.tell(Look{
		What: "markers in bucket " + bucket, Status: NotChecked,
		Text: "s3:PutObject, GetObject and DeleteObject on " + bucket + "/" + prefix + "*" + onKey(l.Delivery.AWSKMSKeyARN) + need +
			"; no rule of the bucket's lifecycle may remove them: what a marker names would never be loaded",
	})
}

// tellBuckets does so for buckets.
func (l *looker) tellBuckets() {
	for _, b := range l.buckets() {
		l.tell(Look{
			What: "writes to bucket " + b.name, Status: NotChecked,
			Text: "s3:PutObject and AbortMultipartUpload on " + b.name + "/" + b.prefix + "*" + onKey(b.key) + need,
		})
	}
	l.tellBundles()
}
