package dynamodbtest

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func testTables(s *suite) {
	t, client := s.T, s.client
	ctx := t.Context()
	f := leases(t, client)
	d := f.awaitActive()
	if *d.TableName != *f.table || len(d.KeySchema) != 1 || *d.KeySchema[0].AttributeName != "leaseKey" ||
		d.BillingModeSummary == nil || d.BillingModeSummary.BillingMode != types.BillingModePayPerRequest || d.TableArn == nil {
		t.Errorf("described as %+v", d)
	}
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: f.table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: define("leaseKey", types.ScalarAttributeTypeS), KeySchema: key("leaseKey", ""),
	})
	wantCode(t, err, inUse, "")
	listed := false
	for pages := dynamodb.NewListTablesPaginator(client, &dynamodb.ListTablesInput{Limit: aws.Int32(1)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.TableNames) > 1 {
			t.Errorf("a page of one table has %v", page.TableNames)
		}
		listed = listed || slices.Contains(page.TableNames, *f.table)
	}
	if !listed {
		t.Error("the table is not listed")
	}
	out, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: f.table})
	if err != nil || *out.TableDescription.TableName != *f.table {
		t.Errorf("deleting: %v, %v", out, err)
	}
	testNoTable(t, client, tableName())
}

// testThroughputUnchanged asks for the throughput that a table has.
func testThroughputUnchanged(s *suite) {
	t, client := s.T, s.client
	f := create(t, client, &dynamodb.CreateTableInput{
		BillingMode:           types.BillingModeProvisioned,
		ProvisionedThroughput: &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(5), WriteCapacityUnits: aws.Int64(6)},
		AttributeDefinitions:  define("leaseKey", types.ScalarAttributeTypeS), KeySchema: key("leaseKey", ""),
	})
	update := func(writes int64) error {
		return patiently(time.Now().Add(patience), func() error {
			_, err := client.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
				TableName: f.table, ProvisionedThroughput: &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(5), WriteCapacityUnits: &writes},
			})
			return err
		})
	}
	wantCode(t, update(6), validation, "")
	if err := update(7); err != nil {
		t.Errorf("another throughput: %v", err)
	}
}

// testNoTable asserts that each operation knows that there is no such table.
func testNoTable(t *testing.T, client *dynamodb.Client, name *string) {
	t.Helper()
	ctx := t.Context()
	row := parse(t, `{"leaseKey":{"S":"a"}}`)
	_, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: name})
	wantCode(t, err, notFound, "")
	_, err = client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: name})
	wantCode(t, err, notFound, "")
	_, err = client.PutItem(ctx, &dynamodb.PutItemInput{TableName: name, Item: row})
	wantCode(t, err, notFound, "")
	_, err = client.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: row})
	wantCode(t, err, notFound, "")
	_, err = client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: name, Key: row})
	wantCode(t, err, notFound, "")
	_, err = client.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: name, Key: row})
	wantCode(t, err, notFound, "")
	_, err = client.Scan(ctx, &dynamodb.ScanInput{TableName: name})
	wantCode(t, err, notFound, "")
	_, err = client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: name, Item: row}}},
	})
	wantCode(t, err, notFound, "")
	_, err = client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: name})
	wantCode(t, err, notFound, "")
}

func testDeletionProtection(s *suite) {
	t, client := s.T, s.client
	ctx := t.Context()
	f := leases(t, client)
	protect := func(on bool) {
		t.Helper()
		out, err := client.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: f.table, DeletionProtectionEnabled: &on})
		if err != nil || *out.TableDescription.DeletionProtectionEnabled != on {
			t.Fatalf("setting protection %v: %v, %v", on, out, err)
		}
	}
	protect(true)
	_, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: f.table})
	wantCode(t, err, validation, "protected against deletion")
	protect(false)
	_, err = client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: f.table})
	wantCode(t, err, "", "")
}

func testTimeToLive(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	describe := func(want types.TimeToLiveStatus) {
		t.Helper()
		out, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: f.table})
		if err != nil || out.TimeToLiveDescription.TimeToLiveStatus != want {
			t.Errorf("got %+v, %v, want %s", out, err, want)
		}
	}
	set := func(attribute string, on bool, wanted, message string) {
		t.Helper()
		_, err := client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
			TableName: f.table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attribute, Enabled: &on},
		})
		wantCode(t, err, wanted, message)
	}
	describe(types.TimeToLiveStatusDisabled)
	set("ttl", false, validation, "already disabled")
	set("ttl", true, "", "")
	describe(types.TimeToLiveStatusEnabled)
	set("ttl", true, validation, "already enabled")
	set("other", false, validation, "active on a different AttributeName")
	set("ttl", false, "", "")
	describe(types.TimeToLiveStatusDisabled)
}

