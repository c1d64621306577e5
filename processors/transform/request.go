package transform

import (
	"encoding/base64"
	"strconv"

	"github.com/shardmill/shardmill/processors/internal/jackson"
)

// What a call may have, as Lambda's synchronous invocation: 6 MiB both ways, and the
// 100 bytes more that Lambda grants an answer.
const (
	MaxRequestBytes = 6 << 20
	MaxAnswerBytes  = 6<<20 + 100

	// MaxBytes is how much the records of a batch may have together, by Size. The rest
	// of MaxRequestBytes is for what surrounds them: the ARNs of an Origin, above all.
	MaxBytes = MaxRequestBytes - 8<<10
)

// Size is how many bytes r has in a request, with the comma that follows it. Without an
// ID it counts the one that Run gives it.
func Size(r *Record) int {
	var room [512]byte // stays on the stack
	data := r.Data
	shell := *r
	shell.Data = nil
	n := len(appendRecord(room[:0], &shell)) + 1 + base64.StdEncoding.EncodedLen(len(data))
	if r.ID == "" {
		n += len(jackson.Append(room[:0], r.SequenceNumber)) + len(zeros)
	}
	return n
}

// identify gives each record an ID that is unique in the batch: its sequence number,
// and where it stands.
func identify(records []Record) {
	for i := range records {
		ordinal := strconv.Itoa(i)
		records[i].ID = records[i].SequenceNumber + zeros[len(ordinal):] + ordinal
	}
}

const zeros = "000000000000"

// AppendRequest appends the request for b as Firehose makes it for a Lambda function:
// one object of JSON, without a newline. A record without a ShardID has no
// kinesisRecordMetadata. It keeps nothing of b. Source: Firehose's guide, "Data
// transformation", and aws-lambda-go's events.KinesisFirehoseEvent.
func AppendRequest(dst []byte, b *Batch) []byte {
	dst = appendText(dst, `{"invocationId":"`, b.InvocationID)
	dst = appendText(dst, `,"deliveryStreamArn":"`, b.Origin.DeliveryStreamARN)
	if b.Origin.SourceStreamARN != "" {
		dst = appendText(dst, `,"sourceKinesisStreamArn":"`, b.Origin.SourceStreamARN)
	}
	dst = appendText(dst, `,"region":"`, b.Origin.Region)
	dst = append(dst, `,"records":[`...)
	for i := range b.Records {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRecord(dst, &b.Records[i])
	}
	return append(dst, `]}`...)
}

func appendRecord(dst []byte, r *Record) []byte {
	var arrival int64
	if !r.Arrival.IsZero() {
		arrival = r.Arrival.UnixMilli()
	}
	dst = appendText(dst, `{"recordId":"`, r.ID)
	dst = strconv.AppendInt(append(dst, `,"approximateArrivalTimestamp":`...), arrival, 10)
	dst = base64.StdEncoding.AppendEncode(append(dst, `,"data":"`...), r.Data)
	dst = append(dst, '"')
	if r.ShardID == "" {
		return append(dst, '}')
	}
	dst = appendText(dst, `,"kinesisRecordMetadata":{"shardId":"`, r.ShardID)
	dst = appendText(dst, `,"partitionKey":"`, r.PartitionKey)
	dst = strconv.AppendInt(append(dst, `,"approximateArrivalTimestamp":`...), arrival, 10)
	dst = appendText(dst, `,"sequenceNumber":"`, r.SequenceNumber)
	dst = strconv.AppendInt(append(dst, `,"subsequenceNumber":`...), r.SubSequenceNumber, 10)
	return append(dst, `}}`...)
}

func appendText(dst []byte, member, s string) []byte {
	return append(jackson.Append(append(dst, member...), s), '"')
}

// Request returns the request for b, see [AppendRequest].
func Request(b *Batch) []byte {
	size := MaxRequestBytes - MaxBytes
	for i := range b.Records { // about, as texts may have escapes
		r := &b.Records[i]
		size += base64.StdEncoding.EncodedLen(len(r.Data)) + len(r.ID) + len(r.ShardID) + len(r.PartitionKey) + len(r.SequenceNumber) + 300
	}
	return AppendRequest(make([]byte, 0, size), b)
}
