package localaws

import (
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// ChunkSigner signs the chunks of a request to S3 in us-east-1.
func ChunkSigner(at time.Time, secret string) s3d.ChunkSigner {
	return chunkSigner(authorization{date: at.Format("20060102"), region: "us-east-1", service: "s3", at: at}, secret)
}

// Pace is the body of a request as Serve has it read.
func Pace(w http.ResponseWriter, r *http.Request) io.Reader { return pace(w, r) }

// LimitBodies has a stack without requests keep so many bytes of bodies in
// memory at once.
func LimitBodies(s *Stack, size int64) { s.room = semaphore.NewWeighted(size) }
