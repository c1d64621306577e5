package leasedynamo_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// request is a request as it is on the wire.
type request struct {
	TableName                           string
	Key, Item                           map[string]any
	UpdateExpression                    string
	ConditionExpression                 string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           map[string]any
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	ConsistentRead                      bool
	ExclusiveStartKey                   map[string]any
	Limit                               int
	BillingMode                         string
	ProvisionedThroughput               map[string]int64
	AttributeUpdates                    map[string]struct { // Java's
		Action string
		Value  any
	}
	Expected map[string]struct { // Java's
		Exists *bool
		Value  any
	}
	TransactItems []struct{ ConditionCheck, Put *request }
}

// answer answers an operation with a status and a JSON body; a nil body cuts
// the connection.
type answer func(operation string, r request) (status int, body any)

// stub returns a client of the real SDK whose service is a.
func stub(a answer) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:  doer(a.do),
	})
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func (a answer) do(r *http.Request) (*http.Response, error) {
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	status, body := a(operation, in)
	if body == nil {
		return nil, io.ErrUnexpectedEOF
	}
	out, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader(out)), Request: r,
	}, nil
}

// refusal is the body of an error.
func refusal(code string) map[string]any {
	return map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": "because " + code}
}

func newTable(tb testing.TB, api leasedynamo.API) *leasedynamo.Table {
	tb.Helper()
	table, err := leasedynamo.New(api, leasedynamo.Options{TableName: "orders"})
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

// attribute converts an attribute from DynamoDB JSON.
func attribute(tb testing.TB, v any) types.AttributeValue {
	tb.Helper()
	for kind, value := range v.(map[string]any) {
		switch kind {
		case "S":
			return str(value.(string))
		case "N":
			return num(value.(string))
		case "B":
			b, err := base64.StdEncoding.DecodeString(value.(string))
			if err != nil {
				tb.Fatal(err)
			}
			return &types.AttributeValueMemberB{Value: b}
		case "SS":
			out := &types.AttributeValueMemberSS{}
			for _, s := range value.([]any) {
				out.Value = append(out.Value, s.(string))
			}
			return out
		case "M":
			return &types.AttributeValueMemberM{Value: attributes(tb, value.(map[string]any))}
		case "L":
			out := &types.AttributeValueMemberL{}
			for _, e := range value.([]any) {
				out.Value = append(out.Value, attribute(tb, e))
			}
			return out
		}
	}
	tb.Fatalf("attribute %v", v)
	return nil
}

func attributes(tb testing.TB, m map[string]any) item {
	tb.Helper()
	out := item{}
	for name, value := range m {
		out[name] = attribute(tb, value)
	}
	return out
}

// wire converts a row to DynamoDB JSON; only what lease rows have.
func wire(row item) map[string]any {
	out := map[string]any{}
	for name, value := range row {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			out[name] = map[string]any{"S": v.Value}
		case *types.AttributeValueMemberN:
			out[name] = map[string]any{"N": v.Value}
		case *types.AttributeValueMemberB:
			out[name] = map[string]any{"B": v.Value}
		case *types.AttributeValueMemberSS:
			out[name] = map[string]any{"SS": v.Value}
		default:
			panic(fmt.Sprintf("attribute %s: %T", name, v))
		}
	}
	return out
}
