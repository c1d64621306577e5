package localaws

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxClockSkew is how far a request's date may be from the server's clock.
const maxClockSkew = 15 * time.Minute

// What requests say of how and when they were signed.
const (
	signingAlgorithm = "AWS4-HMAC-SHA256"
	signingTime      = "20060102T150405Z"
	signingDay       = "20060102"
	scopeEnd         = "aws4_request"
	contentHash      = "X-Amz-Content-Sha256"
)

// The ways in which a request's signature is wrong.
type authProblem int

const (
	missingAuth authProblem = iota
	malformedAuth
	malformedQuery
	twoAuths
	oldSignature
	unknownKey
	wrongScope
	skewedClock
	expired
	unsignedHeader
	missingHash
	wrongSignature
	wrongPassword // or API key
)

type authError struct {
	problem authProblem
	detail  string
}

// authorization is what a request says of its signature, in its Authorization
// header or, if it is presigned, in its query.
type authorization struct {
	accessKey, date, region, service string
	signedHeaders                    []string
	signature                        string
	presigned                        bool
	at                               time.Time
}

// setCredential reads <key>/<date>/<region>/<service>/aws4_request.
func (a *authorization) setCredential(value string) {
	scope := strings.Split(value, "/")
	if n := len(scope) - 4; n > 0 && scope[n+3] == scopeEnd {
		a.accessKey = strings.Join(scope[:n], "/")
		a.date, a.region, a.service = scope[n], scope[n+1], scope[n+2]
	}
}

func (a *authorization) complete() bool {
	return a.accessKey != "" && slices.Contains(a.signedHeaders, "host") && a.signature != ""
}

// parseAuthorization reads
//
//	AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, SignedHeaders=<a;b>, Signature=<hex>
func parseAuthorization(header string) (authorization, bool) {
	var a authorization
	fields, ok := strings.CutPrefix(header, signingAlgorithm+" ")
	if !ok {
		return a, false
	}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			a.setCredential(value)
		case "SignedHeaders":
			a.signedHeaders = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	return a, a.complete()
}

// authorizationOf reads what a request says of its signature, and when it was
// made.
func authorizationOf(r *http.Request, c call) (authorization, *authError) {
	header := r.Header.Get("Authorization")
	if c.service == S3 && isPresigned(r.URL.Query()) {
		if header != "" {
			return authorization{}, &authError{problem: twoAuths}
		}
		return parsePresigned(r.URL.Query())
	}
	if strings.HasPrefix(header, "AWS ") || r.URL.Query().Has("AWSAccessKeyId") {
		return authorization{}, &authError{problem: oldSignature}
	}
	if header == "" {
		return authorization{}, &authError{problem: missingAuth}
	}
	a, ok := parseAuthorization(header)
	at, err := time.Parse(signingTime, r.Header.Get("X-Amz-Date"))
	if !ok || err != nil || a.date != at.Format(signingDay) {
		return a, &authError{problem: malformedAuth}
	}
	a.at = at
	return a, nil
}

// authorize checks by whom, for what and when a request says that it was
// signed, for which its body is not needed.
func (s *Stack) authorize(r *http.Request, c call, now time.Time) (authorization, *authError) {
	a, problem := authorizationOf(r, c)
	if problem != nil {
		return a, problem
	}
	if _, ok := s.options.Credentials[a.accessKey]; !ok {
		return a, &authError{problem: unknownKey}
	}
	region := s.options.Region
	if c.service == S3 && a.region != region { // who signs for it asks for another region's bucket
		region = s.s3.Region(s.s3.Parse(r).Bucket)
	}
	service := strings.ToLower(c.service)
	if c.service == RedshiftData {
		service = "redshift-data"
	}
	if c.service == Search {
		service = s.clusterService()
	}
	if a.service != service || a.region != region {
		return a, &authError{wrongScope, fmt.Sprintf("signed for %s in %s, but this is %s in %s; expecting '%s'",
			a.service, a.region, service, region, region)}
	}
	skew := now.Sub(a.at)
	if skew < -maxClockSkew || (skew > maxClockSkew && !a.presigned) {
		return a, &authError{skewedClock, fmt.Sprintf("signed at %s, received at %s",
			a.at.Format(time.RFC3339), now.UTC().Format(time.RFC3339))}
	}
	if a.presigned {
		return a, checkExpiry(r.URL.Query().Get("X-Amz-Expires"), skew)
	}
	return a, nil
}

// write answers a request as its service does.
func (e *authError) write(w http.ResponseWriter, r *http.Request, service string) {
	if service == Search {
		e.writeCluster(w, r)
		return
	}
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
	case malformedAuth, missingHash, oldSignature:
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
	case malformedQuery:
		return http.StatusBadRequest, "AuthorizationQueryParametersError", "The authorization query parameters are malformed."
	case oldSignature:
		return http.StatusBadRequest, "InvalidRequest",
			"The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
	case twoAuths:
		return http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed."
	case expired:
		return http.StatusForbidden, "AccessDenied", "Request has expired"
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
