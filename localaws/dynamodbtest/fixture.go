package dynamodbtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// The error codes that the suite asks for.
const (
	validation  = "ValidationException"
	conditional = "ConditionalCheckFailedException"
	notFound    = "ResourceNotFoundException"
	inUse       = "ResourceInUseException"
	cancelled   = "TransactionCanceledException"
)

// ownerIndex is the index of a lease table by owner.
const ownerIndex = "LeaseOwnerToLeaseKeyIndex"

// fixture is a table of one test.
type fixture struct {
	*testing.T

	client *dynamodb.Client
	table  *string
}

func tableName() *string {
	return aws.String("suite-" + strconv.FormatUint(rand.Uint64(), 36))
}

// leases makes a table with the hash key leaseKey.
func leases(t *testing.T, client *dynamodb.Client) *fixture {
	t.Helper()
	return create(t, client, &dynamodb.CreateTableInput{
		AttributeDefinitions: define("leaseKey", types.ScalarAttributeTypeS),
		KeySchema:            key("leaseKey", ""),
	})
}

// ranged makes a table with the hash key h, a string, and the range key r, a
// number.
func ranged(t *testing.T, client *dynamodb.Client) *fixture {
	t.Helper()
	return create(t, client, &dynamodb.CreateTableInput{
		AttributeDefinitions: append(define("h", types.ScalarAttributeTypeS), define("r", types.ScalarAttributeTypeN)...),
		KeySchema:            key("h", "r"),
	})
}

// indexed makes a lease table with the index by owner, of keys only.
func indexed(t *testing.T, client *dynamodb.Client) *fixture {
	t.Helper()
	return create(t, client, &dynamodb.CreateTableInput{
		AttributeDefinitions:   append(define("leaseKey", types.ScalarAttributeTypeS), define("leaseOwner", types.ScalarAttributeTypeS)...),
		KeySchema:              key("leaseKey", ""),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{byOwner(types.ProjectionTypeKeysOnly)},
	})
}

func byOwner(projected types.ProjectionType) types.GlobalSecondaryIndex {
	return types.GlobalSecondaryIndex{
		IndexName:  aws.String(ownerIndex),
		KeySchema:  key("leaseOwner", "leaseKey"),
		Projection: &types.Projection{ProjectionType: projected},
	}
}

func define(name string, kind types.ScalarAttributeType) []types.AttributeDefinition {
	return []types.AttributeDefinition{{AttributeName: &name, AttributeType: kind}}
}

func key(hash, sort string) []types.KeySchemaElement {
	elements := []types.KeySchemaElement{{AttributeName: &hash, KeyType: types.KeyTypeHash}}
	if sort != "" {
		elements = append(elements, types.KeySchemaElement{AttributeName: &sort, KeyType: types.KeyTypeRange})
	}
	return elements
}

func create(t *testing.T, client *dynamodb.Client, in *dynamodb.CreateTableInput) *fixture {
	t.Helper()
	f := &fixture{T: t, client: client, table: tableName()}
	in.TableName = f.table
	if in.BillingMode == "" {
		in.BillingMode = types.BillingModePayPerRequest
	}
	tries := 0
	err := patiently(time.Now().Add(patience), func() error {
		_, err := client.CreateTable(t.Context(), in)
		if tries++; tries > 1 && code(err) == inUse {
			return nil // a try before has made it after all
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's context is over by now. The test may have deleted the
		// table itself.
		ctx := context.WithoutCancel(t.Context())
		_, _ = client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: f.table})
	})
	f.awaitActive()
	return f
}

// patience is how long anything of a table may take.
const patience = 10 * time.Second

// patiently repeats what DynamoDB Local under load answers with an InternalFailure
// at times, until it is too late.
func patiently(deadline time.Time, f func() error) error {
	for {
		if err := f(); code(err) != "InternalFailure" || time.Now().After(deadline) {
			return err
		}
	}
}

// awaitActive waits until the table and its indexes are ACTIVE, which takes
// DynamoDB Local a moment.
func (f *fixture) awaitActive() *types.TableDescription {
	f.Helper()
	deadline := time.Now().Add(patience)
	for {
		var out *dynamodb.DescribeTableOutput
		err := patiently(deadline, func() (err error) { // at the moment when an index is done
			out, err = f.client.DescribeTable(f.Context(), &dynamodb.DescribeTableInput{TableName: f.table})
			return err
		})
		if err != nil {
			f.Fatal(err)
		}
		active := out.Table.TableStatus == types.TableStatusActive
		for _, ix := range out.Table.GlobalSecondaryIndexes {
			active = active && ix.IndexStatus == types.IndexStatusActive
		}
		if active {
			return out.Table
		}
		if time.Now().After(deadline) {
			f.Fatalf("table %s is still %s", *f.table, out.Table.TableStatus)
		}
	}
}

func (f *fixture) put(row string) {
	f.Helper()
	_, err := f.client.PutItem(f.Context(), &dynamodb.PutItemInput{TableName: f.table, Item: parse(f.T, row)})
	if err != nil {
		f.Fatalf("putting %.200s: %v", row, err)
	}
}

// get reads a row consistently and shows it.
func (f *fixture) get(key string) string {
	f.Helper()
	out, err := f.client.GetItem(f.Context(), &dynamodb.GetItemInput{
		TableName: f.table, Key: parse(f.T, key), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		f.Fatal(err)
	}
	return show(out.Item)
}

// wantRow asserts what a row is; no text is no row.
func (f *fixture) wantRow(key, row string) {
	f.Helper()
	if got, want := f.get(key), show(parse(f.T, row)); got != want {
		f.Errorf("row %s is %s, want %s", key, got, want)
	}
}

// code gives the error code of an answer, empty for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return err.Error()
}

// wantCode asserts the error code of an answer, empty for none, and a part of
// its message.
func wantCode(t *testing.T, err error, want, message string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("got error %q, want %q: %v", got, want, err)
		return
	}
	if err != nil && !strings.Contains(err.Error(), message) {
		t.Errorf("got error %v, want one with %q", err, message)
	}
}

// text is a pointer to a text, nil for an empty one.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// addIndex asks for an index. DynamoDB Local under load answers that with an
// InternalFailure at times, whether or not it has begun to make the index.
func (f *fixture) addIndex(in *dynamodb.UpdateTableInput) {
	f.Helper()
	for deadline := time.Now().Add(patience); ; {
		_, err := f.client.UpdateTable(f.Context(), in)
		if err == nil {
			return
		}
		if code(err) != "InternalFailure" || time.Now().After(deadline) {
			f.Fatal(err)
		}
		if len(f.awaitActive().GlobalSecondaryIndexes) > 0 {
			return
		}
	}
}
