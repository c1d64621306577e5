package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/internal/access"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

const (
	// requestTimeout bounds each call of AWS that has no limit of its own, until
	// its answer begins.
	requestTimeout = time.Minute

	// credentialsTimeout bounds each request for credentials, with its answer.
	// The SDK makes up to three, in the name of all calls that wait for them.
	credentialsTimeout = 20 * time.Second
)

// loadAWS returns clients for what the SDK's environment says: region,
// credentials and endpoints. kinesisRegion, if not "", is the stream's own. What
// the SDK logs goes to log. None of the clients' requests is without a limit.
func loadAWS(ctx context.Context, kinesisRegion string, log *zap.Logger) (archiver.Clients, error) {
	cfg, reading, err := loadConfig(ctx, credentialsTimeout, log)
	if err != nil {
		return archiver.Clients{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = kinesisRegion
	}
	if cfg.Region == "" {
		return archiver.Clients{}, usagef("no AWS region; set AWS_REGION")
	}
	if err := checkCredentials(ctx, cfg.Credentials); err != nil {
		return archiver.Clients{}, err
	}
	c := archiver.Clients{
		Kinesis: kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
			o.HTTPClient = reading
			if kinesisRegion != "" {
				o.Region = kinesisRegion
			}
		}),
		DynamoDB: dynamodb.NewFromConfig(cfg),
		S3:       s3.NewFromConfig(cfg, pathStyle),
		Lambda:   lambda.NewFromConfig(cfg),
		Config:   cfg,
	}
	return c, checkEndpoints(c)
}

// checkEndpoints returns an error for each endpoint that can be none, which the
// SDK takes for a want of credentials or for a network that is down. There may be a
// password in it: it is not shown.
func checkEndpoints(c archiver.Clients) error {
	return errors.Join(
		checkEndpoint("Kinesis", c.Kinesis.Options().BaseEndpoint),
		checkEndpoint("DynamoDB", c.DynamoDB.Options().BaseEndpoint),
		checkEndpoint("S3", c.S3.Options().BaseEndpoint),
	)
}

func checkEndpoint(service string, endpoint *string) error {
	u, err := url.Parse(aws.ToString(endpoint))
	if endpoint == nil || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return nil
	}
	return usagef("the endpoint of %s is not http://HOST:PORT or https://HOST:PORT; correct AWS_ENDPOINT_URL_%s or AWS_ENDPOINT_URL, or endpoint_url in the profile",
		service, strings.ToUpper(service))
}

// loadConfig returns the SDK's configuration, and what is to send the requests of
// Kinesis instead of its HTTPClient. Each request for credentials may take limit.
func loadConfig(ctx context.Context, limit time.Duration, log *zap.Logger) (cfg aws.Config, reading aws.HTTPClient, err error) {
	// The SDK makes of this type of client those with a certificate bundle, or
	// with short limits for machines that are not of EC2. So it has a limit of
	// its own while the providers of credentials are made.
	buildable := awshttp.NewBuildableClient().WithTimeout(limit)
	cfg, err = config.LoadDefaultConfig(ctx, config.WithLogger(sdkLogger{log}), config.WithHTTPClient(buildable),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = buildable }))
	if err != nil {
		return aws.Config{}, nil, err
	}
	reading = cfg.HTTPClient
	if c, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		c = c.WithTimeout(0)
		cfg.HTTPClient, reading = c, kinesissource.HTTPClient(c)
	}
	cfg.HTTPClient, reading = deadline.Client(cfg.HTTPClient, requestTimeout), deadline.Client(reading, requestTimeout)
	cfg.Credentials = access.Guard(cfg.Credentials) // all clients tell its errors, in logs and in /readyz
	cfg.APIOptions = append(cfg.APIOptions, archiver.LogRequests(log)...)
	return cfg, reading, nil
}

// checkCredentials returns an error that says what to do if there are none.
func checkCredentials(ctx context.Context, provider aws.CredentialsProvider) error {
	waiting, call := deadline.Start(ctx, requestTimeout)
	defer call.End()
	_, err := provider.Retrieve(waiting)
	err = deadline.Explain(waiting, err)
	if _, late := errors.AsType[*deadline.Error](err); late {
		return fmt.Errorf("getting AWS credentials: %w; is the network up, and may this machine have a role?", err)
	}
	if err != nil {
		return usagef("no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role: %w", err)
	}
	return nil
}

// sdkLogger writes what the SDK logs.
type sdkLogger struct{ log *zap.Logger }

func (l sdkLogger) Logf(c logging.Classification, format string, v ...any) {
	level := zap.DebugLevel
	if c == logging.Warn {
		level = zap.WarnLevel
	}
	l.log.Log(level, "aws sdk", zap.String("message", fmt.Sprintf(format, v...)))
}

// pathStyle makes a client of a custom endpoint name the bucket in the path:
// such servers rarely have a name for each bucket.
func pathStyle(o *s3.Options) {
	o.UsePathStyle = aws.ToString(o.BaseEndpoint) != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != "" || os.Getenv("AWS_ENDPOINT_URL") != ""
}
