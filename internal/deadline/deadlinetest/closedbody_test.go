package deadlinetest_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// Whatever client a lease table is given, no answer is lost to a request's body
// that the SDK closed; see docs/smithy-go-body.md.
func TestNoAnswerIsLostToAClosedBody(t *testing.T) {
	t.Parallel()
	alone := func(t *testing.T, api *dynamodb.Client) error {
		t.Helper()
		_, err := api.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("leases")})
		return err
	}
	table := func(t *testing.T, api *dynamodb.Client) error {
		t.Helper()
		table, err := leasedynamo.New(api, leasedynamo.Options{TableName: "leases", NeverCreate: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = table.List(t.Context())
		return err
	}
	for _, tt := range []struct {
		name string
		call func(*testing.T, *dynamodb.Client) error
		lost bool
	}{{"the SDK alone", alone, true}, {"a lease table", table, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				d := deadlinetest.ClosedBody(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					requests++
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(w, `{"Count":0,"Items":[],"ScannedCount":0}`)
				}))
				err := tt.call(t, dynamodb.New(dynamodb.Options{
					Region: "us-east-1", HTTPClient: d, BaseEndpoint: aws.String("http://dynamodb.invalid"), RetryMaxAttempts: 1,
					Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
				}))
				if (err != nil) != tt.lost || requests != 1 && !tt.lost {
					t.Errorf("%d requests, %v; want an answer lost: %v", requests, err, tt.lost)
				}
			})
		})
	}
}
