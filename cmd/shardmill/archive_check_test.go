package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/check"
)

const checkedConfig = `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::${BUCKET}
  BufferingHints: {SizeInMBs: "${SIZE}", IntervalInSeconds: 59}
  RoleARN: arn:aws:iam::123456789012:role/firehose
`

// checks runs archive --check on standard input in a process of its own.
func checks(t *testing.T, env []string, configuration string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, out, errs := program(ctx, t, append(env, "BUCKET=archive", "SIZE=64"), append([]string{"archive", "--config", "-", "--check", "--worker-id", "me"}, args...)...)
	cmd.Stdin = strings.NewReader(configuration)
	_ = cmd.Run() // the exit code is looked at
	plain := func(s string) string { return volatile.ReplaceAllString(strings.ReplaceAll(s, "HostID: , ", ""), "*") }
	return result{cmd.ProcessState.ExitCode(), plain(out.String()), plain(errs.String())}
}

// dated is what depends on the day in the example keys.
var dated = regexp.MustCompile(`20\d\d[-/]\d\d[-/]\d\d[-/T]\d\d(-\d\d-\d\d|:\d\d:\d\dZ)?`)

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), dated.ReplaceAllString(got, "TIME")); diff != "" {
		t.Errorf("testdata/%s (-want +got):\n%s", name, diff)
	}
}

// What is shown of a configuration, and of what it names, is as it was agreed on.
// Nothing is written, and the exit code says whether anything is wrong.
func TestArchiveCheck(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	client := kinesis.NewFromConfig(stack.AWSConfig())
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	const wrong = "shardmill: archive --check: something is wrong with bucket archive\n"
	r := checks(t, env, checkedConfig)
	golden(t, "check-no-bucket.txt", r.out)
	if r.code != 1 || r.err != wrong {
		t.Errorf("exit %d, stderr\n%s", r.code, r.err)
	}
	r = checks(t, env, checkedConfig, "--json")
	golden(t, "check-no-bucket.json", r.out)
	if r.code != 1 || r.err != wrong {
		t.Errorf("with --json: exit %d, stderr\n%s", r.code, r.err)
	}
	if tables, err := dynamodb.NewFromConfig(stack.AWSConfig()).ListTables(t.Context(), nil); err != nil || len(tables.TableNames) > 0 || len(stack.Writes()) > 0 {
		t.Errorf("it made tables %v and objects %v: %v", tables, stack.Writes(), err)
	}
	if _, err := s3.NewFromConfig(stack.AWSConfig(), stack.S3Options).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("archive")}); err != nil {
		t.Fatal(err)
	}
	if r := checks(t, env, checkedConfig); r.code != 0 || r.err != "" || !strings.Contains(r.out, "\nok           bucket archive: exists, in region us-east-1; s3:ListBucket is permitted\n") {
		t.Errorf("once the bucket is there: exit %d\n%s%s", r.code, r.out, r.err)
	}
	r = checks(t, env, checkedConfig, "--json")
	var found checked
	if err := json.Unmarshal([]byte(r.out), &found); err != nil || r.code != 0 || !found.OK || r.err != "" {
		t.Errorf("once the bucket is there, with --json: exit %d, %v\n%s%s", r.code, err, r.out, r.err)
	}
}

// The line before the configuration is one, or what is printed would be none.
func TestArchiveCheckOfTwoLines(t *testing.T) {
	t.Parallel()
	r := checks(t, nil, checkedConfig, "--offline", "--worker-id", "a\nb")
	if want := "# standard input as it applies, with --worker-id a\\nb --shutdown-timeout 1m0s\nDeliveryStreamName: "; r.code != 0 || !strings.HasPrefix(r.out, want) {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
}

// The keys of a time that is named, and of the times that keys change at.
func TestArchiveCheckShowsKeys(t *testing.T) {
	t.Parallel()
	cmd, out, errs := program(t.Context(), t, []string{"BUCKET=archive", "SIZE=64"}, "archive", "--config", "-", "--check", "--offline", "--json", "--at", "2027-01-01T00:59:59+01:00")
	cmd.Stdin = strings.NewReader(checkedConfig)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	want := `
  "exampleKeys": [
    {
      "at": "2027-01-01T00:59:59+01:00",
      "key": "2026/12/31/23/orders-1-2026-12-31-23-59-59-00000000-0000-0000-0000-000000000000"
    }
  ],
`
	if !strings.Contains(out.String(), want) {
		t.Errorf("it prints\n%s", out)
	}
	got := instants(instant{}, time.Date(2028, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600)))
	if diff := cmp.Diff([]time.Time{
		time.Date(2028, 2, 3, 3, 5, 6, 0, time.UTC), time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC),
	}, got); diff != "" {
		t.Errorf("of no time (-want +got):\n%s", diff)
	}
	for _, args := range [][]string{{"--config", "-", "--check", "--at", "now"}, {"--config", "-", "--at", "2027-01-01T00:59:59Z"}} {
		cmd, out, errs := program(t.Context(), t, nil, append([]string{"archive"}, args...)...)
		_ = cmd.Run() // the exit code is looked at
		if cmd.ProcessState.ExitCode() != exitUsage || out.Len() > 0 || !strings.Contains(errs.String(), "-at") {
			t.Errorf("%v: exit %d, %s%s", args, cmd.ProcessState.ExitCode(), out, errs)
		}
	}
}

