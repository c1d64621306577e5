package kinesissource

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"go.uber.org/zap"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kinesissource/internal/decode"
)

// maxRenewals is how many iterators one Next takes before it gives up: an
// iterator that is refused at once will be refused again.
const maxRenewals = 3

// reader reads one shard. Its state changes only when a page is returned, so
// that an error skips nothing.
type reader struct {
	src     *Source
	shardID string
	from    checkpoint.Position

	iterator string // "" if a new one is needed
	proven   bool   // the service accepted the iterator, or one it came from

	last        string    // sequence number of the last record read, "" if none
	lastArrival time.Time // its arrival
	recheck     bool      // last is read once more, to see that it is still there

	// latestSince is when a bare LATEST began, by the service's clock: a
	// renewed iterator begins there, not at a later LATEST.
	latestSince time.Time

	at      time.Time // the service's clock in the last answer that told it
	atTaken time.Time // our clock then
	ended   *kcl.Page // what Next returns after the shard ended
	asking  asking
	pace    pace
}

// Next implements kcl.ShardReader. After a page with End it returns another
// one, without records.
func (r *reader) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	if ctx.Err() != nil {
		return kcl.Page{}, context.Cause(ctx)
	}
	if r.ended != nil {
		return *r.ended, nil
	}
	var refused error
	for range maxRenewals {
		if err := r.openIterator(ctx); err != nil {
			return kcl.Page{}, err
		}
		limit := r.asking.records(room)
		a, err := r.getRecords(ctx, r.iterator, limit, room)
		r.learn(len(a.records), limit, a.memory(), err)
		if err == nil {
			var p kcl.Page
			if err = r.checkJump(ctx, a); err == nil {
				p, err = r.page(ctx, a, limit)
			}
			if err != nil {
				a.page.Release()
			}
			return p, err
		}
		if refused, err = r.afterRefusal(ctx, err); err != nil {
			return kcl.Page{}, err
		}
	}
	return kcl.Page{}, refused
}

// afterRefusal handles an error of GetRecords. If a new iterator may help it
// returns err as refused, else the error to return.
func (r *reader) afterRefusal(ctx context.Context, err error) (refused, final error) {
	switch {
	case isExpiredIterator(err):
		r.iterator = ""
		r.src.o.Logger.Debug("renewing an expired iterator", zap.String("stream", r.src.o.StreamName),
			zap.String("shard", r.shardID), zap.String("after", r.last))
		return err, nil
	case isInvalidArgument(err):
		r.iterator = ""
		if r.proven {
			return err, nil
		}
		return nil, r.maybeTrimmed(err)
	case isResourceNotFound(err):
		r.iterator = ""
		return nil, r.missing(ctx, err)
	}
	return nil, err
}

// Close implements kcl.ShardReader. Between two calls a reader that polls holds
// nothing.
func (*reader) Close() {}

// getRecords makes one successful call, whose answer is to keep to room.
func (r *reader) getRecords(ctx context.Context, iterator string, limit int, room kcl.Room) (*answer, error) {
	a := new(answer)
	in := &kinesis.GetRecordsInput{
		ShardIterator: aws.String(iterator),
		Limit:         aws.Int32(int32(limit)),
		StreamARN:     r.src.arn(),
	}
	err := r.src.call(ctx, opGetRecords, r.shardID, r.waitTurn, func(ctx context.Context) error {
		call := &decode.Call{Room: room, Limit: limit}
		out, err := r.src.api.GetRecords(call.In(ctx), in, r.src.perCall)
		if err != nil && r.src.decoder.Again(call) {
			out, err = r.src.api.GetRecords(call.In(ctx), in, r.src.perCall)
		}
		if err != nil {
			call.Drop() // an answer may have been read, and refused after that
			if isRateExceeded(err) {
				r.slowDown(err)
			}
			return err
		}
		if a.page, err = call.Take(out); err != nil {
			return err
		}
		if err = a.take(out); err != nil {
			a.page.Release()
		}
		return err
	})
	return a, err
}

// page makes a page of an answer, of at most limit records, and moves the reader
// behind it.
func (r *reader) page(ctx context.Context, a *answer, limit int) (kcl.Page, error) {
	records, err := r.fresh(a)
	if err != nil {
		r.iterator = ""
		return kcl.Page{}, err
	}
	p := kcl.Page{Records: records, BehindLatest: a.behind, At: a.at}
	if a.page.Ours {
		p.Memory, p.Plain, p.Release = a.page.Memory, a.page.Plain, a.page.Release
	}
	if a.next == "" {
		if p.Children, err = r.children(ctx, a.children); err != nil {
			return kcl.Page{}, err
		}
		p.End = true
		r.ended = &kcl.Page{At: p.At, End: true, Children: p.Children}
	}
	r.iterator, r.proven = a.next, true
	if n := len(p.Records); n > 0 {
		r.last = strings.Clone(p.Records[n-1].SequenceNumber) // those of the page are one string
		r.lastArrival = p.Records[n-1].ApproximateArrivalTimestamp
	}
	r.recheck = r.recheck && len(a.records) == 0
	r.sawTime(p.At)
	if len(p.Records) > 0 && !r.lastArrival.IsZero() && r.lastMayBeTrimmed() {
		r.iterator = "" // the next page begins at the last record; to check this one afterwards costs one call more
	}
	r.pace = r.pace.page(len(a.records), a.size, a.behind > 0 || len(a.records) >= limit)
	return p, nil
}

// fresh returns the records that were not read before. While recheck is set the
// first record of the service must be the last one read.
func (r *reader) fresh(a *answer) ([]kcl.Record, error) {
	if !r.recheck || len(a.records) == 0 && a.next != "" {
		return a.records, nil
	}
	if len(a.records) == 0 || a.records[0].SequenceNumber != r.last {
		return nil, r.lastIsGone()
	}
	return a.records[1:], nil
}

func (r *reader) sawTime(at time.Time) {
	if !at.IsZero() {
		r.at, r.atTaken = at, time.Now()
	}
}

// now returns what the service's clock shows, or ours if it never told.
func (r *reader) now() time.Time {
	if r.at.IsZero() {
		return time.Now()
	}
	return r.at.Add(time.Since(r.atTaken))
}
