package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asTransform makes this test binary the command of a transform.
const asTransform = "SHARDMILL_TEST_AS_TRANSFORM"

// transformLines answers each batch: what begins with "drop" is dropped, with "fail" fails,
// and of the rest capital letters are made, in the partition of the first one.
func transformLines(in io.Reader, out io.Writer) {
	type record struct {
		RecordID string         `json:"recordId"`
		Result   string         `json:"result,omitempty"`
		Data     []byte         `json:"data"`
		Metadata map[string]any `json:"metadata,omitempty"`
	}
	type batch struct {
		InvocationID string   `json:"invocationId"`
		Records      []record `json:"records"`
	}
	for lines := bufio.NewReader(in); ; {
		line, err := lines.ReadBytes('\n')
		var b batch
		if err != nil || json.Unmarshal(line, &b) != nil {
			return
		}
		for i := range b.Records {
			r := &b.Records[i]
			switch {
			case bytes.HasPrefix(r.Data, []byte("drop")):
				r.Result = "Dropped"
			case bytes.HasPrefix(r.Data, []byte("fail")):
				r.Result = "ProcessingFailed"
			default:
				r.Result, r.Data = "Ok", bytes.ToUpper(r.Data)
				r.Metadata = map[string]any{"partitionKeys": map[string]string{"first": string(r.Data[:1])}}
			}
		}
		answer, err := json.Marshal(b)
		if err != nil {
			return
		}
		_, _ = out.Write(append(answer, '\n'))
	}
}

// withCommand returns a file whose transform is this test binary.
func withCommand(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "archiver.yaml", `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::archive
  Prefix: "!{partitionKeyFromLambda:first}/!{timestamp:yyyy}/"
  ErrorOutputPrefix: "errors/!{firehose:error-output-type}/!{timestamp:yyyy}/"
  DynamicPartitioningConfiguration: {Enabled: true}
shardmill:
  transform: {command: ['`+self+`'], environment: {`+asTransform+`: '1'}, bufferSizeInMBs: 0.2, bufferIntervalInSeconds: 0}
`)
}

const at2016 = "--at=2016-02-25T13:00:00Z"

