// Package rows judges the rows of a lease table: whether each is of this stream,
// and whether what it says can be true. It is pure.
//
// Two applications that share a table by mistake, or one whose stream was created
// anew, would take each other's checkpoints for their own and skip what lies
// before them. Shard IDs do not tell streams apart, so every row says its
// stream and where its shard begins (lease.Identity); rows that Java wrote do
// not, and are judged by what else can be compared.
//
// What a row says is compared with a listing of the shards, which may be behind:
// a reshard shows in the table before every listing shows it. So there are
// contradictions that no delay explains, and others that count only once they
// have lasted: see [Doubts].
package rows

import (
	"cmp"
	"fmt"

	"github.com/shardmill/shardmill/lease"
)

// Listing is a stream as it was listed: all shards, from all pages.
type Listing struct {
	stream, arn string
	shards      map[string]lease.Shard
	newest      string
	numbered    bool // shards are named as Kinesis names them
}

// NewListing returns a listing of the stream of that name; arn is "" if it is
// not configured.
func NewListing(stream, arn string, shards []lease.Shard) Listing {
	l := Listing{stream: stream, arn: arn, shards: make(map[string]lease.Shard, len(shards)), numbered: true}
	for _, s := range shards {
		l.shards[s.ID] = s
		l.newest = max(l.newest, s.ID)
		l.numbered = l.numbered && lease.IsShardID(s.ID)
	}
	return l
}

// Has reports whether a shard is listed.
func (l Listing) Has(shardID string) bool {
	_, ok := l.shards[shardID]
	return ok
}

// Identity returns what the row of a shard is to say. Of a shard that is not
// listed it does not know where it begins.
func (l Listing) Identity(shardID string) lease.Identity {
	return lease.Identity{Stream: l.stream, ARN: l.arn, Start: l.shards[shardID].StartingSequenceNumber}
}

// Verdict is what a row is.
type Verdict int

// The verdicts.
const (
	// Ours is a row of a shard that is listed.
	Ours Verdict = iota

	// Expired is a row of a shard that this stream had once: it is not listed any
	// more. It is taken, so that its loss is told and its end is written.
	Expired

	// Unknown is a row of a shard that is not listed yet: the listing may be
	// behind, or the row is of another stream.
	Unknown

	// EndedEarly is a row that says that all records of a shard are done that is
	// listed as open: the listing may be behind, or the row is wrong.
	EndedEarly

	// Contradicts is a row that cannot be of this stream, or not be right.
	Contradicts

	// Alien is a row of a fleet that reads several streams, or of no shard at all.
	Alien

	// Unreadable is a malformed row.
	Unreadable
)

// Judgement is a verdict, and why.
type Judgement struct {
	Key     string // of the row
	Verdict Verdict
	Text    string // "" for Ours and Expired

	// Anew says that the row is of a stream of the same name that was deleted.
	Anew bool

	// Warning is what is odd about a row of ours, "" if nothing is.
	Warning string
}

// MayBeLag reports whether a listing that is behind explains the verdict.
func (j Judgement) MayBeLag() bool { return j.Verdict == Unknown || j.Verdict == EndedEarly }

// May reports whether the lease may be taken.
func (j Judgement) May() bool { return j.Verdict == Ours || j.Verdict == Expired }

// Malformed returns the judgement of a row that cannot be read.
func Malformed(row *lease.UnreadableError) Judgement {
	return Judgement{Key: row.Key, Verdict: Unreadable, Text: row.Error()}
}

// Judge compares one row with the listing.
func (l Listing) Judge(row lease.Lease) Judgement {
	j := l.judge(row)
	j.Key = row.Key
	return j
}

func (l Listing) judge(row lease.Lease) Judgement {
	s, listed := l.shards[row.Key]
	switch {
	case lease.IsMultiStreamKey(row.Key):
		return Judgement{Verdict: Alien, Text: fmt.Sprintf("lease %s is of an application that reads several streams", row.Key)}
	case !listed && l.numbered && !lease.IsShardID(row.Key):
		return Judgement{Verdict: Alien, Text: fmt.Sprintf("lease %s is of no shard", row.Key)}
	}
	if other := row.Identity.Contradicts(l.Identity(row.Key)); other != "" {
		return Judgement{Verdict: Contradicts, Text: fmt.Sprintf("lease %s is of %s", row.Key, other), Anew: l.isAnew(row)}
	}
	switch {
	case listed:
		return judgeListed(row, s)
	case row.Key > l.newest && !row.Finished():
		return Judgement{Verdict: Unknown, Text: fmt.Sprintf("lease %s is of a shard that the stream does not have", row.Key)}
	default:
		return Judgement{Verdict: Expired}
	}
}

// isAnew reports whether a row differs in nothing but where its shard begins.
func (l Listing) isAnew(row lease.Lease) bool {
	id := row.Identity
	id.Start = ""
	return row.Identity.Stream != "" && id.Contradicts(l.Identity(row.Key)) == ""
}

func judgeListed(row lease.Lease, s lease.Shard) Judgement {
	known := !row.Range.IsZero() && !s.Range.IsZero()
	switch {
	case known && !row.Range.Equal(s.Range):
		return Judgement{Verdict: Contradicts, Text: fmt.Sprintf("lease %s has the hash keys %s to %s, and its shard has %s to %s",
			row.Key, row.Range.Start, row.Range.End, s.Range.Start, s.Range.End)}
	case row.Checkpoint.IsOutside(s.StartingSequenceNumber, s.EndingSequenceNumber):
		return Judgement{Verdict: Contradicts, Text: fmt.Sprintf("lease %s has the checkpoint %v, which is not within its shard (%s to %s)",
			row.Key, row.Checkpoint, s.StartingSequenceNumber, cmp.Or(s.EndingSequenceNumber, "open"))}
	case row.Finished() && s.IsOpen():
		return Judgement{Verdict: EndedEarly, Text: fmt.Sprintf("lease %s says SHARD_END, and its shard is open", row.Key)}
	}
	return Judgement{Verdict: Ours, Warning: oddity(row, s)}
}

// oddity says what is odd about a row, without being proof of anything.
func oddity(row lease.Lease, s lease.Shard) string {
	if len(row.Parents) > 0 && !sameSet(row.Parents, s.ParentIDs) {
		return fmt.Sprintf("lease %s has the parents %v, and its shard has %v", row.Key, row.Parents, s.ParentIDs)
	}
	return ""
}

func sameSet(a, b []string) bool {
	in := make(map[string]bool, len(a))
	for _, s := range a {
		in[s] = true
	}
	for _, s := range b {
		if !in[s] {
			return false
		}
	}
	return len(a) == len(b)
}
