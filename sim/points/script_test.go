package points_test

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

const (
	look      = 250 * time.Millisecond // between two looks of the script
	joins     = 5 * time.Second        // the second worker starts then, or at the strike
	maxRounds = 6                      // of resharding until a strike must have happened
	lastWait  = 2 * time.Minute        // for all to be done after the last record
)

// play lets the strikes happen, one after the other, and the world come to
// rest.
func (w *world) play(strikes []strike) {
	ctx, stop := context.WithCancel(w.t.Context())
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		w.produce(ctx)
	}()
	if last := strikes[len(strikes)-1]; len(strikes) > 1 && last.point == createLease {
		w.side = &pending{strike: last} // it comes at once, or not at all
	}
	if first := strikes[0]; slices.Contains(startPoints(), first.point) {
		w.side = &pending{strike: first}
	}
	w.start()
	for _, s := range strikes {
		w.await(s)
	}
	for n := 0; n == 0 || w.held.Load() > 0 && n < maxRounds; n++ {
		w.round("")
	}
	stop()
	<-produced
	w.judgeSilence(strikes)
	w.pass(2 * failover) // who is back may have stolen a lease, which is not released at once
	w.settle()
	w.end()
}

// silence is how long somebody who is not answered may keep that to himself.
const silence = 3 * time.Minute

// judgeSilence checks that who was not answered says so.
func (w *world) judgeSilence(strikes []strike) {
	for _, s := range strikes {
		if s.kind != neverAnswered && s.kind != vanished {
			continue
		}
		w.mu.Lock()
		m := w.machines[s.worker]
		w.mu.Unlock()
		if m != nil && !w.until(silence, func() bool { return m.told.Len() > 0 }) {
			w.fail("%s got no answer at %s, and told nobody", s.worker, s.point)
		}
	}
}

// await lets one strike happen.
func (w *world) await(s strike) {
	w.mu.Lock()
	p := w.side
	w.mu.Unlock()
	if p == nil || p.strike != s {
		s.worker = w.standIn(s.worker)
		p = &pending{strike: s}
	}
	w.mu.Lock()
	w.armed = p
	alone := len(w.order) == 1
	w.mu.Unlock()
	struck := func() bool { return w.isStruck(p) }
	if alone {
		limit := joins
		switch s.kind {
		case crossing:
			limit = 30 * time.Second
		case handOver: // one worker takes one of many, and has more given
			w.pass(time.Second)
			for _, s := range w.open() {
				w.split(s)
			}
		default:
		}
		w.until(limit, struck)
		w.second()
	}
	for n := 0; n < maxRounds && !struck(); n++ {
		switch {
		case isAgain(s.point):
			w.leavePlan(s.worker)
			continue
		case n == maxRounds/2:
			w.leave(s.worker)
		}
		w.round(s.worker)
	}
	if !struck() {
		w.fail("%v did not strike", s)
		return
	}
	w.pass(3 * time.Second)
}

// standIn returns the name of a worker, or if that does not work any more of
// the newest one that does and is not the first.
func (w *world) standIn(name string) string {
	w.mu.Lock()
	m := w.machines[name]
	w.mu.Unlock()
	if m == nil || m.isLive() {
		return name
	}
	live := w.live()
	if n := len(live); n > 0 && live[n-1].name != "A" {
		return live[n-1].name
	}
	return w.start().name
}

// second sees to it that there is another worker than the first.
func (w *world) second() {
	w.mu.Lock()
	alone := len(w.order) == 1
	w.mu.Unlock()
	if alone {
		w.start()
	}
}

func (w *world) isStruck(p *pending) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return p.struck
}

// until waits until f says so, for d at most, and sees to it that there is a
// worker.
func (w *world) until(d time.Duration, f func() bool) bool {
	for begun := time.Now(); !f(); {
		if time.Since(begun) >= d {
			return false
		}
		time.Sleep(look)
		if len(w.live()) == 0 {
			w.start()
		}
	}
	return true
}

