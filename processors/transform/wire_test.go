package transform_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/processors/transform"
)

// event is aws-lambda-go's events.KinesisFirehoseEvent, member for member.
type event struct {
	InvocationID           string `json:"invocationId"`
	DeliveryStreamArn      string `json:"deliveryStreamArn"`
	SourceKinesisStreamArn string `json:"sourceKinesisStreamArn"`
	Region                 string `json:"region"`
	Records                []struct {
		RecordID                    string `json:"recordId"`
		ApproximateArrivalTimestamp int64  `json:"approximateArrivalTimestamp"`
		Data                        []byte `json:"data"`
		KinesisRecordMetadata       struct {
			ShardID                     string `json:"shardId"`
			PartitionKey                string `json:"partitionKey"`
			SequenceNumber              string `json:"sequenceNumber"`
			SubsequenceNumber           int64  `json:"subsequenceNumber"`
			ApproximateArrivalTimestamp int64  `json:"approximateArrivalTimestamp"`
		} `json:"kinesisRecordMetadata"`
	} `json:"records"`
}

// response is aws-lambda-go's events.KinesisFirehoseResponse: what a function without
// partition keys marshals has null for them, and an empty otfMetadata.
type response struct {
	Records []responseRecord `json:"records"`
}

type responseRecord struct {
	RecordID string `json:"recordId"`
	Result   string `json:"result"`
	Data     []byte `json:"data"`
	Metadata struct {
		PartitionKeys map[string]string `json:"partitionKeys"`
		OTFMetadata   struct {
			DestinationTableName    string `json:"destinationTableName"`
			DestinationDatabaseName string `json:"destinationDatabaseName"`
			Operation               string `json:"operation"`
		} `json:"otfMetadata"`
	} `json:"metadata"`
}

