package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/localaws"
)

// serveDocuments serves a cluster of the stack, and returns its URL.
func serveDocuments(t *testing.T, stack *localaws.Stack) string {
	t.Helper()
	server := httptest.NewServer(stack.Cluster())
	t.Cleanup(server.Close)
	return server.URL
}

// toCluster is a file with a destination of documents, and members of the shardmill key.
func toCluster(endpoint, members string, keys ...string) string {
	return `DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
AmazonopensearchserviceDestinationConfiguration:
  ` + endpoint + `
  IndexName: orders
  BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 1}
  S3Configuration: {BucketARN: "arn:aws:s3:::archive", Prefix: os/, BufferingHints: {SizeInMBs: 1, IntervalInSeconds: 60}}
` + members + "shardmill:\n  failoverTimeSeconds: 2\n  healthAddress: 127.0.0.1:0\n" + strings.Join(keys, "")
}

// putLines puts lines into the stream.
func putLines(ctx context.Context, t *testing.T, env []string, text string) {
	t.Helper()
	put, out, errs := program(ctx, t, env, "put", "--stream", "orders", "--create-shards", "2", write(t, "in", text))
	if err := put.Run(); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
}

// inIndices returns the documents of all indices, sorted.
func inIndices(t *testing.T, c *localaws.Cluster) (all []string) {
	t.Helper()
	for _, index := range c.Indices() {
		for _, d := range c.Documents(index) {
			all = append(all, string(d.Source))
		}
	}
	slices.Sort(all)
	return all
}

// The whole job with documents: each is in the index once, what is none is in an error
// object, all are in the bucket with AllDocuments, and the metrics tell of it.
func TestArchiveIndexes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	stack, env := serve(t)
	endpoint := serveDocuments(t, stack)
	var text strings.Builder
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf(`{"n":%d}`, i))
		text.WriteString(want[i] + "\n")
	}
	slices.Sort(want)
	putLines(ctx, t, env, text.String()+"no JSON\n[]\n")
	h := startHealthy(ctx, t, env, toCluster("ClusterEndpoint: "+endpoint, "  S3BackupMode: AllDocuments\n", "  fastFail: true\n", "  requestCompression: GZIP\n"))
	h.until(ctx, "all records are delivered", func() bool {
		return h.metric("DeliveryToAmazonOpenSearchService_Records") == 300 && h.metric("DocumentsFailed") == 2
	})
	for name, want := range map[string]float64{
		"DeliveryToAmazonOpenSearchService_Success": 300, "DeliveryToAmazonOpenSearchService_AuthFailure": 0, "DeliveryToAmazonOpenSearchService_DeliveryRejected": 0,
		"DeliveryToS3_Records": 302, "RecordsFailed": 2, "DocumentsSuperseded": 0,
	} {
		if got := h.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	h.want("/readyz", http.StatusOK, "ready")
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	log := <-h.ended
	_ = h.cmd.Wait()
	for _, says := range []string{`"documents go to a cluster"`, "stopped: 300 documents indexed, 2 failed", "documents (index orders, another one each day, ids of sequence numbers)"} {
		if !strings.Contains(log, says) {
			t.Errorf("the log does not have %s:\n%s", says, log)
		}
	}
	if diff := cmp.Diff(want, inIndices(t, stack.Cluster())); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	failed, all := 0, 0
	for before, lines := range linesByPrefix(t, stack) {
		switch {
		case strings.HasPrefix(before, "os/AmazonOpenSearchService-failed/"):
			failed += len(lines)
		case strings.HasPrefix(before, "os/20"):
			all += len(lines)
		default:
			t.Errorf("objects under %s", before)
		}
	}
	if failed != 2 || all != 302 {
		t.Errorf("%d lines of failures, %d records in the bucket", failed, all)
	}
}

