package decode_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/cbor"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/kcl/kinesissource/internal/decode"
)

const contentCBOR = "application/x-amz-cbor-1.1"

// inCBOR asks in CBOR, and has what is answered decoded.
func (s *sdk) inCBOR(ctx context.Context, d *decode.Decoder, call *decode.Call, page *decode.Page, status int, content string, body []byte) (decoded, error) {
	var out kinesis.GetRecordsOutput
	p := d.Wrap(s.ClientProtocol)
	req := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	ctx = call.In(ctx)
	if err := p.SerializeRequest(ctx, s.schema, &kinesis.GetRecordsInput{ShardIterator: aws.String("i"), Limit: aws.Int32(7)}, req); err != nil {
		return decoded{}, err
	}
	resp := answer(bytes.NewReader(body), len(body))
	resp.StatusCode, resp.Header = status, http.Header{"Content-Type": {content}}
	err := p.DeserializeResponse(ctx, s.schema, s.types, resp, &out)
	got := taken(&out)
	if err != nil {
		call.Drop()
		return got, err
	}
	p2, err := call.Take(&out)
	if err != nil {
		return got, err
	}
	if *page = *p2; page.Ours {
		for _, r := range page.Records {
			got.records = append(got.records, r.Clone())
		}
	}
	return got, err
}

// record is a record in CBOR.
func record(more cbor.Map) cbor.Map {
	m := cbor.Map{
		"ApproximateArrivalTimestamp": &cbor.Tag{ID: 1, Value: cbor.Uint(1_700_000_000_123)},
		"Data":                        cbor.Slice("hello"), "PartitionKey": cbor.String("k"), "SequenceNumber": cbor.String("495"),
	}
	maps.Copy(m, more)
	return m
}

func page(more cbor.Map, records ...cbor.Value) cbor.Map {
	m := cbor.Map{"MillisBehindLatest": cbor.Uint(7), "NextShardIterator": cbor.String("AAA="), "Records": cbor.List(records)}
	maps.Copy(m, more)
	return m
}

// sameAsJSON fails unless a body in CBOR is read as the SDK reads the same in
// JSON, which is what decode.JSON makes of it.
func (s *sdk) sameAsJSON(t interface {
	Helper()
	Fatalf(string, ...any)
}, d *decode.Decoder, body []byte,
) bool {
	t.Helper()
	var p decode.Page
	got, err := s.inCBOR(context.Background(), d, new(decode.Call), &p, http.StatusOK, contentCBOR, bytes.Clone(body))
	ours := p.Ours
	p.Release()
	json, wantErr := decode.JSON(body)
	var want decoded
	if wantErr == nil {
		want, wantErr = s.bySDK(context.Background(), json)
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("error %v, and of the same in JSON %v, of\n%x", err, wantErr, body)
	}
	if decoding := (*smithy.DeserializationError)(nil); err != nil && !errors.As(err, &decoding) {
		t.Fatalf("error %v is not one of decoding", err)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, and in JSON %+v, of\n%x", got, want, body)
	}
	return ours
}