func origin() transform.Origin {
	return transform.Origin{
		DeliveryStreamARN: transform.DeliveryStreamARN("us-east-1", "123456789012", "orders"),
		SourceStreamARN:   "arn:aws:kinesis:us-east-1:123456789012:stream/orders-src", Region: "us-east-1",
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1456405200000)
	b := &transform.Batch{InvocationID: "9f7a", Origin: origin(), Records: []transform.Record{
		{ID: "id\"1", Data: []byte("Hello\n"), Arrival: at, ShardID: "shardId-000000000000", PartitionKey: "p\\k\x01é", SequenceNumber: "49557", SubSequenceNumber: 3},
		{ID: "2", Data: nil, ShardID: "shardId-000000000001", SequenceNumber: "49558"},
	}}
	want := `{"invocationId":"9f7a","deliveryStreamArn":"arn:aws:firehose:us-east-1:123456789012:deliverystream/orders",` +
		`"sourceKinesisStreamArn":"arn:aws:kinesis:us-east-1:123456789012:stream/orders-src","region":"us-east-1","records":[` +
		`{"recordId":"id\"1","approximateArrivalTimestamp":1456405200000,"data":"SGVsbG8K","kinesisRecordMetadata":{"shardId":"shardId-000000000000",` +
		`"partitionKey":"p\\k\u0001é","approximateArrivalTimestamp":1456405200000,"sequenceNumber":"49557","subsequenceNumber":3}},` +
		`{"recordId":"2","approximateArrivalTimestamp":0,"data":"","kinesisRecordMetadata":{"shardId":"shardId-000000000001","partitionKey":"",` +
		`"approximateArrivalTimestamp":0,"sequenceNumber":"49558","subsequenceNumber":0}}]}`
	if got := string(transform.Request(b)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b = &transform.Batch{InvocationID: "1", Records: []transform.Record{{ID: "2", Arrival: at}}}
	want = `>{"invocationId":"1","deliveryStreamArn":"","region":"","records":[{"recordId":"2","approximateArrivalTimestamp":1456405200000,"data":""}]}`
	if got := string(transform.AppendRequest([]byte(">"), b)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDeliveryStreamARN(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-west-1":     "arn:aws:firehose:eu-west-1:1:deliverystream/s",
		"cn-north-1":    "arn:aws-cn:firehose:cn-north-1:1:deliverystream/s",
		"us-gov-west-1": "arn:aws-us-gov:firehose:us-gov-west-1:1:deliverystream/s",
	} {
		if got := transform.DeliveryStreamARN(region, "1", "s"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func recordGen() *rapid.Generator[transform.Record] {
	return rapid.Custom(func(t *rapid.T) transform.Record {
		r := transform.Record{
			ID: rapid.String().Draw(t, "id"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"), PartitionKey: rapid.String().Draw(t, "partition key"),
			SequenceNumber: rapid.StringMatching(`[0-9]{0,56}`).Draw(t, "sequence"), SubSequenceNumber: rapid.Int64().Draw(t, "sub-sequence"),
			ShardID: rapid.SampledFrom([]string{"", "shardId-000000000000"}).Draw(t, "shard"),
		}
		if rapid.Bool().Draw(t, "arrived") {
			r.Arrival = time.UnixMilli(rapid.Int64Range(0, 1<<43).Draw(t, "arrival"))
		}
		return r
	})
}

// A request is what aws-lambda-go reads, and exactly as long as its records' sizes say.
func TestRequestIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := &transform.Batch{InvocationID: "i", Origin: origin(), Records: rapid.SliceOfN(recordGen(), 0, 5).Draw(t, "records")}
		request := transform.Request(b)
		var e event
		d := json.NewDecoder(bytes.NewReader(request))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if e.DeliveryStreamArn != b.Origin.DeliveryStreamARN || e.SourceKinesisStreamArn != b.Origin.SourceStreamARN || e.Region != "us-east-1" || e.InvocationID != "i" || len(e.Records) != len(b.Records) {
			t.Fatalf("read as %+v", e)
		}
		sum := 0
		for i := range b.Records {
			r, got := &b.Records[i], &e.Records[i]
			var ms int64
			if !r.Arrival.IsZero() {
				ms = r.Arrival.UnixMilli()
			}
			m := got.KinesisRecordMetadata
			if got.RecordID != r.ID || !bytes.Equal(got.Data, r.Data) || got.ApproximateArrivalTimestamp != ms {
				t.Fatalf("%+v is read as %+v", r, got)
			}
			if r.ShardID != "" && (m.ShardID != r.ShardID || m.PartitionKey != r.PartitionKey || m.SequenceNumber != r.SequenceNumber || m.SubsequenceNumber != r.SubSequenceNumber || m.ApproximateArrivalTimestamp != ms) {
				t.Fatalf("%+v is read as %+v", r, m)
			}
			if r.ID == "" {
				r.ID = r.SequenceNumber + "000000000000" // what Size counts
			}
			sum += transform.Size(r)
		}
		if n := len(transform.Request(b)); n != len(transform.Request(&transform.Batch{InvocationID: "i", Origin: origin()}))+max(0, sum-1) {
			t.Fatalf("%d bytes, of which the records have %d", n, sum)
		}
	})
}

// isSame compares results without faults.
func isSame(got, want []transform.Result) bool {
	return slices.EqualFunc(got, want, func(a, b transform.Result) bool {
		return a.ID == b.ID && a.Status == b.Status && bytes.Equal(a.Data, b.Data) && (a.Data == nil) == (b.Data == nil) && maps.Equal(a.PartitionKeys, b.PartitionKeys) && a.Fault == b.Fault
	})
}

// What aws-lambda-go writes is read.
func TestAnswerIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var written response
		var want []transform.Result
		for range rapid.IntRange(0, 4).Draw(t, "records") {
			r := responseRecord{RecordID: rapid.String().Draw(t, "id"), Result: rapid.SampledFrom([]string{"Ok", "Dropped", "ProcessingFailed", "x"}).Draw(t, "result")}
			if rapid.Bool().Draw(t, "data") {
				r.Data = rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
			}
			if rapid.Bool().Draw(t, "keys") {
				r.Metadata.PartitionKeys = rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "map")
			}
			written.Records = append(written.Records, r)
			want = append(want, transform.Result{ID: r.RecordID, Status: transform.Status(r.Result), Data: r.Data, PartitionKeys: r.Metadata.PartitionKeys})
		}
		body, err := json.Marshal(written)
		if err != nil {
			t.Fatal(err)
		}
		a, err := transform.ParseAnswer(body)
		if written.Records == nil {
			if err == nil {
				t.Fatalf("%s has records", body)
			}
			return
		}
		if err != nil || !isSame(a.Results, want) {
			t.Fatalf("%s: %v\ngot  %+v\nwant %+v", body, err, a.Results, want)
		}
		for i := range body {
			body[i] = 'x'
		}
		if !isSame(a.Results, want) {
			t.Fatal("the results are part of what was read")
		}
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, result string // the latter of records
		want         transform.Result
		fault        string
	}{
		{"escapes", `{"recordId":"\u0061","result":"O\u006b","data":"\/\/\/\/"}`, transform.Result{ID: "a", Status: "Ok", Data: []byte{255, 255, 255}}, ""},
		{"lines of base64", `{"recordId":"a","result":"Ok","data":"WFhY\nWA==\n"}`, transform.Result{ID: "a", Status: "Ok", Data: []byte("XXXX")}, ""},
		{"other members", `{"x":[{}],"recordId":"a","y":1e9,"result":"Dropped","kafkaRecordValue":"WA=="}`, transform.Result{ID: "a", Status: "Dropped"}, ""},
		{"names are exact", `{"RecordId":"b","recordId":"a","Result":"Ok","result":"Dropped","DATA":"WA=="}`, transform.Result{ID: "a", Status: "Dropped"}, ""},
		{"the last of a name", `{"recordId":"b","recordId":"a","result":1,"result":"Ok","data":"?","data":"WA==","metadata":1,"metadata":null}`, transform.Result{ID: "a", Status: "Ok", Data: []byte("X")}, ""},
		{"no padding", `{"recordId":"a","result":"Ok","data":"WA"}`, transform.Result{}, "The data of the record is not base64."},
		{"base64 of URLs", `{"recordId":"a","result":"Ok","data":"____"}`, transform.Result{}, "The data of the record is not base64."},
		{"data that is a number", `{"recordId":"a","result":"Ok","data":1}`, transform.Result{}, "The data of the record is not a text."},
		{"data of what is not delivered", `{"recordId":"a","result":"Dropped","data":"?","metadata":1}`, transform.Result{ID: "a", Status: "Dropped"}, ""},
		{"a result that is no text", `{"recordId":"a","result":null,"data":"WA=="}`, transform.Result{}, "The result of the record is not a text."},
		{"no result", `{"recordId":"a","data":"WA=="}`, transform.Result{ID: "a", Data: []byte("X")}, ""},
		{
			"scalars as keys", `{"recordId":"a","result":"Ok","data":"","metadata":{"partitionKeys":{"n":-1.50,"t":true,"z":null,"s":"x"},"otfMetadata":{}}}`,
			transform.Result{ID: "a", Status: "Ok", Data: []byte{}, PartitionKeys: map[string]string{"n": "-1.50", "t": "true", "z": "", "s": "x"}},
			"",
		},
		{"an object as key", `{"recordId":"a","result":"Ok","data":"","metadata":{"partitionKeys":{"n":{}}}}`, transform.Result{}, "A value of the partitionKeys of the record is not a text."},
		{"keys that are a list", `{"recordId":"a","result":"Ok","data":"","metadata":{"partitionKeys":[]}}`, transform.Result{}, "The partitionKeys of the record are not an object."},
		{"metadata that is a text", `{"recordId":"a","result":"Ok","data":"","metadata":"x"}`, transform.Result{}, "The metadata of the record is not an object."},
		{"keys that are null", `{"recordId":"a","result":"Ok","data":"","metadata":{"partitionKeys":null}}`, transform.Result{ID: "a", Status: "Ok", Data: []byte{}}, ""},
		{"an id that is a number", `{"recordId":1,"result":"Dropped"}`, transform.Result{Status: "Dropped"}, ""},
		{"no object", `"a"`, transform.Result{}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a, err := transform.ParseAnswer([]byte(` {"invocationId" : "i", "records":[` + row.result + `] , "more":null} ` + "\n"))
			if err != nil || a.InvocationID != "i" || len(a.Results) != 1 {
				t.Fatalf("%+v, %v", a, err)
			}
			got := a.Results[0]
			if row.fault == "" {
				if !isSame([]transform.Result{got}, []transform.Result{row.want}) {
					t.Errorf("got %+v, want %+v", got, row.want)
				}
			} else if got.ID != "a" || got.Fault == nil || got.Fault.Code != "Lambda.JsonMappingException" || got.Fault.Message != row.fault || got.Data != nil || got.Status != "" {
				t.Errorf("got %+v, want the fault %q", got, row.fault)
			}
		})
	}
}

