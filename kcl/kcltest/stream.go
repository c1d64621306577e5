// Package kcltest helps to test what is built on package kcl: a stream in
// memory, for workers in virtual time. For a test through the AWS SDK see
// package localaws.
package kcltest

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
)

// Stream is a kcl.Source in memory. Its shards are numbered from 0 in the order
// in which they came to be; sequence numbers are small and rise over all of
// them. Set its fields before it is used. It is safe for concurrent use.
type Stream struct {
	// Poll is how long a read of a shard that has nothing new takes. Default 1s.
	Poll time.Duration

	// Page is the most records in one page. Default 3. A worker with little room
	// gets fewer, but one at least.
	Page int

	// Fail, if set, is asked before each read, on the reader's goroutine and
	// with its context; it may also wait. The reader gets its error.
	Fail func(ctx context.Context, shardID string) error

	// RefuseTrimmed answers a start that has expired with kcl.ErrTrimmed
	// instead of the oldest record. AWS may do either.
	RefuseTrimmed bool

	mu     sync.Mutex // guards what follows; not held while Fail runs
	shards []*memShard
	seq    int64
}

type memShard struct {
	kcl.Shard

	recs    []kcl.Record
	trimmed int // how many of recs have expired
}

// NewStream returns a stream of so many shards, which share the hash keys
// evenly.
func NewStream(shards int) *Stream {
	s := &Stream{Poll: time.Second, Page: 3, seq: 1000}
	whole := new(big.Int).Lsh(big.NewInt(1), 128)
	for i := range shards {
		start := new(big.Int).Div(new(big.Int).Mul(whole, big.NewInt(int64(i))), big.NewInt(int64(shards)))
		end := new(big.Int).Div(new(big.Int).Mul(whole, big.NewInt(int64(i+1))), big.NewInt(int64(shards)))
		s.add(kcl.HashRange{Start: start.String(), End: end.Sub(end, big.NewInt(1)).String()})
	}
	return s
}

func (s *Stream) add(r kcl.HashRange, parents ...string) {
	s.seq++
	s.shards = append(s.shards, &memShard{Shard: kcl.Shard{
		ID: fmt.Sprintf("shardId-%012d", len(s.shards)), Range: r, ParentIDs: parents,
		StartingSequenceNumber: strconv.FormatInt(s.seq, 10),
	}})
}

// Put appends one record for each word to the shard of the given index.
func (s *Stream) Put(shard int, words ...string) { s.PutAs(shard, "", words...) }

// PutAs is Put with a partition key, which says nothing about the shard.
func (s *Stream) PutAs(shard int, partitionKey string, words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range words {
		s.seq++
		s.shards[shard].recs = append(s.shards[shard].recs, kcl.Record{
			SequenceNumber: strconv.FormatInt(s.seq, 10), ApproximateArrivalTimestamp: time.Now(),
			PartitionKey: partitionKey, Data: []byte(w),
		})
	}
}

func (s *Stream) closeShard(sh *memShard) {
	s.seq++
	sh.EndingSequenceNumber = strconv.FormatInt(s.seq, 10)
}

// Split closes a shard and opens two that follow it.
func (s *Stream) Split(shard int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shards[shard]
	s.closeShard(sh)
	start, _ := new(big.Int).SetString(sh.Range.Start, 10)
	end, _ := new(big.Int).SetString(sh.Range.End, 10)
	mid := new(big.Int).Rsh(new(big.Int).Add(start, end), 1)
	s.add(kcl.HashRange{Start: sh.Range.Start, End: mid.String()}, sh.ID)
	s.add(kcl.HashRange{Start: mid.Add(mid, big.NewInt(1)).String(), End: sh.Range.End}, sh.ID)
}

// Merge closes two neighbours and opens one that follows them.
func (s *Stream) Merge(a, b int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeShard(s.shards[a])
	s.closeShard(s.shards[b])
	s.add(kcl.HashRange{Start: s.shards[a].Range.Start, End: s.shards[b].Range.End}, s.shards[a].ID, s.shards[b].ID)
}

// Trim expires the first n records of a shard.
func (s *Stream) Trim(shard, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shards[shard].trimmed = n
}

// Shard returns a shard by its number.
func (s *Stream) Shard(shard int) kcl.Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shards[shard].Shard
}

// Len returns how many shards there are, open and closed.
func (s *Stream) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.shards)
}

// Records returns the records put into a shard so far, expired ones too.
func (s *Stream) Records(shard int) []kcl.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shards[shard].recs)
}

// Edit changes how a shard is listed, for streams that no reshard makes.
func (s *Stream) Edit(shard int, f func(*kcl.Shard)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.shards[shard].Shard)
}

