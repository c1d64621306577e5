package localaws_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/shardmill/shardmill/localaws"
)

// bulk makes a bulk request and returns the status and the body of its answer.
func bulk(t *testing.T, c *localaws.Cluster, body string, edit ...func(*http.Request)) (int, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, localaws.ClusterEndpoint+"/_bulk", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	for _, f := range edit {
		f(r)
	}
	out, err := c.Transport().RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	answer, err := io.ReadAll(out.Body)
	return out.StatusCode, string(answer), errors.Join(err, out.Body.Close())
}

const oneDocument = `{"index":{"_index":"logs","_id":"1"}}` + "\n{}\n"

// sign signs a request; for a collection with the hash of its body, which that wants.
func sign(service, secret string) func(*http.Request) {
	return signWith(service, secret, service == "aoss")
}

func signWith(service, secret string, hasHash bool) func(*http.Request) {
	return func(r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		sum := sha256.Sum256(body)
		hash := hex.EncodeToString(sum[:])
		if hasHash {
			r.Header.Set("X-Amz-Content-Sha256", hash)
		}
		_ = v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: "local", SecretAccessKey: secret}, r, hash, service, "us-east-1", time.Now())
	}
}

func TestClusterAccess(t *testing.T) {
	t.Parallel()
	header := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	domain := localaws.ClusterOptions{Users: map[string]string{"ada": "secret"}, APIKeys: []string{"a2V5"}}
	collection := localaws.ClusterOptions{Collection: "SEARCH"}
	rows := []struct {
		name    string
		options localaws.ClusterOptions
		edit    func(*http.Request)
		want    int
	}{
		{"signed", domain, sign("es", "local"), http.StatusOK},
		{"signed with a wrong secret", domain, sign("es", "other"), http.StatusForbidden},
		{"signed for a collection", domain, sign("aoss", "local"), http.StatusForbidden},
		{"not signed", domain, func(*http.Request) {}, http.StatusForbidden},
		{"changed after it was signed", domain, func(r *http.Request) {
			sign("es", "local")(r)
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(oneDocument, "1", "2", 1)))
		}, http.StatusForbidden},
		{"with a password", domain, func(r *http.Request) { r.SetBasicAuth("ada", "secret") }, http.StatusOK},
		{"with a wrong password", domain, func(r *http.Request) { r.SetBasicAuth("ada", "Secret") }, http.StatusUnauthorized},
		{"of an unknown user", domain, func(r *http.Request) { r.SetBasicAuth("bob", "") }, http.StatusUnauthorized},
		{"with an API key", domain, header("ApiKey a2V5"), http.StatusOK},
		{"with a wrong API key", domain, header("ApiKey a2V6"), http.StatusUnauthorized},
		{"to a collection", collection, sign("aoss", "local"), http.StatusOK},
		{"to a collection, signed for a domain", collection, sign("es", "local"), http.StatusForbidden},
		{"to a collection, without the hash", collection, signWith("aoss", "local", false), http.StatusForbidden},
		{"to a cluster that is open", localaws.ClusterOptions{Open: true}, header("Basic nobody"), http.StatusOK},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := newStack(t, localaws.Options{Cluster: row.options}).Cluster()
			status, answer, err := bulk(t, c, oneDocument, row.edit)
			if err != nil || status != row.want {
				t.Fatalf("answered %d, %v: %s; want %d", status, err, answer, row.want)
			}
			if got := c.Count("logs"); got != map[bool]int{true: 1}[row.want == http.StatusOK] {
				t.Errorf("the index has %d documents", got)
			}
		})
	}
}

func openCluster(t *testing.T, o localaws.ClusterOptions) (*localaws.Stack, *localaws.Cluster) {
	t.Helper()
	o.Open = true
	stack := newStack(t, localaws.Options{Cluster: o})
	return stack, stack.Cluster()
}

