package dynamodbd_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/localaws/internal/dynamodbd"
)

// direct calls a handler without a network.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

func sdk(server http.Handler) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		BaseEndpoint: aws.String("http://dynamodb.local"), HTTPClient: direct{server},
	})
}

// leases makes the table "leases" with an index by owner.
func leases(t *testing.T, client *dynamodb.Client) {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("leases"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("leaseKey"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("leaseOwner"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("leaseKey"), KeyType: types.KeyTypeHash}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String("byOwner"),
			KeySchema:  []types.KeySchemaElement{{AttributeName: aws.String("leaseOwner"), KeyType: types.KeyTypeHash}},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func lease(key, owner string, counter int) map[string]types.AttributeValue {
	row := leaseKey(key)
	row["leaseOwner"] = &types.AttributeValueMemberS{Value: owner}
	row["leaseCounter"] = &types.AttributeValueMemberN{Value: strconv.Itoa(counter)}
	return row
}

func leaseKey(key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: key}}
}

func put(t *testing.T, client *dynamodb.Client, key, owner string, counter int) {
	t.Helper()
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("leases"), Item: lease(key, owner, counter)})
	if err != nil {
		t.Fatal(err)
	}
}

// counter reads a row; -1 if there is none.
func counter(t *testing.T, client *dynamodb.Client, key string, consistent bool) int {
	t.Helper()
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("leases"), Key: leaseKey(key), ConsistentRead: &consistent,
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.Item == nil {
		return -1
	}
	n, err := strconv.Atoi(out.Item["leaseCounter"].(*types.AttributeValueMemberN).Value)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func owned(t *testing.T, client *dynamodb.Client, owner string) int {
	t.Helper()
	out, err := client.Query(t.Context(), &dynamodb.QueryInput{
		TableName: aws.String("leases"), IndexName: aws.String("byOwner"), KeyConditionExpression: aws.String("leaseOwner = :o"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":o": &types.AttributeValueMemberS{Value: owner}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Items)
}

func TestStaleReadsAreExactlyAsOldAsTheLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := sdk(dynamodbd.New(dynamodbd.Options{ConsistencyLag: time.Second}))
		leases(t, client)
		put(t, client, "a", "w1", 1)
		want := func(consistent, stale, byOne, byTwo int) {
			t.Helper()
			got := [4]int{counter(t, client, "a", true), counter(t, client, "a", false), owned(t, client, "w1"), owned(t, client, "w2")}
			if got != [4]int{consistent, stale, byOne, byTwo} {
				t.Errorf("at %s got %v, want %v", time.Now().Format("05.000"), got, [4]int{consistent, stale, byOne, byTwo})
			}
		}
		want(1, -1, 0, 0)
		time.Sleep(500 * time.Millisecond)
		put(t, client, "a", "w2", 2)
		time.Sleep(499 * time.Millisecond)
		want(2, -1, 0, 0)
		time.Sleep(time.Millisecond)
		want(2, 1, 1, 0)
		time.Sleep(499 * time.Millisecond)
		want(2, 1, 1, 0)
		time.Sleep(time.Millisecond)
		want(2, 2, 0, 1)
		_, err := client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("leases"), Key: leaseKey("a")})
		if err != nil {
			t.Fatal(err)
		}
		want(-1, 2, 0, 1)
		scan, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("leases")})
		if err != nil || len(scan.Items) != 1 {
			t.Errorf("the stale scan has %v, %v", scan, err)
		}
		time.Sleep(time.Second)
		want(-1, -1, 0, 0)
	})
}

func TestTablesAndIndexesBecomeActiveInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := sdk(dynamodbd.New(dynamodbd.Options{CreateDelay: 10 * time.Second}))
		leases(t, client)
		notYet := func(err error, code string) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), code) {
				t.Errorf("got %v, want %s", err, code)
			}
		}
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("leases"), Item: lease("a", "w1", 1)})
		notYet(err, "ResourceNotFoundException")
		_, err = client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String("leases")})
		notYet(err, "ResourceInUseException")
		started := time.Now()
		exists := dynamodb.NewTableExistsWaiter(client)
		if err := exists.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("leases")}, time.Minute); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(started); waited < 10*time.Second {
			t.Errorf("the table was active after %s", waited)
		}
		put(t, client, "a", "w1", 1)
		add := &dynamodb.UpdateTableInput{
			TableName: aws.String("leases"), GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{
				Create: &types.CreateGlobalSecondaryIndexAction{
					IndexName:  aws.String("again"),
					KeySchema:  []types.KeySchemaElement{{AttributeName: aws.String("leaseOwner"), KeyType: types.KeyTypeHash}},
					Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
				},
			}},
		}
		out, err := client.UpdateTable(t.Context(), add)
		if err != nil || out.TableDescription.TableStatus != types.TableStatusUpdating ||
			out.TableDescription.GlobalSecondaryIndexes[1].IndexStatus != types.IndexStatusCreating {
			t.Errorf("adding the index: %v, %v", out, err)
		}
		_, err = client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("leases"), IndexName: aws.String("again")})
		notYet(err, "Cannot read from backfilling global secondary index: again")
		add.GlobalSecondaryIndexUpdates[0].Create.IndexName = aws.String("third")
		_, err = client.UpdateTable(t.Context(), add)
		notYet(err, "LimitExceededException")
		time.Sleep(10 * time.Second)
		scan, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("leases"), IndexName: aws.String("again")})
		if err != nil || len(scan.Items) != 1 {
			t.Errorf("the index has %v, %v", scan, err)
		}
	})
}

func TestOneOfManyTakesALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := sdk(dynamodbd.New(dynamodbd.Options{}))
		leases(t, client)
		put(t, client, "a", "w0", 0)
		var taken sync.Map
		var workers sync.WaitGroup
		for i := range 20 {
			workers.Go(func() {
				_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
					TableName: aws.String("leases"), Key: leaseKey("a"),
					UpdateExpression: aws.String("SET leaseCounter = leaseCounter + :one"), ConditionExpression: aws.String("leaseCounter = :zero"),
					ExpressionAttributeValues: map[string]types.AttributeValue{
						":one": &types.AttributeValueMemberN{Value: "1"}, ":zero": &types.AttributeValueMemberN{Value: "0"},
					},
				})
				if err == nil {
					taken.Store(i, true)
				}
			})
		}
		workers.Wait()
		n := 0
		taken.Range(func(any, any) bool { n++; return true })
		if n != 1 || counter(t, client, "a", true) != 1 {
			t.Errorf("%d took the lease", n)
		}
	})
}

func TestWritesAreToldInOrderBeforeTheyAreAnswered(t *testing.T) {
	t.Parallel()
	var told []dynamodbd.Write
	var telling atomic.Bool
	server := dynamodbd.New(dynamodbd.Options{OnWrite: func(w dynamodbd.Write) {
		if !telling.CompareAndSwap(false, true) {
			t.Error("two writes are told at once")
		}
		runtime.Gosched()
		told = append(told, w)
		telling.Store(false)
	}})
	client := sdk(server)
	leases(t, client)
	put(t, client, "a", "w1", 1)
	put(t, client, "a", "w2", 2)
	_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String("leases"), Key: leaseKey("a"), UpdateExpression: aws.String("SET x = y"),
	})
	if err == nil {
		t.Error("the update should have been refused")
	}
	for range 2 { // the second finds nothing to delete
		_, err = client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("leases"), Key: leaseKey("a")})
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, w := range told {
		got = append(got, fmt.Sprint(w.Table, " ", w.Operation, " ", w.Old["leaseCounter"].Text, " ", w.New["leaseCounter"].Text))
	}
	want := []string{"leases PutItem  1", "leases PutItem 1 2", "leases DeleteItem 2 "}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	const writers = 200
	var workers sync.WaitGroup
	for i := range writers {
		workers.Go(func() { put(t, client, "b", "w", i) })
	}
	workers.Wait()
	images := told[len(told)-writers:]
	for i, w := range images[1:] {
		if w.Old["leaseCounter"].Text != images[i].New["leaseCounter"].Text {
			t.Errorf("write %d was told with %s before it, want %s", i, w.Old["leaseCounter"].Text, images[i].New["leaseCounter"].Text)
		}
	}
}

