package kinesissource

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
)

// checkJump returns an error if out is a page behind records that have expired
// unread. An iterator that the end of the retention period overtakes goes on at
// the oldest record without a word. If the last record read is still there after
// out was made, nothing after it was missing in out.
func (r *reader) checkJump(ctx context.Context, out *kinesis.GetRecordsOutput) error {
	r.sawTime(serverTime(out.ResultMetadata))
	empty := len(out.Records) == 0 && out.NextShardIterator != nil
	if empty || r.last == "" || r.recheck || r.lastArrival.IsZero() || !r.lastMayBeTrimmed() {
		return nil // without arrival times it is not Kinesis, and nothing can be told
	}
	in := &kinesis.GetShardIteratorInput{}
	if _, err := r.setStart(in); err != nil {
		return err
	}
	iterator, _, err := r.getIterator(ctx, in)
	if err != nil {
		return err
	}
	for iterator != "" {
		again, err := r.getRecords(ctx, iterator, 1)
		if err != nil {
			return err
		}
		if len(again.Records) > 0 && aws.ToString(again.Records[0].SequenceNumber) == r.last {
			return nil
		}
		if len(again.Records) > 0 {
			break
		}
		iterator = aws.ToString(again.NextShardIterator)
	}
	return r.lastIsGone()
}

func (r *reader) lastIsGone() error {
	return fmt.Errorf("reading shard %s of stream %s: %w: %s was read, and is not there any more", r.shardID, r.src.o.StreamName, kcl.ErrTrimmed, r.last)
}
