package localaws

import (
	"time"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// ChunkSigner signs the chunks of a request to S3 in us-east-1.
func ChunkSigner(at time.Time, secret string) s3d.ChunkSigner {
	return chunkSigner(authorization{date: at.Format("20060102"), region: "us-east-1", service: "s3", at: at}, secret)
}
