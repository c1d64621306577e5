package processors

import (
	"context"
	"errors"
	"io"

	"github.com/shardmill/shardmill/kcl"
)

// ObjectStore is a store of objects as an archiver needs it; package s3archive
// implements it on S3, and package sinktest tests any. It is safe for concurrent use.
//
// Each call makes one try: the archiver asks whether it may go on before the
// next one. What was refused, so that it has no effect, may be tried once more in
// another way within the call. ctx has a limit, a minute and for Put a second for
// each MiB more. A call ends when ctx is done, and by itself if it is never
// answered. An error that is ErrAccessDenied says that nothing was stored or learnt:
// the store refused the credentials, or they do not permit the call or the use of
// the object's key.
type ObjectStore interface {
	// Put stores an object, whole or not at all. An object that has the key
	// is replaced, unless o.IfAbsent is set.
	//
	// Errors: ErrExists if o.IfAbsent is set and the key has an object;
	// nothing was stored. After any other error, also when ctx is done, the
	// object may be stored, now or later.
	Put(ctx context.Context, o Object) error

	// Head returns the metadata of an object, or false if the store says that
	// there is none. A refusal is an error, never false.
	Head(ctx context.Context, bucket, key string) (metadata map[string]string, exists bool, err error)

	// Get writes length bytes of an object, from offset on, to w, as they come.
	// After an error w has the first of them, or none; they are the object's.
	//
	// Errors: ErrNotFound if the store says that there is no such object; ErrRange if
	// it ends before. A refusal is another error. Nothing is written to w after Get
	// returned.
	Get(ctx context.Context, bucket, key string, offset, length int64, w io.Writer) error

	// List returns keys that begin with prefix, in any order: up to 1,000, and
	// none only if there are none.
	List(ctx context.Context, bucket, prefix string) ([]string, error)

	// Delete removes an object. That there is none is no error.
	Delete(ctx context.Context, bucket, key string) error

	// Check asks whether the bucket exists and may be used.
	Check(ctx context.Context, bucket string) error
}

// Object is what ObjectStore.Put stores.
type Object struct {
	Bucket, Key string

	// Body is read from its start. A request that was given up may go on
	// reading it after Put returned, until it is closed or garbage.
	Body *io.SectionReader

	ContentType     string
	ContentEncoding string            // "" for none
	Metadata        map[string]string // names in lower case

	// AWSKMSKeyARN is the key that encrypts the object, of its bucket's region; "" leaves
	// that to the bucket's own default.
	AWSKMSKeyARN string

	// IfAbsent makes Put fail with ErrExists if the key has an object.
	IfAbsent bool

	// Multipart asks for a multipart upload, also of one part, where the store has
	// such a thing: S3 then tells of ObjectCreated:CompleteMultipartUpload. Without
	// it the store chooses.
	Multipart bool
}

// ErrExists is returned by ObjectStore.Put if the key has an object already.
var ErrExists = errors.New("object already exists")

// ErrNotFound is returned by ObjectStore.Get if there is no such object.
var ErrNotFound = errors.New("there is no such object")

// ErrRange is returned by ObjectStore.Get if the object has not so many bytes.
var ErrRange = errors.New("the object ends before")

// ErrAccessDenied is kcl.ErrAccessDenied: the store refused the credentials, or
// they do not permit the call, or the key that encrypts the object cannot be used;
// the text names what must be permitted, or done.
var ErrAccessDenied = kcl.ErrAccessDenied

// MetadataPlan is the metadata of an object that has the UUID of its plan.
const MetadataPlan = "shardmill-plan"

// ErrKeyTaken means that the key of a prepared cut holds an object that is not
// the cut's. Nothing of the shard is delivered until that object is moved away,
// or the prepared checkpoint is abandoned.
var ErrKeyTaken = errors.New("another object has the key of a prepared cut")

// ErrUnfinishable means that the lease row has an archiver's prepared
// checkpoint that this archiver must not finish: it is of a newer version,
// damaged, names a bucket that is not in the configuration or a key that no
// archiver makes, or the stream's records are others than those it is for. A
// newer version, or an operator, must settle it; the error says how. Nothing is
// put, and the checkpoint stays.
var ErrUnfinishable = errors.New("prepared checkpoint cannot be finished")
