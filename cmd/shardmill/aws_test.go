package main

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"go.uber.org/zap"
)

// Kinesis is spoken to by HTTP/1.1 also where the server offers HTTP/2. The
// user's bundle of certificates counts.
func TestKinesisIsReadByHTTP1(t *testing.T) { //nolint:paralleltest // it sets the environment
	spoke := make(chan int, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spoke <- r.ProtoMajor
		_, _ = io.WriteString(w, `{"Shards":[]}`)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	home := t.TempDir()
	bundle := filepath.Join(home, "bundle.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_PROFILE": "", "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": filepath.Join(home, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "credentials"),
		"AWS_ENDPOINT_URL_KINESIS": server.URL, "AWS_CA_BUNDLE": bundle,
	} {
		t.Setenv(name, value)
	}
	clients, err := loadAWS(t.Context(), "", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clients.Kinesis.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")}); err != nil {
		t.Fatal(err)
	}
	if major := <-spoke; major != 1 {
		t.Errorf("spoke HTTP/%d", major)
	}
}
