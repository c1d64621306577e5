package esarchive

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/processors/internal/jsonscan"
)

// Firehose's codes, as its guide lists them for CloudWatch's logs.
const (
	codeAccessDenied   = "OS.AccessDenied"
	codeNotFound       = "OS.ResourceNotFound"
	codeTimeout        = "OS.RequestTimeout"
	codeNoConnection   = "OS.ConnectionFailed"
	codeReset          = "OS.ConnectionReset"
	codeBlocked        = "OS.ClusterBlockException"
	codeInvalid        = "OS.ValidationException"
	codeNotJSON        = "OS.JsonParseException"
	codeNotParsed      = "OS.AmazonOpenSearchServiceParseException" // the answer
	codeExplicitIndex  = "OS.ExplicitIndexInBulkNotAllowed"
	codeSeveralIndices = "OS.AliasWithMultipleIndicesNotAllowed"
	codeBadGateway     = "OS.BadGateway"
	codeGatewayTimeout = "OS.GatewayTimeout"
	codeService        = "OS.ServiceException"
	codeInternal       = "OS.InternalError"
	codeMismatch       = "OS.ResponseEntryCountMismatch"
)

// said is what an answer without documents says: its error, as far as it is one of a
// cluster or of what stands before it.
type said struct {
	kind   string // error.type, such as "cluster_block_exception"
	reason string
}

// maxQuoted is how much of the text of an error is quoted.
const maxQuoted = 1 << 10

// judge is the fault of a request that was answered with a status other than 2xx:
//
//	status                                                code                        it is
//	400 action_request_validation_exception               OS.ValidationException      -
//	400 json_parse_exception, x_content_parse_exception,
//	    parse_exception; 500 json_parse_exception, which
//	    Elasticsearch 6.8 says                            OS.JsonParseException       -
//	400 "explicit index in bulk is not allowed"           OS.ExplicitIndexInBulk…     -
//	400 "no write index is defined for alias", with which
//	    Elasticsearch 6.8 refuses all documents           OS.AliasWithMultiple…       -
//	401, 403                                              OS.AccessDenied             auth
//	403, 429, 503 cluster_block_exception                 OS.ClusterBlockException    down
//	404                                                   OS.ResourceNotFound         down: no cluster has no _bulk
//	408                                                   OS.RequestTimeout           down
//	413                                                   413                         too large
//	429, 503 … of a queue or a circuit breaker            429, OS.ServiceException    rejected
//	502, 504                                              OS.BadGateway, …Timeout     down
//	other 5xx                                             OS.ServiceException         down
//	3xx, 405                                              the status                  down
//	any other                                             the status                  -
//
// The guide does not say which status has which code. What has none of its own has its
// status for one, as failures of single documents do.
func judge(status int, s said, location string) *fault {
	f := &fault{status: status, code: strconv.Itoa(status), kind: s.kind, message: describe(status, s)}
	switch {
	case s.kind == "cluster_block_exception" && status >= 400:
		f.code, f.down = codeBlocked, true
	case status >= 300 && status < 400:
		f.down = true
		f.message += ", which is not followed" + pointsTo(location)
	case status == http.StatusBadRequest, status == http.StatusInternalServerError && s.kind == "json_parse_exception":
		f.code = codeOfRefusal(s, f.code)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.code, f.auth = codeAccessDenied, true
	case status == http.StatusNotFound:
		f.code, f.down = codeNotFound, true
	case status == http.StatusMethodNotAllowed:
		f.down = true
	case status == http.StatusRequestTimeout:
		f.code, f.down = codeTimeout, true
	case status == http.StatusRequestEntityTooLarge:
		f.tooLarge = true
	case status == http.StatusTooManyRequests:
		f.rejected = true
	case status >= 500:
		f.code, f.down, f.rejected = codeOf5xx(status), true, isBusy(s.kind)
	}
	return f
}

func codeOf5xx(status int) string {
	switch status {
	case http.StatusBadGateway:
		return codeBadGateway
	case http.StatusGatewayTimeout:
		return codeGatewayTimeout
	}
	return codeService
}

// isBusy reports whether an error is that of a queue which is full, or of a cluster that
// has no memory for the request; some versions say so with 503.
func isBusy(kind string) bool {
	switch kind {
	case "es_rejected_execution_exception", "rejected_execution_exception", "open_search_rejected_execution_exception", "circuit_breaking_exception":
		return true
	}
	return false
}

func codeOfRefusal(s said, other string) string {
	switch {
	case strings.Contains(s.reason, "explicit index in bulk is not allowed"):
		return codeExplicitIndex
	case strings.Contains(s.reason, "no write index is defined for alias"), strings.Contains(s.reason, "has more than one ind"):
		return codeSeveralIndices
	case s.kind == "action_request_validation_exception":
		return codeInvalid
	case s.kind == "json_parse_exception", s.kind == "x_content_parse_exception", s.kind == "parse_exception":
		return codeNotJSON
	}
	return other
}

