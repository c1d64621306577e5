//go:build conformance

package lambdatransform_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/shardmill/shardmill/internal/deadline/deadlinetest"
	"github.com/shardmill/shardmill/processors/lambdatransform"
	"github.com/shardmill/shardmill/processors/transform"
)

// lacking adds to the emulator's answers what it lacks of Lambda's: that an answer is the
// report of an error, in a header, with the status 200; and JSON around what it says of
// its time limit.
type lacking struct{ http.RoundTripper }

func (l lacking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	isTimeout := bytes.HasPrefix(body, []byte("Task timed out after"))
	if isTimeout {
		body = fmt.Appendf(nil, `{"errorMessage":%q}`, body)
	}
	if isTimeout || bytes.Contains(body, []byte(`"errorType":`)) {
		resp.StatusCode = http.StatusOK
		resp.Header.Set("X-Amz-Function-Error", "Unhandled")
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// A handler that AWS's own runtime runs, through all that it can answer. Its records say
// what it does, see scripts/referees/lambda/handler.py.
func TestLambda(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("LAMBDA_ENDPOINT")
	if endpoint == "" {
		t.Fatal("LAMBDA_ENDPOINT is not set: run scripts/conformance.sh")
	}
	client := &http.Client{Transport: lacking{http.DefaultTransport}}
	f, err := lambdatransform.New(lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, HTTPClient: deadlinetest.Bounded(t, client),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}), lambdatransform.Options{FunctionARN: "function"})
	if err != nil {
		t.Fatal(err)
	}
	runner := transform.NewRunner(f, transform.Options{Retries: 1, Origin: transform.Origin{
		DeliveryStreamARN: transform.DeliveryStreamARN("us-east-1", "123456789012", "orders"), SourceStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/s", Region: "us-east-1",
	}})
	all := func(line string, n int) []string { return slices.Repeat([]string{line}, n) }
	for _, row := range []struct {
		name string
		data []string
		want []string
	}{
		{"answers", []string{"ok a", "ok \xff", ""}, []string{`"OK A" map[] 1`, `"OK \xff" map[] 1`, `"" map[] 1`}},
		{"each in its way", []string{
			"ok a", "drop b", "fail c", "forget d", "twice e", "extra f", "null g", "text h", "status i", "key j", "lines k ",
		}, []string{
			`"OK A" map[] 1`, "dropped 1", "Lambda.ProcessingFailedStatus 1", "Lambda.MissingRecordId 1", "Lambda.DuplicatedRecordId 1", `"extra f" map[] 1`,
			"Lambda.InvalidReturnFormat 1", "Lambda.JsonMappingException 1", "Lambda.JsonMappingException 1", `"key j" map[customer:ada/é n:7] 1`,
			fmt.Sprintf("%q map[] 1", strings.Repeat("lines k ", 100)),
		}},
		{"tells what it got", []string{"tell"}, []string{
			`"arn:aws:firehose:us-east-1:123456789012:deliverystream/orders|arn:aws:kinesis:us-east-1:123456789012:stream/s|us-east-1|shardId-000000000001|p\"k|4955|3|1456405200123|1456405200123" map[] 1`,
		}},
		{"raises", []string{"ok a", "raise"}, all("Lambda.FunctionError 2", 2)},
		{"takes too long", []string{"sleep", "ok a"}, all("Lambda.FunctionTimedOut 2", 2)},
		{"answers nothing", []string{"nothing"}, all("Lambda.MissingRecordId 1", 1)},
		{"answers an object", []string{"object", "ok a"}, all("Lambda.MissingRecordId 1", 2)},
		{"answers a text", []string{"string"}, all("Lambda.MissingRecordId 1", 1)},
		{"answers too much", []string{"much 2", "ok a", "ok b", "ok c"}, []string{`"MUCH 2" map[] 2`, `"OK A" map[] 2`, `"OK B" map[] 2`, `"OK C" map[] 2`}},
		{"answers too much of one record", []string{"much 0", "ok a"}, []string{"Lambda.FunctionError 2", `"OK A" map[] 2`}},
		{"gets too much at once", []string{strings.Repeat("a", 4<<20), strings.Repeat("b", 1<<20)}, nil},
	} {
		list := make([]transform.Record, len(row.data))
		for i, d := range row.data {
			list[i] = transform.Record{
				Data: []byte(d), ShardID: "shardId-000000000001", PartitionKey: `p"k`, SequenceNumber: "4955", SubSequenceNumber: 3, Arrival: time.UnixMilli(1456405200123),
			}
		}
		outcomes, err := runner.Run(t.Context(), list)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if row.want == nil {
			for i := range outcomes {
				if got := string(outcomes[i].Data); got != strings.ToUpper(row.data[i]) || outcomes[i].Attempts != 1 {
					t.Errorf("%s: record %d became %d bytes, %v", row.name, i, len(got), outcomes[i].Failure)
				}
			}
			continue
		}
		if got := said(outcomes); !slices.Equal(got, row.want) {
			t.Errorf("%s\ngot  %q\nwant %q", row.name, got, row.want)
		}
	}
}

// said says of each outcome what matters.
func said(outcomes []transform.Outcome) []string {
	var list []string
	for _, o := range outcomes {
		switch {
		case o.Failure != nil:
			list = append(list, fmt.Sprint(o.Failure.Code, " ", o.Attempts))
		case o.Dropped:
			list = append(list, fmt.Sprint("dropped ", o.Attempts))
		default:
			list = append(list, fmt.Sprintf("%q %v %d", o.Data, maps.Collect(maps.All(o.PartitionKeys)), o.Attempts))
		}
	}
	return list
}
