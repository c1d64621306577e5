package leaseadmin

import (
	"cmp"
	"fmt"
	"slices"
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
// the same ID, as a worker that may not take it does. Of a shard that the stream
// does not list only the stream counts: it may have expired.
func (s Stream) Contradictions(row lease.Lease) []string {
	sh, listed := s.Shard(row.Key)
	var out []string
	if why := row.Identity.Contradicts(s.identity(sh, row.Identity)); why != "" {
		out = append(out, "it is of "+why)
	}
	if !row.Range.IsZero() && !sh.Range.IsZero() && !row.Range.Equal(sh.Range) {
		out = append(out, fmt.Sprintf("its hash range is %s to %s, not %s to %s", row.Range.Start, row.Range.End, sh.Range.Start, sh.Range.End))
	}
	if at := row.Checkpoint; at.IsOutside(sh.StartingSequenceNumber, sh.EndingSequenceNumber) {
		out = append(out, fmt.Sprintf("its checkpoint %v is not within the shard, which has %s to %s", at, sh.StartingSequenceNumber, cmp.Or(sh.EndingSequenceNumber, "now")))
	}
	if row.Finished() && listed && sh.IsOpen() {
		out = append(out, "it is at SHARD_END, but the shard is open")
	}
	return out
}

// whole returns an error if nothing may be concluded from the listing.
func (s Stream) whole() error {
	if err := (kcl.ShardList{Shards: s.Shards}).CheckWhole(); err != nil {
		return fmt.Errorf("the listing of the shards of %s is not whole: it is being created or resharded; try again: %w", s.Name, err)
	}
	return nil
}

// within reports whether a record of the shard may be at this place.
func within(at checkpoint.ExtendedSequenceNumber, sh kcl.Shard) bool {
	return at.IsRecord() && sh.StartingSequenceNumber != "" && !at.IsOutside(sh.StartingSequenceNumber, sh.EndingSequenceNumber)
}

func digits(s string) bool { return checkpoint.ExtendedSequenceNumber{SequenceNumber: s}.IsRecord() }