// While neither cluster nor bucket is there the archiver lives, says so, and loses
// nothing; a cluster that is there again is enough.
func TestArchiveWaitsForTheCluster(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	stack, env := serve(t)
	endpoint := serveDocuments(t, stack)
	t.Cleanup(stack.Faults().Clear)
	stack.Faults().Add(localaws.Fault{Service: localaws.Search, Operation: "Bulk", Kind: localaws.ServerError(503)})
	bucket := stack.Faults().Add(localaws.Fault{Service: localaws.S3, Operation: "PutObject", Kind: localaws.ServerError(500)})
	putLines(ctx, t, env, "{\"n\":1}\n{\"n\":2}\n")
	h := startHealthy(ctx, t, append(env, "AWS_MAX_ATTEMPTS=1"), toCluster("ClusterEndpoint: "+endpoint, "  RetryOptions: {DurationInSeconds: 1}\n"))
	h.until(ctx, "both are told to be down", func() bool {
		code, body := h.get("/readyz")
		return code == http.StatusServiceUnavailable && strings.HasPrefix(body, "not ready: a restart does not mend this: index\n") && strings.Contains(body, "cluster and backup both down: pause")
	})
	if bucket.Hits() == 0 || h.metric("Trouble") != 1 || h.metric("DocumentsFailed") != 0 {
		t.Errorf("the bucket was tried %d times, %v troubles, %v documents have failed", bucket.Hits(), h.metric("Trouble"), h.metric("DocumentsFailed"))
	}
	stack.Faults().Clear()
	putLines(ctx, t, env, "{\"n\":3}\n{\"n\":4}\n")
	h.until(ctx, "it is ready", func() bool {
		code, _ := h.get("/readyz")
		return code == http.StatusOK
	})
	h.until(ctx, "each has become something", func() bool {
		return h.metric("DeliveryToAmazonOpenSearchService_Records")+h.metric("DocumentsFailed") == 4
	})
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.end()
	lines := 0
	for _, each := range linesByPrefix(t, stack) {
		lines += len(each)
	}
	if n := len(inIndices(t, stack.Cluster())); n+lines != 4 || n < 2 {
		t.Errorf("%d documents are in the index, and %d lines in error objects", n, lines)
	}
}

