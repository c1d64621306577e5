package check

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/elected"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// lookAtTable looks whether the lease table can be used, and whether its rows are
// of the stream if that can be used. It reports whether the table exists, as far as
// that is known.
func (l *looker) lookAtTable(ctx context.Context, streamUsable bool) (exists bool) {
	name := l.Worker.ApplicationName
	leases := "leases in table " + name
	usable := l.look(ctx, "table "+name, func(ctx context.Context) (string, error) {
		err := l.table.Ensure(ctx) // it creates none
		exists = !errors.Is(err, lease.ErrTableNotFound)
		if !exists {
			return fmt.Sprintf("there is none in region %s; the first worker creates it, on demand; dynamodb:DescribeTable is permitted", l.clients.DynamoDB.Options().Region), nil
		}
		if err != nil {
			return "", err
		}
		return l.describeTable(ctx, name)
	})
	switch {
	case !usable:
		l.skip(ctx, leases, "dynamodb:Scan was not tried, as the table cannot be used")
	case exists:
		l.look(ctx, leases, func(ctx context.Context) (string, error) { return l.judgeLeases(ctx, streamUsable) })
	}
	return exists
}

// lookAtLoaderTable looks at the table of the lease of who loads, if anything is loaded, and
// reports whether it exists, as far as that is known.
func (l *looker) lookAtLoaderTable(ctx context.Context) (exists bool) {
	name := l.LoaderTable
	if name == "" {
		return false
	}
	table, err := leasedynamo.New(l.clients.DynamoDB, leasedynamo.Options{TableName: name, NeverCreate: true, RequestTimeout: requestTimeout})
	l.look(ctx, "table "+name, func(ctx context.Context) (string, error) {
		if err != nil {
			return "", err
		}
		err := table.Ensure(ctx)
		exists = !errors.Is(err, lease.ErrTableNotFound)
		if !exists {
			return fmt.Sprintf("there is none in region %s; the first worker that stands ready to load creates it; dynamodb:DescribeTable is permitted", l.clients.DynamoDB.Options().Region), nil
		}
		if err != nil {
			return "", err
		}
		found, err := l.describeTable(ctx, name)
		if err != nil {
			return "", err
		}
		who, err := holderOf(ctx, table, archiver.LoaderJob(l.Worker.ApplicationName, l.Delivery.DeliveryStreamName))
		return found + who, err
	})
	return exists
}

// holderOf says who has a job's lease.
func holderOf(ctx context.Context, table *leasedynamo.Table, job string) (string, error) {
	list, unreadable, err := table.List(ctx)
	if err != nil {
		return "", err
	}
	if err := elected.CheckRows(list, unreadable); err != nil {
		return "", err
	}
	for _, row := range unreadable {
		if row.Key == job {
			return "", fmt.Errorf("its row %s cannot be read: %w; delete it while no archiver runs", job, row)
		}
	}
	for _, row := range list {
		if row.Key == job && row.Owner != "" {
			return fmt.Sprintf("; dynamodb:Scan is permitted; worker %s was the last to load", row.Owner), nil
		}
	}
	return "; dynamodb:Scan is permitted; nobody loads", nil
}

func (l *looker) describeTable(ctx context.Context, name string) (string, error) {
	asked, call := deadline.Start(ctx, requestTimeout)
	defer call.End()
	out, err := l.clients.DynamoDB.DescribeTable(asked, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return "", deadline.Explain(asked, err)
	}
	t := out.Table
	billing := "on demand"
	if b := t.BillingModeSummary; b == nil || b.BillingMode != types.BillingModePayPerRequest {
		p := t.ProvisionedThroughput
		billing = fmt.Sprintf("provisioned with %d read and %d write units", aws.ToInt64(p.ReadCapacityUnits), aws.ToInt64(p.WriteCapacityUnits))
	}
	return fmt.Sprintf("%s, with the key of a lease table, %s, of the KCL 1.x and 2.x; dynamodb:DescribeTable and GetItem are permitted", t.TableStatus, billing), nil
}

// judgeLeases reads the rows, then lists the shards, and judges the former by the
// latter if the stream can be used.
func (l *looker) judgeLeases(ctx context.Context, streamUsable bool) (string, error) {
	list, unreadable, err := l.table.List(ctx)
	if err != nil {
		return "", err
	}
	var wrong, doubtful, odd []string
	if streamUsable {
		shards, err := l.listShards(ctx)
		if err != nil {
			return "", err
		}
		if doubtful, odd, err = kcl.JudgeLeases(l.Worker, shards, list); err != nil {
			return "", err
		}
	}
	for _, row := range unreadable {
		wrong = append(wrong, row.Error()+"; its shard waits until the row is mended: see `shardmill leases`")
	}
	for _, text := range doubtful {
		wrong = append(wrong, text+"; if that is so in a minute its shard is not processed: see `shardmill leases`")
	}
	if len(wrong) > 0 {
		return "", errors.New(few(wrong))
	}
	if !streamUsable {
		return "", unknownError(fmt.Sprintf("%d, and whether they are of the stream is not known, as it cannot be used; dynamodb:Scan is permitted", len(list)))
	}
	found := "none yet; dynamodb:Scan is permitted"
	if len(list) > 0 {
		found = fmt.Sprintf("%d, none of which contradicts the stream; dynamodb:Scan is permitted", len(list))
	}
	if len(odd) > 0 {
		found += "; odd: " + few(odd)
	}
	return found, nil
}

// few returns the first of many texts, and how many more there are.
func few(texts []string) string {
	const most = 3
	if more := len(texts) - most; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(texts[:most], "; "), more)
	}
	return strings.Join(texts, "; ")
}