func (w *world) pass(d time.Duration) { w.until(d, func() bool { return false }) }

// leave shuts all workers down but one, so that it does what others did.
func (w *world) leave(name string) {
	for _, m := range w.live() {
		if m.name != name {
			m.shutDown()
		}
	}
}

// leavePlan makes another worker than target crash when it has prepared.
func (w *world) leavePlan(target string) {
	var other *machine
	for _, m := range w.live() {
		if m.name != target {
			other = m
		}
	}
	if other == nil {
		w.start()
		w.pass(12 * time.Second)
		return
	}
	p := &pending{strike: strike{worker: other.name, point: publish, kind: crashBefore}}
	w.mu.Lock()
	w.side = p
	w.mu.Unlock()
	if !w.until(20*time.Second, func() bool { return w.isStruck(p) }) {
		w.round(other.name)
	}
	w.mu.Lock()
	w.side = nil
	w.mu.Unlock()
	w.pass(15 * time.Second)
}

// round splits a shard and merges two, such that target holds if it can be.
func (w *world) round(target string) {
	var all, own []shard
	for _, s := range w.open() {
		all = append(all, s)
		if w.holder(s.id) == target {
			own = append(own, s)
		}
	}
	if len(own) == 0 {
		own = all
	}
	w.split(own[rand.N(len(own))])
	w.pass(5*time.Second + rand.N(3*time.Second))
	all = w.open()
	var pairs [][2]shard
	for _, a := range all {
		for _, b := range all {
			if follows(a.end, b.start) {
				pairs = append(pairs, [2]shard{a, b})
			}
		}
	}
	slices.SortStableFunc(pairs, func(p, q [2]shard) int { return w.ofTarget(q, target) - w.ofTarget(p, target) })
	w.merge(pairs[0][0], pairs[0][1])
	w.pass(5*time.Second + rand.N(3*time.Second))
}

// ofTarget counts the shards of a pair that target holds.
func (w *world) ofTarget(pair [2]shard, target string) (n int) {
	for _, s := range pair {
		if w.holder(s.id) == target {
			n++
		}
	}
	return n
}

func (w *world) holder(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.rows[id]; r != nil {
		return r.owner
	}
	return ""
}

// open returns the open shards in the order of their hash keys.
func (w *world) open() []shard {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []shard
	for _, s := range w.shards {
		if s.open {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b shard) int { return number(a.start).Cmp(number(b.start)) })
	return out
}

func (w *world) split(s shard) {
	middle := new(big.Int).Add(number(s.start), number(s.end))
	middle.Rsh(middle, 1)
	w.say("%s is split", s.id)
	w.must(w.streams.SplitShard(w.t.Context(), &kinesis.SplitShardInput{
		StreamName: aws.String(streamName), ShardToSplit: &s.id, NewStartingHashKey: aws.String(middle.String()),
	}))
	w.look()
	w.ended(s.id)
}

func (w *world) merge(a, b shard) {
	w.say("%s and %s are merged", a.id, b.id)
	w.must(w.streams.MergeShards(w.t.Context(), &kinesis.MergeShardsInput{
		StreamName: aws.String(streamName), ShardToMerge: &a.id, AdjacentShardToMerge: &b.id,
	}))
	w.look()
	w.ended(a.id)
	w.ended(b.id)
}

// ended waits until a shard is done, or something that was armed has happened.
func (w *world) ended(id string) {
	w.until(40*time.Second, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		r := w.rows[id]
		return r != nil && r.ended
	})
}

// look reads the stream's shards.
func (w *world) look() {
	list, err := w.streams.ListShards(w.t.Context(), &kinesis.ListShardsInput{StreamName: aws.String(streamName)})
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shards = map[string]shard{}
	for _, s := range list.Shards {
		it := shard{id: *s.ShardId, start: *s.HashKeyRange.StartingHashKey, end: *s.HashKeyRange.EndingHashKey, open: s.SequenceNumberRange.EndingSequenceNumber == nil}
		for _, p := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
			if p != nil {
				it.parents = append(it.parents, *p)
				parent := w.shards[*p]
				parent.children = append(parent.children, it.id)
				w.shards[*p] = parent
			}
		}
		w.shards[it.id] = it
	}
}

