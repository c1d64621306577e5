package localaws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shardmill/shardmill/localaws"
)

// TestServeEnds has a request held by a fault when the server is told to end.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- stack.Serve(ctx, listener) }()
	stall := stack.Faults().Add(localaws.Fault{Kind: localaws.Stall(0)})
	cfg := once(stack.AWSConfig())
	cfg.BaseEndpoint, cfg.HTTPClient = aws.String("http://"+listener.Addr().String()), http.DefaultClient
	failed := make(chan error, 1)
	go func() { failed <- put(t.Context(), cfg, "key", "content") }()
	<-stall.Struck()
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v, want nil", err)
	}
	if err := <-failed; err == nil {
		t.Error("the request that was held had an answer")
	}
	stack.Faults().Clear()
	if exists(t, stack.AWSConfig(), "key") {
		t.Error("the request that was held when the server ended took effect")
	}
}

func TestServeOnClosedListener(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := newStack(t, localaws.Options{}).Serve(t.Context(), listener); err == nil {
		t.Error("Serve returned nil, want an error")
	}
}

// TestHTTP2 speaks HTTP/2 without TLS, as the clients of some languages do.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	version := 0
	cfg := once(stack.AWSConfig())
	cfg.BaseEndpoint = aws.String(serve(t, stack))
	cfg.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		response, err := transport.RoundTrip(r)
		if err == nil {
			version = response.ProtoMajor
		}
		return response, err
	})
	if err := listStreams(t.Context(), cfg); err != nil {
		t.Errorf("Kinesis: %v", err)
	}
	if err := put(t.Context(), cfg, "key", "content"); err != nil {
		t.Errorf("S3: %v", err)
	}
	stack.Faults().Add(localaws.Fault{Service: localaws.S3, Times: 1, Kind: localaws.LostAnswer()})
	if err := put(t.Context(), cfg, "lost", "content"); err == nil || statusOf(err) != 0 || !exists(t, cfg, "lost") {
		t.Errorf("the put whose answer was lost: %v; want no answer, and the object", err)
	}
	if version != 2 {
		t.Errorf("HTTP version %d was spoken, want 2", version)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestHosts has the ways in which a URL names a bucket.
func TestHosts(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	endpoint := serve(t, stack)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(endpoint, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range []struct {
		name, host string
		path       bool
	}{
		{"an address", "127.0.0.1:" + port, false},
		{"a name, in path style", "localhost:" + port, true},
		{"a bucket before a name", "localhost:" + port, false},
		{"a bucket before S3's name", "s3.localhost:" + port, false},
		{"S3's name, in path style", "s3.localhost:" + port, true},
	} {
		cfg := once(stack.AWSConfig())
		cfg.BaseEndpoint = aws.String("http://" + row.host)
		cfg.HTTPClient = &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
			},
		}}
		key := strings.Repeat("k", i+1)
		client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = row.path })
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("bucket"), Key: &key, Body: strings.NewReader("content"),
		})
		if err != nil || !exists(t, stack.AWSConfig(), key) {
			t.Errorf("%s: %v, the object exists: %v", row.name, err, exists(t, stack.AWSConfig(), key))
		}
	}
}