func TestCBOR(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	child := cbor.Map{"ChildShards": cbor.List{cbor.Map{
		"ShardId": cbor.String("s"), "ParentShards": cbor.List{cbor.String("p")}, "HashKeyRange": cbor.Map{"StartingHashKey": cbor.String("0"), "EndingHashKey": cbor.String("9")},
	}}}
	for name, tt := range map[string]struct {
		body cbor.Value
		ours bool
	}{
		"no records":      {page(nil), true},
		"records":         {page(nil, record(nil), record(cbor.Map{"Data": cbor.Slice{}, "PartitionKey": cbor.String("")})), true},
		"nothing in one":  {page(nil, cbor.Map{}), true},
		"null":            {page(nil, record(cbor.Map{"Data": &cbor.Nil{}, "PartitionKey": &cbor.Nil{}})), true},
		"encryption":      {page(nil, record(cbor.Map{"EncryptionType": cbor.String("KMS")}), record(cbor.Map{"EncryptionType": cbor.String("X")})), true},
		"unknown members": {page(cbor.Map{"New": cbor.List{cbor.Map{"a": cbor.Bool(true)}}}, record(cbor.Map{"New": cbor.List{cbor.NegInt(7), cbor.Map{"b": &cbor.Nil{}}}})), true},
		"children":        {page(child, record(nil)), true},
		"a long key":      {page(nil, record(cbor.Map{"PartitionKey": cbor.String(strings.Repeat("ключ", 100))})), true},
		"much data":       {page(nil, record(cbor.Map{"Data": cbor.Slice(bytes.Repeat([]byte("x"), 100_000))})), true},

		"deep":                {page(cbor.Map{"New": deep(100)}), false},
		"no list":             {cbor.Map{"MillisBehindLatest": cbor.Uint(7)}, false},
		"no map":              {cbor.List{}, false},
		"records are a map":   {page(cbor.Map{"Records": cbor.Map{}}), false},
		"a record is null":    {page(nil, &cbor.Nil{}), false},
		"a record is a text":  {page(nil, cbor.String("x")), false},
		"data is a text":      {page(nil, record(cbor.Map{"Data": cbor.String("aGVsbG8=")})), false},
		"data is a number":    {page(nil, record(cbor.Map{"Data": cbor.Uint(1)})), false},
		"a key is bytes":      {page(nil, record(cbor.Map{"PartitionKey": cbor.Slice("k")})), false},
		"a key is not UTF-8":  {page(nil, record(cbor.Map{"PartitionKey": cbor.String("\xff")})), false},
		"an early time":       {page(nil, record(cbor.Map{"ApproximateArrivalTimestamp": &cbor.Tag{ID: 1, Value: cbor.Uint(5)}})), false},
		"a time before 1970":  {page(nil, record(cbor.Map{"ApproximateArrivalTimestamp": &cbor.Tag{ID: 1, Value: cbor.NegInt(1500)}})), false},
		"a time in seconds":   {page(nil, record(cbor.Map{"ApproximateArrivalTimestamp": cbor.Float64(1.7e9)})), false},
		"another tag":         {page(nil, record(cbor.Map{"ApproximateArrivalTimestamp": &cbor.Tag{ID: 2, Value: cbor.Uint(5)}})), false},
		"a float that is NaN": {page(nil, record(cbor.Map{"ApproximateArrivalTimestamp": cbor.Float64(nan())})), false},
	} {
		body := cbor.Encode(tt.body)
		if ours := s.sameAsJSON(t, &decode.Decoder{CBOR: true}, body); ours != tt.ours {
			t.Errorf("%s: decoded here is %v", name, ours)
		}
		if s.sameAsJSON(t, &decode.Decoder{CBOR: true}, body[:len(body)-1]) && tt.ours {
			t.Errorf("%s, but for the last byte: decoded here", name)
		}
	}
	// Lengths that are not told, as Jackson writes them.
	for _, body := range []string{
		"\xbf\x67Records\x9f\xbf\x64Data\x45hello\x6cPartitionKey\x61k\xff\xff\x71NextShardIterator\x61i\xff",
		"\xbf\x67Records\x9f\xff\xff",
	} {
		if !s.sameAsJSON(t, &decode.Decoder{CBOR: true}, []byte(body)) {
			t.Errorf("left to the SDK: %q", body)
		}
	}
	for _, body := range []string{
		"", "\xbf\x67Records\x9f\xbf\x64Data\x5f\x43hel\x42lo\xff\xff\xff\xff", "\xa1\x67Records\x80x", "\xa2\x67Records\x80\x67Records\x80", "\xa1\x67Records\x81\xa2\x64Data\x41a\x64Data\x41b",
		"\xa1\x67Records\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", "\xa1\x67Records\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "\xa1\x67Records\x81\xa1\x64Data\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
		"\xa1\x67Records\x81\xa1\x61x" + strings.Repeat("\x81", 1000), "\xff",
	} {
		if s.sameAsJSON(t, &decode.Decoder{CBOR: true}, []byte(body)) {
			t.Errorf("not left to the SDK: %q", body)
		}
	}
}

// Plain pages are told from others.
func TestCBORPlain(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	for data, plain := range map[string]bool{"": true, "x": true, "\xf3\x89": true, "\xf3\x89\x9a\xc2 and so on": false} {
		var p decode.Page
		body := cbor.Encode(page(nil, record(nil), record(cbor.Map{"Data": cbor.Slice(data)}), record(nil)))
		if _, err := s.inCBOR(t.Context(), &decode.Decoder{CBOR: true}, new(decode.Call), &p, http.StatusOK, contentCBOR, body); err != nil || p.Plain != plain {
			t.Errorf("%q: %v, plain is %v", data, err, p.Plain)
		}
	}
}

func deep(n int) (v cbor.Value) {
	for range n {
		v = cbor.List{v}
		if v.(cbor.List)[0] == nil {
			v = cbor.List{}
		}
	}
	return v
}

func nan() float64 {
	var zero float64
	return zero / zero
}