// owned reads the index by owner and gives the lease keys found, in order.
func (f *fixture) owned(owner string) []string {
	f.Helper()
	out, err := f.client.Query(f.Context(), &dynamodb.QueryInput{
		TableName: f.table, IndexName: aws.String(ownerIndex),
		KeyConditionExpression:    aws.String("leaseOwner = :o"),
		ExpressionAttributeValues: attributes{":o": &types.AttributeValueMemberS{Value: owner}},
	})
	if err != nil {
		f.Fatal(err)
	}
	keys := []string{}
	for _, row := range out.Items {
		k, ok := row["leaseKey"].(*types.AttributeValueMemberS)
		if !ok || len(row) != 2 {
			f.Fatalf("the index of keys has %s", show(row))
		}
		keys = append(keys, k.Value)
	}
	return keys
}

func (f *fixture) wantOwned(owner string, want ...string) {
	f.Helper()
	if got := f.owned(owner); !slices.Equal(got, want) {
		f.Errorf("%s owns %v, want %v", owner, got, want)
	}
}

func testIndexes(s *suite) {
	t, client := s.T, s.client
	f := indexed(t, client)
	f.put(`{"leaseKey":{"S":"2"},"leaseOwner":{"S":"a"},"checkpoint":{"S":"9"}}`)
	f.put(`{"leaseKey":{"S":"1"},"leaseOwner":{"S":"a"}}`)
	f.put(`{"leaseKey":{"S":"3"},"leaseOwner":{"S":"b"}}`)
	f.put(`{"leaseKey":{"S":"4"}}`)
	f.wantOwned("a", "1", "2")
	f.wantOwned("b", "3")
	f.update(`{"leaseKey":{"S":"1"}}`, "SET leaseOwner = :o", `{":o":{"S":"b"}}`)
	f.update(`{"leaseKey":{"S":"2"}}`, "REMOVE leaseOwner", "")
	f.wantOwned("a")
	f.wantOwned("b", "1", "3")
	_, err := client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: f.table, Key: parse(t, `{"leaseKey":{"S":"1"}}`)})
	wantCode(t, err, "", "")
	f.wantOwned("b", "3")
	for _, owner := range []string{`{"N":"1"}`, `{"S":""}`} {
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: f.table, Item: parse(t, `{"leaseKey":{"S":"5"},"leaseOwner":`+owner+`}`),
		})
		wantCode(t, err, validation, "")
		_, err = client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: f.table, Key: parse(t, `{"leaseKey":{"S":"3"}}`), UpdateExpression: aws.String("SET leaseOwner = :o"),
			ExpressionAttributeValues: parse(t, `{":o":`+owner+`}`),
		})
		wantCode(t, err, validation, "")
	}
	f.wantOwned("b", "3")
}

func testBackfill(s *suite) {
	t, client := s.T, s.client
	f := leases(t, client)
	f.put(`{"leaseKey":{"S":"2"},"leaseOwner":{"S":"a"}}`)
	f.put(`{"leaseKey":{"S":"1"},"leaseOwner":{"S":"a"}}`)
	f.put(`{"leaseKey":{"S":"3"},"leaseOwner":{"N":"7"}}`) // of a type that the index leaves out
	index := byOwner(types.ProjectionTypeKeysOnly)
	f.addIndex(&dynamodb.UpdateTableInput{
		TableName:            f.table,
		AttributeDefinitions: append(define("leaseKey", types.ScalarAttributeTypeS), define("leaseOwner", types.ScalarAttributeTypeS)...),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: index.IndexName, KeySchema: index.KeySchema, Projection: index.Projection,
		}}},
	})
	d := f.awaitActive()
	if len(d.GlobalSecondaryIndexes) != 1 || *d.GlobalSecondaryIndexes[0].IndexName != ownerIndex || len(d.AttributeDefinitions) != 2 {
		t.Errorf("described as %+v", d)
	}
	f.wantOwned("a", "1", "2")
	f.put(`{"leaseKey":{"S":"4"},"leaseOwner":{"S":"a"}}`)
	f.wantOwned("a", "1", "2", "4")
	_, err := client.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: f.table})
	wantCode(t, err, validation, "")
}
