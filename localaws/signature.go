package localaws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/httpbinding"
)

// compareSignature signs what the client says it signed, and compares. It is
// no signer of an SDK's that does so: each has headers of its own that it would
// never sign, and another SDK signs those, as that for Java does Content-Length
// of 0. That S3's body is the one that was signed is checked where it is read.
func (s *Stack) compareSignature(r *http.Request, c call, a authorization) *authError {
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !slices.Contains(a.signedHeaders, lower) {
			return &authError{unsignedHeader, name}
		}
	}
	if a.service == "aoss" && (r.Header.Get(contentHash) == "" || !slices.ContainsFunc(a.signedHeaders, func(name string) bool { return strings.EqualFold(name, contentHash) })) {
		return &authError{problem: missingHash}
	}
	hash := payloadHash(r, c, a)
	if hash == "" {
		return &authError{problem: missingHash}
	}
	sum := sha256.Sum256([]byte(canonicalRequest(r, c, a, hash)))
	text := strings.Join([]string{signingAlgorithm, a.at.Format(signingTime), a.scope(), hex.EncodeToString(sum[:])}, "\n")
	ours := hmacOf(a.signingKey(s.options.Credentials[a.accessKey]), text)
	if !hmac.Equal([]byte(hex.EncodeToString(ours)), []byte(a.signature)) {
		return &authError{problem: wrongSignature}
	}
	return nil
}

// payloadHash is the hash of the body that the signature covers: of S3 what the
// client says, which may be that it covers none; "" if it must say and does not.
func payloadHash(r *http.Request, c call, a authorization) string {
	if c.service != S3 {
		sum := sha256.Sum256(c.body)
		return hex.EncodeToString(sum[:])
	}
	hash := r.Header.Get(contentHash)
	if hash == "" && a.presigned {
		if hash = r.URL.Query().Get(contentHash); hash == "" {
			hash = "UNSIGNED-PAYLOAD"
		}
	}
	return hash
}

// canonicalRequest is the text of a request whose hash is signed.
func canonicalRequest(r *http.Request, c call, a authorization, hash string) string {
	path := r.URL.EscapedPath()
	if c.service != S3 {
		path = httpbinding.EscapePath(path, false) // once more than it was sent
	}
	query := r.URL.Query()
	if a.presigned {
		query.Del("X-Amz-Signature")
	}
	for _, values := range query {
		slices.Sort(values)
	}
	lines := []string{r.Method, path, strings.ReplaceAll(query.Encode(), "+", "%20")}
	names := strings.Split(strings.ToLower(strings.Join(a.signedHeaders, ";")), ";")
	slices.Sort(names) // who sent them in another order signed another text
	names = slices.Compact(names)
	for _, name := range names {
		lines = append(lines, name+":"+canonicalHeader(r, name))
	}
	return strings.Join(append(lines, "", strings.Join(names, ";"), hash), "\n")
}

// canonicalHeader is a header's value as it is signed.
func canonicalHeader(r *http.Request, name string) string {
	switch name { // net/http has them elsewhere
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, value := range values {
		values[i] = strings.Join(strings.Fields(value), " ")
	}
	return strings.Join(values, ",")
}

// scope is what a signature is good for.
func (a authorization) scope() string {
	return strings.Join([]string{a.date, a.region, a.service, scopeEnd}, "/")
}

// signingKey is the key that a secret gives for that scope.
func (a authorization) signingKey(secret string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{a.date, a.region, a.service, scopeEnd} {
		key = hmacOf(key, part)
	}
	return key
}

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text)) // a hash takes everything
	return h.Sum(nil)
}
