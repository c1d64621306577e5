package main

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
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

// What the program of credential_process printed, which may be keys, is told by nothing that
// asks for credentials: neither at the start, nor by any client once the program fails.
func TestProgramOfCredentials(t *testing.T) { //nolint:paralleltest // it sets the environment
	home := t.TempDir()
	printed, profile := filepath.Join(home, "printed"), filepath.Join(home, "config")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const keys = `{"Version":1,"AccessKeyId":"CANARY0","SecretAccessKey":"CANARY1","SessionToken":"CANARY2","Expiration":"2020-01-01T00:00:00Z"`
	write(profile, "[default]\ncredential_process = cat "+printed+"\n")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": profile, "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "credentials"), "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
	} {
		t.Setenv(name, value)
	}
	write(printed, keys+"}")
	clients, err := loadAWS(t.Context(), "", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	write(printed, keys)
	told := map[string]error{}
	_, told["start"] = loadAWS(t.Context(), "", zap.NewNop())
	_, told["Kinesis"] = clients.Kinesis.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")})
	_, told["DynamoDB"] = clients.DynamoDB.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	_, told["S3"] = clients.S3.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	_, told["Lambda"] = clients.Lambda.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	_, told["others"] = clients.Config.Credentials.Retrieve(t.Context())
	for who, err := range told {
		if err == nil || strings.Contains(err.Error(), "CANARY") || !strings.Contains(err.Error(), "parse failed of process output, which is not shown") {
			t.Errorf("%s: %v", who, err)
		}
	}
}
