package redshiftarchive

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/processors"
)

// Config says what a Loader loads, and how. Its names are Firehose's, where it has one.
type Config struct {
	// Staging is the archiver's Config: DeliveryStreamName, Bucket, Prefix, Compression and
	// where markers are come from it. What a marker names is loaded from Bucket, below Prefix,
	// and from FormerBuckets; if Prefix was changed, these may have Bucket too.
	Staging processors.Config

	// Application and Stream are whose markers are loaded: kcl.Config.ApplicationName of the
	// archivers, and the ARN of their stream, or its name. Markers of others are left, and
	// told. Default "": any, so that what others stage with the same DeliveryStreamName in the
	// same place is loaded too. See processors.Marker.CheckSource.
	Application, Stream string

	// DataTableName is the table, 1-512 characters, with or without its schema; required.
	// DataTableColumns are those that COPY names, as a list with commas, at most 10,240
	// characters; default none, which is all of them. Source: Firehose CopyCommand.
	DataTableName, DataTableColumns string

	// CopyOptions follow the statement as they are, at most 10,240 characters.
	CopyOptions string

	// RetryDuration is for how long COPY of one batch is tried, the first try included:
	// 0-7200 s, whole seconds. 0 means one try. Default (nil) 3600 s.
	RetryDuration *time.Duration

	// Ledger is the table that has what is loaded, with or without its schema. Default "":
	// none, and what is loaded may be loaded again after a crash. It does not go with
	// processors.AtLeastOnce, which may stage a record in two objects.
	Ledger string

	// CopyTimeout ends a try that is not answered. Default 4 h.
	CopyTimeout time.Duration

	// Access is how COPY may read the bucket; required.
	Access Access

	Hooks  Hooks
	Logger *zap.Logger // default none
}

// Access is what COPY reads S3 with: the text of its CREDENTIALS. It is safe for
// concurrent use.
type Access interface {
	// Credentials returns "aws_iam_role=ARN", or temporary keys:
	// "aws_access_key_id=…;aws_secret_access_key=…;token=…". It is asked before each try.
	// isSecret says that the text must not be seen.
	Credentials(ctx context.Context) (text string, isSecret bool, err error)
}

// Hooks are called as things happen, for metrics; nil ones are not. They are called one at a time, and
// the loader waits for them, so they must be quick. One that panics, or ends its goroutine, is logged,
// and the loader goes on; one that does not return within 5 s is logged, then each minute.
type Hooks struct {
	// Loaded is called when a batch is loaded: Firehose's DeliveryToRedshift.Records, .Bytes
	// and .DataFreshness of the event.
	Loaded func(LoadedEvent)

	// Tried is called after each COPY: DeliveryToRedshift.Success.
	Tried func(TriedEvent)

	// GivenUp is called when a batch is not tried any more, and named under errors/manifests/.
	GivenUp func(GivenUpEvent)

	// Waiting is called after each look for markers, which takes a minute at most, each minute while a
	// batch is tried, and when a call of the store is repeated.
	Waiting func(WaitingEvent)
}

// LoadedEvent describes a batch that is loaded, and whose markers are deleted or about to be.
type LoadedEvent struct {
	Objects        int
	Records, Bytes int64         // that the objects were made of, before compression
	Known          int           // objects that the ledger had already; they are not in the numbers above
	Freshness      time.Duration // age of the oldest record
	Manifest       string        // its URL; "" if the ledger had all objects
	Tries          int
}

// TriedEvent describes a COPY.
type TriedEvent struct {
	Objects  int
	Duration time.Duration
	Err      error // nil if it was committed, or if the ledger had objects already
}

// GivenUpEvent describes a batch that was not loaded, or not known to be.
type GivenUpEvent struct {
	Objects        int
	Records, Bytes int64
	Manifest       string // its URL, under errors/manifests/
	Tries          int
	Err            error // of the last try

	// InDoubt says that the rows may be in the table, as a try may have loaded them: look whether they
	// are there before the manifest is loaded. With a ledger it is false: a batch in doubt is
	// not given up.
	InDoubt bool
}

// WaitingEvent says what is staged and not loaded.
type WaitingEvent struct {
	Markers int           // that the last look found; of more than 1,000 it may be some of them
	Left    int           // those of them that this loader cannot load: of a newer version, damaged, not to be read, of another delivery stream, application or stream, or of objects elsewhere
	Trying  bool          // a batch is being tried, or waits for its next try
	Oldest  time.Duration // age of the oldest record of that batch; 0 if none is tried, or if it is not known
	Tries   int           // that have failed of that batch, in a row
	Err     error         // of the last of these

	// StoreErr is what kept the last look from seeing all markers, or a manifest from being put,
	// or a marker from being deleted. What a look saw is loaded all the same.
	StoreErr error
}
