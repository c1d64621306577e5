package kcl_test

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
)

// stream is a kcl.Source in memory. Sequence numbers rise over all shards.
type stream struct {
	poll time.Duration // between empty pages
	page int           // records a page

	mu     sync.Mutex
	shards []*memShard
	seq    int64
	fail   func(shardID string) error // asked before each read

	refuseTrimmed bool // answer a start that has expired with ErrTrimmed
}

type memShard struct {
	kcl.Shard

	recs    []kcl.Record
	trimmed int // how many of recs have expired
}

func newStream(shards int) *stream {
	s := &stream{poll: time.Second, page: 3, seq: 1000}
	whole := new(big.Int).Lsh(big.NewInt(1), 128)
	for i := range shards {
		start := new(big.Int).Div(new(big.Int).Mul(whole, big.NewInt(int64(i))), big.NewInt(int64(shards)))
		end := new(big.Int).Div(new(big.Int).Mul(whole, big.NewInt(int64(i+1))), big.NewInt(int64(shards)))
		s.add(lease.HashRange{Start: start.String(), End: end.Sub(end, big.NewInt(1)).String()})
	}
	return s
}

func (s *stream) add(r lease.HashRange, parents ...string) *memShard {
	s.seq++
	sh := &memShard{Shard: kcl.Shard{
		ID: fmt.Sprintf("shardId-%012d", len(s.shards)), Range: r, ParentIDs: parents,
		StartingSequenceNumber: strconv.FormatInt(s.seq, 10),
	}}
	s.shards = append(s.shards, sh)
	return sh
}

// put appends one record for each word to the shard of the given index.
func (s *stream) put(shard int, words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range words {
		s.seq++
		s.shards[shard].recs = append(s.shards[shard].recs, kcl.Record{
			SequenceNumber: strconv.FormatInt(s.seq, 10), ApproximateArrivalTimestamp: time.Now(), Data: []byte(w),
		})
	}
}

func (s *stream) closeShard(sh *memShard) {
	s.seq++
	sh.EndingSequenceNumber = strconv.FormatInt(s.seq, 10)
}

// split closes a shard and opens two that follow it.
func (s *stream) split(shard int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shards[shard]
	s.closeShard(sh)
	start, _ := new(big.Int).SetString(sh.Range.Start, 10)
	end, _ := new(big.Int).SetString(sh.Range.End, 10)
	mid := new(big.Int).Rsh(new(big.Int).Add(start, end), 1)
	s.add(lease.HashRange{Start: sh.Range.Start, End: mid.String()}, sh.ID)
	s.add(lease.HashRange{Start: mid.Add(mid, big.NewInt(1)).String(), End: sh.Range.End}, sh.ID)
}

// merge closes two neighbours and opens one that follows them.
func (s *stream) merge(a, b int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeShard(s.shards[a])
	s.closeShard(s.shards[b])
	s.add(lease.HashRange{Start: s.shards[a].Range.Start, End: s.shards[b].Range.End}, s.shards[a].ID, s.shards[b].ID)
}

// trim expires the first n records of a shard.
func (s *stream) trim(shard, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shards[shard].trimmed = n
}

func (s *stream) ListShards(context.Context) (kcl.ShardList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := kcl.ShardList{At: time.Now()}
	for _, sh := range s.shards {
		out.Shards = append(out.Shards, sh.Shard)
	}
	return out, nil
}

func (s *stream) Open(shardID string, from checkpoint.Position) kcl.ShardReader {
	return &memReader{s: s, shardID: shardID, from: from, next: -1}
}

type memReader struct {
	s       *stream
	shardID string
	from    checkpoint.Position
	next    int // -1: not begun
	empty   bool
}

func (r *memReader) Next(ctx context.Context) (kcl.Page, error) {
	if r.empty {
		select {
		case <-ctx.Done():
			return kcl.Page{}, context.Cause(ctx)
		case <-time.After(r.s.poll):
		}
	}
	if err := ctx.Err(); err != nil {
		return kcl.Page{}, context.Cause(ctx)
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.s.fail != nil {
		if err := r.s.fail(r.shardID); err != nil {
			return kcl.Page{}, err
		}
	}
	i := slices.IndexFunc(r.s.shards, func(sh *memShard) bool { return sh.ID == r.shardID })
	if i < 0 {
		return kcl.Page{}, kcl.ErrShardNotFound
	}
	sh := r.s.shards[i]
	if r.s.refuseTrimmed && r.next < 0 && r.from.IsRecord() && r.begin(sh) < sh.trimmed {
		return kcl.Page{}, kcl.ErrTrimmed
	}
	return r.read(sh), nil
}

func (r *memReader) read(sh *memShard) kcl.Page {
	if r.next < 0 {
		r.next = r.begin(sh)
	}
	r.next = max(r.next, sh.trimmed)
	end := min(len(sh.recs), r.next+r.s.page)
	p := kcl.Page{At: time.Now(), Records: slices.Clone(sh.recs[r.next:end])}
	r.next = end
	if end < len(sh.recs) {
		p.BehindLatest = time.Since(sh.recs[end].ApproximateArrivalTimestamp) + 1
	} else if sh.EndingSequenceNumber != "" {
		p.End = true
		for _, c := range r.s.shards {
			if slices.Contains(c.ParentIDs, sh.ID) {
				p.Children = append(p.Children, c.Shard)
			}
		}
	}
	r.empty = len(p.Records) == 0
	return p
}

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
