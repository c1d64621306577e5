package decode_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource/internal/decode"
)

// sdk is the SDK's client of Kinesis as far as it decodes.
type sdk struct {
	smithyhttp.ClientProtocol

	schema *smithy.OperationSchema
	types  *smithy.TypeRegistry
}

// DeserializeResponse notes what the client decodes GetRecords with.
func (s *sdk) DeserializeResponse(_ context.Context, schema *smithy.OperationSchema, types *smithy.TypeRegistry, _ *smithyhttp.Response, _ smithy.Deserializable) error {
	s.schema, s.types = schema, types
	return nil
}

type answering struct{}

func (answering) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func newSDK(tb testing.TB) *sdk {
	tb.Helper()
	s := new(sdk)
	c := kinesis.New(kinesis.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		BaseEndpoint: aws.String("http://kinesis.invalid"), HTTPClient: answering{},
	}, func(o *kinesis.Options) { s.ClientProtocol, o.Protocol = o.Protocol, s })
	if _, err := c.GetRecords(tb.Context(), &kinesis.GetRecordsInput{ShardIterator: aws.String("i")}); err != nil {
		tb.Fatal(err)
	}
	return s
}

// answer is a response with a body that is closed by whoever gets it.
func answer(body io.Reader, length int) *smithyhttp.Response {
	return &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body), ContentLength: int64(length)}}
}

// decoded is what a body says: the records, and all else.
type decoded struct {
	records []kcl.Record
	rest    kinesis.GetRecordsOutput
}

func taken(out *kinesis.GetRecordsOutput) decoded {
	var records []kcl.Record
	for _, r := range out.Records {
		k := kcl.Record{
			SequenceNumber: aws.ToString(r.SequenceNumber), PartitionKey: aws.ToString(r.PartitionKey), Data: r.Data,
			EncryptionType: string(r.EncryptionType),
		}
		if t := r.ApproximateArrivalTimestamp; t != nil {
			k.ApproximateArrivalTimestamp = t.Round(time.Millisecond)
		}
		records = append(records, k)
	}
	rest := *out
	rest.Records = nil
	return decoded{records, rest}
}

// bySDK decodes a body as the client does by itself. It panics where an arrival is
// "NaN".
func (s *sdk) bySDK(ctx context.Context, body []byte) (d decoded, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	var out kinesis.GetRecordsOutput
	err = s.ClientProtocol.DeserializeResponse(ctx, s.schema, s.types, answer(bytes.NewReader(body), len(body)), &out)
	return taken(&out), err
}

// byUs decodes a body here, and tells whether the SDK was left out.
func (s *sdk) byUs(ctx context.Context, dec *decode.Decoder, body []byte) (d decoded, ours bool, err error) {
	var call decode.Call
	var out kinesis.GetRecordsOutput
	p := dec.Wrap(s.ClientProtocol)
	err = p.DeserializeResponse(call.In(ctx), s.schema, s.types, answer(bytes.NewReader(body), len(body)), &out)
	d = taken(&out)
	if err != nil {
		return d, false, err
	}
	page, err := call.Take(&out)
	if err != nil {
		return d, false, err
	}
	if page.Ours {
		for _, r := range page.Records {
			d.records = append(d.records, r.Clone())
		}
	}
	ours = page.Ours
	page.Release()
	return d, ours, err
}

// compare has both decode a body, and fails unless they agree. It returns whether
// the SDK was left out.
func (s *sdk) compare(t interface {
	Helper()
	Fatalf(string, ...any)
}, d *decode.Decoder, body []byte,
) bool {
	t.Helper()
	want, wantErr := s.bySDK(context.Background(), bytes.Clone(body))
	got, ours, err := s.byUs(context.Background(), d, bytes.Clone(body))
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("error %v, and the SDK's is %v, of\n%q", err, wantErr, body)
	}
	if err != nil {
		var decoding *smithy.DeserializationError
		if !errors.As(err, &decoding) {
			t.Fatalf("error %v is not one of decoding", err)
		}
		return ours
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("(-the SDK's +ours) of\n%q\n%s", body, cmp.Diff(want, got, cmp.AllowUnexported(decoded{}), cmpopts.IgnoreUnexported(kinesis.GetRecordsOutput{}), cmpopts.IgnoreTypes(middleware.Metadata{})))
	}
	return ours
}
