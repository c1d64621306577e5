package kinesissource

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// The limits of a shard, shared by all its readers that poll.
const (
	minCallGap     = time.Second / 5
	bytesPerSecond = 2 << 20
)

// waitTurn waits until a call may be made. The next one may follow when the
// limit of calls allows; setPace puts it off further.
func (r *reader) waitTurn(ctx context.Context) error {
	if err := rest(ctx, time.Until(r.notBefore)); err != nil {
		return err
	}
	r.called = time.Now()
	r.notBefore = r.called
	if !r.src.o.NoRateLimit {
		r.notBefore = r.called.Add(minCallGap)
	}
	return nil
}

// setPace puts the next call off until the shard may be read again after what
// out took of it, and if there is nothing more to read, for the poll interval.
// limit is the most records that out could have.
func (r *reader) setPace(out *kinesis.GetRecordsOutput, limit int) {
	wait := r.notBefore.Sub(r.called)
	if !r.src.o.NoRateLimit {
		wait = max(wait, time.Duration(size(out))*time.Second/bytesPerSecond)
	}
	if aws.ToInt64(out.MillisBehindLatest) == 0 && len(out.Records) < limit {
		wait = max(wait, r.src.o.PollInterval)
	}
	r.notBefore = r.called.Add(wait)
}

// size returns how many bytes of the shard's throughput an answer took.
func size(out *kinesis.GetRecordsOutput) (n int64) {
	for i := range out.Records {
		n += int64(len(out.Records[i].Data) + len(aws.ToString(out.Records[i].PartitionKey)))
	}
	return n
}
