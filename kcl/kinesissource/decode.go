package kinesissource

import (
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource/internal/decode"
)

// answer is what a GetRecords brought. The SDK's types end here. Whoever gets one
// releases it, or has the page's user do so.
type answer struct {
	records  []kcl.Record
	page     *decode.Page // that the records are of, if it was decoded here
	size     int64        // what it took of the shard's throughput, in bytes
	behind   time.Duration
	at       time.Time   // the service's clock; zero if it told none
	next     string      // the iterator of the next page; "" if the shard has ended
	children []kcl.Shard // of a shard that has ended, if they were named
}

// errNoAnswer means that something answered in place of the service: the end of a
// shard, too, tells how far behind it is.
var errNoAnswer = errors.New("an answer with success has neither an iterator nor MillisBehindLatest: it is none of GetRecords")

// take makes a the answer of a call whose page was decoded here, or by the SDK if
// it did not let us.
//
// Errors: errNoAnswer.
func (a *answer) take(out *kinesis.GetRecordsOutput) error {
	if out.NextShardIterator == nil && out.MillisBehindLatest == nil && len(out.ChildShards) == 0 {
		return errNoAnswer
	}
	a.behind = time.Duration(aws.ToInt64(out.MillisBehindLatest)) * time.Millisecond
	a.at = serverTime(out.ResultMetadata)
	a.next = aws.ToString(out.NextShardIterator)
	for _, c := range out.ChildShards {
		a.children = append(a.children, kcl.Shard{ID: aws.ToString(c.ShardId), ParentIDs: c.ParentShards, Range: hashRange(c.HashKeyRange)})
	}
	if a.page.Ours {
		a.records, a.size = a.page.Records, a.page.Size
		return nil
	}
	if len(out.Records) > 0 {
		a.records = make([]kcl.Record, len(out.Records))
	}
	for i := range out.Records {
		a.records[i] = record(&out.Records[i])
		a.size += int64(len(a.records[i].Data) + len(a.records[i].PartitionKey))
	}
	return nil
}

func record(in *types.Record) kcl.Record {
	out := kcl.Record{
		SequenceNumber: aws.ToString(in.SequenceNumber),
		PartitionKey:   aws.ToString(in.PartitionKey), // absent under AUTO record distribution
		Data:           in.Data,
		EncryptionType: string(in.EncryptionType),
	}
	if t := in.ApproximateArrivalTimestamp; t != nil {
		out.ApproximateArrivalTimestamp = t.Round(time.Millisecond) // the wire has a fraction of a second
	}
	return out
}

func shard(in *types.Shard) kcl.Shard {
	out := kcl.Shard{ID: aws.ToString(in.ShardId), Range: hashRange(in.HashKeyRange)}
	for _, parent := range []*string{in.ParentShardId, in.AdjacentParentShardId} {
		if aws.ToString(parent) != "" {
			out.ParentIDs = append(out.ParentIDs, *parent)
		}
	}
	if r := in.SequenceNumberRange; r != nil {
		out.StartingSequenceNumber = aws.ToString(r.StartingSequenceNumber)
		out.EndingSequenceNumber = aws.ToString(r.EndingSequenceNumber)
	}
	return out
}

func hashRange(in *types.HashKeyRange) kcl.HashRange {
	if in == nil {
		return kcl.HashRange{}
	}
	return kcl.HashRange{Start: aws.ToString(in.StartingHashKey), End: aws.ToString(in.EndingHashKey)}
}

// serverTime returns the Date of an answer, which has whole seconds; zero if it
// had none.
func serverTime(m middleware.Metadata) time.Time {
	t, _ := awsmiddleware.GetServerTime(m)
	return t
}
