package awscall

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Service is one of AWS, in a region.
type Service struct {
	SDKID     string // its name in the SDK's settings, "Secrets Manager"
	Name      string // of the endpoint, "secretsmanager"
	Partition string // "aws-cn"; "" for "aws"
	Region    string
}

// endpoint is where the service is, without a path, as the SDK's clients find it: of one's
// own from the ConfigSources, such as AWS_ENDPOINT_URL_SECRETS_MANAGER, unless they say that these
// are to be ignored, or else from BaseEndpoint. The error is one of the ConfigSources.
func (s Service) endpoint(ctx context.Context, cfg aws.Config) (string, error) {
	for _, source := range cfg.ConfigSources {
		if i, ok := source.(interface {
			GetIgnoreConfiguredEndpoints(ctx context.Context) (bool, bool, error)
		}); ok {
			if ignored, found, err := i.GetIgnoreConfiguredEndpoints(ctx); err == nil && found && ignored {
				return s.own(), nil
			}
		}
	}
	for _, source := range cfg.ConfigSources {
		if i, ok := source.(interface {
			GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
		}); ok {
			if endpoint, found, err := i.GetServiceBaseEndpoint(ctx, s.SDKID); err != nil || found {
				return endpoint, err //nolint:wrapcheck // the SDK says of which file
			}
		}
	}
	return cmp.Or(aws.ToString(cfg.BaseEndpoint), s.own()), nil
}

// own is the service's own endpoint.
func (s Service) own() string {
	suffix := map[string]string{
		"aws-cn": "amazonaws.com.cn", "aws-iso": "c2s.ic.gov", "aws-iso-b": "sc2s.sgov.gov", "aws-iso-e": "cloud.adc-e.uk", "aws-iso-f": "csp.hci.ic.gov", "aws-eusc": "amazonaws.eu",
	}[s.Partition]
	return "https://" + s.Name + "." + s.Region + "." + cmp.Or(suffix, "amazonaws.com")
}