// describe says what was answered.
func describe(status int, s said) string {
	text := "the cluster answered " + strconv.Itoa(status)
	if name := http.StatusText(status); name != "" {
		text += " " + name
	}
	if s.kind != "" || s.reason != "" {
		text += ": " + joined(s.kind, s.reason)
	}
	return text
}

func joined(kind, reason string) string {
	if kind == "" || reason == "" {
		return kind + reason
	}
	return kind + ": " + reason
}

// pointsTo is where a redirect points, without what may be a secret.
func pointsTo(location string) string {
	u, err := url.Parse(location)
	if location == "" || err != nil {
		return ""
	}
	return ": it points to " + quoted((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

// readSaid reads the error of an answer: a cluster's, {"error":{"type":…,"reason":…}} or
// {"error":"…"}, AWS's, {"message":"…"}, or a line of text. Of HTML it is the title.
func readSaid(contentType string, body []byte) said {
	kind, _, _ := mime.ParseMediaType(contentType) // "" if it is none
	s, isJSON := saidInJSON(body)
	switch {
	case isJSON:
	case strings.Contains(kind, "html") || strings.HasPrefix(strings.TrimSpace(string(body[:min(len(body), 64)])), "<"):
		s.reason = "a page of HTML" + title(string(body[:min(len(body), 16<<10)]))
	case kind == "text/plain" || kind == "":
		s.reason = string(body[:min(len(body), 2*maxQuoted)])
	case len(body) > 0:
		s.reason = fmt.Sprintf("%d bytes of %s", len(body), kind)
	}
	return said{kind: quoted(s.kind), reason: quoted(s.reason)}
}

func saidInJSON(body []byte) (s said, ok bool) {
	scan := jsonscan.New(body)
	isObject := scan.Object(func(name string) {
		switch name {
		case "error":
			if e := readError(scan); e != (item{}) {
				s = said{e.kind, e.reason}
			}
		case "message", "Message":
			if text, isText := scan.Text(); isText && s == (said{}) {
				s.reason = text
			}
		default:
			scan.Skip()
		}
	})
	if !isObject || !scan.End() {
		return said{}, false
	}
	return s, true
}

// title is that of a page, in quotes.
func title(page string) string {
	lower := strings.ToLower(page)
	from := strings.Index(lower, "<title>")
	to := strings.Index(lower, "</title>")
	if from < 0 || to < from || len(lower) != len(page) {
		return ""
	}
	return fmt.Sprintf(", %q", strings.TrimSpace(page[from+len("<title>"):to]))
}

// quoted is a text of somebody else's, on one line and cut to maxQuoted.
func quoted(text string) string {
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\ufffd")
	return cut(text, maxQuoted)
}

// cut shortens a text to at most n bytes and an ellipsis, and leaves its last rune whole.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// unanswered is the fault of a request that got no answer, or not all of it. ctx is the
// try's.
func unanswered(ctx context.Context, err error) *fault {
	late, isLate := context.Cause(ctx).(*deadline.Error) //nolint:errorlint // a cause is what was given
	timeout, isNet := errors.AsType[net.Error](err)
	f := &fault{down: true}
	switch {
	case isLate:
		f.code, f.message = codeTimeout, fmt.Sprintf("the cluster did not answer within %v", late.Limit.Round(time.Millisecond))
		return f
	case ctx.Err() != nil:
		return &fault{code: codeTimeout, message: "the request was given up: " + context.Cause(ctx).Error()}
	case isConnecting(err):
		f.code, f.message = codeNoConnection, "the cluster could not be reached"
	case isNet && timeout.Timeout():
		f.code, f.message = codeTimeout, "the cluster did not answer"
	default:
		f.code, f.message = codeReset, "the connection to the cluster broke before all of the answer had come"
	}
	f.message += ": " + quoted(err.Error()) + remedy(err)
	return f
}

// isConnecting reports whether there was no connection yet.
func isConnecting(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		noTLS       tls.RecordHeaderError
		op          *net.OpError
		dns         *net.DNSError
	)
	return errors.As(err, &certificate) || errors.As(err, &alert) || errors.As(err, &noTLS) || errors.As(err, &dns) ||
		errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect" || op.Op == "socks connect") || isPlainHTTP(err)
}

// isPlainHTTP reports whether the other side does not speak TLS; net/http has no type for it.
func isPlainHTTP(err error) bool {
	return strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// remedy says what to do about a connection that cannot be made.
func remedy(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		noTLS   tls.RecordHeaderError
		dns     *net.DNSError
	)
	switch {
	case errors.As(err, &unknown):
		return "; set RootCAs to the certificate of the authority that signed the cluster's"
	case errors.As(err, &name):
		return "; name the cluster in Endpoints as its certificate does"
	case errors.As(err, &noTLS), isPlainHTTP(err):
		return "; the port does not speak TLS: is it http://?"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "; is the name in Endpoints right, and can it be resolved here?"
	}
	return ""
}