// What is of no record takes no memory, however much of it there is.
func TestUnnamed(t *testing.T) {
	t.Parallel()
	a, err := transform.ParseAnswer([]byte(`{"records":[` + strings.Repeat(`{},`, 1<<20) + `{"recordId":"a","result":"Dropped"}]}`))
	if err != nil || len(a.Results) != 101 || a.Results[100].ID != "a" {
		t.Errorf("%d results, %v", len(a.Results), err)
	}
}

func TestNoAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``: "JSON", `x`: "JSON", `{"records":[`: "JSON", `{"records":[]}x`: "JSON", `{"records":[{"recordId":"a","result":"Ok","data":"WA=="`: "JSON", `{"records":[],"x":01}`: "JSON",
		`[]`: "object", `"Ok"`: "object", `null`: "object", `{}`: "records", `{"records":{}}`: "records", `{"records":null}`: "records", `{"errorMessage":"x"}`: "records", `{"records":[],"records":1}`: "records",
	} {
		a, err := transform.ParseAnswer([]byte(body))
		if err == nil || !strings.Contains(err.Error(), want) || a.Results != nil && want != "records" {
			t.Errorf("%s: %+v, %v; want an error about %s", body, a, err, want)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"records":[{"recordId":"a","result":"Ok","data":"WA==","metadata":{"partitionKeys":{"k":"v"}}},{"recordId":"b","result":"Dropped"}]}`))
	f.Add([]byte(`{"records":[{"recordId":"a","result":"Ok","data":"WA","metadata":{"partitionKeys":{"k":{}}}},1,null]}`))
	f.Add([]byte(`{"invocationId":1,"records":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := transform.ParseAnswer(body)
		if err == nil && !json.Valid(body) {
			t.Errorf("%q is taken for JSON", body)
		}
		for _, r := range a.Results {
			if r.Fault != nil && (r.Fault.Code != "Lambda.JsonMappingException" || r.Fault.Retry) {
				t.Errorf("the fault %+v", r.Fault)
			}
		}
		if len(a.Results) > bytes.Count(body, []byte{','})+1 {
			t.Errorf("%q has %d results", body, len(a.Results))
		}
	})
}
