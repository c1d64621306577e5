package processors

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// objectKey returns the key of an object whose first record arrived at at, in
// Firehose's grammar. One instant gives both the date path and the name. The
// prefix is put before the date path with nothing between.
// Source: Firehose "Amazon S3 object name format".
func objectKey(prefix, stream string, version int, at time.Time, id exactlyonce.UUID, codec exactlyonce.Codec) string {
	at = at.UTC()
	return fmt.Sprintf("%s%s%s-%d-%s-%s%s",
		prefix, at.Format("2006/01/02/15/"), stream, version, at.Format("2006-01-02-15-04-05"), id, extension(codec))
}

func extension(codec exactlyonce.Codec) string {
	if codec == exactlyonce.GZIP {
		return ".gz"
	}
	return ""
}

func contentEncoding(codec exactlyonce.Codec) string {
	if codec == exactlyonce.GZIP {
		return "gzip"
	}
	return ""
}

func randomUUID() exactlyonce.UUID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return exactlyonce.NewUUID(b)
}