// With --offline nothing is sent, to anybody, and no credentials are asked for.
func TestArchiveCheckOffline(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	env := []string{"AWS_ENDPOINT_URL=" + server.URL, "AWS_CONTAINER_CREDENTIALS_FULL_URI=" + server.URL, "AWS_MAX_ATTEMPTS=1"}
	r := checks(t, env, checkedConfig, "--offline")
	golden(t, "check-offline.txt", r.out)
	if n := requests.Load(); r.code != 0 || r.err != "" || n > 0 {
		t.Errorf("exit %d, %d requests\n%s", r.code, n, r.err)
	}
	r = checks(t, env, checkedConfig, "--offline", "--json")
	if n := requests.Load(); r.code != 0 || n > 0 || !strings.Contains(r.out, "\n  \"ok\": true,\n") || !strings.HasSuffix(r.out, "\n  \"looks\": []\n}\n") {
		t.Errorf("with --json: exit %d, %d requests\n%s%s", r.code, n, r.out, r.err)
	}
	if r := checks(t, env, checkedConfig); r.code != 2 || requests.Load() == 0 {
		t.Errorf("without: exit %d, %d requests\n%s%s", r.code, requests.Load(), r.out, r.err)
	}
}

// Without credentials the configuration is shown, and what is missing is a look.
func TestArchiveCheckWithoutCredentials(t *testing.T) {
	t.Parallel()
	r := checks(t, nil, checkedConfig, "--json")
	var found checked
	if err := json.Unmarshal([]byte(r.out), &found); err != nil || r.code != 2 || found.OK || found.Configuration == nil {
		t.Errorf("exit %d, %v\n%s", r.code, err, r.out)
	}
	if len(found.Looks) != 1 || found.Looks[0].Status != check.Wrong || !strings.HasPrefix(found.Looks[0].Text, "no AWS credentials; set AWS_ACCESS_KEY_ID ") || !strings.HasPrefix(r.err, "shardmill: no AWS credentials; ") {
		t.Errorf("it says %+v, stderr\n%s", found.Looks, r.err)
	}
}

// Where the file says that health is to be found an archiver must be able to
// listen, or it does not start. Whoever is there may be about to end.
func TestArchiveCheckOfTheHealthAddress(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]string{
		taken.Addr().String(): "\nnot checked  health address *: shardmill.healthAddress is \"*\", which is in use; stop the other program, ",
		"192.0.2.1:9500":      "\nwrong        health address 192.0.2.1:9500: shardmill.healthAddress is \"192.0.2.1:9500\", which cannot be used: ",
		"127.0.0.1:0":         "\nok           health address *: can be listened on\n",
	} {
		r := checks(t, nil, checkedConfig+"shardmill: {healthAddress: '"+address+"'}\n")
		if !strings.Contains(r.out, want) || r.code != 2 { // for want of credentials, of which the rest is told all the same
			t.Errorf("exit %d, and it does not say %q:\n%s%s", r.code, want, r.out, r.err)
		}
	}
}

// What is no endpoint is told as that, of each service, and not shown: there may be
// a password in it.
func TestArchiveCheckOfEndpoints(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"hidden:4566", "127.0.0.1:4566", "http:/hidden", "htp://hidden", "http://me:hidden%@127.0.0.1:4566", "http://me:hid den@127.0.0.1:4566"} {
		r := checks(t, []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_ENDPOINT_URL=" + endpoint, "AWS_ENDPOINT_URL_S3=https://localhost:1"}, checkedConfig)
		const kinesis, dynamo = "the endpoint of Kinesis is not http://HOST:PORT or https://HOST:PORT; correct AWS_ENDPOINT_URL_KINESIS or AWS_ENDPOINT_URL, or endpoint_url in the profile",
			"the endpoint of DynamoDB is not http://HOST:PORT or https://HOST:PORT; correct AWS_ENDPOINT_URL_DYNAMODB or AWS_ENDPOINT_URL, or endpoint_url in the profile"
		if r.code != 2 || !strings.HasSuffix(r.out, "\nwrong        AWS environment: "+kinesis+"; "+dynamo+"\n") || r.err != "shardmill: "+kinesis+"\nshardmill: "+dynamo+"\n" {
			t.Errorf("%s: exit %d\n%s%s", endpoint, r.code, r.out, r.err)
		}
		if strings.Contains(r.out+r.err, "hid") {
			t.Errorf("it shows\n%s%s", r.out, r.err)
		}
	}
}

