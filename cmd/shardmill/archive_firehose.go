package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/importer"
)

// describeStream returns what Firehose says of a delivery stream, as it says it:
// also what this program's SDK does not know yet.
func describeStream(ctx context.Context, name string, s stdio) ([]byte, error) {
	cfg, _, err := loadConfig(ctx, credentialsTimeout, zap.NewNop())
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return nil, usagef("no AWS region; set AWS_REGION to that of the delivery stream")
	}
	if err := checkCredentials(ctx, cfg.Credentials); err != nil {
		return nil, err
	}
	answer := &kept{next: cfg.HTTPClient}
	client := firehose.NewFromConfig(cfg, func(o *firehose.Options) { o.HTTPClient = answer })
	err = s.while("asking Firehose for its delivery stream "+name, func() error {
		_, err := client.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String(name)})
		return err
	})
	if err != nil {
		return nil, explainDescribe(err, name, cfg.Region)
	}
	return answer.body, nil
}

// explainDescribe says what to do if Firehose does not describe a stream.
func explainDescribe(err error, name, region string) error {
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return usagef("archive --from-firehose: there is no delivery stream %q in %s; correct the name, or set AWS_REGION: %w", name, region, err)
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "AccessDeniedException" {
		return usagef("archive --from-firehose: describing the delivery stream %q is denied; allow firehose:DescribeDeliveryStream on it, or give as --config what somebody who may got from aws firehose describe-delivery-stream: %w", name, err)
	}
	return fmt.Errorf("archive --from-firehose: %w", err)
}

// kept is a client that keeps the body of the last answer.
type kept struct {
	next aws.HTTPClient
	body []byte
}

// Do reads all of the answer, which is bounded, before the SDK does.
func (k *kept) Do(r *http.Request) (*http.Response, error) {
	answer, err := k.next.Do(r)
	if err != nil {
		return nil, err
	}
	k.body, err = io.ReadAll(io.LimitReader(answer.Body, importer.MaxBytes+1))
	err = errors.Join(err, answer.Body.Close())
	answer.Body = io.NopCloser(bytes.NewReader(k.body))
	return answer, err
}
