package kinesissource_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/internal/deadline"
	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/kcl/kinesissource"
)

// Whatever client a Source is given, no answer is lost to a request's body that
// the SDK closed; see docs/smithy-go-body.md. If the first part fails, the SDK
// was mended, and deadline.Client need not hide WriteTo any more.
func TestNoAnswerIsLostToAClosedBody(t *testing.T) {
	t.Parallel()
	deadlinetest.LosesNoAnswer(t, func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, `{"Shards":[]}`)
		return true
	}, func(t *testing.T, d deadline.Doer) error {
		t.Helper()
		_, err := client(d, localKey()).ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String(streamName)})
		return err
	}, func(t *testing.T, d deadline.Doer) error {
		t.Helper()
		_, err := newSource(t, client(d, localKey()), kinesissource.Options{}).ListShards(t.Context())
		return err
	})
}
