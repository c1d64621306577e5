package kinesistest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
	"github.com/shardmill/shardmill/localaws/kinesistest"
)

// TestCBOR runs the suite in the form in which the AWS SDKs for Java speak: its
// client's requests in JSON are translated on their way, and the answers back.
func TestCBOR(t *testing.T) {
	t.Parallel()
	kinesistest.Run(t, kinesis.New(kinesis.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://kinesis.local"),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:   inCBOR{t, kinesisd.New(kinesisd.Options{})},
	}), kinesistest.Features{})
}

type inCBOR struct {
	t      *testing.T
	server http.Handler
}

func (c inCBOR) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var request any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&request); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(cbor.Encode(javaValue("", request))))
	r.Header.Set("Content-Type", "application/x-amz-cbor-1.1")
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, r)
	answer := w.Result()
	if got := answer.Header.Get("Content-Type"); got != "application/x-amz-cbor-1.1" {
		c.t.Errorf("%s: the answer is %s %s, want CBOR", r.Header.Get("X-Amz-Target"), got, w.Body)
	}
	text, err := jsonOf(w.Body.Bytes())
	if err != nil {
		return nil, err
	}
	answer.Header.Set("Content-Type", "application/x-amz-json-1.1")
	answer.Header.Del("Content-Length")
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return answer, nil
}

// javaValue is a member of a request as the SDK for Java writes it.
func javaValue(name string, member any) cbor.Value {
	switch v := member.(type) {
	case map[string]any:
		m := cbor.Map{}
		for name, value := range v {
			m[name] = javaValue(name, value)
		}
		return m
	case []any:
		list := cbor.List{}
		for _, value := range v {
			list = append(list, javaValue("", value))
		}
		return list
	case json.Number:
		f, _ := v.Float64()
		if strings.HasSuffix(name, "Timestamp") {
			f = math.Round(f * 1000)
		}
		number := cbor.Value(cbor.Uint(uint64(math.Abs(f))))
		if f < 0 {
			number = cbor.NegInt(uint64(-f))
		}
		if strings.HasSuffix(name, "Timestamp") {
			return &cbor.Tag{ID: 1, Value: number}
		}
		return number
	case bool:
		return cbor.Bool(v)
	case string:
		if data, err := base64.StdEncoding.DecodeString(v); name == "Data" && err == nil {
			return cbor.Slice(data)
		}
		return cbor.String(v)
	}
	return &cbor.Nil{}
}

// jsonOf is an answer as a client that knows its types reads it: bytes where it
// expects them, and times in milliseconds.
func jsonOf(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return []byte("{}"), nil
	}
	value, err := cbor.Decode(body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(plain(value))
}

func plain(value cbor.Value) any {
	switch v := value.(type) {
	case cbor.Map:
		m := map[string]any{}
		for name, value := range v {
			m[name] = plain(value)
			if _, ok := value.(cbor.Slice); name == "Data" && !ok {
				m[name] = "not bytes"
			}
		}
		return m
	case cbor.List:
		list := []any{}
		for _, value := range v {
			list = append(list, plain(value))
		}
		return list
	case *cbor.Tag:
		ms, _ := cbor.AsInt64(v.Value)
		return float64(ms) / 1000
	case cbor.Slice:
		return []byte(v)
	case cbor.Uint:
		return uint64(v)
	case cbor.NegInt:
		return -int64(v)
	case *cbor.Nil:
		return nil
	}
	return value
}
