// Package awscall makes single requests to AWS, for operations whose client of the SDK would
// cost more to compile than all else that asks for them.
package awscall

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

const (
	// timeout ends a request that is not answered.
	timeout = 10 * time.Second

	// mostAnswer is how many bytes of an answer are read.
	mostAnswer = 1 << 20

	// mostSaid is how many bytes of an error's text are told.
	mostSaid = 500
)

// Operation is a request to a service.
type Operation struct {
	Service Service
	Action  string // as a policy names it, "es:DescribeDomain"
	Tries   int    // how many requests are made at most, if they are throttled, or not answered; at least 1

	Method, Path        string // default POST, "/"
	ContentType, Target string // headers; "" for none
	Body                []byte
}

// RefusedError is an answer other than 200.
type RefusedError struct {
	Status  int
	Code    string // "" if the answer has none
	Message string // on one line
	remedy  string
}

func (e *RefusedError) Error() string {
	answered := strings.TrimSpace(fmt.Sprintf("AWS answered %d %s", e.Status, e.Code))
	said := slices.DeleteFunc([]string{answered, e.Message, e.remedy}, func(s string) bool { return s == "" })
	return strings.Join(said, ": ")
}

// isPassing reports whether it may be over soon.
func (e *RefusedError) isPassing() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || strings.Contains(e.Code, "Throttl")
}

// unanswered is the error of a request that got no answer, or not all of it.
type unanswered struct{ error }

// Unwrap returns the error.
func (u unanswered) Unwrap() error { return u.error }

// Call makes requests until one is answered for good, and returns the body of that, up to
// 1 MiB. Of cfg it takes what a client of the SDK takes: Credentials, HTTPClient (default: the
// SDK's), and an endpoint of one's own. Each request ends by itself after 10 s, with 1, 2 and
// then 4 s between them. The error names the action, says what to do, and has no secret.
func (o Operation) Call(ctx context.Context, cfg aws.Config) ([]byte, error) {
	base, err := o.Service.endpoint(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Action, err)
	}
	pauses := pause.NewBackOff(o.Action, time.Second, 4*time.Second, 0.25)
	for try := 1; ; try++ {
		body, err := o.once(ctx, cfg, base)
		if err == nil {
			return body, nil
		}
		_, isPassing := errors.AsType[unanswered](err)
		if refused, ok := errors.AsType[*RefusedError](err); ok {
			isPassing = refused.isPassing()
		}
		if !isPassing || try >= o.Tries || pauses.Wait(ctx) != nil {
			return nil, fmt.Errorf("%s: %w", o.Action, err)
		}
	}
}

// once makes one request.
func (o Operation) once(ctx context.Context, cfg aws.Config, base string) ([]byte, error) {
	ctx, call := deadline.StartWhole(ctx, timeout)
	defer call.End()
	r, err := http.NewRequestWithContext(ctx, cmp.Or(o.Method, http.MethodPost), strings.TrimSuffix(base, "/")+cmp.Or(o.Path, "/"), bytes.NewReader(o.Body))
	if err != nil {
		return nil, fmt.Errorf("the endpoint of %s is no URL", o.Service.SDKID) // which may have a password
	}
	for name, value := range map[string]string{"Content-Type": o.ContentType, "X-Amz-Target": o.Target} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if err := o.sign(ctx, cfg, r); err != nil {
		return nil, err
	}
	var doer deadline.Doer = awshttp.NewBuildableClient()
	if cfg.HTTPClient != nil {
		doer = cfg.HTTPClient
	}
	resp, err := deadline.Client(doer, 0).Do(r)
	if err != nil {
		return nil, unanswered{deadline.Explain(ctx, err)}
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, o.refusal(resp, body)
	case err != nil:
		return nil, unanswered{deadline.Explain(ctx, err)}
	}
	return body, nil
}

func (o Operation) sign(ctx context.Context, cfg aws.Config, r *http.Request) error {
	if cfg.Credentials == nil {
		return errors.New("there are no credentials of AWS: set a provider of credentials")
	}
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("the credentials of AWS could not be had: %w", access.HideError(deadline.Explain(ctx, err)))
	}
	sum := sha256.Sum256(o.Body)
	digest := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", digest) // OpenSearch wants it
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, digest, o.Service.Name, o.Service.Region, time.Now()); err != nil {
		return fmt.Errorf("the request could not be signed: %w", err)
	}
	return nil
}

// refusal says what an answer other than 200 means.
func (o Operation) refusal(resp *http.Response, body []byte) *RefusedError {
	code, message := said(body)
	code = cmp.Or(strings.Split(resp.Header.Get("X-Amzn-Errortype"), ":")[0], code)
	message = strings.ToValidUTF8(strings.Join(strings.Fields(message), " "), "\ufffd")
	if len(message) > mostSaid {
		message = strings.ToValidUTF8(message[:mostSaid], "") + "…"
	}
	kind := access.Judge(code)
	if kind == access.None && resp.StatusCode == http.StatusForbidden {
		kind = access.NotAllowed
	}
	return &RefusedError{Status: resp.StatusCode, Code: code, Message: message, remedy: kind.Remedy(o.Action)}
}

// said reads the code and the message of an error, in JSON or in XML.
func said(body []byte) (code, message string) {
	var j struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // of any case
	}
	if json.Unmarshal(body, &j) == nil {
		return j.Type[strings.LastIndexByte(j.Type, '#')+1:], j.Message
	}
	var x struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	_ = xml.Unmarshal(body, &x) // an error page of a proxy has neither
	return x.Code, x.Message
}
