package localaws

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// withChunkSigner has S3 check the chunks of a body that its client signed one
// by one, as the AWS SDKs for Java do over plain HTTP. The request's own
// signature was checked.
func (s *Stack) withChunkSigner(r *http.Request, a authorization) *http.Request {
	if !strings.HasPrefix(r.Header.Get(contentHash), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") {
		return r
	}
	return s3d.WithChunkSigner(r, a.signature, chunkSigner(a, s.options.Credentials[a.accessKey]))
}

// chunkSigner signs what follows a request with an authorization.
func chunkSigner(a authorization, secret string) s3d.ChunkSigner {
	key := a.signingKey(secret)
	empty := sha256.Sum256(nil)
	return func(kind, before string, sum []byte) string {
		parts := []string{kind, a.at.Format(signingTime), a.scope(), before}
		if kind == s3d.SignedChunk {
			parts = append(parts, hex.EncodeToString(empty[:]))
		}
		parts = append(parts, hex.EncodeToString(sum))
		return hex.EncodeToString(hmacOf(key, strings.Join(parts, "\n")))
	}
}
