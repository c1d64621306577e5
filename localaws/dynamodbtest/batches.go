package dynamodbtest

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func batchPut(t *testing.T, row string) types.WriteRequest {
	t.Helper()
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: parse(t, row)}}
}

func batchDelete(t *testing.T, key string) types.WriteRequest {
	t.Helper()
	return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: parse(t, key)}}
}

func (f *fixture) batch(requests ...types.WriteRequest) error {
	_, err := f.client.BatchWriteItem(f.Context(), &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{*f.table: requests},
	})
	return err
}

func testBatches(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	f.put(keyC)
	wantCode(t, f.batch(batchPut(t, rowA), batchPut(t, keyB), batchDelete(t, keyC), batchDelete(t, keyD)), "", "")
	f.wantRow(keyC, "")
	out, err := client.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		*f.table: {
			Keys:                 []map[string]types.AttributeValue{parse(t, keyA), parse(t, keyC)},
			ProjectionExpression: aws.String("n"), ConsistentRead: aws.Bool(true),
		},
	}})
	if err != nil || len(out.Responses[*f.table]) != 1 || show(out.Responses[*f.table][0]) != "{n=N:1}" || len(out.UnprocessedKeys) != 0 {
		t.Errorf("got %+v, %v", out, err)
	}
}

func testBatchesRefused(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	tooMany := make([]types.WriteRequest, 26)
	for i := range tooMany {
		tooMany[i] = batchPut(t, fmt.Sprintf(`{"leaseKey":{"S":"%d"}}`, i))
	}
	for name, requests := range map[string][]types.WriteRequest{
		"no request":         {},
		"an empty request":   {{}},
		"a row twice":        {batchPut(t, rowA), batchPut(t, keyA)},
		"written and gone":   {batchPut(t, rowA), batchDelete(t, keyA)},
		"no key":             {batchPut(t, keyB), batchPut(t, `{"other":{"S":"a"}}`)},
		"more than 25":       tooMany,
		"a value not stored": {batchPut(t, keyB), batchPut(t, `{"leaseKey":{"S":"a"},"v":{"SS":[]}}`)},
	} {
		if err := f.batch(requests...); code(err) != validation {
			t.Errorf("writing %s: got %v, want %s", name, err, validation)
		}
	}
	f.wantRow(keyB, "")
	keys := make([]map[string]types.AttributeValue, 101)
	for i := range keys {
		keys[i] = parse(t, fmt.Sprintf(`{"leaseKey":{"S":"%d"}}`, i))
	}
	for name, keys := range map[string][]map[string]types.AttributeValue{
		"no key":        {},
		"another key":   {parse(t, `{"other":{"S":"a"}}`)},
		"more than 100": keys,
	} {
		_, err := client.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{*f.table: {Keys: keys}},
		})
		if code(err) != validation {
			t.Errorf("reading %s: got %v, want %s", name, err, validation)
		}
	}
	_, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{*tableName(): {batchPut(t, rowA)}},
	})
	wantCode(t, err, notFound, "")
}

// testCapacity asserts the capacity of operations on small rows of a table
// without indexes.
func testCapacity(s *suite) {
	t, client := s.T, s.client
	ctx := t.Context()
	f := leases(t, client)
	total := types.ReturnConsumedCapacityTotal
	want := func(operation string, got *types.ConsumedCapacity, err error, units float64) {
		t.Helper()
		if err != nil || got == nil || aws.ToFloat64(got.CapacityUnits) != units || aws.ToString(got.TableName) != *f.table {
			t.Errorf("%s: got %+v, %v, want %v units", operation, got, err, units)
		}
	}
	put, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: f.table, Item: parse(t, rowA), ReturnConsumedCapacity: total})
	want("put", put.ConsumedCapacity, err, 1)
	get, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: f.table, Key: parse(t, keyA), ReturnConsumedCapacity: total})
	want("get", get.ConsumedCapacity, err, 0.5)
	get, err = client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: f.table, Key: parse(t, keyA), ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: total,
	})
	want("consistent get", get.ConsumedCapacity, err, 1)
	updated, err := client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: f.table, Key: parse(t, keyA), UpdateExpression: aws.String("REMOVE n"), ReturnConsumedCapacity: total,
	})
	want("update", updated.ConsumedCapacity, err, 1)
	scan, err := client.Scan(ctx, &dynamodb.ScanInput{TableName: f.table, ReturnConsumedCapacity: total})
	want("scan", scan.ConsumedCapacity, err, 0.5)
	deleted, err := client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: f.table, Key: parse(t, keyA), ReturnConsumedCapacity: total})
	want("delete", deleted.ConsumedCapacity, err, 1)
	none, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: f.table, Key: parse(t, keyA)})
	if err != nil || none.ConsumedCapacity != nil {
		t.Errorf("capacity unasked: %+v, %v", none, err)
	}
}