func TestClusterFaults(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		kind   localaws.Kind
		want   string // status and body, or the error
		stored int
	}{
		{"throttled", localaws.Throttle(), `429 {"error":{"root_cause":[{"type":"rejected_execution_exception"`, 0},
		{"a server's error", localaws.ServerError(503), `503 {"error":`, 0},
		{"an error", localaws.Error(403, "security_exception"), `403 {"error":{"root_cause":[{"type":"security_exception"`, 0},
		{"an answer of a proxy", localaws.Answer(502, http.Header{"Content-Type": {"text/html"}}, "<html>"), "502 <html>", 0},
		{"a lost answer", localaws.LostAnswer(), "the connection was cut", 1},
		{"refused", localaws.Refuse(), "the connection was cut", 0},
		{"half an answer", localaws.Cut(9), "the connection was cut", 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stack, c := openCluster(t, localaws.ClusterOptions{})
			fault := stack.Faults().Add(localaws.Fault{Service: localaws.Search, Operation: "Bulk", Body: `"_id":"1"`, Times: 1, Kind: row.kind})
			status, answer, err := bulk(t, c, oneDocument)
			got := fmt.Sprint(status, " ", answer)
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, row.want) || c.Count("logs") != row.stored || fault.Hits() != 1 {
				t.Errorf("answered %q, %d documents; want %q, %d", got, c.Count("logs"), row.want, row.stored)
			}
			if status, answer, err = bulk(t, c, oneDocument); status != http.StatusOK || err != nil {
				t.Errorf("the next request is answered %d, %v: %s", status, err, answer)
			}
		})
	}
}

func TestClusterItemFaults(t *testing.T) {
	t.Parallel()
	_, c := openCluster(t, localaws.ClusterOptions{})
	c.SetItemFault(func(i localaws.BulkItem) localaws.BulkItemFault {
		return map[string]localaws.BulkItemFault{
			"1": {Status: 429, Type: "es_rejected_execution_exception", Reason: "busy"},
			"2": {Status: 503, Stored: true},
			"3": {Omit: true},
			"4": {Omit: true, Status: 500},
		}[i.ID]
	})
	var body strings.Builder
	for n := range 6 {
		fmt.Fprintf(&body, `{"index":{"_index":"logs","_id":"%d"}}`+"\n{}\n", n)
	}
	_, text, err := bulk(t, c, body.String())
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Errors bool
		Items  []struct {
			Index struct {
				ID     string `json:"_id"`
				Status int
			}
		}
	}
	if err = json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	var got, stored strings.Builder
	for _, i := range answer.Items {
		fmt.Fprint(&got, i.Index.ID, ":", i.Index.Status, " ")
	}
	for _, d := range c.Documents("logs") {
		stored.WriteString(d.ID)
	}
	if got.String() != "0:201 1:429 2:503 5:201 " || stored.String() != "0235" || !answer.Errors {
		t.Errorf("the items are %s, and there are the documents %s", &got, &stored)
	}
	c.SetItemFault(nil)
	if _, _, err = bulk(t, c, body.String()); err != nil || c.Count("logs") != 6 {
		t.Errorf("without faults there are %d documents, %v", c.Count("logs"), err)
	}
	for _, d := range c.Documents("logs") {
		if want := map[bool]int{true: 1, false: 2}[d.ID == "1" || d.ID == "4"]; d.Writes != want {
			t.Errorf("%s was written %d times, want %d", d.ID, d.Writes, want)
		}
	}
}

// TestClusterInVirtualTime shows that a request that is never answered ends with its
// context, at that time, in a bubble.
func TestClusterInVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack, err := localaws.New(localaws.Options{Cluster: localaws.ClusterOptions{Open: true}})
		if err != nil {
			t.Fatal(err)
		}
		defer stack.Close()
		stack.Faults().Add(localaws.Fault{Service: localaws.Search, Times: 1, Kind: localaws.NoAnswer()})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, _, err = bulk(t, stack.Cluster(), oneDocument, func(r *http.Request) { *r = *r.WithContext(ctx) })
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Hour {
			t.Errorf("it ended after %v with %v", took, err)
		}
		if got := stack.Cluster().Count("logs"); got != 1 {
			t.Errorf("the index has %d documents, want the one that was not answered", got)
		}
	})
}

