package deadlinetest_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// Whatever client a lease table is given, no answer is lost to a request's body
// that the SDK closed; see docs/smithy-go-body.md.
func TestNoAnswerIsLostToAClosedBody(t *testing.T) {
	t.Parallel()
	api := func(d deadline.Doer) *dynamodb.Client {
		return dynamodb.New(dynamodb.Options{
			Region: "us-east-1", HTTPClient: d, BaseEndpoint: aws.String("http://dynamodb.invalid"), RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		})
	}
	deadlinetest.LosesNoAnswer(t, func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, `{"Count":0,"Items":[],"ScannedCount":0}`)
		return true
	}, func(t *testing.T, d deadline.Doer) error {
		t.Helper()
		_, err := api(d).Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("leases")})
		return err
	}, func(t *testing.T, d deadline.Doer) error {
		t.Helper()
		table, err := leasedynamo.New(api(d), leasedynamo.Options{TableName: "leases", NeverCreate: true})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = table.List(t.Context())
		return err
	})
}
