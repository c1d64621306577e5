package login

import (
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
	// callTimeout ends a request that is not answered.
	callTimeout = 10 * time.Second

	// callTries is how many are made at most, if they are throttled, or not answered.
	callTries = 3

	// mostAnswer is how many bytes of an answer are read; a secret has at most 64 KiB.
	mostAnswer = 1 << 20
)

// operation is one of AWS.
type operation struct {
	sdkID   string // the service's name in the SDK's settings, "Secrets Manager"
	service string // of the endpoint, and of the signature
	action  string // as a policy names it
	region  string
	arn     string // its partition is where the service is; "" for "aws"

	contentType, target string
	body                []byte
}

// passing is an error that may be over soon.
type passing struct{ error }

// Unwrap returns the error.
func (p passing) Unwrap() error { return p.error }

// call makes requests until one is answered for good.
func (o operation) call(ctx context.Context, cfg aws.Config) ([]byte, error) {
	base, err := o.endpoint(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.action, err)
	}
	pauses := pause.NewBackOff(o.action, time.Second, 4*time.Second, 0.25)
	for try := 1; ; try++ {
		body, err := o.once(ctx, cfg, base)
		if err == nil {
			return body, nil
		}
		if _, isPassing := errors.AsType[passing](err); !isPassing || try == callTries || pauses.Wait(ctx) != nil {
			return nil, fmt.Errorf("%s: %w", o.action, err)
		}
	}
}

// endpoint is where the service is, as the SDK's clients find it.
func (o operation) endpoint(ctx context.Context, cfg aws.Config) (string, error) {
	s := access.Service{SDKID: o.sdkID, Name: o.service, Region: o.region}
	if strings.HasPrefix(o.arn, "arn:aws-cn:") || strings.HasPrefix(o.region, "cn-") {
		s.Partition = "aws-cn"
	}
	return s.Endpoint(ctx, cfg)
}

// once makes one request.
func (o operation) once(ctx context.Context, cfg aws.Config, base string) ([]byte, error) {
	ctx, call := deadline.StartWhole(ctx, callTimeout)
	defer call.End()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/")+"/", strings.NewReader(string(o.body)))
	if err != nil {
		return nil, fmt.Errorf("the endpoint of %s is no URL", o.sdkID) // which may have a password
	}
	r.Header.Set("Content-Type", o.contentType)
	if o.target != "" {
		r.Header.Set("X-Amz-Target", o.target)
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
		return nil, passing{deadline.Explain(ctx, err)}
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, o.refusal(resp, body)
	case err != nil:
		return nil, passing{deadline.Explain(ctx, err)}
	}
	return body, nil
}

func (o operation) sign(ctx context.Context, cfg aws.Config, r *http.Request) error {
	if cfg.Credentials == nil {
		return errors.New("there are no credentials of AWS")
	}
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("the credentials of AWS could not be had: %w", deadline.Explain(ctx, err))
	}
	digest := sha256.Sum256(o.body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(digest[:]), o.service, o.region, time.Now()); err != nil {
		return fmt.Errorf("the request could not be signed: %w", err)
	}
	return nil
}

// refusal says what an answer other than 200 means.
func (o operation) refusal(resp *http.Response, body []byte) error {
	code, message := said(body)
	code = cmp.Or(strings.Split(resp.Header.Get("X-Amzn-Errortype"), ":")[0], code)
	err := fmt.Errorf("AWS answered %d %s: %.500s", resp.StatusCode, code, message)
	if remedy := access.Judge(code).Remedy(o.action); remedy != "" {
		err = fmt.Errorf("%w: %s", err, remedy)
	}
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || strings.Contains(code, "Throttl") {
		return passing{err}
	}
	return err
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
