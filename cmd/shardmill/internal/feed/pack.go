package feed

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Kinesis hashes keys with it; nothing relies on it for security
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sort"

	"github.com/shardmill/shardmill/kcl/kpl"
)

// packBytes is the most that an aggregated record takes with its partition key: as
// much as any stream takes, and as a shard does in a second.
const packBytes = kpl.DefaultMaxBytes

// packs are the aggregated records that are being made, one for each shard. A
// record goes into that of the shard that it would be put into by itself.
//
// An aggregated record goes to one shard, by the hash key of its first record, and
// all its records have that as their explicit hash key. So they belong to whatever
// shard it comes to be in, also if the shards are others by now: no reader takes
// one for outside of its shard, be it this module's by any rule or the Java KCL,
// which drops the whole of such a record.
type packs struct {
	starts []hashKey // where the hash keys of each shard begin, in order
	open   []pack
	bytes  int // of the records in all of them
}

type pack struct {
	kpl.Aggregator

	hashKey string
	bytes   int // of its records
}

// hashKey is a number of 128 bits, the most significant byte first.
type hashKey [md5.Size]byte

func hashOf(key string) hashKey { return md5.Sum([]byte(key)) } //nolint:gosec // as Kinesis does

// Pack has the records that are added from now on packed together, as the KPL
// does: those for one shard into one record, until Flush or as many as it takes.
// starts are the starting hash keys of the stream's open shards, as ListShards
// returns them. If the shards become others meanwhile, so does only which records
// are together.
func (f *Feeder) Pack(starts []string) error {
	if len(starts) == 0 {
		return errors.New("it has no open shard")
	}
	p := packs{open: make([]pack, len(starts))}
	for _, start := range starts {
		n, ok := new(big.Int).SetString(start, 10)
		if !ok || n.Sign() < 0 || n.BitLen() > 8*md5.Size {
			return fmt.Errorf("starting hash key of a shard is %q; it must be a number of at most 128 bits", start)
		}
		var k hashKey
		n.FillBytes(k[:])
		p.starts = append(p.starts, k)
	}
	slices.SortFunc(p.starts, func(a, b hashKey) int { return bytes.Compare(a[:], b[:]) })
	for i := range p.open {
		p.open[i].MaxBytes = packBytes
	}
	f.packs = p
	return nil
}

// of returns the pack of a partition key.
func (p *packs) of(key string) *pack {
	hash := hashOf(key)
	after := sort.Search(len(p.starts), func(i int) bool { return bytes.Compare(p.starts[i][:], hash[:]) > 0 })
	return &p.open[max(0, after-1)]
}

// add adds a record, and returns false if there is no room for it.
func (p *pack) add(key string, data []byte) bool {
	if p.Len() == 0 {
		p.hashKey = kpl.HashKey(key)
	}
	return p.Add(kpl.UserRecord{PartitionKey: key, ExplicitHashKey: p.hashKey, HasExplicitHashKey: true, Data: data})
}

// pack adds a record to its pack. One that is too large for any goes by itself.
func (f *Feeder) pack(ctx context.Context, key string, data []byte) error {
	p := f.packs.of(key)
	if !p.add(key, data) {
		if err := f.closePack(ctx, p); err != nil {
			return err
		}
		if !p.add(key, data) {
			return f.append(ctx, data, entry{key: key, records: 1, bytes: len(data)})
		}
	}
	p.bytes += len(data)
	if f.packs.bytes += len(data); f.packs.bytes > maxBytes { // however many shards there are
		return f.Flush(ctx)
	}
	return nil
}

func (f *Feeder) closePacks(ctx context.Context) error {
	for i := range f.packs.open {
		if err := f.closePack(ctx, &f.packs.open[i]); err != nil {
			return err
		}
	}
	return nil
}

// closePack makes a record of the batch of a pack, if there is anything in it.
func (f *Feeder) closePack(ctx context.Context, p *pack) error {
	if p.Len() == 0 {
		return nil
	}
	hash := p.hashKey
	e := entry{key: p.PartitionKey(), hashKey: &hash, records: p.Len(), bytes: p.bytes}
	data := p.Append(nil)
	f.packs.bytes -= p.bytes
	p.Reset()
	p.bytes = 0
	return f.append(ctx, data, e)
}
