package esarchive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/pause"
)

const (
	// resolveTimeout ends a request of ResolveDomain.
	resolveTimeout = 10 * time.Second

	// resolveTries is how many requests it makes at most, as what throttles it, or does not
	// answer, may do so shortly after.
	resolveTries = 4
)

// Domain is a domain of Amazon OpenSearch Service, as it is described.
type Domain struct {
	Name     string
	Region   string
	Endpoint string // "https://HOST"; of a domain in a VPC the one there
	Engine   string // "OpenSearch_2.19"; "" if it is not told
}

// domainARN is the pattern of Firehose's API for DomainARN, with its parts.
var domainARN = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*):es:([a-z0-9-]+):\d{12}:domain/([a-z][a-z0-9-]{2,27})$`)

// ResolveDomain asks Amazon OpenSearch Service for the endpoint of the domain that arn
// names, in the region that it names: DescribeDomain, which needs es:DescribeDomain. Of
// cfg it takes what a client of the SDK takes: Credentials, HTTPClient (default: the
// SDK's), and an endpoint of one's own from BaseEndpoint or the ConfigSources, such as
// AWS_ENDPOINT_URL_OPENSEARCH. A request that is throttled, or not answered, is made again,
// up to four times with 1, 2 and 4 s between them, each of which ends by itself after 10 s.
// The error says what to do, such as to set ClusterEndpoint.
func ResolveDomain(ctx context.Context, cfg aws.Config, arn string) (Domain, error) {
	parts := domainARN.FindStringSubmatch(arn)
	if parts == nil {
		return Domain{}, fmt.Errorf("DomainARN is %q; it must be like arn:aws:es:REGION:ACCOUNT:domain/NAME, or set ClusterEndpoint", arn)
	}
	d := Domain{Name: parts[3], Region: parts[2]}
	base, err := access.Service{SDKID: "OpenSearch", Name: "es", Partition: parts[1], Region: d.Region}.Endpoint(ctx, cfg)
	if err == nil {
		var body []byte
		if body, err = described(ctx, cfg, base, d); err == nil {
			err = d.read(body)
		}
	}
	if err != nil {
		return Domain{}, fmt.Errorf("DomainARN %s: %w; or set ClusterEndpoint to the endpoint of the domain", arn, err)
	}
	return d, nil
}

// described makes requests until one is answered for good.
func described(ctx context.Context, cfg aws.Config, base string, d Domain) (body []byte, err error) {
	auth := patient(SigV4{Credentials: cfg.Credentials, Region: d.Region, Service: "es"}, zap.NewNop())
	pauses := pause.NewBackOff("DescribeDomain", time.Second, 4*time.Second, 0.25)
	for try := 1; ; try++ {
		body, err = describeDomain(ctx, auth, cfg.HTTPClient, base, d)
		if _, isPassing := errors.AsType[passing](err); !isPassing || try == resolveTries || pauses.Wait(ctx) != nil {
			return body, err
		}
	}
}

// passing is an error that may be over soon.
type passing struct{ error }

// Unwrap returns the error.
func (p passing) Unwrap() error { return p.error }

// describeDomain makes one request, by client or the SDK's.
func describeDomain(ctx context.Context, auth Auth, client aws.HTTPClient, base string, d Domain) ([]byte, error) {
	ctx, call := deadline.StartWhole(ctx, resolveTimeout)
	defer call.End()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/2021-01-01/opensearch/domain/"+url.PathEscape(d.Name), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the endpoint of Amazon OpenSearch Service: %w", err)
	}
	if err := auth.Authenticate(ctx, r, nil); err != nil {
		return nil, fmt.Errorf("es:DescribeDomain: %w", err)
	}
	var doer deadline.Doer = awshttp.NewBuildableClient()
	if client != nil {
		doer = client
	}
	resp, err := deadline.Client(doer, 0).Do(r)
	if err != nil {
		return nil, passing{fmt.Errorf("es:DescribeDomain: %w", deadline.Explain(ctx, err))}
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, refusal(resp, body)
	case err != nil:
		return nil, passing{fmt.Errorf("es:DescribeDomain: %w", deadline.Explain(ctx, err))}
	}
	return body, nil
}

// refusal says what to do about an answer other than 200.
func refusal(resp *http.Response, body []byte) error {
	s := readSaid(resp.Header.Get("Content-Type"), body)
	code, _, _ := strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	text := fmt.Sprintf("Amazon OpenSearch Service answered %d to es:DescribeDomain: %s", resp.StatusCode, joined(quoted(code), s.reason))
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += ": permit es:DescribeDomain on the domain"
	case http.StatusNotFound, http.StatusConflict: // ResourceNotFoundException has 409
		text += ": is the domain in this account and region?"
	}
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || strings.Contains(code, "Throttl") {
		return passing{errors.New(text)}
	}
	return errors.New(text)
}

// read reads an answer of DescribeDomain.
func (d *Domain) read(body []byte) error {
	var in struct {
		DomainStatus *struct {
			Deleted       bool
			Endpoint      string
			Endpoints     map[string]string
			EngineVersion string
		}
	}
	if err := json.Unmarshal(body, &in); err != nil || in.DomainStatus == nil {
		return errors.New("es:DescribeDomain was not answered by Amazon OpenSearch Service: no DomainStatus")
	}
	s := in.DomainStatus
	host := cmp.Or(s.Endpoint, s.Endpoints["vpc"])
	switch {
	case s.Deleted:
		return errors.New("the domain is being deleted")
	case host == "":
		return errors.New("the domain has no endpoint yet; wait until it is active")
	}
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	d.Endpoint = host
	if _, _, _, err := ParseEngine(s.EngineVersion); err == nil {
		d.Engine = s.EngineVersion
	}
	return nil
}