func TestCBORSpoilt(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	d := &decode.Decoder{CBOR: true}
	rapid.Check(t, func(t *rapid.T) {
		var records []cbor.Value
		for range rapid.IntRange(0, 4).Draw(t, "records") {
			r := record(cbor.Map{"Data": cbor.Slice(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")), "PartitionKey": cbor.String(rapid.String().Draw(t, "key"))})
			delete(r, rapid.SampledFrom([]string{"", "Data", "PartitionKey", "SequenceNumber"}).Draw(t, "missing"))
			records = append(records, r)
		}
		body := cbor.Encode(page(nil, records...))
		for range rapid.IntRange(0, 2).Draw(t, "spoilt") {
			body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		s.sameAsJSON(t, d, body[:rapid.IntRange(0, len(body)).Draw(t, "cut")])
		s.sameAsJSON(t, d, body)
	})
}

func FuzzCBOR(f *testing.F) {
	f.Add(cbor.Encode(page(nil, record(nil), record(cbor.Map{"New": cbor.List{cbor.NegInt(7)}}))))
	f.Add([]byte("\xbf\x67Records\x9f\xbf\x64Data\x45hello\x6cPartitionKey\x61k\xff\xff\x71NextShardIterator\x61i\xff"))
	s := newSDK(f)
	d := &decode.Decoder{CBOR: true}
	f.Fuzz(func(t *testing.T, body []byte) { s.sameAsJSON(t, d, body) })
}

// What a server answers that does not know CBOR turns it off, and is told once.
func TestCBORRefused(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	failure := func(code string) []byte {
		return cbor.Encode(cbor.Map{"__type": cbor.String(code), "message": cbor.String("no")})
	}
	good := cbor.Encode(page(nil, record(nil)))
	for _, tt := range []struct {
		name    string
		status  int
		content string
		body    []byte
		refused bool
		code    string // of the error
	}{
		{"a page", 200, contentCBOR, good, false, ""},
		{"a page in JSON", 200, "application/x-amz-json-1.1", []byte(`{"Records":[` + oneRecord + `]}`), true, ""},
		{"an expired iterator", 400, contentCBOR, failure("ExpiredIteratorException"), false, "ExpiredIteratorException"},
		{"throttled", 400, contentCBOR, failure("ProvisionedThroughputExceededException"), false, "ProvisionedThroughputExceededException"},
		{"not understood", 400, contentCBOR, failure("SerializationException"), true, "SerializationException"},
		{"an unknown operation", 400, contentCBOR, failure("com.amazon.coral.service#UnknownOperationException"), true, "UnknownOperationException"},
		{"an error in JSON", 400, "application/x-amz-json-1.1", []byte(`{"__type":"SerializationException","message":"no"}`), true, "SerializationException"},
		{"415", 415, "text/plain", []byte(`{}`), true, "UnknownError"},
		{"a failure of the service", 500, contentCBOR, failure("InternalFailureException"), false, "InternalFailureException"},
		{"a failure on the way", 503, "text/html", []byte(`{}`), false, "UnknownError"},
	} {
		told := 0
		d := &decode.Decoder{CBOR: true, Refused: func(string) { told++ }}
		var p decode.Page
		call := new(decode.Call)
		_, err := s.inCBOR(t.Context(), d, call, &p, tt.status, tt.content, bytes.Clone(tt.body))
		if api, ok := errors.AsType[smithy.APIError](err); ok != (tt.code != "") || ok && api.ErrorCode() != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
		if again := d.Again(call); again != tt.refused {
			t.Errorf("%s: again is %v", tt.name, again)
		}
		if tt.refused { // from then on JSON is asked for, and is what comes
			call := new(decode.Call)
			_, err := s.inCBOR(t.Context(), d, call, &p, http.StatusOK, "application/x-amz-json-1.1", []byte(`{"Records":[`+oneRecord+`]}`))
			if err != nil || !p.Ours || d.Again(call) {
				t.Errorf("%s: after it %v", tt.name, err)
			}
		}
		if (told > 0) != tt.refused || told > 1 {
			t.Errorf("%s: told %d times", tt.name, told)
		}
	}
	_, ok := errors.AsType[*types.ExpiredIteratorException](func() error {
		_, err := s.inCBOR(t.Context(), &decode.Decoder{CBOR: true}, new(decode.Call), new(decode.Page), 400, contentCBOR, failure("ExpiredIteratorException"))
		return err
	}())
	if !ok {
		t.Error("an error in CBOR is not the SDK's")
	}
}

// A request in CBOR says what the one in JSON says.
func TestCBORRequest(t *testing.T) {
	t.Parallel()
	s := newSDK(t)
	req := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	in := &kinesis.GetRecordsInput{ShardIterator: aws.String("i"), Limit: aws.Int32(10_000), StreamARN: aws.String("arn"), DryRun: aws.Bool(false)}
	p := (&decode.Decoder{CBOR: true}).Wrap(s.ClientProtocol)
	if err := p.SerializeRequest(new(decode.Call).In(t.Context()), s.schema, in, req); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.GetStream())
	if err != nil {
		t.Fatal(err)
	}
	got, err := cbor.Decode(body)
	want := cbor.Map{"ShardIterator": cbor.String("i"), "Limit": cbor.Uint(10_000), "StreamARN": cbor.String("arn"), "DryRun": cbor.Bool(false)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if req.Header.Get("Content-Type") != contentCBOR || !strings.HasSuffix(req.Header.Get("X-Amz-Target"), ".GetRecords") {
		t.Errorf("headers %v", req.Header)
	}
}