// ListShards implements kcl.Source.
func (s *Stream) ListShards(context.Context) (kcl.ShardList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := kcl.ShardList{At: time.Now()}
	for _, sh := range s.shards {
		out.Shards = append(out.Shards, sh.Shard)
	}
	return out, nil
}

// Open implements kcl.Source.
func (s *Stream) Open(shardID string, from checkpoint.Position) kcl.ShardReader {
	return &memReader{s: s, shardID: shardID, from: from, next: -1}
}

type memReader struct {
	s       *Stream
	shardID string
	from    checkpoint.Position
	next    int // -1: not begun
	empty   bool
}

// Next implements kcl.ShardReader.
func (r *memReader) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	if r.empty {
		select {
		case <-ctx.Done():
			return kcl.Page{}, context.Cause(ctx)
		case <-time.After(r.s.Poll):
		}
	}
	if err := ctx.Err(); err != nil {
		return kcl.Page{}, context.Cause(ctx)
	}
	if r.s.Fail != nil {
		if err := r.s.Fail(ctx, r.shardID); err != nil {
			return kcl.Page{}, err
		}
	}
	p, next, err := r.read(room.Bytes)
	if err != nil {
		return kcl.Page{}, err
	}
	if err := room.Grow(ctx, p.Memory); err != nil {
		return kcl.Page{}, err
	}
	r.next, r.empty = next, len(p.Records) == 0
	return p, nil
}

// read returns a page that takes at most so many bytes if that is positive, and
// where the next one begins.
func (r *memReader) read(bytes int64) (p kcl.Page, next int, err error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	i := slices.IndexFunc(r.s.shards, func(sh *memShard) bool { return sh.ID == r.shardID })
	if i < 0 {
		return kcl.Page{}, 0, kcl.ErrShardNotFound
	}
	sh := r.s.shards[i]
	if next = r.next; next < 0 {
		if next = r.begin(sh); r.s.RefuseTrimmed && r.from.IsRecord() && next < sh.trimmed {
			return kcl.Page{}, 0, kcl.ErrTrimmed
		}
	}
	p, next = r.page(sh, max(next, sh.trimmed), bytes)
	return p, next, nil
}

// Close implements kcl.ShardReader.
func (*memReader) Close() {}

// recordMemory is what a record takes beside its data, about.
const recordMemory = 128

func (r *memReader) page(sh *memShard, next int, bytes int64) (kcl.Page, int) {
	first, memory := next, int64(0)
	for next < len(sh.recs) && next-first < r.s.Page {
		takes := int64(len(sh.recs[next].Data)) + recordMemory
		if bytes > 0 && next > first && memory+takes > bytes {
			break
		}
		memory += takes
		next++
	}
	p := lend(sh.recs[first:next])
	p.At, p.Memory = time.Now(), memory
	if next < len(sh.recs) {
		p.BehindLatest = time.Since(sh.recs[next].ApproximateArrivalTimestamp) + 1
	} else if sh.EndingSequenceNumber != "" {
		p.End = true
		for _, c := range r.s.shards {
			if slices.Contains(c.ParentIDs, sh.ID) {
				p.Children = append(p.Children, c.Shard)
			}
		}
	}
	return p, next
}

// lend returns a page of copies of recs, whose data is overwritten when the page
// is released, as a Source's buffers are: a processor that keeps Data does not get
// away with it.
func lend(recs []kcl.Record) kcl.Page {
	p := kcl.Page{Records: slices.Clone(recs)}
	for i := range p.Records {
		p.Records[i].Data = bytes.Clone(recs[i].Data)
	}
	p.Release = func() {
		for i := range p.Records {
			for j := range p.Records[i].Data {
				p.Records[i].Data[j] = released
			}
		}
	}
	return p
}

// released is what the data of a released page is overwritten with.
const released = 0xDB

func (r *memReader) begin(sh *memShard) int {
	switch r.from.SequenceNumber {
	case checkpoint.TrimHorizon:
		return 0
	case checkpoint.Latest, checkpoint.AtTimestamp:
		if !r.from.Arrival.IsZero() {
			i := slices.IndexFunc(sh.recs, func(rec kcl.Record) bool { return !rec.ApproximateArrivalTimestamp.Before(r.from.Arrival) })
			if i >= 0 {
				return i
			}
		}
		return len(sh.recs)
	}
	i := slices.IndexFunc(sh.recs, func(rec kcl.Record) bool {
		return checkpoint.CompareDecimal(rec.SequenceNumber, r.from.SequenceNumber) >= 0
	})
	if i < 0 {
		return len(sh.recs)
	}
	return i
}
