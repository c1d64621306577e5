package redshiftarchive

import (
	"context"

	"github.com/shardmill/shardmill/processors"
)

// Store is the store of objects as a Loader needs it; *s3archive.Store is one. Each call
// makes one try, and ends with ctx, which has a limit. It is safe for concurrent use.
type Store interface {
	// Put stores an object, as processors.ObjectStore has it.
	Put(ctx context.Context, o processors.Object) error

	// Read returns an object, which has at most so many bytes.
	//
	// Errors: processors.ErrNotFound if the store says that there is none; processors.ErrRange if it is larger.
	Read(ctx context.Context, bucket, key string, most int64) ([]byte, error)

	// List returns up to 1,000 keys that begin with prefix, in any order, and none only if there are none.
	List(ctx context.Context, bucket, prefix string) ([]string, error)

	// Delete removes an object. That there is none is no error.
	Delete(ctx context.Context, bucket, key string) error
}
