package kinesissource

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/kcl"
)

// checkJump returns an error if a is a page behind records that have expired
// unread. An iterator that the end of the retention period overtakes goes on at
// the oldest record without a word. If the last record read is still there after
// a was made, nothing after it was missing in a.
func (r *reader) checkJump(ctx context.Context, a *answer) error {
	r.sawTime(a.at)
	empty := len(a.records) == 0 && a.next != ""
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
		again, err := r.getRecords(ctx, iterator, 1, kcl.Room{})
		if err != nil {
			return err
		}
		some := len(again.records) > 0
		found := some && again.records[0].SequenceNumber == r.last
		again.page.Release()
		if found {
			return nil
		}
		if some {
			break
		}
		iterator = again.next
	}
	return r.lastIsGone()
}

func (r *reader) lastIsGone() error {
	return fmt.Errorf("reading shard %s of stream %s: %w: %s was read, and is not there any more", r.shardID, r.src.o.StreamName, kcl.ErrTrimmed, r.last)
}