func TestFailedUpdateCancelsTransactionWithItsReason(t *testing.T) {
	t.Parallel()
	client := sdk(dynamodbd.New(dynamodbd.Options{}))
	leases(t, client)
	put(t, client, "a", "w1", 1)
	_, err := client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String("leases"), Item: lease("b", "w1", 1)}},
		{Update: &types.Update{TableName: aws.String("leases"), Key: leaseKey("a"), UpdateExpression: aws.String("SET x = y")}},
	}})
	e, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok || len(e.CancellationReasons) != 2 || *e.CancellationReasons[0].Code != "None" || *e.CancellationReasons[1].Code != "ValidationError" ||
		!strings.Contains(*e.CancellationReasons[1].Message, "does not exist in the item") {
		t.Errorf("got %v", err)
	}
	if counter(t, client, "b", true) != -1 {
		t.Error("half of the transaction was carried out")
	}
}

func TestWhatIsNotSupportedIsRefusedByName(t *testing.T) {
	t.Parallel()
	server := seeded(t)
	for _, r := range []struct{ op, body, want string }{
		{"UpdateContinuousBackups", `{}`, "UnknownOperationException UpdateContinuousBackups"},
		{"ExecuteStatement", `{}`, "UnknownOperationException ExecuteStatement"},
		{"Scan", `{"TableName":"leases","ScanFilter":{}}`, "ValidationException ScanFilter"},
		{"Query", `{"TableName":"leases","KeyConditions":{}}`, "ValidationException KeyConditions"},
		{"GetItem", `{"TableName":"leases","Key":{"k":{"S":"a"}},"AttributesToGet":["k"]}`, "ValidationException AttributesToGet"},
		{"CreateTable", `{"TableName":"other","LocalSecondaryIndexes":[]}`, "ValidationException LocalSecondaryIndexes"},
		{"CreateTable", `{"TableName":"other","StreamSpecification":{"StreamEnabled":true}}`, "ValidationException StreamSpecification"},
		{"UpdateTable", `{"TableName":"leases","ReplicaUpdates":[]}`, "ValidationException ReplicaUpdates"},
		{"PutItem", `{"TableName":"leases","Item":{"k":{"S":"a"}},"ReturnConsumedCapacity":"INDEXES"}`, "ValidationException INDEXES"},
		{"PutItem", `{"TableName":"leases","Item":{"k":{"S":"a"}},"Expected":{"k":{"ComparisonOperator":"GT","AttributeValueList":[{"S":"a"}]}}}`, "ValidationException GT"},
		{"TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"leases","Item":{"k":{"S":"b"}},"ReturnValues":"ALL_OLD"}}]}`, "ValidationException ReturnValues"},
		{"GetItem", `{"TableName":"leases","Key":`, "SerializationException "},
		{"GetItem", `{"TableName":1}`, "SerializationException "},
		{"GetItem", `{"TableName":"leases","Key":{"k":{"S":"a"}}} {}`, "SerializationException "},
		{"PutItem", `{"TableName":"leases","Item":{"k":{"S":"a"},"b":{"B":"no base64"}}}`, "SerializationException "},
		{"PutItem", `{"TableName":"leases","Item":{"k":{"S":"a"},"l":` + strings.Repeat(`{"L":[`, 33) + strings.Repeat(`]}`, 33) + `}}`, "ValidationException Nesting"},
		{"PutItem", `{"TableName":"leases","Item":{"k":{"S":"a"},"l":` + strings.Repeat(`{"L":[`, 9999) + strings.Repeat(`]}`, 9999) + `}}`, "ValidationException Nesting"},
	} {
		status, answer := call(t, server, r.op, r.body)
		code, name, _ := strings.Cut(r.want, " ")
		if status != http.StatusBadRequest || !strings.HasSuffix(fmt.Sprint(answer["__type"]), "#"+code) || !strings.Contains(fmt.Sprint(answer["message"]), name) {
			t.Errorf("%s %.100s: %d %v, want %s", r.op, r.body, status, answer, r.want)
		}
	}
}

func TestAnswersCarryTheHeadersOfDynamoDB(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{}`))
		r.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
		w := httptest.NewRecorder()
		dynamodbd.New(dynamodbd.Options{}).ServeHTTP(w, r)
		h := w.Header()
		if h.Get("Content-Type") != "application/x-amz-json-1.0" || len(h.Get("x-amzn-RequestId")) != 52 ||
			h.Get("Date") != "Sat, 01 Jan 2000 00:00:00 GMT" ||
			h.Get("x-amz-crc32") != strconv.FormatUint(uint64(crc32.ChecksumIEEE(w.Body.Bytes())), 10) {
			t.Errorf("headers are %v", h)
		}
	})
}

// TestTableAgreesWithAMap makes random writes and asserts that every way to
// read gives the rows of a plain map.
func TestTableAgreesWithAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		server := seeded(t)
		model := map[string]string{"a": "w"} // key to owner; empty: none
		for range rapid.IntRange(0, 40).Draw(rt, "writes") {
			key := rapid.StringMatching(`[a-d]{1,2}`).Draw(rt, "key")
			owner := rapid.SampledFrom([]string{"", "w", "x"}).Draw(rt, "owner")
			switch rapid.IntRange(0, 2).Draw(rt, "kind") {
			case 0:
				model[key] = owner
				member := ""
				if owner != "" {
					member = `,"o":{"S":"` + owner + `"}`
				}
				call(t, server, "PutItem", `{"TableName":"leases","Item":{"k":{"S":"`+key+`"}`+member+`}}`)
			case 1:
				delete(model, key)
				call(t, server, "DeleteItem", `{"TableName":"leases","Key":{"k":{"S":"`+key+`"}}}`)
			default:
				model[key] = ""
				call(t, server, "UpdateItem", `{"TableName":"leases","Key":{"k":{"S":"`+key+`"}},"UpdateExpression":"REMOVE o"}`)
			}
		}
		want := map[string][]string{"": slices.Sorted(maps.Keys(model))}
		for key, owner := range model {
			if owner != "" {
				want[owner] = append(want[owner], key)
			}
		}
		limit := strconv.Itoa(rapid.IntRange(1, 5).Draw(rt, "limit"))
		total := rapid.IntRange(1, 4).Draw(rt, "segments")
		var scanned []string
		for segment := range total {
			scanned = append(scanned, pages(t, server, "Scan", fmt.Sprintf(`"Limit":%s,"Segment":%d,"TotalSegments":%d`, limit, segment, total))...)
		}
		got := map[string][]string{"": scanned}
		for _, owner := range []string{"w", "x"} {
			got[owner] = pages(t, server, "Query", `"Limit":`+limit+`,"IndexName":"byOwner","KeyConditionExpression":"o = :o",
				"ExpressionAttributeValues":{":o":{"S":"`+owner+`"}}`)
		}
		for owner := range got {
			slices.Sort(got[owner])
			slices.Sort(want[owner])
			if !slices.Equal(got[owner], want[owner]) {
				rt.Fatalf("of %q: got %v, want %v", owner, got[owner], want[owner])
			}
		}
	})
}

// pages reads all pages and gives the keys.
func pages(t *testing.T, server http.Handler, op, parameters string) []string {
	t.Helper()
	var keys []string
	for start := ""; ; {
		status, answer := call(t, server, op, `{"TableName":"leases",`+parameters+start+`}`)
		if status != http.StatusOK {
			t.Fatal(answer)
		}
		for _, row := range answer["Items"].([]any) {
			keys = append(keys, text(row, "k"))
		}
		last, ok := answer["LastEvaluatedKey"]
		if !ok {
			return keys
		}
		if len(keys) > 1000 {
			t.Fatalf("the pages do not end: %v", keys)
		}
		start = `,"ExclusiveStartKey":{"k":{"S":"` + text(last, "k") + `"}`
		if op == "Query" {
			start += `,"o":{"S":"` + text(last, "o") + `"}`
		}
		start += "}"
	}
}

func text(row any, name string) string {
	return row.(map[string]any)[name].(map[string]any)["S"].(string)
}

func BenchmarkConditionalUpdate(b *testing.B) {
	server := seeded(b)
	for i := range 10_000 {
		call(b, server, "PutItem", fmt.Sprintf(`{"TableName":"leases","Item":{"k":{"S":"shard-%d"},"n":{"N":"0"},"o":{"S":"w%d"}}}`, i, i%50))
	}
	n := 0
	for b.Loop() {
		status, answer := call(b, server, "UpdateItem", `{"TableName":"leases","Key":{"k":{"S":"shard-`+strconv.Itoa(n%10_000)+`"}},
			"UpdateExpression":"SET n = n + :one","ConditionExpression":"attribute_exists(n)","ExpressionAttributeValues":{":one":{"N":"1"}}}`)
		if status != http.StatusOK {
			b.Fatal(answer)
		}
		n++
	}
}
