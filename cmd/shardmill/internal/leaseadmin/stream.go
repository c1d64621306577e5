package leaseadmin

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
)

// Stream is a stream as it was listed.
type Stream struct {
	Name   string
	ARN    string // "" unless it was given
	Shards []kcl.Shard
	At     time.Time // the service's clock; zero if unknown
}

// Shard returns a shard of the stream.
func (s Stream) Shard(id string) (kcl.Shard, bool) {
	i := slices.IndexFunc(s.Shards, func(sh kcl.Shard) bool { return sh.ID == id })
	if i < 0 {
		return kcl.Shard{}, false
	}
	return s.Shards[i], true
}

// identity returns what the row of a shard of the stream should say. An ARN that
// only the row knows stays if nothing speaks against it.
func (s Stream) identity(sh kcl.Shard, row lease.Identity) lease.Identity {
	id := lease.Identity{Stream: s.Name, Start: sh.StartingSequenceNumber, ARN: s.ARN}
	if row.Contradicts(id) == "" {
		id.ARN = cmp.Or(id.ARN, row.ARN)
	}
	return id
}

// Contradictions says what of a row cannot be if it is of the stream's shard of
// the same ID. It is nil also if the stream lists no such shard: it may have
// expired.
func (s Stream) Contradictions(row lease.Lease) []string {
	sh, ok := s.Shard(row.Key)
	if !ok || row.Unreadable != "" {
		return nil
	}
	var out []string
	if why := row.Identity.Contradicts(s.identity(sh, row.Identity)); why != "" {
		out = append(out, "it is of "+why)
	}
	if !row.Range.IsZero() && !sh.Range.IsZero() && !sameRange(row.Range, sh.Range) {
		out = append(out, fmt.Sprintf("its hash range is %s to %s, not %s to %s", row.Range.Start, row.Range.End, sh.Range.Start, sh.Range.End))
	}
	if row.Finished() && open(sh) {
		out = append(out, "it is at SHARD_END, but the shard is open")
	}
	return out
}

// whole returns an error unless the open shards cover every hash key once: from
// a listing that raced a reshard nothing may be concluded.
func (s Stream) whole() error {
	type span struct{ start, end *big.Int }
	var spans []span
	for _, sh := range s.Shards {
		if !open(sh) {
			continue
		}
		start, ok1 := new(big.Int).SetString(sh.Range.Start, 10)
		end, ok2 := new(big.Int).SetString(sh.Range.End, 10)
		if !ok1 || !ok2 {
			return fmt.Errorf("stream %s lists shard %s without its hash range", s.Name, sh.ID)
		}
		spans = append(spans, span{start, end})
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start.Cmp(b.start) })
	next, one := new(big.Int), big.NewInt(1)
	for _, sp := range spans {
		if sp.start.Cmp(next) != 0 {
			return s.notWhole()
		}
		next = new(big.Int).Add(sp.end, one)
	}
	if next.Cmp(new(big.Int).Lsh(one, 128)) != 0 {
		return s.notWhole()
	}
	return nil
}

func (s Stream) notWhole() error {
	return errors.New("the listing of the shards of " + s.Name + " is not whole: it is being created or resharded; try again")
}

func open(sh kcl.Shard) bool { return sh.EndingSequenceNumber == "" }

// within reports whether the place of a record may lie in the shard.
func within(at checkpoint.ExtendedSequenceNumber, sh kcl.Shard) bool {
	if !at.IsRecord() || sh.StartingSequenceNumber == "" || checkpoint.CompareDecimal(at.SequenceNumber, sh.StartingSequenceNumber) < 0 {
		return false
	}
	// Some servers report an ending number below the starting one.
	return open(sh) || checkpoint.CompareDecimal(sh.EndingSequenceNumber, sh.StartingSequenceNumber) <= 0 ||
		checkpoint.CompareDecimal(at.SequenceNumber, sh.EndingSequenceNumber) <= 0
}

func sameRange(a, b lease.HashRange) bool {
	return checkpoint.CompareDecimal(a.Start, b.Start) == 0 && checkpoint.CompareDecimal(a.End, b.End) == 0
}

// OfManyStreams reports whether a lease is one of a Java fleet that reads several
// streams: its key is account:stream:epoch:shard.
// Source: KCL StreamIdentifier, MultiStreamLease.
func OfManyStreams(key string) bool {
	parts := strings.Split(key, ":")
	return len(parts) == 4 && digits(parts[0]) && parts[1] != "" && digits(parts[2]) && parts[3] != ""
}

// isShardID reports whether a key is what Kinesis calls a shard.
func isShardID(key string) bool {
	n, ok := strings.CutPrefix(key, "shardId-")
	return ok && digits(n)
}

func digits(s string) bool { return checkpoint.ExtendedSequenceNumber{SequenceNumber: s}.IsRecord() }