// A command is run, and what it says of each record is what is told.
func TestTransformByACommand(t *testing.T) {
	t.Parallel()
	r := shardmill(t, t.Context(), "hello\ndrop me\nfail me\nworld\n", "transform", "--config", withCommand(t), at2016)
	want := `record 1 -> H/2016/: HELLO
record 2: dropped by the transform
record 3: FAILED -> errors/processing-failed/2016/: Lambda.ProcessingFailedStatus: ProcessingFailed status set for record
record 4 -> W/2016/: WORLD
`
	const said = "\n4 records: 2 delivered under 2 prefixes, 1 failed, 1 dropped\nshardmill: transform: 1 record would go into error objects\n"
	if r.code != exitFailed || r.out != want || !strings.HasSuffix(r.err, said) {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	r = shardmill(t, t.Context(), "hello\n", "transform", "--config", withCommand(t), at2016, "--json")
	if r.code != exitOK || r.out != `{"record":1,"part":1,"prefix":"H/2016/","data":"HELLO\n","bytes":6}`+"\n" {
		t.Errorf("as JSON: exit %d\n%s%s", r.code, r.out, r.err)
	}
}

// Without the transform its partition keys are their names.
func TestTransformLeftOut(t *testing.T) {
	t.Parallel()
	r := shardmill(t, t.Context(), "hello\n", "transform", "--config", withCommand(t), at2016, "--no-transform")
	if r.code != exitOK || r.out != "record 1 -> {first}/2016/: hello\n" || r.err != "1 record: 1 delivered under 1 prefix\n" {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
}

// README's example, as it is.
func TestTransformExample(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "testdata")
	r := shardmill(t, t.Context(), "", "transform", "--config", filepath.Join(root, "partitioned.yaml"), filepath.Join(root, "clickstream.ndjson"))
	first, rest, _ := strings.Cut(r.out, "\n")
	if r.code != exitOK || !strings.HasPrefix(first, `record 1 -> country=US/event=view/2026-01-02/: {"id":"16d0078c4a605356",`) || strings.Count(rest, "\n") != 19_999 ||
		!strings.HasPrefix(r.err, "20000 records: 20000 delivered under ") {
		t.Errorf("exit %d, %s\n%s", r.code, first, r.err)
	}
}

// What a stranger does wrong, and other kinds of input.
func TestTransformOfInputs(t *testing.T) {
	t.Parallel()
	destination := func(text string) string {
		return write(t, "a.yaml", `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
ExtendedS3DestinationConfiguration:
  BucketARN: arn:aws:s3:::archive
`+text)
	}
	query := func(q, more string) string {
		return destination(`  Prefix: "a=!{partitionKeyFromQuery:a}/"
  ErrorOutputPrefix: errors/
  DynamicPartitioningConfiguration: {Enabled: true}
  ProcessingConfiguration: {Enabled: true, Processors: [` + more + `{Type: MetadataExtraction, Parameters: [
    {ParameterName: MetadataExtractionQuery, ParameterValue: '` + q + `'}, {ParameterName: JsonParsingEngine, ParameterValue: JQ-1.6}]}]}
`)
	}
	logs := destination(`  ProcessingConfiguration: {Enabled: true, Processors: [{Type: Decompression}, {Type: CloudWatchLogProcessing, Parameters: [{ParameterName: DataMessageExtraction, ParameterValue: 'true'}]}]}
`)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","timestamp":1,"message":"one"},{"id":"2","timestamp":2,"message":"two"}]}`))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	payload := write(t, "payload.gz", zipped.String())
	const one = "{Type: RecordDeAggregation, Parameters: [{ParameterName: SubRecordType, ParameterValue: JSON}]}, "
	const lost = "errors/metadata-extraction-failed/2016/02/25/13/: DynamicPartitioning.MetadataExtractionFailed: "
	for name, row := range map[string]struct {
		args     []string
		in       string
		code     int
		out, err string
	}{
		"no records": {[]string{"--config", query("{a:.a}", "")}, "", exitOK, "", "0 records: 0 delivered under 0 prefixes\n"},
		"several in one": {
			[]string{"--config", query("{a:.a}", one)},
			`{"a":1}{"a":"x/y"}` + "\n" + `{"a":true}` + "\n", exitOK,
			"record 1 -> a=1/: {\"a\":1}\nrecord 1, part 2 -> a=x/y/: {\"a\":\"x/y\"}\nrecord 2 -> a=true/: {\"a\":true}\n", "2 records: 3 delivered under 3 prefixes\n",
		},
		"records that fail": {
			[]string{"--config", query("{a:.a}", "")},
			"no JSON\n{\"a\":null}\n", exitFailed,
			"record 1: FAILED -> " + lost + "Non JSON record provided\nrecord 2: FAILED -> " + lost + "partitionKeys values must not be null or empty\n",
			"2 records: 0 delivered under 0 prefixes, 2 failed\nshardmill: transform: 2 records would go into error objects\n",
		},
		"a payload of logs": {[]string{"--config", logs, "--raw", payload}, "", exitOK, "record 1 -> 2016/02/25/13/: one\\ntwo\n", "1 record: 1 delivered under 1 prefix\n"},
		"in base64": {
			[]string{"--config", query("{a:.a}", ""), "--base64"},
			"eyJhIjoxfQ==\n", exitOK,
			"record 1 -> a=1/: {\"a\":1}\n", "1 record: 1 delivered under 1 prefix\n",
		},
		"what is no base64":       {[]string{"--config", query("{a:.a}", ""), "--base64"}, "{}\n", exitUsage, "", "shardmill: -:1: it is not base64: illegal base64 data at input byte 0\n"},
		"a configuration's fault": {[]string{"--config", "-", payload}, "a: b\n", exitUsage, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := shardmill(t, t.Context(), row.in, append([]string{"transform", at2016}, row.args...)...)
			if row.err == "" {
				if r.code != row.code || !strings.Contains(r.err, "shardmill: -:1: DeliveryStreamName is missing; ") || r.out != "" {
					t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
				}
				return
			}
			if diff := cmp.Diff(row.out, r.out); r.code != row.code || diff != "" || r.err != row.err {
				t.Errorf("exit %d, %s-want +got:\n%s", r.code, r.err, diff)
			}
		})
	}
}