// TestClusterEngines holds what is known of engines that no server here shows, by their
// documentation.
func TestClusterEngines(t *testing.T) {
	t.Parallel()
	const typed = `{"index":{"_index":"logs","_type":"log","_id":"1"}}` + "\n{}\n"
	rows := []struct {
		name    string
		options localaws.ClusterOptions
		body    string
		want    string
	}{
		{"7.10 takes a type", localaws.ClusterOptions{Engine: "Elasticsearch_7.10"}, typed, `"_type":"log","_id":"1","_version":1`},
		{"7.10 needs none", localaws.ClusterOptions{Engine: "Elasticsearch_7.10"}, oneDocument, `"_type":"_doc","_id":"1","_version":1`},
		{"8 takes no type", localaws.ClusterOptions{Engine: "Elasticsearch_8.15"}, typed, "contains an unknown parameter [_type]"},
		{"8 answers without", localaws.ClusterOptions{Engine: "Elasticsearch_8.15"}, oneDocument, `{"_index":"logs","_id":"1","_version":1`},
		{"OpenSearch 1 takes a type", localaws.ClusterOptions{Engine: "OpenSearch_1.3"}, typed, `"_type":"log"`},
		{"OpenSearch 3 takes none", localaws.ClusterOptions{Engine: "OpenSearch_3.1"}, typed, "contains an unknown parameter [_type]"},
		{"indices are not made", localaws.ClusterOptions{NoAutoCreate: true}, oneDocument, `"status":404,"error":{"type":"index_not_found_exception","reason":"no such index [logs]"`},
		{"indices are not to be named", localaws.ClusterOptions{NoExplicitIndex: true}, oneDocument, `"reason":"explicit index in bulk is not allowed"`},
		{"time series take no ids", localaws.ClusterOptions{Collection: "TIMESERIES"}, oneDocument, `"status":400,"error":{"type":"illegal_argument_exception","reason":"Document ID is not supported in create/index operation request"}`},
		{"time series take documents", localaws.ClusterOptions{Collection: "TIMESERIES"}, `{"index":{"_index":"logs"}}` + "\n{}\n", `"result":"created"`},
		{"searches take ids", localaws.ClusterOptions{Collection: "SEARCH"}, oneDocument, `"result":"created"`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, c := openCluster(t, row.options)
			if status, answer, err := bulk(t, c, row.body); err != nil || !strings.Contains(answer, row.want) {
				t.Errorf("answered %d, %v: %s; want …%s…", status, err, answer, row.want)
			}
			status, answer, err := c.Ask(t.Context(), http.MethodGet, "/_nodes", "")
			if isDomain := row.options.Collection == ""; err != nil || (status == http.StatusOK) != isDomain {
				t.Errorf("/_nodes is answered %d, %v: %s", status, err, answer)
			}
		})
	}
	for _, o := range []localaws.ClusterOptions{
		{Engine: "Elasticsearch_5.6"}, {Engine: "OpenSearch"}, {Engine: "Solr_9.0"}, {Collection: "VECTOR"}, {Collection: "SEARCH", Engine: "OpenSearch_2.19"},
	} {
		if _, err := localaws.New(localaws.Options{Cluster: o}); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestClusterRefusesLargeBodies(t *testing.T) {
	t.Parallel()
	_, c := openCluster(t, localaws.ClusterOptions{MaxContentLength: int64(len(oneDocument))})
	if status, answer, err := bulk(t, c, oneDocument+"\n"); err != nil || status != http.StatusRequestEntityTooLarge || answer != "" {
		t.Errorf("a body that is too large is answered %d, %v: %s", status, err, answer)
	}
	if status, answer, err := bulk(t, c, oneDocument); err != nil || status != http.StatusOK {
		t.Errorf("one that is not is answered %d, %v: %s", status, err, answer)
	}
}

// TestClusterIsLeftToOtherHosts refuses what a browser was made to send.
func TestClusterIsLeftToOtherHosts(t *testing.T) {
	t.Parallel()
	_, c := openCluster(t, localaws.ClusterOptions{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://rebound.example/_bulk", strings.NewReader(oneDocument))
	if err != nil {
		t.Fatal(err)
	}
	w := newRecorder()
	c.ServeHTTP(w, r)
	if w.status != http.StatusForbidden || c.Count("logs") != 0 {
		t.Errorf("answered %d: %s", w.status, w.body.String())
	}
}

// recorder is an answer that is kept.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: make(http.Header)} }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) WriteHeader(status int)      { r.status = status }

// BenchmarkClusterBulk indexes requests of 1,000 documents of 1 KB.
func BenchmarkClusterBulk(b *testing.B) {
	stack, err := localaws.New(localaws.Options{Cluster: localaws.ClusterOptions{Open: true}})
	if err != nil {
		b.Fatal(err)
	}
	defer stack.Close()
	var body strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&body, `{"index":{"_index":"logs","_id":"%d"}}`+"\n"+`{"n":%d,"f":1.5,"ok":true,"when":"2026-11-29T12:00:00Z","o":{"k":[1,2]},"text":"%s"}`+"\n", n, n, strings.Repeat("word ", 180))
	}
	b.ReportAllocs()
	for b.Loop() {
		if status, _, err := stack.Cluster().Ask(b.Context(), http.MethodPost, "/_bulk?filter_path=errors,items.*.status", body.String()); err != nil || status != http.StatusOK {
			b.Fatal(status, err)
		}
	}
}