// A password in an endpoint is not shown.
func TestArchiveCheckHidesPasswords(t *testing.T) {
	t.Parallel()
	_, env := serve(t)
	for i, e := range env {
		env[i] = strings.Replace(e, "http://", "http://somebody:hidden@", 1)
	}
	r := checks(t, env, checkedConfig)
	if !strings.Contains(r.out, "DynamoDB in us-east-1 at http://somebody:xxxxx@*;") || strings.Contains(r.out+r.err, "hidden") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
}

// All faults of a configuration are told at once, also as JSON, and nothing else is
// shown.
func TestArchiveCheckFaults(t *testing.T) {
	t.Parallel()
	faulty := strings.ReplaceAll(strings.ReplaceAll(checkedConfig, "SIZE", "NONE"), "BufferingHints", "Prefix: a/../b\n  BufferingHints")
	const want = "-:5: ExtendedS3DestinationConfiguration.Prefix is \"a/../b\"; "
	const unset = "-:6: ExtendedS3DestinationConfiguration.BufferingHints.SizeInMBs has \"${NONE}\", which is not set in the environment; "
	r := checks(t, nil, faulty)
	if lines := strings.Split(r.err, "\n"); r.code != 2 || r.out != "" || len(lines) != 3 || !strings.HasPrefix(lines[0], "shardmill: "+want) || !strings.HasPrefix(lines[1], "shardmill: "+unset) {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	r = checks(t, nil, faulty, "--json", "--offline")
	var found checked
	err := json.Unmarshal([]byte(r.out), &found)
	if err != nil || r.code != 2 || found.OK || found.Configuration != nil || len(found.Faults) != 2 || !strings.HasPrefix(found.Faults[0], want) || !strings.HasPrefix(found.Faults[1], unset) {
		t.Errorf("exit %d, %v\n%s%s", r.code, err, r.out, r.err)
	}
}

// What only the parts of the archiver know to be wrong is a fault too.
func TestArchiveCheckOfAPlanThatIsTooLong(t *testing.T) {
	t.Parallel()
	long := strings.Replace(checkedConfig, "::${BUCKET}", "::"+strings.Repeat("b", 255)+"\n  Prefix: "+strings.Repeat("é", 256), 1)
	r := checks(t, nil, long, "--offline")
	if r.code != 2 || r.out != "" || !strings.Contains(r.err, "len(Prefix)+len(FileExtension)+len(Bucket)") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
}

// A configuration on standard input is bounded as one in a file is.
func TestConfigurationOnStandardInput(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ text, want string }{
		"faults":          {"DeliveryStreamName: [", "shardmill: -:1: syntax error at column "},
		"nothing":         {"", "shardmill: -:1: the file is empty; it must hold the input of Firehose's CreateDeliveryStream\n"},
		"a large one":     {strings.Repeat("#", 70_000), "shardmill: -:1: the file has more than 65536 bytes; it must have at most so many\n"},
		"what has no end": {"\x00endless", "shardmill: -:1: the file has more than 65536 bytes; it must have at most so many\n"},
	} {
		var in io.Reader = strings.NewReader(row.text)
		if row.text == "\x00endless" {
			in = &endless{after: -1}
		}
		var out, errs output
		if code := run(t.Context(), []string{"archive", "--config", "-"}, stdio{in: in, out: &out, err: &errs}); code != 2 || !strings.HasPrefix(errs.String(), row.want) {
			t.Errorf("%s: exit %d\n%s", name, code, errs.String())
		}
	}
}

// Standard input that does not end is told of, and a signal ends the waiting.
func TestStandardInputThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "--check"} {
		synctest.Test(t, func(t *testing.T) {
			in, w := io.Pipe()
			defer func() { _ = w.Close() }()
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Second, func() { cancel(signalError{syscall.SIGTERM}) })
			var out, errs output
			args := strings.Fields("archive --config - " + mode)
			code := run(ctx, args, stdio{in: in, out: &out, err: &errs})
			if want := "still reading the configuration from standard input after 15s\n"; code != 143 || errs.String() != want || out.String() != "" {
				t.Errorf("%v: exit %d\n%s%s", args, code, out.String(), errs.String())
			}
		})
	}
}
