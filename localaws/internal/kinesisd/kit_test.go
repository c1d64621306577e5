package kinesisd_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
)

// handlerClient answers the SDK's requests by a handler, without a socket.
type handlerClient struct{ handler http.Handler }

func (c handlerClient) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func newClient(server http.Handler) *kinesis.Client {
	return kinesis.New(kinesis.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://kinesis.local"),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:   handlerClient{server},
		Retryer:      aws.NopRetryer{},
	})
}

// fields are the members of a request or an answer.
type fields = map[string]any

// ask sends one request. body is sent as it is if it is a string.
func ask(tb testing.TB, server http.Handler, operation string, body any) (int, fields) {
	tb.Helper()
	text, ok := body.(string)
	if !ok {
		encoded, err := json.Marshal(body)
		if err != nil {
			tb.Fatal(err)
		}
		text = string(encoded)
	}
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/", strings.NewReader(text))
	r.Header.Set("X-Amz-Target", "Kinesis_20131202."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if got, want := w.Header().Get("Content-Length"), strconv.Itoa(len(answer)); got != want {
		tb.Errorf("%s: Content-Length is %s, the body has %s bytes", operation, got, want)
	}
	for _, name := range []string{"Date", "X-Amzn-Requestid", "Content-Type"} {
		if w.Header().Get(name) == "" {
			tb.Errorf("%s: no header %s", operation, name)
		}
	}
	var got fields
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &got); err != nil {
			tb.Fatalf("%s: the answer is no JSON: %v\n%.300s", operation, err, answer)
		}
	}
	return w.Code, got
}

// do sends a request that is to succeed.
func do(tb testing.TB, server http.Handler, operation string, body any) fields {
	tb.Helper()
	status, answer := ask(tb, server, operation, body)
	if status != http.StatusOK {
		tb.Fatalf("%s: %d %v", operation, status, answer)
	}
	return answer
}

// refused sends a request that is to be refused with that exception, and gives
// its message.
func refused(tb testing.TB, server http.Handler, operation string, body any, kind string) string {
	tb.Helper()
	status, answer := ask(tb, server, operation, body)
	if status != http.StatusBadRequest || answer["__type"] != kind {
		tb.Errorf("%s: got %d %v, want 400 %s", operation, status, answer, kind)
	}
	return fmt.Sprint(answer["message"])
}

const (
	orders    = "orders"
	shard0    = "shardId-000000000000"
	shard1    = "shardId-000000000001"
	maxHash   = "340282366920938463463374607431768211455"
	halfHash  = "170141183460469231731687303715884105728"
	trim      = "TRIM_HORIZON"
	afterSeq  = "AFTER_SEQUENCE_NUMBER"
	atSeq     = "AT_SEQUENCE_NUMBER"
	badArgs   = "InvalidArgumentException"
	throttled = "ProvisionedThroughputExceededException"
)

// newServer makes a server with the stream "orders".
func newServer(tb testing.TB, options kinesisd.Options, shards int) *kinesisd.Server {
	tb.Helper()
	server := kinesisd.New(options)
	do(tb, server, "CreateStream", fields{"StreamName": orders, "ShardCount": shards})
	return server
}

// put stores a record at a hash key, and gives its sequence number.
func put(tb testing.TB, server http.Handler, hashKey, data string) string {
	tb.Helper()
	return fmt.Sprint(do(tb, server, "PutRecord", fields{
		"StreamName": orders, "PartitionKey": "key", "ExplicitHashKey": hashKey, "Data": []byte(data),
	})["SequenceNumber"])
}

// iterator gets an iterator; more are further members.
func iterator(tb testing.TB, server http.Handler, shard, kind string, more ...string) string {
	tb.Helper()
	body := fields{"StreamName": orders, "ShardId": shard, "ShardIteratorType": kind}
	for i := 0; i < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	return fmt.Sprint(do(tb, server, "GetShardIterator", body)["ShardIterator"])
}

// read reads a page, and gives the data of its records and the answer.
func read(tb testing.TB, server http.Handler, iterator string) (string, fields) {
	tb.Helper()
	answer := do(tb, server, "GetRecords", fields{"ShardIterator": iterator})
	return dataOf(tb, answer), answer
}

// dataOf writes the data of an answer's records in one line.
func dataOf(tb testing.TB, answer fields) string {
	tb.Helper()
	var all []string
	for _, record := range answer["Records"].([]any) {
		data, err := base64.StdEncoding.DecodeString(record.(fields)["Data"].(string))
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, string(data))
	}
	return strings.Join(all, " ")
}

// shardsOf lists the numbers of shards, with a filter unless it is empty.
func shardsOf(tb testing.TB, server http.Handler, filter string) string {
	tb.Helper()
	body := fields{"StreamName": orders}
	if filter != "" {
		body["ShardFilter"] = fields{"Type": filter}
	}
	var all []string
	for _, shard := range do(tb, server, "ListShards", body)["Shards"].([]any) {
		id := strings.TrimPrefix(shard.(fields)["ShardId"].(string), "shardId-")
		number, err := strconv.Atoi(id)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, strconv.Itoa(number))
	}
	return strings.Join(all, " ")
}

func want[T comparable](tb testing.TB, what string, got, wanted T) {
	tb.Helper()
	if got != wanted {
		tb.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}
