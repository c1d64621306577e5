package localaws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxClockSkew is how far a request's date may be from the server's clock.
const maxClockSkew = 15 * time.Minute

// The ways in which a request's signature is wrong.
type authProblem int

const (
	missingAuth authProblem = iota
	malformedAuth
	unknownKey
	wrongScope
	skewedClock
	unsignedHeader
	missingHash
	wrongSignature
)

type authError struct {
	problem authProblem
	detail  string
}

// authorization is a parsed Authorization header.
type authorization struct {
	accessKey, date, region, service string
	signedHeaders                    []string
	signature                        string
}

// parseAuthorization reads
//
//	AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, SignedHeaders=<a;b>, Signature=<hex>
func parseAuthorization(header string) (authorization, bool) {
	var a authorization
	fields, ok := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !ok {
		return a, false
	}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) < 5 || scope[len(scope)-1] != "aws4_request" {
				return a, false
			}
			n := len(scope) - 4
			a.accessKey = strings.Join(scope[:n], "/")
			a.date, a.region, a.service = scope[n], scope[n+1], scope[n+2]
		case "SignedHeaders":
			a.signedHeaders = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	return a, a.accessKey != "" && len(a.signedHeaders) > 0 && a.signature != ""
}

// verify checks a request's Signature Version 4 by signing it again with the
// SDK's own signer. That S3's body is the one that was signed is checked where
// it is read.
func (s *Stack) verify(r *http.Request, c call, now time.Time) *authError {
	header := r.Header.Get("Authorization")
	if header == "" {
		return &authError{problem: missingAuth}
	}
	a, ok := parseAuthorization(header)
	if !ok {
		return &authError{problem: malformedAuth}
	}
	secret, ok := s.options.Credentials[a.accessKey]
	if !ok {
		return &authError{problem: unknownKey}
	}
	if service := strings.ToLower(c.service); a.service != service || a.region != s.options.Region {
		return &authError{wrongScope, fmt.Sprintf("signed for %s in %s, but this is %s in %s",
			a.service, a.region, service, s.options.Region)}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || !strings.HasPrefix(r.Header.Get("X-Amz-Date"), a.date) {
		return &authError{problem: malformedAuth}
	}
	if skew := now.Sub(at); skew > maxClockSkew || skew < -maxClockSkew {
		return &authError{skewedClock, fmt.Sprintf("signed at %s, received at %s",
			at.Format(time.RFC3339), now.UTC().Format(time.RFC3339))}
	}
	return s.compareSignature(r, c, a, aws.Credentials{AccessKeyID: a.accessKey, SecretAccessKey: secret}, at)
}

// compareSignature signs what the client says it signed and compares.
func (s *Stack) compareSignature(r *http.Request, c call, a authorization, key aws.Credentials, at time.Time) *authError {
	u := *r.URL
	again := &http.Request{Method: r.Method, URL: &u, Host: r.Host, Header: make(http.Header)}
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		if slices.Contains(a.signedHeaders, lower) {
			again.Header[name] = slices.Clone(values)
		} else if strings.HasPrefix(lower, "x-amz-") {
			return &authError{unsignedHeader, name}
		}
	}
	if slices.Contains(a.signedHeaders, "content-length") {
		again.ContentLength = r.ContentLength
	}
	hash, missing := payloadHash(r, c)
	if missing {
		return &authError{problem: missingHash}
	}
	err := s.signer.SignHTTP(r.Context(), key, again, hash, a.service, a.region, at,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = c.service == S3 })
	if err != nil {
		return &authError{malformedAuth, err.Error()}
	}
	ours, _ := parseAuthorization(again.Header.Get("Authorization"))
	if !hmac.Equal([]byte(ours.signature), []byte(a.signature)) {
		return &authError{problem: wrongSignature}
	}
	return nil
}

// payloadHash is the hash of the body that the signature covers: of S3 what
// the header says, which may be that it covers none.
func payloadHash(r *http.Request, c call) (hash string, missing bool) {
	if c.service == S3 {
		hash = r.Header.Get("X-Amz-Content-Sha256")
		return hash, hash == ""
	}
	sum := sha256.Sum256(c.body)
	return hex.EncodeToString(sum[:]), false
}

// write answers a request as its service does.
func (e *authError) write(w http.ResponseWriter, r *http.Request, service string) {
	status := http.StatusBadRequest
	code, message := e.json()
	if service == S3 {
		status, code, message = e.xml()
	}
	if e.detail != "" {
		message += " (" + e.detail + ")"
	}
	writeError(w, r, service, status, code, message)
}

const signatureDiffers = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method."

// json is what Kinesis and DynamoDB answer, with status 400.
func (e *authError) json() (code, message string) {
	switch e.problem {
	case missingAuth:
		return "MissingAuthenticationTokenException", "Missing Authentication Token"
	case malformedAuth, missingHash:
		return "IncompleteSignatureException",
			"Authorization header is malformed: it needs Credential, SignedHeaders and Signature, and the request X-Amz-Date."
	case unknownKey:
		return "UnrecognizedClientException", "The security token included in the request is invalid."
	case wrongScope:
		return "InvalidSignatureException", "Credential should be scoped to a valid region and service."
	case skewedClock:
		return "InvalidSignatureException", "Signature expired or not yet current."
	case unsignedHeader:
		return "InvalidSignatureException", "There is a header in the request which was not signed."
	default:
		return "InvalidSignatureException", signatureDiffers
	}
}

// xml is what S3 answers.
func (e *authError) xml() (status int, code, message string) {
	switch e.problem {
	case missingAuth:
		return http.StatusForbidden, "AccessDenied", "Access Denied: the request is not signed."
	case malformedAuth, wrongScope:
		return http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header is malformed."
	case unknownKey:
		return http.StatusForbidden, "InvalidAccessKeyId",
			"The AWS Access Key Id you provided does not exist in our records."
	case skewedClock:
		return http.StatusForbidden, "RequestTimeTooSkewed",
			"The difference between the request time and the current time is too large."
	case unsignedHeader:
		return http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed."
	case missingHash:
		return http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
	default:
		return http.StatusForbidden, "SignatureDoesNotMatch", signatureDiffers
	}
}