// A check looks at the cluster, by its domain if need be, and writes nothing there; what is
// wrong is told with what to do, and a secret nowhere.
func TestArchiveCheckOfDocuments(t *testing.T) {
	t.Parallel()
	stack, env := serve(t)
	if _, err := kinesis.NewFromConfig(stack.AWSConfig()).CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s3.NewFromConfig(stack.AWSConfig(), stack.S3Options).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("archive")}); err != nil {
		t.Fatal(err)
	}
	tls := httptest.NewTLSServer(stack.Cluster())
	t.Cleanup(tls.Close)
	authorities := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})))
	domains := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/2021-01-01/opensearch/domain/orders" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		_, _ = io.WriteString(w, `{"DomainStatus": {"Endpoint": "`+strings.TrimPrefix(tls.URL, "https://")+`", "EngineVersion": "OpenSearch_2.19"}}`)
	}))
	t.Cleanup(domains.Close)
	const arn = "DomainARN: arn:aws:es:us-east-1:123456789012:domain/orders"
	const offline = "\nnot checked  domain arn:aws:es:us-east-1:123456789012:domain/orders: its endpoint is looked up without --offline, and when the archiver starts\n"
	resolved := append(slices.Clone(env), "AWS_ENDPOINT_URL_OPENSEARCH="+domains.URL)
	for name, row := range map[string]struct {
		env  []string
		text string
		args []string
		code int
		says []string
	}{
		"an endpoint": {env, toCluster("ClusterEndpoint: "+serveDocuments(t, stack), ""), nil, 0, []string{
			"\nok           cluster *: OpenSearch 2.19, ", "\nexample index  TIME: orders-", "pipeline     KPL de-aggregation → documents (index orders, another one each day, ids of sequence numbers)\n",
			": os/AmazonOpenSearchService-failed/", "\nok           bucket archive: exists",
		}},
		"a domain, by its own authority": {resolved, toCluster(arn, "", "  caFile: "+authorities+"\n"), nil, 0, []string{
			"\nok           domain arn:aws:es:us-east-1:123456789012:domain/orders: its endpoint is https://*; es:DescribeDomain is permitted\n", "\nok           cluster *: OpenSearch 2.19, ",
		}},
		"a domain whose authority is unknown": {resolved, toCluster(arn, ""), nil, 1, []string{"\nwrong        cluster *: ", "; set shardmill.caFile to the certificate of the authority"}},
		"a domain that is not there": {append(slices.Clone(env), "AWS_ENDPOINT_URL_OPENSEARCH=http://127.0.0.1:1"), toCluster(arn, ""), nil, 1, []string{
			"\nwrong        domain arn:aws:es:us-east-1:123456789012:domain/orders: DomainARN ", "or set ClusterEndpoint", "\nnot checked  cluster: its endpoint is not known\n", "\nok           bucket archive: exists",
		}},
		"a domain, offline":          {nil, toCluster(arn, ""), []string{"--offline"}, 0, []string{offline}},
		"a domain, offline, as JSON": {nil, toCluster(arn, ""), []string{"--offline", "--json"}, 0, []string{"\"exampleIndices\": [", "\"status\": \"not checked\"", "\"S3BackupMode\": \"FailedDocumentsOnly\""}},
		"nobody there":               {env, toCluster("ClusterEndpoint: http://127.0.0.1:1", ""), nil, 1, []string{"\nwrong        cluster *: "}},
		"no password that it takes": {env, toCluster("ClusterEndpoint: "+serveDocuments(t, stack), "", "  auth: basic\n  username: u\n  password: hidden\n"), nil, 1, []string{
			"\n  # password: not shown\n", "\nwrong        ",
		}},
		"no file of authorities": {env, toCluster("ClusterEndpoint: https://127.0.0.1:1", "", "  caFile: /none/ca.pem\n"), nil, 1, []string{"\nwrong        cluster: shardmill.caFile: open /none/ca.pem: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := checks(t, row.env, row.text, row.args...)
			out := dated.ReplaceAllString(r.out, "TIME")
			if r.code != row.code || strings.Contains(r.out+r.err, "hidden") {
				t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
			}
			for _, says := range row.says {
				if !strings.Contains(out, says) {
					t.Errorf("it does not say %q:\n%s%s", says, out, r.err)
				}
			}
		})
	}
	if n := len(stack.Cluster().Indices()); n > 0 {
		t.Errorf("it made %d indices", n)
	}
}

// What is not there when an archiver starts ends it, with what to do.
func TestArchiveOfDocumentsRefuses(t *testing.T) {
	t.Parallel()
	_, env := serve(t)
	for name, row := range map[string]struct{ text, want string }{
		"no domain":              {toCluster("DomainARN: arn:aws:es:us-east-1:123456789012:domain/orders", ""), "shardmill: DomainARN arn:aws:es:us-east-1:123456789012:domain/orders: "},
		"no file of authorities": {toCluster("ClusterEndpoint: https://127.0.0.1:1", "", "  caFile: /none/ca.pem\n"), "shardmill: shardmill.caFile: open /none/ca.pem: "},
		"no certificate":         {toCluster("ClusterEndpoint: https://127.0.0.1:1", "", "  caFile: "+write(t, "ca.pem", "none")+"\n"), "shardmill: shardmill.caFile: "},
	} {
		cmd, _, errs := program(t.Context(), t, append(slices.Clone(env), "AWS_ENDPOINT_URL_OPENSEARCH=http://127.0.0.1:1"), "archive", "--config", write(t, "archiver.yaml", row.text))
		_ = cmd.Run() // the exit code is looked at
		if code := cmd.ProcessState.ExitCode(); code == 0 || !strings.Contains(errs.String(), row.want) {
			t.Errorf("%s: exit %d\n%s", name, code, errs)
		}
	}
}