// TestControlChoosesRequests has one fault for a client's name and one for a
// body, each of which lets another client's, and another body, pass.
func TestControlChoosesRequests(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{Control: true})
	endpoint := serve(t, stack)
	named := func(app string) aws.Config {
		cfg := once(stack.AWSConfig())
		cfg.AppID = app
		return cfg
	}
	add := func(fault string) (id int) {
		var added struct{ ID int }
		control(t, http.MethodPost, endpoint+"/_localaws/faults", fault, 201, &added)
		return added.ID
	}
	byName := add(`{"operation":"PutObject","userAgent":"app/a-1","kind":"ServerError","status":503}`)
	if err := put(t.Context(), named("b-1"), "key", "content"); err != nil {
		t.Errorf("the put of another client gave %v", err)
	}
	if err := put(t.Context(), named("a-1"), "key", "content"); statusOf(err) != 503 {
		t.Errorf("the put of the named client gave %v, want status 503", err)
	}
	byBody := add(`{"service":"DynamoDB","body":"\"Limit\":1","kind":"ServerError","status":500}`)
	if err := listTables(t.Context(), named("a-1")); err != nil {
		t.Errorf("a list without the text gave %v", err)
	}
	_, err := dynamodb.NewFromConfig(named("b-1")).ListTables(t.Context(), &dynamodb.ListTablesInput{Limit: aws.Int32(1)})
	if statusOf(err) != 500 {
		t.Errorf("a list with the text gave %v, want status 500", err)
	}
	byPath := add(`{"service":"S3","path":"/data/a b","kind":"ServerError","status":502}`)
	if err := put(t.Context(), named("b-1"), "data/c", "content"); err != nil {
		t.Errorf("the put of another key gave %v", err)
	}
	if err := put(t.Context(), named("b-1"), "data/a b/c", "content"); statusOf(err) != 502 {
		t.Errorf("the put of the key gave %v, want status 502", err)
	}
	var faults []struct {
		ID, Hits              int
		Struck                bool
		UserAgent, Body, Path string
	}
	control(t, http.MethodGet, endpoint+"/_localaws/faults", "", 200, &faults)
	if len(faults) != 3 || faults[0].ID != byName || faults[0].Hits != 1 || !faults[0].Struck || faults[0].UserAgent != "app/a-1" ||
		faults[1].ID != byBody || faults[1].Hits != 1 || faults[1].Body != `"Limit":1` ||
		faults[2].ID != byPath || faults[2].Hits != 1 || faults[2].Path != "/data/a b" {
		t.Errorf("the faults are %+v", faults)
	}
}

// TestControl adds a fault and reads the writes by HTTP.
func TestControl(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{Control: true})
	endpoint := serve(t, stack)
	cfg := once(stack.AWSConfig())
	var fault struct{ ID, Hits int }
	control(t, http.MethodPost, endpoint+"/_localaws/faults",
		`{"service":"S3","operation":"PutObject","kind":"ServerError","status":503,"times":1}`, 201, &fault)
	if err := put(t.Context(), cfg, "key", "content"); statusOf(err) != 503 {
		t.Errorf("the put gave %v, want status 503", err)
	}
	if err := put(t.Context(), cfg, "key", "content"); err != nil {
		t.Errorf("the second put gave %v", err)
	}
	var faults []struct{ ID, Hits int }
	control(t, http.MethodGet, endpoint+"/_localaws/faults", "", 200, &faults)
	if len(faults) != 1 || faults[0].ID != fault.ID || faults[0].Hits != 1 {
		t.Errorf("the faults are %+v, want %d with one hit", faults, fault.ID)
	}
	var writes []localaws.Write
	control(t, http.MethodGet, endpoint+"/_localaws/writes", "", 200, &writes)
	if len(writes) != 1 || writes[0].Key != "key" || writes[0].Size != 7 || writes[0].Status != 200 {
		t.Errorf("the writes are %+v, want one of 7 bytes", writes)
	}
	control(t, http.MethodDelete, endpoint+"/_localaws/faults", "", 204, nil)
	control(t, http.MethodGet, endpoint+"/_localaws/faults", "", 200, &faults)
	if len(faults) != 0 {
		t.Errorf("after removing all there are %+v", faults)
	}
	control(t, http.MethodPost, endpoint+"/_localaws/faults", `{"kind":"Error","status":403,"code":"ExpiredToken","times":1}`, 201, nil)
	if err := put(t.Context(), cfg, "key", "content"); statusOf(err) != 403 || codeOf(err) != "ExpiredToken" {
		t.Errorf("the put gave %v, want ExpiredToken with 403", err)
	}
	for _, body := range []string{
		`{`, `{"kind":"Thunder"}`, `{"kind":"ServerError"}`, `{"kind":"Error","status":403}`, `{"kind":"Error","status":200,"code":"A"}`, `{"kind":"Stall","duration":"soon"}`,
	} {
		control(t, http.MethodPost, endpoint+"/_localaws/faults", body, 400, nil)
	}
	closed := serve(t, newStack(t, localaws.Options{}))
	control(t, http.MethodGet, closed+"/_localaws/writes", "", 403, nil)
}

func control(t *testing.T, method, url, body string, status int, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		t.Fatalf("%s %s: status %d, %s, %v; want %d", method, url, response.StatusCode, text, err, status)
	}
	if into != nil {
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
			t.Fatalf("%s %s: %v in %s", method, url, err, text)
		}
	}
}
