package dynamodbd_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/shardmill/shardmill/localaws/internal/dynamodbd"
)

// seeded makes a server with one table, "leases", and a row in it.
func seeded(tb testing.TB) *dynamodbd.Server {
	tb.Helper()
	server := dynamodbd.New(dynamodbd.Options{})
	for _, r := range [][2]string{
		{"CreateTable", `{"TableName":"leases","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],
			"AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"},{"AttributeName":"o","AttributeType":"S"}],
			"GlobalSecondaryIndexes":[{"IndexName":"byOwner","KeySchema":[{"AttributeName":"o","KeyType":"HASH"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}]}`},
		{"PutItem", `{"TableName":"leases","Item":{"k":{"S":"a"},"o":{"S":"w"},"n":{"N":"5"},"l":{"L":[{"N":"1"},{"S":"x"}]},"m":{"M":{"q":{"SS":["a"]}}}}}`},
	} {
		if status, answer := call(tb, server, r[0], r[1]); status != http.StatusOK {
			tb.Fatal(r[0], answer)
		}
	}
	return server
}

// FuzzExpressions asserts that no expression brings the server down, or is its
// fault.
func FuzzExpressions(f *testing.F) {
	for _, e := range []string{
		"n = :v AND (k = :v OR NOT attribute_exists(m.q))", "n BETWEEN :v AND :v", "n IN (:v, :v)", "size(l) > :v", "contains(l[0], :v)",
		"SET n = n + :v, l[1] = :v REMOVE m.q ADD x :v", "DELETE m.q :v", "l[0], m.q, #n", "((n))", "SET a = list_append(l, l)", "#n", ":v", "a.b[", "NOT",
		"SET n = (n + :v) - (n - :v)", "begins_with(k, k)", "k = :v", "\x00", "é", "SET", "l[99999999999999999999]", "l[9223372036854775807]",
	} {
		f.Add(e, `{"S":"a"}`)
		f.Add(e, `{"N":"1"}`)
		f.Add(e, `{"L":[{"NULL":true}]}`)
	}
	f.Fuzz(func(t *testing.T, expression, value string) {
		server := seeded(t)
		if !json.Valid([]byte(value)) {
			value = `{"SS":["a"]}`
		}
		quoted, err := json.Marshal(expression)
		if err != nil {
			t.Fatal(err)
		}
		for _, names := range []string{"", `,"ExpressionAttributeNames":{"#n":"n"}`} {
			for _, values := range []string{"", `,"ExpressionAttributeValues":{":v":` + value + `}`} {
				rest := string(quoted) + names + values + "}"
				for _, r := range [][2]string{
					{"UpdateItem", `{"TableName":"leases","Key":{"k":{"S":"a"}},"UpdateExpression":` + rest},
					{"PutItem", `{"TableName":"leases","Item":{"k":{"S":"a"}},"ConditionExpression":` + rest},
					{"GetItem", `{"TableName":"leases","Key":{"k":{"S":"a"}},"ProjectionExpression":` + string(quoted) + names + "}"},
					{"Query", `{"TableName":"leases","KeyConditionExpression":` + rest},
					{"Scan", `{"TableName":"leases","FilterExpression":` + rest},
				} {
					wantOwnFault(t, server, r[0], r[1])
				}
			}
		}
	})
}

// wantOwnFault asserts that an answer is a success, or an error of the client.
func wantOwnFault(t *testing.T, server http.Handler, op, body string) (status int) {
	t.Helper()
	status, answer := call(t, server, op, body)
	if status != http.StatusOK && status != http.StatusBadRequest {
		t.Errorf("%s %s: %d %v", op, body, status, answer)
	}
	if status == http.StatusBadRequest && (answer["__type"] == nil || answer["message"] == nil && answer["Message"] == nil) {
		t.Errorf("%s %s: an error without type or message: %v", op, body, answer)
	}
	return status
}

// contents returns all items of the table, as JSON.
func contents(t *testing.T, server http.Handler) string {
	t.Helper()
	_, answer := call(t, server, "Scan", `{"TableName":"leases"}`)
	text, err := json.Marshal(answer["Items"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// FuzzRequests asserts the same of whole requests, to any operation, and that
// one which is refused has changed nothing.
func FuzzRequests(f *testing.F) {
	operations := []string{
		"CreateTable", "DescribeTable", "DeleteTable", "ListTables", "UpdateTable", "DescribeTimeToLive", "UpdateTimeToLive", "PutItem", "GetItem",
		"UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems", "None",
	}
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `{"TableName":null}`, `{"TableName":"leases"}`, `{"TableName":"leases","Key":{"k":{"S":"a"}}}`,
		`{"TableName":"leases","Item":{"k":null}}`, `{"TableName":"leases","Item":{"k":{"S":"a"},"x":{"M":{"y":{"BS":["AA=="]}}}}}`,
		`{"TableName":"leases","IndexName":"byOwner","KeyConditionExpression":"o = :o","ExpressionAttributeValues":{":o":{"S":"w"}},"Limit":1}`,
		`{"TableName":"leases","Key":{"k":{"S":"a"}},"AttributeUpdates":{"n":{"Action":"ADD","Value":{"N":"1"}}},"Expected":{"n":{"Exists":true,"Value":{"N":"5"}}}}`,
		`{"TableName":"leases","Segment":1,"TotalSegments":3,"ExclusiveStartKey":{"k":{"S":"a"}}}`,
		`{"TransactItems":[{"Put":{"TableName":"leases","Item":{"k":{"S":"b"}}}},{"ConditionCheck":{"TableName":"leases","Key":{"k":{"S":"a"}},"ConditionExpression":"attribute_exists(n)"}}]}`,
		`{"TransactItems":[{"Get":{"TableName":"leases","Key":{"k":{"S":"a"}}}}]}`,
		`{"TransactItems":[{"Put":{"TableName":"leases","Item":{"k":{"S":"b"}}}},{"ConditionCheck":{"TableName":"leases","Key":{"k":{"S":"a"}},"ConditionExpression":"attribute_not_exists(n)"}}]}`,
		`{"RequestItems":{"leases":[{"PutRequest":{"Item":{"k":{"S":"b"}}}}]}}`, `{"RequestItems":{"leases":{"Keys":[{"k":{"S":"a"}}]}}}`,
		`{"TableName":"leases","GlobalSecondaryIndexUpdates":[{"Create":{"IndexName":"new","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}}]}`,
		`{"TableName":"other","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"k","AttributeType":"B"}],"BillingMode":"PAY_PER_REQUEST"}`,
		`{"TableName":"leases","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"t"}}`, `{"TableName":"arn:aws:dynamodb:::table/leases"}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		server := seeded(t)
		seed := contents(t, server)
		for _, op := range operations {
			status := wantOwnFault(t, server, op, body)
			now := contents(t, server)
			if status != http.StatusOK && now != seed {
				t.Errorf("%s %s: refused, but left %s of %s", op, body, now, seed)
			}
			if status == http.StatusOK {
				server = seeded(t) // whatever it did
			}
		}
	})
}
