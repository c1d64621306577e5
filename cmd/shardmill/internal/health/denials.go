package health

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// denials knows the shards whose objects the bucket does not take for want of
// access. A put is repeated until it succeeds or the lease ends, so what is
// known of a shard holds until then. Shards are told apart since one that
// succeeds proves nothing for others: their plans may name another bucket, or a
// key that a policy treats otherwise.
type denials struct {
	mu sync.Mutex
	of map[string]denial // by shard
}

type denial struct {
	since time.Time
	text  string // of the last refusal
}

// failed notes a put that failed. Only a success says that access is back.
func (d *denials) failed(e processors.PutFailedEvent) {
	if !errors.Is(e.Err, kcl.ErrAccessDenied) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	since := time.Now()
	if last, again := d.of[e.ShardID]; again {
		since = last.since
	}
	d.of[e.ShardID] = denial{since, "objects are not taken by bucket " + e.Bucket + ": " + e.Err.Error()}
}

// delivered notes a cut that is durable. If no put was tried, since an earlier
// holder's object was there, that says nothing about puts.
func (d *denials) delivered(e processors.DeliveredEvent) {
	if e.Puts > 0 {
		d.forget(e.ShardID)
	}
}

func (d *denials) forget(shard string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.of, shard)
}

// troubles returns those of the shards that are held, by shard, and forgets the
// others: a call that its lease's end found on its way is answered later.
func (d *denials) troubles(held []kcl.ShardStatus) []kcl.Trouble {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.of) == 0 {
		return nil
	}
	var list []kcl.Trouble
	kept := map[string]denial{}
	for _, shard := range held {
		if it, denied := d.of[shard.ShardID]; denied && !shard.Lost {
			kept[shard.ShardID] = it
			list = append(list, kcl.Trouble{Reason: kcl.TroubleAccess, Since: it.since, ShardID: shard.ShardID, Text: it.text})
		}
	}
	d.of = kept
	slices.SortFunc(list, func(a, b kcl.Trouble) int { return cmp.Compare(a.ShardID, b.ShardID) })
	return list
}

// alarmInterval is how often a trouble that lasts is logged.
const alarmInterval = time.Minute

// alarm logs the troubles with puts, or with the transform. Those that the worker knows
// of it logs itself.
type alarm struct {
	log  *zap.Logger
	says string
	last time.Time // zero before the first
}

// sound logs troubles if there are any, unless that was done less than a minute
// ago: all shards' in one line, since they have one cause as a rule.
func (a *alarm) sound(troubles []kcl.Trouble, now time.Time) {
	if len(troubles) == 0 || now.Sub(a.last) < alarmInterval {
		return
	}
	a.last = now
	first := slices.MinFunc(troubles, func(a, b kcl.Trouble) int { return a.Since.Compare(b.Since) })
	a.log.Error(a.says,
		zap.Int("shards", len(troubles)), zap.String("shard_id", first.ShardID),
		zap.Time("since", first.Since), zap.String("error", first.Text))
}
