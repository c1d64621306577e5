package sim_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/processors/redshiftarchive"
)

// model is a stream and a lease table in memory.
type model struct {
	w       *world
	stream  *kcltest.Stream
	archive *objects // nil: processors take the records

	mem     lease.Mem
	told    func(op string, old, row lease.Lease) // is told of each write
	elect   *model                                // has the table of jobs
	writing sync.Mutex                            // guards past, and makes a write and what is told of it one; never held over a wait
	past    map[string][]version                  // of each row

	mu       sync.Mutex // guards what follows
	accepted map[string]map[string]bool
	closed   map[string]time.Time // when shards were
}

// version is a row as it was from a time on.
type version struct {
	from time.Time
	row  lease.Lease
	gone bool
}

func newModel(w *world) *model {
	m := &model{w: w, stream: kcltest.NewStream(w.shards), past: map[string][]version{}, told: w.wrote, elect: &model{w: w, past: map[string][]version{}, told: w.wroteJob}, accepted: map[string]map[string]bool{}, closed: map[string]time.Time{}}
	m.stream.Page = 20
	m.stream.RefuseTrimmed = w.dice().below(2, "refuses", 0) == 0
	m.stream.Fail = func(ctx context.Context, shardID string) error {
		r, _ := ctx.Value(readerKey{}).(*modelReader)
		if err := r.m.send(ctx, "read "+short(shardID), func(context.Context) error { return nil }); err != nil {
			return err
		}
		return r.expire()
	}
	return m
}

type readerKey struct{}

func (p *model) put(shard int, records ...string) { p.stream.Put(shard, records...) }

func (p *model) split(shard int) {
	p.closes(shard)
	p.stream.Split(shard)
}

func (p *model) merge(a, b int) {
	p.closes(a, b)
	p.stream.Merge(a, b)
}

func (p *model) shards() (out []kcl.Shard) {
	for i := range p.stream.Len() {
		out = append(out, p.stream.Shard(i))
	}
	return out
}

func (p *model) records(shardID string) (out []string) {
	for _, r := range p.stream.Records(number(shardID)) {
		out = append(out, string(r.Data))
	}
	return out
}

func (p *model) rows() []lease.Lease {
	list, _, err := p.mem.List(p.w.t.Context())
	if err != nil {
		p.w.violate("the table is not read: %v", err)
	}
	return list
}

func (p *model) jobs(m *machine) lease.Table { return &view{p.elect, m} }

func (p *model) jobRows() (keys []string) {
	for _, l := range p.elect.rows() {
		keys = append(keys, l.Key)
	}
	return keys
}

func (p *model) loaderStore(m *machine) redshiftarchive.Store { return store{p.archive, m} }

func (p *model) stored(bucket, key string) (string, bool) {
	o, ok := p.archive.get(bucket + "/" + key)
	return o.body, ok
}

func (p *model) below(bucket, prefix string) map[string]string {
	return p.archive.below(bucket, prefix)
}

func (p *model) done(shardID string) map[string]bool {
	if p.archive != nil {
		return p.archive.done()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]bool, len(p.accepted[shardID]))
	for r := range p.accepted[shardID] {
		out[r] = true
	}
	return out
}

// accept notes that a processor took records.
func (p *model) accept(shardID string, records ...kcl.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.accepted[shardID] == nil {
		p.accepted[shardID] = map[string]bool{}
	}
	for _, r := range records {
		if p.accepted[shardID][string(r.Data)] {
			p.w.count("records delivered again")
		}
		p.accepted[shardID][string(r.Data)] = true
	}
	p.w.add("records delivered", len(records))
}

func (p *model) judge() {
	if p.archive != nil {
		p.w.judgeArchive()
		return
	}
	for _, s := range p.shards() {
		if missing := p.w.missing(s.ID); len(missing) > 0 {
			p.w.violate("%d of %d records of shard %s were never accepted: %.100v", len(missing), len(p.records(s.ID)), short(s.ID), missing)
		}
	}
}

