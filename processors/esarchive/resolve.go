package esarchive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/awscall"
)

// Domain is a domain of Amazon OpenSearch Service, as it is described.
type Domain struct {
	Name     string
	Region   string
	Endpoint string // "https://HOST"; of a domain in a VPC the one there
	Engine   string // "OpenSearch_2.19"; "" if it is not told
}

// domainARN is the pattern of Firehose's API for DomainARN, with its parts.
var domainARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:es:([a-z0-9-]+):\d{12}:domain/([a-z][a-z0-9-]{2,27})$`)

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
	d := Domain{Name: parts[2], Region: parts[1]}
	if cfg.Credentials != nil {
		cfg.Credentials = aws.CredentialsProviderFunc((&patience[aws.Credentials]{ask: cfg.Credentials.Retrieve, log: zap.NewNop()}).get)
	}
	body, err := awscall.Operation{
		Service: awscall.Service{SDKID: "OpenSearch", Name: "es", Region: d.Region}, Action: "es:DescribeDomain", Tries: 4,
		Method: http.MethodGet, Path: "/2021-01-01/opensearch/domain/" + url.PathEscape(d.Name),
	}.Call(ctx, cfg)
	if err == nil {
		err = d.read(body)
	}
	if refused, ok := errors.AsType[*awscall.RefusedError](err); ok && (refused.Status == http.StatusNotFound || refused.Status == http.StatusConflict) { // ResourceNotFoundException has 409
		err = fmt.Errorf("%w: is the domain in this account and region?", err)
	}
	if err != nil {
		return Domain{}, fmt.Errorf("DomainARN %s: %w; or set ClusterEndpoint to the endpoint of the domain", arn, err)
	}
	return d, nil
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
