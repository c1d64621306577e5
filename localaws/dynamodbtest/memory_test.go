package dynamodbtest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/localaws/dynamodbtest"
	"github.com/shardmill/shardmill/localaws/internal/dynamodbd"
)

// client makes a client without retries, so that each answer is seen.
func client(endpoint string, h aws.HTTPClient) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		BaseEndpoint: &endpoint, HTTPClient: h, Retryer: aws.NopRetryer{},
	})
}

// direct calls a handler without a network.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

func TestServerInMemoryConforms(t *testing.T) {
	t.Parallel()
	dynamodbtest.Run(t, client("http://dynamodb.local", direct{dynamodbd.New(dynamodbd.Options{})}))
}