func (p *model) factory(m *machine) kcl.ProcessorFactory {
	if p.archive != nil {
		return p.archive.factory(m)
	}
	return func(s kcl.ShardInfo) kcl.RecordProcessor { return &taker{w: p.w, p: p, m: m, shard: s.ShardID} }
}

func (p *model) source(m *machine) kcl.Source { return &modelSource{p, m} }

// modelSource is the stream as a machine sees it.
type modelSource struct {
	p *model
	m *machine
}

func (s *modelSource) ListShards(ctx context.Context) (kcl.ShardList, error) {
	return fetched(func(apply func(context.Context) error) error { return s.m.send(ctx, "list shards", apply) }, func(ctx context.Context) (kcl.ShardList, error) {
		list, err := s.p.stream.ListShards(ctx)
		list.At = s.p.w.clock(list.At)
		list.Shards = slices.DeleteFunc(list.Shards, func(sh kcl.Shard) bool { return s.p.vanished(sh.ID) })
		if s.m.meets(behind, "list shards") {
			list.Shards = s.p.asOf(time.Now().Add(-s.m.upTo(20*time.Second, "how far behind")), list.Shards)
		}
		return list, err
	})
}

// asOf returns the shards as they were listed at a time.
func (p *model) asOf(at time.Time, shards []kcl.Shard) (out []kcl.Shard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	closedThen := func(id string) bool {
		when, closed := p.closed[id]
		return closed && !when.After(at)
	}
	for _, sh := range shards {
		if slices.ContainsFunc(sh.ParentIDs, func(id string) bool { return !closedThen(id) }) {
			continue // it came to be when they were closed
		}
		if !closedThen(sh.ID) {
			sh.EndingSequenceNumber = ""
		}
		out = append(out, sh)
	}
	return out
}

func (s *modelSource) Open(shardID string, from checkpoint.Position) kcl.ShardReader {
	return &modelReader{m: s.m, p: s.p, shardID: shardID, r: s.p.stream.Open(shardID, from)}
}

type modelReader struct {
	m       *machine
	p       *model
	shardID string
	r       kcl.ShardReader
	last    checkpoint.ExtendedSequenceNumber // that was read
}

func (r *modelReader) Next(ctx context.Context, room kcl.Room) (kcl.Page, error) {
	page, err := r.r.Next(context.WithValue(ctx, readerKey{}, r), room)
	if err != nil {
		return kcl.Page{}, err
	}
	r.stamp(&page)
	return page, nil
}

func (r *modelReader) Close() { r.r.Close() }

// write makes a write of the table, with its place in history.
func (p *model) write(op, key string, do func() error) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	old, existed := p.row(key)
	err := do()
	row, exists := p.row(key)
	if err == nil {
		p.past[key] = append(p.past[key], version{time.Now(), row, !exists})
	}
	switch {
	case err != nil:
	case !exists:
		p.w.note("%s is deleted", short(key))
	case !existed:
		p.told(op, lease.Lease{}, row)
	default:
		p.told(op, old, row)
	}
	return err
}

func (p *model) row(key string) (lease.Lease, bool) {
	l, err := p.mem.Get(context.Background(), key)
	return l, !errors.Is(err, lease.ErrNotFound)
}

// list returns the rows as one machine sees them: each may lag behind.
func (p *model) list(m *machine) (out []lease.Lease) {
	p.writing.Lock()
	defer p.writing.Unlock()
	for key, versions := range p.past {
		seen := time.Now()
		if m.meets(stale, "list "+key) {
			seen = seen.Add(-m.upTo(5*time.Second, "lag "+key))
		}
		for _, v := range slices.Backward(versions) {
			if !v.from.After(seen) {
				if !v.gone {
					out = append(out, v.row)
				}
				break
			}
		}
	}
	return out
}
