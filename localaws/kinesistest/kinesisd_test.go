package kinesistest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
	"github.com/shardmill/shardmill/localaws/kinesistest"
)

// handlerClient answers requests by a handler, without a socket.
type handlerClient struct{ handler http.Handler }

func (c handlerClient) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func TestKinesisd(t *testing.T) {
	t.Parallel()
	kinesistest.Run(t, kinesis.New(kinesis.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://kinesis.local"),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:   handlerClient{kinesisd.New(kinesisd.Options{})},
	}), kinesistest.Features{})
}
