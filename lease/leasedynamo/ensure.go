package leasedynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/lease"
)

// pollInterval is the pause between looks at a table that is being created.
const pollInterval = time.Second

// Ensure implements lease.Table. Its first success settles that the table is
// there and has the right shape; later calls only read which protocol is
// spoken. It waits for a table that is being created until ctx is done.
func (t *Table) Ensure(ctx context.Context) error {
	if !t.ready.Load() {
		if err := t.ensureTable(ctx); err != nil {
			return unsent(err)
		}
	}
	if err := t.ensureProtocol(ctx); err != nil {
		return err
	}
	t.ready.Store(true)
	return nil
}

func (t *Table) ensureTable(ctx context.Context) error {
	table, err := t.describe(ctx)
	if err != nil {
		return err
	}
	if table == nil {
		if err := t.create(ctx); err != nil {
			return err
		}
		if table, err = t.describe(ctx); err != nil {
			return err
		}
	}
	// A table that was just created may not be found yet.
	for table == nil || table.TableStatus == types.TableStatusCreating {
		if err := pause.For(ctx, pollInterval); err != nil {
			return fmt.Errorf("waiting for table %s: %w", t.opts.TableName, err)
		}
		if table, err = t.describe(ctx); err != nil {
			return err
		}
	}
	return checkShape(table)
}

// describe returns nil if there is no table.
func (t *Table) describe(ctx context.Context) (*types.TableDescription, error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	out, err := t.api.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.opts.TableName})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return nil, nil
	}
	if err != nil {
		return nil, t.failed(ctx, err)
	}
	return out.Table, nil
}

// create makes the table, unless another worker was faster.
func (t *Table) create(ctx context.Context) error {
	if t.opts.NeverCreate {
		return fmt.Errorf("%w: table %s does not exist, and is not to be created: create it with the hash key %s (S) and no range key, or allow its creation",
			lease.ErrInvalidState, t.opts.TableName, leaseKey)
	}
	in := &dynamodb.CreateTableInput{
		TableName:            &t.opts.TableName,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String(leaseKey), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String(leaseKey), KeyType: types.KeyTypeHash}},
		BillingMode:          types.BillingModePayPerRequest,
	}
	if t.opts.ReadCapacity > 0 {
		in.BillingMode = types.BillingModeProvisioned
		in.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: &t.opts.ReadCapacity, WriteCapacityUnits: &t.opts.WriteCapacity}
	}
	_, err := t.api.CreateTable(ctx, in)
	if _, ok := errors.AsType[*types.ResourceInUseException](err); ok {
		return nil
	}
	if err != nil {
		return t.failed(ctx, err)
	}
	t.logger.Info("lease table created", zap.String("table", t.opts.TableName))
	return nil
}

// checkShape returns an error that is ErrInvalidState unless the table can be
// used now and has the key of a lease table.
func checkShape(table *types.TableDescription) error {
	name := aws.ToString(table.TableName)
	if s := table.TableStatus; s != types.TableStatusActive && s != types.TableStatusUpdating {
		return fmt.Errorf("%w: table %s is in status %s; it must be ACTIVE or UPDATING", lease.ErrInvalidState, name, s)
	}
	kinds := make(map[string]types.ScalarAttributeType)
	for _, a := range table.AttributeDefinitions {
		kinds[aws.ToString(a.AttributeName)] = a.AttributeType
	}
	var found strings.Builder
	for _, k := range table.KeySchema {
		attr := aws.ToString(k.AttributeName)
		fmt.Fprintf(&found, " %s key %s (%s)", k.KeyType, attr, kinds[attr])
	}
	if want := fmt.Sprintf(" %s key %s (%s)", types.KeyTypeHash, leaseKey, types.ScalarAttributeTypeS); found.String() != want {
		return fmt.Errorf("%w: table %s has the keys%s, so it is not a lease table, which has%s: use the name of another table, or delete this one",
			lease.ErrInvalidState, name, found.String(), want)
	}
	return nil
}

// unsent makes an error of a request that never left this machine
// ErrInvalidState: there are no credentials, or no region. It is asked before
// the first success only; later the same may pass by itself.
func unsent(err error) error {
	var sending *smithyhttp.RequestSendError
	var operation *smithy.OperationError
	if !errors.As(err, &operation) || errors.As(err, &sending) || answered(err) || classOf(err) != nil {
		return err
	}
	return fmt.Errorf("%w: no request to DynamoDB could be made; are credentials and a region configured? %w", lease.ErrInvalidState, err)
}

func answered(err error) bool {
	var response *smithyhttp.ResponseError
	var api smithy.APIError
	return errors.As(err, &response) || errors.As(err, &api)
}
