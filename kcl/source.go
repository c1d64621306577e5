package kcl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/internal/shardsync"
	"github.com/shardmill/shardmill/lease"
)

// Source is a stream as a worker needs it: package kinesissource implements it
// on Kinesis. It is safe for concurrent use.
//
// Each call, a reader's too, ends soon after its context does, and should end by
// itself if the service never answers, with an error that may pass. A worker ends
// the context of a call after two minutes without a sign of life; each request of
// this module's own packages is one, and so is each wait of theirs. A source that
// waits for longer, such as for records that do not come, must return an empty
// page instead.
type Source interface {
	// ListShards returns every shard of the stream that still has records or
	// is open, from all pages of the listing.
	//
	// Errors: ErrStreamNotFound, ErrAccessDenied: as their name says. Any
	// other error may pass: try again later.
	ListShards(ctx context.Context) (ShardList, error)

	// Open returns a reader of the shard that begins at from: at the record
	// itself if from is the place of one (AT_SEQUENCE_NUMBER), at the oldest
	// for TRIM_HORIZON, at the instant from.Arrival for AT_TIMESTAMP and for
	// LATEST with an Arrival, and at the tip for a LATEST without one. It does
	// no I/O.
	Open(shardID string, from checkpoint.Position) ShardReader
}

// ShardList is what ListShards saw.
type ShardList struct {
	Shards []Shard
	At     time.Time // the service's clock when it answered; zero if unknown
}

// now returns the service's clock as it answered, or ours if it told none.
func (l ShardList) now() time.Time {
	if l.At.IsZero() {
		return time.Now()
	}
	return l.At
}

// CheckWhole returns an error unless the open shards cover every hash key once. A
// listing that raced a reshard does not: nothing may be concluded from it.
func (l ShardList) CheckWhole() error { return shardsync.Check(l.Shards) }

// Shard is lease.Shard: one shard of the stream.
type Shard = lease.Shard

// HashRange is lease.HashRange: the part of the hash key space that a shard
// serves. The zero value is unknown.
type HashRange = lease.HashRange

// ShardReader reads one shard, in order. One goroutine owns it, and closes it.
type ShardReader interface {
	// Next returns the next page, which may have no records. It makes one
	// successful call of the service, waits as long as the service's limits
	// and the poll interval ask for, and rides out throttling and expired
	// iterators by itself. It keeps to room as far as it can tell beforehand how
	// large the page will be.
	//
	// Errors: context.Cause(ctx) when ctx is done. One that wraps what room.Grow
	// returned. ErrTrimmed if the record at which reading began, or goes on, is no
	// longer there: open another reader, at TRIM_HORIZON. ErrShardNotFound,
	// ErrStreamNotFound, ErrAccessDenied as their names say. After any other error
	// call Next again, after a while: nothing was skipped.
	Next(ctx context.Context, room Room) (Page, error)

	// Close lets go of what the reader holds, such as a subscription. It is the
	// last call, is made once, whatever Next returned, and must be quick. Pages
	// that Next returned stay good until they are released.
	Close()
}

// Room is the memory that a page may take. The zero value sets no limit.
type Room struct {
	// Bytes, if positive, is what the page should take at most, as Page.Memory
	// counts: a reader asks for so many records as will fit, but for one at least.
	// Of records larger than those before them a page may take more.
	Bytes int64

	// More, if not nil, is asked before an answer is read into memory: see Grow.
	More func(ctx context.Context, bytes int64) error
}

// Grow waits until the page may take so many bytes altogether, for eight seconds at
// most. A reader calls it once it knows how large the answer is and before it takes
// memory for it, even if that is less than r.Bytes. After an error it must let go of
// the answer and return the error, and the same page, or fewer records of it, is what
// the next Next brings.
//
// Errors: a *NoRoomError. context.Cause(ctx) when ctx is done.
func (r Room) Grow(ctx context.Context, bytes int64) error {
	if r.More == nil {
		return nil
	}
	return r.More(ctx, bytes)
}

// NoRoomError is the error of Room.Grow if there is no memory for an answer now: it
// must not keep a connection waiting. It is no failure. A reader should ask for fewer
// records next time, if it asked for more than one; it is called again when there
// is memory for as many as it asks for.
type NoRoomError struct {
	Bytes int64 // what the page would take
}

func (e *NoRoomError) Error() string {
	return fmt.Sprintf("no memory for a page of %d bytes now: that of Config.MaxBytes is in use", e.Bytes)
}

// Page is one answer of the service.
type Page struct {
	Records []Record // as put: aggregated records are not split yet

	// Memory is what the page keeps of the memory until it is released, such as
	// a buffer that is larger than the records' data. 0: what the records tell.
	Memory int64

	// Plain says that no record's data begins as an aggregated record's does. If it
	// is not set the records are looked at.
	Plain bool

	// Release, if not nil, is called once when nothing uses Records' data any
	// more.
	Release func()

	BehindLatest time.Duration // MillisBehindLatest
	At           time.Time     // the service's clock when it answered; zero if unknown

	// End says that the shard has no more records after these. Children are
	// the shards that follow it.
	End      bool
	Children []Shard
}

// Bytes returns the size of the page's data.
func (p Page) Bytes() (n int64) {
	for i := range p.Records {
		n += int64(len(p.Records[i].Data))
	}
	return n
}

// memory returns what the page takes.
func (p Page) memory() int64 {
	if p.Memory > 0 {
		return p.Memory
	}
	return p.Bytes() + recordBytes*int64(len(p.Records))
}

func (p Page) release() {
	if p.Release != nil {
		p.Release()
	}
}

// isFinal reports whether a reader that returned err is of no more use.
func isFinal(err error) bool {
	return errors.Is(err, ErrTrimmed) || errors.Is(err, ErrShardNotFound)
}

var (
	// ErrStreamNotFound means that the stream does not exist, or not any more.
	ErrStreamNotFound = errors.New("stream not found")

	// ErrShardNotFound means that the stream has no such shard: its records
	// have all expired, or the lease belongs to another stream.
	ErrShardNotFound = errors.New("shard not found")

	// ErrAccessDenied is lease.ErrAccessDenied: the service refused the
	// credentials, or they do not permit the operation; the text names it.
	ErrAccessDenied = lease.ErrAccessDenied

	// ErrTrimmed means that the record at which reading was to begin has
	// expired: it is older than the stream's retention period.
	ErrTrimmed = errors.New("record at the checkpoint has expired")
)
