package leasedynamo

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// The attributes of a row. Source: KCL DynamoDBLeaseSerializer.
const (
	leaseKey            = "leaseKey"
	leaseOwner          = "leaseOwner"
	leaseCounter        = "leaseCounter"
	ownerSwitches       = "ownerSwitchesSinceCheckpoint"
	checkpointAttr      = "checkpoint"
	checkpointSub       = "checkpointSubSequenceNumber"
	pendingCheckpoint   = "pendingCheckpoint"
	pendingSub          = "pendingCheckpointSubSequenceNumber"
	pendingState        = "pendingCheckpointState"
	parentShardID       = "parentShardId"
	childShardIDs       = "childShardIds"
	startingHashKey     = "startingHashKey"
	endingHashKey       = "endingHashKey"
	throughputKBps      = "throughputKBps"
	checkpointOwner     = "checkpointOwner"
	entityType          = "entityType"
	checkpointTimestamp = "checkpointTimestamp"      // ours
	timestampFor        = "checkpointTimestampFor"   // ours
	ownerInstance       = "leaseOwnerInstance"       // ours
	ownerFailover       = "leaseOwnerFailoverMillis" // ours
	shardIdentity       = "shardIdentity"            // ours
	releaseReason       = "leaseReleaseReason"       // ours
)

// item is a row, or a part of one, as DynamoDB has it.
type item = map[string]types.AttributeValue

// change is what a write does to a row: attributes to set, and to remove.
type change struct {
	set    item
	remove []string
}

// and adds another change to c.
func (c change) and(other change) change {
	maps.Copy(c.set, other.set)
	c.remove = append(c.remove, other.remove...)
	return c
}

// encode returns the row of l.
func encode(l lease.Lease) item {
	c := setCounter(l.Counter).and(setSwitches(l.OwnerSwitches)).and(setCheckpoint(l.Checkpoint)).
		and(setChildren(l.Children)).and(setRange(l.Range))
	if l.Pending != nil {
		c = c.and(setPending(*l.Pending))
	}
	if l.Owner != "" {
		c.set[leaseOwner] = text(l.Owner)
		c = c.and(setOwner(l.Owner, l.Instance, l.FailoverTime))
	} else {
		c = c.and(setReleased(l.Counter, l.Released))
	}
	c = c.and(setIdentity(l.Identity))
	if l.CheckpointOwner != "" {
		c.set[checkpointOwner] = text(l.CheckpointOwner)
	}
	if len(l.Parents) > 0 {
		c.set[parentShardID] = &types.AttributeValueMemberSS{Value: slices.Clone(l.Parents)}
	}
	if l.ThroughputKBps > 0 && !math.IsInf(l.ThroughputKBps, 0) {
		c.set[throughputKBps] = &types.AttributeValueMemberN{Value: strconv.FormatFloat(l.ThroughputKBps, 'f', -1, 64)}
	}
	c.set[leaseKey] = text(l.Key)
	return c.set
}

func setCounter(n int64) change { return change{set: item{leaseCounter: number(n)}} }

func setSwitches(n int64) change { return change{set: item{ownerSwitches: number(n)}} }

// setCheckpoint sets a position and the timestamp that belongs to it.
func setCheckpoint(at checkpoint.Position) change {
	c := change{set: item{checkpointAttr: text(at.SequenceNumber), checkpointSub: number(at.SubSequenceNumber)}}
	if at.Arrival.IsZero() {
		c.remove = []string{checkpointTimestamp, timestampFor}
		return c
	}
	c.set[checkpointTimestamp], c.set[timestampFor] = number(at.Arrival.UnixMilli()), text(at.Full())
	return c
}

func setPending(p checkpoint.Prepared) change {
	c := change{set: item{pendingCheckpoint: text(p.At.SequenceNumber), pendingSub: number(p.At.SubSequenceNumber)}}
	if len(p.State) == 0 {
		c.remove = []string{pendingState}
		return c
	}
	c.set[pendingState] = &types.AttributeValueMemberB{Value: slices.Clone(p.State)}
	return c
}

func removePending() change {
	return change{remove: []string{pendingCheckpoint, pendingSub, pendingState}}
}

// setIdentity sets which shard a row is of, if it is known. The ARN is last: it
// alone has slashes.
func setIdentity(i lease.Identity) change {
	c := change{set: item{}}
	if !i.IsZero() {
		c.set[shardIdentity] = text(i.Stream + "/" + i.Start + "/" + i.ARN)
	}
	return c
}

// setReleased sets why a row was released by the write that left counter.
func setReleased(counter int64, why lease.ReleaseReason) change {
	if why == lease.Plain {
		return change{set: item{}, remove: []string{releaseReason}}
	}
	return change{set: item{releaseReason: text(strconv.FormatInt(counter, 10) + "/" + string(why))}}
}

// setOwner sets what an owner says of itself.
func setOwner(owner, instance string, failover time.Duration) change {
	c := change{set: item{}}
	if instance != "" {
		c.set[ownerInstance] = text(owner + "/" + instance)
	} else {
		c.remove = append(c.remove, ownerInstance)
	}
	if millis := failover.Milliseconds(); millis > 0 {
		c.set[ownerFailover] = text(owner + "/" + strconv.FormatInt(millis, 10))
	} else {
		c.remove = append(c.remove, ownerFailover)
	}
	return c
}

// setChildren sets the children if there are any; a set is never empty.
func setChildren(children []string) change {
	if len(children) == 0 {
		return change{set: item{}}
	}
	return change{set: item{childShardIDs: &types.AttributeValueMemberSS{Value: slices.Clone(children)}}}
}

// setRange sets a hash range if it is known: both of its ends.
func setRange(r lease.HashRange) change {
	if r.IsZero() {
		return change{set: item{}}
	}
	return change{set: item{startingHashKey: text(r.Start), endingHashKey: text(r.End)}}
}
