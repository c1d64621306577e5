package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// describing answers DescribeDeliveryStream, and returns the environment for its
// clients.
func describing(t *testing.T, code int, answer string) []string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if target := r.Header.Get("X-Amz-Target"); err != nil || target != "Firehose_20150804.DescribeDeliveryStream" || string(body) != `{"DeliveryStreamName":"orders"}` {
			t.Errorf("%s %s: %v", target, body, err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return []string{
		"AWS_ENDPOINT_URL_FIREHOSE=" + server.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_MAX_ATTEMPTS=1",
	}
}

// What Firehose says is what applies, under the same conditions as a file.
func TestFromFirehose(t *testing.T) {
	t.Parallel()
	described, err := os.ReadFile("internal/importer/testdata/describe.json")
	if err != nil {
		t.Fatal(err)
	}
	wire := regexp.MustCompile(`"2024-[^"]*"`).ReplaceAllString(string(described), "1.709633472123E9") // the CLI writes times for people
	stack, env := serve(t)
	if _, err := kinesis.NewFromConfig(stack.AWSConfig()).CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s3.NewFromConfig(stack.AWSConfig(), stack.S3Options).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("archive")}); err != nil {
		t.Fatal(err)
	}
	env = append(env, describing(t, http.StatusOK, wire)[0])
	cmd, out, errs := program(t.Context(), t, env, "archive", "--from-firehose", "orders", "--check", "--json")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	var found checked
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatal(err)
	}
	c := found.Configuration
	if !found.OK || found.File != "Firehose's delivery stream orders" || c.ExtendedS3DestinationConfiguration.Prefix != "logs/" || c.Shardmill.DeliveryStreamVersion != 7 || c.Shardmill.InitialPosition != "TRIM_HORIZON" {
		t.Errorf("it is %+v\n%+v", found, c)
	}
	if all := strings.Join(found.Warnings, "\n"); !strings.Contains("\n"+all, "\nFirehose's delivery stream orders: nothing says how far Firehose is in the Kinesis stream; ") || !strings.HasPrefix(all, "Firehose's delivery stream orders: DeliveryStreamDescription.Source.") {
		t.Errorf("it warns\n%s", all)
	}
}

// What Firehose refuses, and what it says that cannot be used, ends it with what
// to do.
func TestFromFirehoseRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		env  []string
		args []string
		want string // with which standard error begins
	}{
		{
			"no such stream", describing(t, http.StatusBadRequest, `{"__type":"ResourceNotFoundException","message":"Firehose orders under account 1 not found."}`), nil,
			`shardmill: archive --from-firehose: there is no delivery stream "orders" in us-east-1; correct the name, or set AWS_REGION: `,
		},
		{
			"denied", describing(t, http.StatusBadRequest, `{"__type":"AccessDeniedException","message":"User a is not authorized to perform: firehose:DescribeDeliveryStream"}`), nil,
			`shardmill: archive --from-firehose: describing the delivery stream "orders" is denied; allow firehose:DescribeDeliveryStream on it, or give as --config what somebody who may got from aws firehose describe-delivery-stream: `,
		},
		{
			"what a later Firehose has", describing(t, http.StatusOK, `{"DeliveryStreamDescription": {"DeliveryStreamName": "orders",
"Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}},
"Destinations": [{"ExtendedS3DestinationDescription": {"BucketARN": "arn:aws:s3:::archive", "Shuffling": {"Enabled": true}}}]}}`), nil,
			"shardmill: Firehose's delivery stream orders: DeliveryStreamDescription.Destinations[0].ExtendedS3DestinationDescription.Shuffling is not a member of Firehose's ExtendedS3DestinationConfiguration; ",
		},
		{"no region", []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}, nil, "shardmill: no AWS region; set AWS_REGION to that of the delivery stream\n"},
		{"two configurations", nil, []string{"--config", "a.yaml"}, "shardmill: archive: --config and --from-firehose exclude each other\n"},
		{"nothing may be sent", nil, []string{"--check", "--offline"}, "shardmill: archive: --from-firehose asks AWS, and --offline sends nothing; "},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cmd, out, errs := program(t.Context(), t, row.env, append([]string{"archive", "--from-firehose", "orders"}, row.args...)...)
			_ = cmd.Run() // the exit code is looked at
			if cmd.ProcessState.ExitCode() != exitUsage || out.Len() > 0 || !strings.HasPrefix(errs.String(), row.want) {
				t.Errorf("exit %d, stdout %q, stderr\n%s", cmd.ProcessState.ExitCode(), out, errs)
			}
		})
	}
}

// Records can be tried by what Firehose says, too.
func TestTransformFromFirehose(t *testing.T) {
	t.Parallel()
	env := describing(t, http.StatusOK, `{"DeliveryStreamDescription": {"DeliveryStreamName": "orders", "DeliveryStreamStatus": "ACTIVE", "VersionId": "1",
"Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}},
"Destinations": [{"ExtendedS3DestinationDescription": {"BucketARN": "arn:aws:s3:::archive", "Prefix": "a=!{partitionKeyFromQuery:a}/", "ErrorOutputPrefix": "e/",
"BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 300}, "DynamicPartitioningConfiguration": {"Enabled": true, "RetryOptions": {"DurationInSeconds": 300}},
"ProcessingConfiguration": {"Enabled": true, "Processors": [{"Type": "MetadataExtraction", "Parameters": [
{"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{a:.a}"}, {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"}]}]}}}]}}`)
	cmd, out, errs := program(t.Context(), t, env, "transform", "--from-firehose", "orders")
	cmd.Stdin = strings.NewReader("{\"a\":7}\n")
	if err := cmd.Run(); err != nil || out.String() != "record 1 -> a=7/: {\"a\":7}\n" {
		t.Errorf("%v\n%s%s", err, out, errs)
	}
}
