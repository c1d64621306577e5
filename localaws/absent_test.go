package localaws_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/shardmill/shardmill/localaws"
)

// TestAbsentServices has requests to services that are not there, each in its
// own protocol.
func TestAbsentServices(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	const scope = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00"
	for _, row := range []struct {
		name, path, header, value, kind, service string
		body                                     func(text string) (code, message string)
	}{
		{"JSON", "/", "X-Amz-Target", "AmazonSQS.SendMessage", "application/x-amz-json-1.1", "AmazonSQS", errorInJSON},
		{"JSON of a neighbour", "/", "X-Amz-Target", "DynamoDBStreams_20120810.ListStreams", "application/x-amz-json-1.1", "DynamoDBStreams_20120810", errorInJSON},
		{"CBOR", "/service/GraniteServiceVersion20100801/operation/PutMetricData", "Smithy-Protocol", "rpc-v2-cbor", "application/cbor", "GraniteServiceVersion20100801", errorInCBOR},
		{"Query", "/", "Content-Type", "application/x-www-form-urlencoded; charset=utf-8", "text/xml", "Query", errorInXML},
		{"REST", "/2015-03-31/functions", "Authorization", scope, "application/json", "lambda", errorInJSON},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1"+row.path, strings.NewReader("x"))
		r.Header.Set(row.header, row.value)
		w := httptest.NewRecorder()
		stack.ServeHTTP(w, r)
		code, message := row.body(w.Body.String())
		if w.Code != http.StatusBadRequest || w.Header().Get("Content-Type") != row.kind || code != "UnknownOperationException" ||
			!strings.Contains(message, row.service) {
			t.Errorf("%s: %d %s %q, want UnknownOperationException of %s as %s", row.name, w.Code, w.Header().Get("Content-Type"), w.Body, row.service, row.kind)
		}
	}
}

func errorInJSON(text string) (code, message string) {
	_, rest, _ := strings.Cut(text, `"__type":"`)
	code, _, _ = strings.Cut(rest, `"`)
	return code, text
}

func errorInCBOR(text string) (code, message string) {
	value, _ := cbor.Decode([]byte(text))
	m, _ := value.(cbor.Map)
	name, _ := m["__type"].(cbor.String)
	why, _ := m["message"].(cbor.String)
	return string(name), string(why)
}

func errorInXML(text string) (code, message string) {
	var answer struct {
		Error struct{ Code, Message string }
	}
	_ = xml.Unmarshal([]byte(text), &answer)
	return answer.Error.Code, answer.Error.Message
}

// TestAbsentServiceOfTheSDK has the SDK read what it is answered.
func TestAbsentServiceOfTheSDK(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	_, err := sts.NewFromConfig(once(stack.AWSConfig())).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if codeOf(err) != "UnknownOperationException" || statusOf(err) != 400 {
		t.Errorf("STS answers %v, want UnknownOperationException", err)
	}
}

// TestErrorsInCBOR has errors of what stands before Kinesis for a client that
// speaks CBOR.
func TestErrorsInCBOR(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", strings.NewReader("\xa0"))
	r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecord")
	r.Header.Set("Content-Type", "application/x-amz-cbor-1.1")
	w := httptest.NewRecorder()
	stack.ServeHTTP(w, r)
	code, _ := errorInCBOR(w.Body.String())
	if code != "MissingAuthenticationTokenException" || w.Header().Get("Content-Type") != "application/x-amz-cbor-1.1" {
		t.Errorf("without a signature: %d %s %q", w.Code, w.Header(), w.Body)
	}
}

// TestErrorKind has a fault that is an error of a test's own choice, of each
// service.
func TestErrorKind(t *testing.T) {
	t.Parallel()
	stack := newStack(t, localaws.Options{})
	cfg := once(stack.AWSConfig())
	stack.Faults().Add(localaws.Fault{Kind: localaws.Error(403, "ExpiredToken")})
	for name, err := range map[string]error{
		"Kinesis": listStreams(t.Context(), cfg), "DynamoDB": listTables(t.Context(), cfg), "S3": put(t.Context(), cfg, "key", "content"),
	} {
		if codeOf(err) != "ExpiredToken" || statusOf(err) != 403 {
			t.Errorf("%s answers %v, want ExpiredToken with 403", name, err)
		}
	}
	stack.Faults().Clear()
	if exists(t, cfg, "key") {
		t.Error("the put took effect")
	}
}