// Records can be tried: which index, which id, and what is no document.
func TestTransformOfDocuments(t *testing.T) {
	t.Parallel()
	const in = "{\"id\":\"a\",\"v\":1} \n{\"a\":1}{\"b\":2}\n"
	const failed = "record 2: FAILED -> os/AmazonOpenSearchService-failed/2016/02/25/13/: OS.MalformedData: the record must be exactly one JSON object, and is not\n"
	for name, row := range map[string]struct {
		keys, members string
		args          []string
		out           string
	}{
		"as Firehose does": {"", "", nil, `record 1 -> index orders-2016-02-25, id 1.0: {"id":"a","v":1}` + "\n" + failed},
		"a type, and hours": {"  engine: Elasticsearch_6.8\n", "  TypeName: log\n  IndexRotationPeriod: OneHour\n", []string{"--json"}, `{"record":1,"part":1,"index":"orders-2016-02-25-13","id":"1.0","action":"{\"index\":{\"_index\":\"orders-2016-02-25-13\",\"_type\":\"log\",\"_id\":\"1.0\"}}","data":"{\"id\":\"a\",\"v\":1}","bytes":16}
{"record":2,"part":1,"prefix":"os/AmazonOpenSearchService-failed/2016/02/25/13/","errorOutputType":"AmazonOpenSearchService-failed","errorCode":"OS.MalformedData","errorMessage":"the record must be exactly one JSON object, and is not"}
`},
		"ids of a field": {"  idField: id\n  versionField: v\n  operation: index\n", "", nil, `record 1 -> index orders-2016-02-25, id a: {"id":"a","v":1}` + "\n" + failed},
		"no ids":         {"", "  DocumentIdOptions: {DefaultDocumentIdFormat: NO_DOCUMENT_ID}\n", nil, `record 1 -> index orders-2016-02-25, an id of the cluster's: {"id":"a","v":1}` + "\n" + failed},
	} {
		file := write(t, "archiver.yaml", toCluster("ClusterEndpoint: https://example.com", row.members, row.keys))
		cmd, out, errs := program(t.Context(), t, nil, append([]string{"transform", "--config", file, at2016}, row.args...)...)
		cmd.Stdin = strings.NewReader(in)
		_ = cmd.Run() // the exit code is looked at
		if diff := cmp.Diff(row.out, out.String()); diff != "" || cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(errs.String(), "2 records: 1 document for 1 index, 1 failed\n") {
			t.Errorf("%s: exit %d, -want +got:\n%s%s", name, cmd.ProcessState.ExitCode(), diff, errs)
		}
	}
}

// The local run with documents, of the command.
func TestArchiveLocalDocuments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, out, errs := program(t.Context(), t, nil, "archive", "--local", "--destination", "opensearch", "--json", "--dir", dir, write(t, "in", "{\"n\":1}\nno JSON\n"))
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	var sum struct {
		Documents, Failed int64
		NotJSON           int64 `json:"not_json"`
		Verified          bool
		Indices           []struct{ Name string }
	}
	if err := json.Unmarshal(out.Bytes(), &sum); err != nil || sum.Documents != 1 || sum.Failed != 1 || sum.NotJSON != 1 || !sum.Verified || len(sum.Indices) != 1 {
		t.Fatalf("%v: %+v\n%s", err, sum, out)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "indices", sum.Indices[0].Name+".ndjson")); err != nil || string(data) != "{\"n\":1}\n" {
		t.Errorf("%q, %v", data, err)
	}
	cmd, _, errs = program(t.Context(), t, nil, "archive", "--local", "--destination", "splunk", "in")
	_ = cmd.Run() // the exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != exitUsage || errs.String() != "shardmill: --destination is \"splunk\"; it must be s3 or elasticsearch or opensearch or redshift\n" {
		t.Errorf("exit %d, %s", code, errs)
	}
}
