package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/awsclient"
)

// loadAWS returns clients for what the SDK's environment says: region,
// credentials and endpoints. kinesisRegion, if not "", is the stream's own. What
// the SDK logs goes to log.
func loadAWS(ctx context.Context, kinesisRegion string, log *zap.Logger) (archiver.Clients, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(sdkLogger{log}))
	if err != nil {
		return archiver.Clients{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	cfg.HTTPClient = awsclient.Wrap(cfg.HTTPClient)
	if cfg.Region == "" {
		cfg.Region = kinesisRegion
	}
	if cfg.Region == "" {
		return archiver.Clients{}, usagef("no AWS region; set AWS_REGION")
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return archiver.Clients{}, usagef("no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role: %w", err)
	}
	return archiver.Clients{
		Kinesis: kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
			if kinesisRegion != "" {
				o.Region = kinesisRegion
			}
		}),
		DynamoDB: dynamodb.NewFromConfig(cfg),
		S3:       s3.NewFromConfig(cfg, pathStyle),
	}, nil
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
