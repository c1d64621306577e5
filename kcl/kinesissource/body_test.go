package kinesissource_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// Whatever client a Source is given, no answer is lost to a request's body that
// the SDK closed; see docs/smithy-go-body.md. If the first part fails, the SDK
// was mended, and deadline.Client need not hide WriteTo any more.
func TestNoAnswerIsLostToAClosedBody(t *testing.T) {
	t.Parallel()
	list := func(t *testing.T, api *kinesis.Client) error {
		t.Helper()
		_, err := api.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String(streamName)})
		return err
	}
	source := func(t *testing.T, api *kinesis.Client) error {
		t.Helper()
		_, err := newSource(t, api, kinesissource.Options{}).ListShards(t.Context())
		return err
	}
	for _, tt := range []struct {
		name string
		call func(*testing.T, *kinesis.Client) error
		lost bool
	}{{"the SDK alone", list, true}, {"a Source", source, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				d := deadlinetest.ClosedBody(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					requests++
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(w, `{"Shards":[]}`)
				}))
				err := tt.call(t, client(d, localKey()))
				if (err != nil) != tt.lost || requests != 1 && !tt.lost {
					t.Errorf("%d requests, %v; want an answer lost: %v", requests, err, tt.lost)
				}
			})
		})
	}
}
