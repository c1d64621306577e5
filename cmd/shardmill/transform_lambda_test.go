package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// function serves what of Lambda's API a transform uses: the one function that is there
// answers as transformLines does.
func function(t *testing.T) (env []string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ":function:upper/invocations") {
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"Type":"User","Message":"Function not found"}`))
			return
		}
		if r.Header.Get("X-Amz-Invocation-Type") == "DryRun" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		var batch bytes.Buffer
		_, _ = batch.ReadFrom(r.Body)
		batch.WriteByte('\n')
		var answer bytes.Buffer
		transformLines(&batch, &answer)
		_, _ = w.Write(answer.Bytes())
	}))
	t.Cleanup(server.Close)
	return []string{"AWS_ENDPOINT_URL_LAMBDA=" + server.URL, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}
}

// withFunction returns a file whose transform is a function.
func withFunction(t *testing.T, name string) string {
	t.Helper()
	return write(t, "archiver.yaml", `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::archive
  Prefix: "!{partitionKeyFromLambda:first}/!{timestamp:yyyy}/"
  ErrorOutputPrefix: errors/
  DynamicPartitioningConfiguration: {Enabled: true}
  ProcessingConfiguration: {Enabled: true, Processors: [{Type: Lambda, Parameters: [
    {ParameterName: LambdaArn, ParameterValue: "arn:aws:lambda:eu-west-1:123456789012:function:`+name+`"},
    {ParameterName: NumberOfRetries, ParameterValue: "0"}]}]}
`)
}

// A function is called, with the credentials of the environment and nothing else of AWS.
func TestTransformByAFunction(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		function string
		env      []string
		code     int
		out, err string // err: the end of it
	}{
		"one that answers": {"upper", function(t), exitFailed, `record 1 -> H/2016/: HELLO
record 2: dropped by the transform
record 3: FAILED -> errors/processing-failed/2016/02/25/13/: Lambda.ProcessingFailedStatus: ProcessingFailed status set for record
`, "3 records: 1 delivered under 1 prefix, 1 failed, 1 dropped\nshardmill: transform: 1 record would go into error objects\n"},
		"one that is not there": {
			"lower", function(t), exitFailed, "record 1: FAILED -> errors/processing-failed/2016/02/25/13/: Lambda.ResourceNotFound: ",
			"3 records: 0 delivered under 0 prefixes, 3 failed\nshardmill: transform: 3 records would go into error objects\n",
		},
		"without credentials": {"upper", nil, exitUsage, "", "no EC2 IMDS role found, operation error ec2imds: GetMetadata, access disabled to EC2 IMDS via client option, or \"AWS_EC2_METADATA_DISABLED\" environment variable\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, out, errs := program(t.Context(), t, row.env, "transform", "--config", withFunction(t, row.function), at2016)
			cmd.Stdin = strings.NewReader("hello\ndrop\nfail\n")
			_ = cmd.Run() // the exit code is looked at
			if code := cmd.ProcessState.ExitCode(); code != row.code || !strings.HasPrefix(out.String(), row.out) || !strings.HasSuffix(errs.String(), row.err) {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
		})
	}
}

// A check asks whether the function may be invoked, and invokes nothing.
func TestArchiveCheckLooksAtTheFunction(t *testing.T) {
	t.Parallel()
	_, env := serve(t)
	for name, want := range map[string]string{
		"upper": "\nok           function arn:aws:lambda:eu-west-1:123456789012:function:upper: is there; lambda:InvokeFunction is permitted\n",
		"lower": "\nwrong        function arn:aws:lambda:eu-west-1:123456789012:function:lower: lambda:InvokeFunction arn:aws:lambda:eu-west-1:123456789012:function:lower: Lambda.ResourceNotFound: ",
	} {
		own := function(t)[:1] // the credentials are those of the services
		cmd, out, errs := program(t.Context(), t, append(env, own...), "archive", "--check", "--config", withFunction(t, name))
		_ = cmd.Run() // the rest of what it looks at is not there
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s:\n%s%s", name, out, errs)
		}
	}
}
