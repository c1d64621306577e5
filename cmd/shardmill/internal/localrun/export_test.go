package localrun

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/localaws"
)

// Bucket is what the tests look into.
const Bucket = bucket

// Prepared returns o with a call before anything is put.
func Prepared(o Options, f func(*localaws.Stack)) Options {
	o.prepared = f
	return o
}

// Verifying returns o with a call before the objects are read.
func Verifying(o Options, f func(*s3.Client)) Options {
	o.verifying = f
	return o
}

// ShutdownAfter returns o with another shutdown timeout of the workers.
func ShutdownAfter(o Options, d time.Duration) Options {
	o.shutdown = d
	return o
}

// Sending returns o with another sender of its requests.
func Sending(o Options, d deadline.Doer) Options {
	o.client = d
	return o
}

// GetObject reads an object as the verification does.
func GetObject(ctx context.Context, d deadline.Doer, key string) ([]byte, error) {
	j := &job{clients: clientsOf("http://s3.invalid", d, zap.NewNop())}
	return j.object(ctx, key)
}
