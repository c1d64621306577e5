package localaws

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/localaws/internal/redshiftcopy"
	"github.com/shardmill/shardmill/localaws/internal/s3d"
)

// warehouseAgent is the User-Agent of what a COPY asks of S3, by which faults tell it.
const warehouseAgent = "Amazon Redshift"

// source is S3 for a COPY, by the access that the statement names.
func (w *Warehouse) source(c redshiftcopy.Statement) (redshiftcopy.Source, error) {
	from := warehouseSource{stack: w.stack, region: w.stack.options.Region}
	if c.Region != "" {
		from.region = c.Region
	}
	if c.Access.Role != "" {
		return w.sourceOfRole(from, c.Access.Role)
	}
	secret, ok := w.stack.options.Credentials[c.Access.AccessKeyID]
	w.mu.Lock()
	isExpired := w.expired[c.Access.SessionToken]
	w.mu.Unlock()
	switch {
	case w.stack.options.SkipSignatures:
	case !ok:
		return nil, refusedByS3(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	case !same(secret, c.Access.SecretAccessKey):
		return nil, refusedByS3(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	case isExpired:
		return nil, refusedByS3(http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
	case strings.HasPrefix(c.Access.AccessKeyID, "ASIA") && c.Access.SessionToken == "":
		return nil, refusedByS3(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	}
	from.may = w.stack.permitted(c.Access.AccessKeyID)
	return from, nil
}

// sourceOfRole is S3 for the last one of a chain of roles, of which the cluster must have
// the first.
func (w *Warehouse) sourceOfRole(from warehouseSource, roles string) (redshiftcopy.Source, error) {
	first, _, _ := strings.Cut(roles, ",")
	w.mu.Lock()
	actions, ok := w.roles[first]
	w.mu.Unlock()
	if !ok {
		user := fmt.Sprintf("arn:aws:redshift:%s:%s:dbuser:local/%s", w.stack.options.Region, w.stack.options.Account, w.options.User)
		return nil, &redshiftcopy.Error{
			Code: "XX000", Message: "User " + user + " is not authorized to assume IAM Role " + first, Context: "IAM Role=" + first,
		}
	}
	if len(actions) > 0 {
		from.may = func(action string) bool { return slices.Contains(actions, action) }
	}
	return from, nil
}

// s3Refusal is how Redshift tells that S3 refused it.
type s3Refusal struct {
	text     string
	notFound bool
}

func (e *s3Refusal) Error() string { return e.text }

// Is reports whether it is redshiftcopy.ErrNotFound.
func (e *s3Refusal) Is(target error) bool { return e.notFound && target == redshiftcopy.ErrNotFound }

func s3Text(status int, code, message string) string {
	return fmt.Sprintf("S3ServiceException:%s,Status %d,Error %s,Rid LOCAL,CanRetry 1", message, status, code)
}

func refusedByS3(status int, code, message string) error {
	return &redshiftcopy.Error{Code: "XX000", Message: s3Text(status, code, message)}
}

// warehouseSource asks the stack's S3.
type warehouseSource struct {
	stack  *Stack
	region string
	may    func(action string) bool
}

// maxStaged is the largest object that a COPY may read.
const maxStaged = 1 << 30

// Get implements redshiftcopy.Source.
func (w warehouseSource) Get(ctx context.Context, bucket, key string) ([]byte, error) {
	return w.ask(ctx, &url.URL{Path: "/" + bucket + "/" + key})
}

// List implements redshiftcopy.Source.
func (w warehouseSource) List(ctx context.Context, bucket, prefix string) ([]string, error) {
	var keys []string
	query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
	for {
		text, err := w.ask(ctx, &url.URL{Path: "/" + bucket, RawQuery: query.Encode()})
		if err != nil {
			return nil, err
		}
		var page struct {
			Contents              []struct{ Key string }
			NextContinuationToken string
		}
		if err = xml.Unmarshal(text, &page); err != nil {
			return nil, fmt.Errorf("S3ServiceException: reading the listing: %w", err)
		}
		for _, c := range page.Contents {
			keys = append(keys, c.Key)
		}
		if page.NextContinuationToken == "" {
			return keys, nil
		}
		query.Set("continuation-token", page.NextContinuationToken)
	}
}

// ask makes a request, which faults may strike.
func (w warehouseSource) ask(ctx context.Context, u *url.URL) ([]byte, error) {
	u.Scheme, u.Host = "https", inProcessHost
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("S3ServiceException: %w", err)
	}
	r.Header.Set("User-Agent", warehouseAgent)
	out, err := client{w.stack, func(rw http.ResponseWriter, r *http.Request) {
		r = s3d.WithCaller(r, s3d.Caller{Region: w.region, May: w.may})
		w.stack.strike(rw, r, call{service: S3, operation: w.stack.s3.Parse(r).Operation})
	}}.Do(r)
	if err != nil {
		return nil, fmt.Errorf("S3CurlException: Failure when receiving data from the peer: %w", err)
	}
	defer func() { _ = out.Body.Close() }() // it was read, or there was an error
	text, err := io.ReadAll(io.LimitReader(out.Body, maxStaged+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("S3CurlException: Failure when receiving data from the peer: %w", err)
	case len(text) > maxStaged:
		return nil, fmt.Errorf("the object has more than %d bytes, which is the limit here", maxStaged)
	case out.StatusCode == http.StatusOK:
		return text, nil
	}
	var problem struct{ Code, Message string }
	_ = xml.Unmarshal(text, &problem) // what has no code is told by its status
	return nil, &s3Refusal{s3Text(out.StatusCode, problem.Code, problem.Message), problem.Code == "NoSuchKey"}
}
