package check

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
)

// lookAtStream looks whether the stream is there and can be read. It reports
// whether its shards are known.
func (l *looker) lookAtStream(ctx context.Context) bool {
	var shards []kcl.Shard
	usable := l.look(ctx, "stream "+l.Worker.StreamName, func(ctx context.Context) (found string, err error) {
		if shards, err = l.listShards(ctx); err != nil {
			return "", err
		}
		l.OpenShards(len(open(shards)))
		found, err = l.describeStream(ctx)
		return fmt.Sprintf("%d shards, %d of them open; kinesis:ListShards is permitted; %s", len(shards), len(open(shards)), found), err
	})
	records := "records of stream " + l.Worker.StreamName
	if !usable {
		l.skip(ctx, records, "kinesis:GetShardIterator and GetRecords were not tried, as the stream cannot be used")
		return false
	}
	l.look(ctx, records, func(ctx context.Context) (string, error) { return l.readRecord(ctx, open(shards)[0].ID) })
	return true
}

// listShards returns the shards of a whole listing, of which some are open.
func (l *looker) listShards(ctx context.Context) ([]kcl.Shard, error) {
	list, err := l.source.ListShards(ctx)
	if err != nil {
		return nil, err
	}
	if err := list.CheckWhole(); err != nil {
		return nil, fmt.Errorf("the listing of the shards of %s is not whole: it is being created or resharded; try again: %w", l.Worker.StreamName, err)
	}
	return list.Shards, nil
}

func open(shards []kcl.Shard) []kcl.Shard {
	return slices.DeleteFunc(slices.Clone(shards), func(s kcl.Shard) bool { return !s.IsOpen() })
}

// describeStream says what only a description tells. An archiver needs none, so
// that one that is refused is no fault.
func (l *looker) describeStream(ctx context.Context) (string, error) {
	asked, call := deadline.Start(ctx, requestTimeout)
	defer call.End()
	out, err := l.clients.Kinesis.DescribeStreamSummary(asked, &kinesis.DescribeStreamSummaryInput{StreamARN: &l.Worker.StreamARN})
	if err != nil {
		return fmt.Sprintf("its status and encryption are not known, and archiving does not need kinesis:DescribeStreamSummary: %v", deadline.Explain(asked, err)), nil
	}
	s := out.StreamDescriptionSummary
	if got := aws.ToString(s.StreamARN); got != l.Worker.StreamARN && !ownEndpoint(l.clients) {
		return "", fmt.Errorf("stream %s has the ARN %s, not %s: correct KinesisStreamARN", l.Worker.StreamName, got, l.Worker.StreamARN)
	}
	l.retention = aws.ToInt32(s.RetentionPeriodHours)
	encryption := "not encrypted"
	if s.EncryptionType == types.EncryptionTypeKms {
		l.encrypted = true
		encryption = "encrypted with " + aws.ToString(s.KeyId) + ", on which kms:Decrypt is needed"
	}
	return fmt.Sprintf("%s, keeps records for %d h, %s", s.StreamStatus, l.retention, encryption), nil
}

// readRecord reads the oldest record of a shard, or none if none comes at once.
func (l *looker) readRecord(ctx context.Context, shardID string) (string, error) {
	r := l.source.Open(shardID, checkpoint.Sentinel(checkpoint.TrimHorizon))
	defer r.Close()
	page, err := r.Next(ctx, kcl.Room{})
	if err != nil {
		return "", err
	}
	if page.Release != nil {
		page.Release()
	}
	found := "a record of " + shardID + " was read"
	if len(page.Records) == 0 {
		found = shardID + " begins without one"
		if l.encrypted {
			found += ", so that kms:Decrypt was not tried"
		}
	}
	return "kinesis:GetShardIterator and GetRecords are permitted; " + found, nil
}
