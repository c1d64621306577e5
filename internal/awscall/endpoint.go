package awscall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Service is one of AWS, in a region.
type Service struct {
	SDKID  string // its name in the SDK's settings, "Secrets Manager"
	Name   string // of the endpoint, "secretsmanager"
	Region string
}

// partition is a part of AWS whose names end alike.
type partition struct {
	regions           string // what the names of its regions begin with
	suffix, dualStack string // of its endpoints, and of those that have addresses of IPv6 too
}

// partitionOf returns the partition of a region. Source: partitions.json of aws-sdk-go-v2.
func partitionOf(region string) partition {
	for _, p := range []partition{
		{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
		{"us-gov-", "amazonaws.com", "api.aws"},
		{"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
		{"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
		{"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
		{"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
		{"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
	} {
		if strings.HasPrefix(region, p.regions) {
			return p
		}
	}
	return partition{"", "amazonaws.com", "api.aws"}
}

// kind is which of a service's endpoints is wanted.
type kind struct{ fips, dualStack bool }

// String names the settings.
func (k kind) String() string {
	switch {
	case k.fips && k.dualStack:
		return "AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT are"
	case k.fips:
		return "AWS_USE_FIPS_ENDPOINT is"
	default:
		return "AWS_USE_DUALSTACK_ENDPOINT is"
	}
}

// endpoint is where the service is, without a path, as the SDK's clients find it: of one's
// own from the ConfigSources, such as AWS_ENDPOINT_URL_SECRETS_MANAGER, unless they say that these
// are to be ignored, or else from BaseEndpoint; or else the one of the service that is validated by
// FIPS 140, or has addresses of IPv6, if the ConfigSources ask for that. The error is one of the
// ConfigSources, or says that they ask for both.
func (s Service) endpoint(ctx context.Context, cfg aws.Config) (string, error) {
	k, err := kindOf(ctx, cfg)
	if err != nil {
		return "", err
	}
	configured, err := s.configured(ctx, cfg)
	switch {
	case err != nil:
		return "", err
	case configured == "":
		return s.own(k), nil
	case k != kind{}:
		return "", fmt.Errorf("%s set, and an endpoint of one's own for %s too: remove one of them", k, s.SDKID)
	}
	return configured, nil
}

// kindOf reads which endpoints are wanted.
func kindOf(ctx context.Context, cfg aws.Config) (kind, error) {
	fips, err1 := first(cfg.ConfigSources, func(source interface {
		GetUseFIPSEndpoint(ctx context.Context) (aws.FIPSEndpointState, bool, error)
	},
	) (aws.FIPSEndpointState, bool, error) {
		return source.GetUseFIPSEndpoint(ctx)
	})
	dualStack, err2 := first(cfg.ConfigSources, func(source interface {
		GetUseDualStackEndpoint(ctx context.Context) (aws.DualStackEndpointState, bool, error)
	},
	) (aws.DualStackEndpointState, bool, error) {
		return source.GetUseDualStackEndpoint(ctx)
	})
	return kind{fips == aws.FIPSEndpointStateEnabled, dualStack == aws.DualStackEndpointStateEnabled}, errors.Join(err1, err2)
}

// configured is an endpoint of one's own, or "".
func (s Service) configured(ctx context.Context, cfg aws.Config) (string, error) {
	isIgnored, err := first(cfg.ConfigSources, func(source interface {
		GetIgnoreConfiguredEndpoints(ctx context.Context) (bool, bool, error)
	},
	) (bool, bool, error) {
		return source.GetIgnoreConfiguredEndpoints(ctx)
	})
	if err == nil && isIgnored {
		return "", nil
	}
	endpoint, err := first(cfg.ConfigSources, func(source interface {
		GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
	},
	) (string, bool, error) {
		return source.GetServiceBaseEndpoint(ctx, s.SDKID)
	})
	return cmp.Or(endpoint, aws.ToString(cfg.BaseEndpoint)), err
}

// first returns what the first source says that says anything, or the zero value. S is an
// interface that sources may have.
func first[S, V any](sources []any, ask func(S) (V, bool, error)) (V, error) {
	var none V
	for _, source := range sources {
		if s, ok := source.(S); ok {
			if v, found, err := ask(s); err != nil || found {
				return v, err
			}
		}
	}
	return none, nil
}

// own is the service's own endpoint of a kind. Source: endpoints.go of each service in aws-sdk-go-v2.
func (s Service) own(k kind) string {
	p, name := partitionOf(s.Region), s.Name
	suffix := p.suffix
	isCommercial, isChina, isGovernment := p.regions == "", p.regions == "cn-", p.regions == "us-gov-"
	if k.dualStack {
		suffix = p.dualStack
	}
	if k.dualStack && name == "secretsmanager" && (isCommercial || isGovernment || isChina && !k.fips) {
		suffix = p.suffix // which has addresses of IPv6
	}
	switch {
	case name == "redshift" && k == kind{fips: true} && isGovernment: // its only one there
	case k.fips:
		name += "-fips"
	case name == "es" && k.dualStack && (isCommercial || isChina || isGovernment):
		name = "aos"
	}
	return "https://" + name + "." + s.Region + "." + suffix
}