// produce puts a record into each shard now and then.
func (w *world) produce(ctx context.Context) {
	for n := 0; ; n++ {
		in, done := &kinesis.PutRecordsInput{StreamName: aws.String(streamName)}, false
		for i, s := range w.open() {
			data := fmt.Appendf(nil, "%d.%d\n", n, i)
			switch {
			case w.indexed:
				data = documentData(n, i)
			case w.loading:
				data = lineData(n, i)
			}
			in.Records = append(in.Records, types.PutRecordsRequestEntry{
				Data: data, PartitionKey: aws.String("p"), ExplicitHashKey: &s.start,
			})
			if large := w.large && n%6 == 2; large && !done && w.holder(s.id) == "A" && !w.calm() {
				w.burst(ctx, n, s)
				done = true
			}
		}
		w.put(ctx, in)
		select {
		case <-ctx.Done():
			return
		case <-time.After(1700 * time.Millisecond):
		}
	}
}

// calm reports whether what was armed has struck.
func (w *world) calm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.armed != nil && w.armed.struck
}

// burst puts more into a shard than a part of an upload holds.
func (w *world) burst(ctx context.Context, n int, s shard) {
	for i := range 7 {
		data := fmt.Appendf(nil, "%d.%d.%s", n, i, s.id)
		data = append(append(data, bytes.Repeat([]byte{'.'}, 800<<10)...), '\n')
		w.put(ctx, &kinesis.PutRecordsInput{StreamName: aws.String(streamName), Records: []types.PutRecordsRequestEntry{
			{Data: data, PartitionKey: aws.String("p"), ExplicitHashKey: &s.start},
		}})
	}
}

func (w *world) put(ctx context.Context, in *kinesis.PutRecordsInput) {
	w.putting <- struct{}{}
	defer func() { <-w.putting }()
	out, err := w.streams.PutRecords(context.WithoutCancel(ctx), in)
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range out.Records {
		w.records[*r.ShardId] = append(w.records[*r.ShardId], record{data: string(in.Records[i].Data), at: position(*r.SequenceNumber, "0")})
	}
}

// putBack is an operator's work: a finished lease that is about to be deleted
// is set back to its last record, to be looked at again.
func (w *world) putBack(id string) {
	w.mu.Lock()
	r := w.rows[id]
	gone := r == nil || !r.present || !r.finished()
	to, counter := "TRIM_HORIZON", int64(0)
	if rs := w.records[id]; len(rs) > 0 {
		to = rs[len(rs)-1].at.SequenceNumber
	}
	if !gone {
		counter = r.counter
	}
	w.mu.Unlock()
	if gone {
		return // another worker has deleted it in this very instant
	}
	w.say("the operator puts the lease of %s back to %s", id, to)
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	w.must(w.table.UpdateItem(w.t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(leaseTable), Key: map[string]ddb.AttributeValue{"leaseKey": &ddb.AttributeValueMemberS{Value: id}},
		UpdateExpression:         aws.String("SET #c = :at, leaseCounter = :next REMOVE leaseOwner"),
		ConditionExpression:      aws.String("leaseCounter = :counter"),
		ExpressionAttributeNames: map[string]string{"#c": "checkpoint"},
		ExpressionAttributeValues: map[string]ddb.AttributeValue{
			":at": &ddb.AttributeValueMemberS{Value: to}, ":counter": numeral(counter), ":next": numeral(counter + 1),
		},
	}))
}

func numeral(n int64) ddb.AttributeValue {
	return &ddb.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func number(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 10) // as the service gave it
	return n
}

// follows reports whether a range of hash keys that begins at start comes right
// after one that ends at end.
func follows(end, start string) bool {
	return new(big.Int).Add(number(end), big.NewInt(1)).Cmp(number(start)) == 0
}
