package kcl

import (
	"fmt"
	"sync"
	"time"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/internal/rows"
	"github.com/shardmill/shardmill/lease"
)

// kinship knows which rows of the lease table are this stream's. It is asked by
// the coordinator for each row that it may take, and told by each shard sync.
type kinship struct {
	stream, arn string

	mu      sync.Mutex // guards what follows
	listing rows.Listing
	listed  bool
	created map[string]bool       // children whose leases were created here, and that no listing showed yet
	refuted map[string]refutation // leases whose checkpoint the stream refuted, read or listed
	doubts  rows.Doubts
}

// refutation is the proof that a checkpoint is not the stream's, or that it is too late.
type refutation struct {
	at   checkpoint.ExtendedSequenceNumber
	text string
}

// saw notes a whole listing.
func (k *kinship) saw(shards []Shard) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listing, k.listed = rows.NewListing(k.stream, k.arn, shards), true
	for id := range k.created {
		if k.listing.Has(id) {
			delete(k.created, id)
		}
	}
}

// creates notes a child whose lease is created here.
func (k *kinship) creates(shardID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.created == nil {
		k.created = make(map[string]bool)
	}
	if !k.listing.Has(shardID) {
		k.created[shardID] = true
	}
}

// identity returns what the row of a shard is to say.
func (k *kinship) identity(shardID string) lease.Identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.listing.Identity(shardID)
}

// inDoubt reports whether a row may contradict the stream, and another listing
// will tell.
func (k *kinship) inDoubt() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.doubts.None()
}

// refute notes that the stream has records before a checkpoint that it refused.
func (k *kinship) refute(key string, at checkpoint.ExtendedSequenceNumber, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refuted == nil {
		k.refuted = make(map[string]refutation)
	}
	k.refuted[key] = refutation{at, text}
}

// confirm notes that a row was found wrong twice. One that says the end of an
// open shard, and no children, stays wrong when the shard has ended: nobody has
// read it. Whoever reads a shard to its end notes its children first.
func (k *kinship) confirm(row lease.Lease, j rows.Judgement) {
	if j.Verdict == rows.EndedEarly && len(row.Children) == 0 {
		k.refute(row.Key, row.Checkpoint.ExtendedSequenceNumber, fmt.Sprintf("lease %s said SHARD_END while its shard was open", row.Key))
	}
}

// judge judges one row.
func (k *kinship) judge(row lease.Lease) rows.Judgement {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.judged(row)
}

// judged is judge; k.mu is held.
func (k *kinship) judged(row lease.Lease) rows.Judgement {
	j := k.listing.Judge(row)
	switch r, refuted := k.refuted[row.Key]; {
	case j.Verdict == rows.Unknown && k.created[row.Key]:
		return rows.Judgement{Key: row.Key}
	case refuted && r.at == row.Checkpoint.ExtendedSequenceNumber && j.May():
		return rows.Judgement{Key: row.Key, Verdict: rows.Contradicts, Text: r.text}
	case refuted && r.at != row.Checkpoint.ExtendedSequenceNumber:
		delete(k.refuted, row.Key) // somebody has set it
	}
	return j
}

// claim says whether the lease of a row may be taken, and what the row is to say
// then. news means that the row is of a shard that the last listing does not have,
// and that the next one may.
func (k *kinship) claim(row lease.Lease) (id lease.Identity, may, news bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.listed {
		return lease.Identity{}, false, false
	}
	j := k.judged(row)
	id = k.listing.Identity(row.Key)
	if id.Start == "" && row.Identity.Start != "" {
		id = lease.Identity{} // the row knows more
	}
	return id, j.May(), j.Verdict == rows.Unknown && !k.doubts.Lasts(row.Key)
}

// note judges the rows of a table that were read before the listing that began at
// now, and returns the keys whose row must be read once more to be sure.
func (k *kinship) note(now time.Time, list []lease.Lease, unreadable []*lease.UnreadableError) (judged map[string]rows.Judgement, lasting []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	judged = make(map[string]rows.Judgement, len(list))
	for _, l := range list {
		judged[l.Key] = k.judged(l)
	}
	for _, row := range unreadable {
		judged[row.Key] = rows.Malformed(row)
	}
	return judged, k.doubts.Note(now, judged)
}
