package archiver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/archiver"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors/esarchive"
)

// asked is a cluster that notes how requests are authenticated.
type asked struct {
	*httptest.Server

	mu   sync.Mutex
	last string
}

func ask(t *testing.T) *asked {
	t.Helper()
	a := &asked{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.last = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *asked) authorization() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// loaded returns what a file says of documents.
func loaded(t *testing.T, endpoint, keys string) *config.Documents {
	t.Helper()
	c, err := config.Load("f", []byte(`DeliveryStreamName: orders
KinesisStreamSourceConfiguration: {KinesisStreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}
ElasticsearchDestinationConfiguration: {ClusterEndpoint: "`+endpoint+`", IndexName: orders, S3Configuration: {BucketARN: "arn:aws:s3:::archive"}}
shardmill: {`+keys+"}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Documents
}

// Requests are authenticated as the file says, with what a file of a secret has when they
// are made; and no secret is logged.
func TestNewIndex(t *testing.T) {
	t.Parallel()
	sdk := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "hidden", "")}
	secret := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cluster := ask(t)
	core, logs := observer.New(zap.DebugLevel)
	check := func(keys string, cfg aws.Config) error {
		t.Helper()
		x, err := archiver.NewIndex(cfg, loaded(t, cluster.URL, keys), esarchive.Domain{}, zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return x.Check(ctx)
	}
	for _, row := range []struct{ keys, secret, begins string }{
		{"", "", "AWS4-HMAC-SHA256 Credential=AKID/"},
		{"auth: none", "", ""},
		{"auth: basic, username: me, password: hidden", "", "Basic bWU6aGlkZGVu"},
		{"auth: basic, username: me, passwordFile: " + secret, "hidden\n", "Basic bWU6aGlkZGVu"},
		{"auth: basic, username: me, passwordFile: " + secret, "changed\r\n", "Basic bWU6Y2hhbmdlZA=="},
		{"auth: apiKey, apiKey: hidden", "", "ApiKey hidden"},
		{"auth: apiKey, apiKeyFile: " + secret, "hidden", "ApiKey hidden"},
	} {
		write(row.secret)
		_ = check(row.keys, sdk) // 403
		if got := cluster.authorization(); !strings.HasPrefix(got, row.begins) || row.begins == "" && got != "" {
			t.Errorf("%s: %q", row.keys, got)
		}
		if strings.HasPrefix(row.begins, "AWS4") && !strings.Contains(cluster.authorization(), "/eu-west-1/es/aws4_request") {
			t.Errorf("signed for %s", cluster.authorization())
		}
	}
	// One Index, whose secret changes.
	write("first")
	x, err := archiver.NewIndex(sdk, loaded(t, cluster.URL, "auth: apiKey, apiKeyFile: "+secret), esarchive.Domain{}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first", "second"} {
		write(text)
		_ = x.Check(t.Context()) // 403
		if got := cluster.authorization(); got != "ApiKey "+text {
			t.Errorf("with %s it is %q", text, got)
		}
	}
	for text, want := range map[string]string{"": "is empty; it must have one line", "a\nb\n": "has several lines", strings.Repeat("a", 20_000): "has more than 16384 bytes"} {
		write(text)
		if err := check("auth: basic, username: me, passwordFile: "+secret, sdk); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.5q: %v", text, err)
		}
	}
	if all := fmt.Sprint(logs.All()); strings.Contains(all, "hidden") || strings.Contains(all, "bWU6") {
		t.Errorf("the log has a secret: %s", all)
	}
}

// What cannot be is told before anything is sent.
func TestNewIndexRefuses(t *testing.T) {
	t.Parallel()
	if _, err := archiver.NewIndex(aws.Config{}, loaded(t, "http://127.0.0.1:1", ""), esarchive.Domain{}, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "set AWS_REGION") {
		t.Errorf("without a region: %v", err)
	}
	d := loaded(t, "https://search-a.eu-west-1.es.amazonaws.com", "caFile: /none")
	if _, err := archiver.NewIndex(aws.Config{}, d, esarchive.Domain{}, zap.NewNop()); err == nil || !strings.HasPrefix(err.Error(), "shardmill.caFile: open /none: ") {
		t.Errorf("without its file: %v", err)
	}
	if x, err := archiver.TrialIndex(d, zap.NewNop()); err != nil || x.IndexName(time.Date(2016, 2, 25, 13, 0, 0, 0, time.UTC)) != "orders-2016-02-25" {
		t.Errorf("to try: %v", err)
	}
}

// The engine of a domain is known, if it may not be asked itself.
func TestNewIndexOfADomain(t *testing.T) {
	t.Parallel()
	cluster := ask(t)
	domain := esarchive.Domain{Endpoint: cluster.URL, Engine: "OpenSearch_2.19"}
	d := loaded(t, "https://elsewhere.example", "auth: none")
	d.Cluster.TypeName = "log"
	x, err := archiver.NewIndex(aws.Config{}, d, domain, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range x.Looks(t.Context()) {
		if l.What == "TypeName" && strings.Contains(l.Text, "OpenSearch 2.19 has no mapping types") {
			return
		}
	}
	t.Errorf("%+v", x.Looks(t.Context()))
}
