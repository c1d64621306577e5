package s3d

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"net/http"
	"strings"
)

// Kinds of what a ChunkSigner signs.
const (
	SignedChunk   = "AWS4-HMAC-SHA256-PAYLOAD"
	SignedTrailer = "AWS4-HMAC-SHA256-TRAILER"
)

// ChunkSigner gives the signature, in hex, of a chunk or trailer with a SHA-256,
// from the signature of what came before it.
type ChunkSigner func(kind, before string, sum []byte) string

type signerKey struct{}

type seededSigner struct {
	seed string
	sign ChunkSigner
}

// WithChunkSigner returns a request whose chunks are checked by a signer, from
// the request's own signature on. Without, signatures of chunks are not looked
// at.
func WithChunkSigner(r *http.Request, seed string, sign ChunkSigner) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), signerKey{}, seededSigner{seed, sign}))
}

// chunkSignatures checks the signatures of a body's chunks, one after another.
type chunkSignatures struct {
	sign   ChunkSigner
	before string // signature of what came before
	want   string // what the chunk being read says its signature is
	sum    hash.Hash
}

func chunkSignaturesOf(r *http.Request) *chunkSignatures {
	s, ok := r.Context().Value(signerKey{}).(seededSigner)
	if !ok {
		return nil
	}
	return &chunkSignatures{sign: s.sign, before: s.seed, sum: sha256.New()}
}

func wrongChunkSignature() error {
	return refuse(http.StatusForbidden, "SignatureDoesNotMatch",
		"The signature of a chunk we calculated does not match the signature you provided.")
}

// begin notes what the extensions of a chunk's size say.
func (c *chunkSignatures) begin(extensions string) {
	c.want, _ = strings.CutPrefix(extensions, "chunk-signature=")
	c.sum.Reset()
}

// end checks the chunk that was read.
func (c *chunkSignatures) end() error { return c.check(SignedChunk, c.want) }

func (c *chunkSignatures) check(kind, want string) error {
	ours := c.sign(kind, c.before, c.sum.Sum(nil))
	if !hmac.Equal([]byte(ours), []byte(want)) {
		return wrongChunkSignature()
	}
	c.before = ours
	return nil
}

// trailerSignature is the header of a signed trailer's signature.
const trailerSignature = "X-Amz-Trailer-Signature"

// checkTrailer checks a trailer, of which text is what its signature covers.
func (c *chunkSignatures) checkTrailer(trailer http.Header, text string) error {
	if len(trailer) == 0 {
		return nil
	}
	c.sum.Reset()
	_, _ = c.sum.Write([]byte(text)) // a hash takes everything
	return c.check(SignedTrailer, trailer.Get(trailerSignature))
}
