package processors

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/processors/plan"
)

// objectKey returns the key of an object whose first record arrived at at, in
// Firehose's grammar. One instant gives both the date path and the name. The
// prefix is put before the date path with nothing between.
// Source: Firehose "Amazon S3 object name format".
func objectKey(prefix, stream string, version int, at time.Time, id plan.UUID, codec plan.Codec) string {
	at = at.UTC()
	return fmt.Sprintf("%s%s%s-%d-%s-%s%s",
		prefix, at.Format("2006/01/02/15/"), stream, version, at.Format("2006-01-02-15-04-05"), id, extension(codec))
}

func extension(codec plan.Codec) string {
	if codec == plan.GZIP {
		return ".gz"
	}
	return ""
}

func contentEncoding(codec plan.Codec) string {
	if codec == plan.GZIP {
		return "gzip"
	}
	return ""
}

func randomUUID() plan.UUID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return plan.NewUUID(b)
}
