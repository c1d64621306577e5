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
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/internal/pause"
	"github.com/shardmill/shardmill/lease"
)

const (
	pollInterval = time.Second // between looks at a table that is being created
	tellInterval = time.Minute // between lines about it
)

// Ensure implements lease.Table. Once it has found the table there and of the
// right shape it never creates one again; once it has succeeded later calls only
// read which protocol is spoken. It waits for a table that is being created
// until ctx is done, and logs that.
func (t *Table) Ensure(ctx context.Context) error {
	if !t.ready.Load() {
		if err := t.ensureTable(ctx); err != nil {
			return err
		}
		t.found.Store(true)
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
	if table, err = t.whenCreated(ctx, table); err != nil {
		return err
	}
	return checkShape(table)
}

// whenCreated waits while a table is being created, and returns it then. One
// that was just created may not be found yet. Each look is a sign of life to
// who watches the caller.
func (t *Table) whenCreated(ctx context.Context, table *types.TableDescription) (*types.TableDescription, error) {
	var told time.Time
	for table == nil || table.TableStatus == types.TableStatusCreating {
		if now := time.Now(); told.IsZero() || now.Sub(told) >= tellInterval {
			told = now
			t.logger.Info("lease table is being created", zap.String("table", t.opts.TableName))
		}
		if err := pause.For(ctx, pollInterval); err != nil {
			return nil, fmt.Errorf("waiting for table %s: %w", t.opts.TableName, err)
		}
		var err error
		if table, err = t.describe(ctx); err != nil {
			return nil, err
		}
	}
	return table, nil
}

// describe returns nil if there is no table.
func (t *Table) describe(ctx context.Context) (*types.TableDescription, error) {
	out, err := send(ctx, t, t.api.DescribeTable, &dynamodb.DescribeTableInput{TableName: &t.opts.TableName})
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
	if t.found.Load() {
		return fmt.Errorf("%w: table %s was there and is gone; a running worker does not create it again", lease.ErrTableNotFound, t.opts.TableName)
	}
	if t.opts.NeverCreate {
		return fmt.Errorf("%w: table %s does not exist, and is not to be created: create it with the hash key %s (S) and no range key, or allow its creation",
			lease.ErrTableNotFound, t.opts.TableName, leaseKey)
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
	_, err := send(ctx, t, t.api.CreateTable, in)
	if _, ok := errors.AsType[*types.ResourceInUseException](err); ok {
		return nil
	}
	if err != nil {
		return t.failed(ctx, err)
	}
	t.logger.Info("there was no lease table; one was asked for", zap.String("table", t.opts.TableName))
	return nil
}

// CheckShape returns an error that is lease.ErrInvalidState if the table is none
// of leases, or cannot be used now, and lease.ErrTableNotFound if it does not
// exist. It reads the table's description, and nothing else.
func (t *Table) CheckShape(ctx context.Context) error {
	table, err := t.describe(ctx)
	if err != nil {
		return err
	}
	if table == nil {
		return fmt.Errorf("%w: table %s", lease.ErrTableNotFound, t.opts.TableName)
	}
	return checkShape(table)
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
		return fmt.Errorf("%w: table %s has the keys%s, so it is not a lease table, which has%s: use the name of another table",
			lease.ErrInvalidState, name, found.String(), want)
	}
	return nil
}
