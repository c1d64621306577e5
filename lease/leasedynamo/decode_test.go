package leasedynamo_test

import (
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
	"github.com/shardmill/shardmill/lease/leasedynamo"
)

// leaseRow returns a row that a Java worker could have written, with changes;
// a nil value removes the attribute.
func leaseRow(changes item) item {
	row := item{
		"leaseKey": str("shardId-000000000001"), "leaseCounter": num("28"), "leaseOwner": str("worker-1"),
		"checkpoint": str("49680461806596391098194439531393802294557330492046180370"), "checkpointSubSequenceNumber": num("3"),
		"ownerSwitchesSinceCheckpoint": num("0"),
	}
	maps.Copy(row, changes)
	maps.DeleteFunc(row, func(_ string, v types.AttributeValue) bool { return v == nil })
	return row
}

const at = "49680461806596391098194439531393802294557330492046180370/3"

// own is what only our attributes say.
type own struct {
	arrival  time.Time
	instance string
	failover time.Duration
	identity lease.Identity
	released lease.ReleaseReason
}

// ownCase is a row that differs from another, and what it says.
type ownCase struct {
	changes item
	want    own
}

func ownCases() map[string]ownCase {
	noon := time.UnixMilli(1795356205397).UTC()
	return map[string]ownCase{
		"none of them": {},
		"all of them": {
			item{"checkpointTimestamp": num("1795356205397"), "checkpointTimestampFor": str(at), "leaseOwnerInstance": str("worker-1/i"), "leaseOwnerFailoverMillis": str("worker-1/1500")},
			own{arrival: noon, instance: "i", failover: 1500 * time.Millisecond},
		},
		"the timestamp of an earlier checkpoint": {
			item{"checkpointTimestamp": num("1795356205397"), "checkpointTimestampFor": str(strings.TrimSuffix(at, "3") + "2")}, own{},
		},
		"a timestamp of nothing":     {item{"checkpointTimestamp": num("1795356205397")}, own{}},
		"a position without time":    {item{"checkpointTimestampFor": str(at)}, own{}},
		"a timestamp that is a text": {item{"checkpointTimestamp": str("noon"), "checkpointTimestampFor": str(at)}, own{}},
		"a timestamp with a fraction": {
			item{"checkpointTimestamp": num("1.5"), "checkpointTimestampFor": str(at)}, own{},
		},
		"a timestamp beyond 64 bits": {
			item{"checkpointTimestamp": num("99999999999999999999"), "checkpointTimestampFor": str(at)}, own{},
		},
		"the timestamp of a sentinel": {
			item{"checkpoint": str("LATEST"), "checkpointSubSequenceNumber": num("0"), "checkpointTimestamp": num("1795356205397"), "checkpointTimestampFor": str("LATEST/0")},
			own{arrival: noon},
		},
		"an earlier owner": {
			item{"leaseOwnerInstance": str("worker-2/i"), "leaseOwnerFailoverMillis": str("worker-2/1500")}, own{},
		},
		"an owner whose name begins the same": {
			item{"leaseOwnerInstance": str("worker-1/x/i"), "leaseOwnerFailoverMillis": str("worker-1/x/1500")}, own{},
		},
		"an owner with slashes": {
			item{"leaseOwner": str("a/b/c"), "leaseOwnerInstance": str("a/b/c/i"), "leaseOwnerFailoverMillis": str("a/b/c/1500")},
			own{instance: "i", failover: 1500 * time.Millisecond},
		},
		"an owner who left": {
			item{"leaseOwner": nil, "leaseOwnerInstance": str("/i"), "leaseOwnerFailoverMillis": str("/1500")}, own{},
		},
		"no slash":              {item{"leaseOwnerInstance": str("worker-1"), "leaseOwnerFailoverMillis": str("1500")}, own{}},
		"a failover time of 0":  {item{"leaseOwnerFailoverMillis": str("worker-1/0")}, own{}},
		"a negative one":        {item{"leaseOwnerFailoverMillis": str("worker-1/-5")}, own{}},
		"one beyond a Duration": {item{"leaseOwnerFailoverMillis": str("worker-1/9223372036855")}, own{}},
		"the shard's identity": {
			item{"shardIdentity": str("orders/7/arn:aws:kinesis:us-east-1:123456789012:stream/orders")},
			own{identity: lease.Identity{Stream: "orders", Start: "7", ARN: "arn:aws:kinesis:us-east-1:123456789012:stream/orders"}},
		},
		"a part of the identity":               {item{"shardIdentity": str("/7/")}, own{identity: lease.Identity{Start: "7"}}},
		"an identity that is malformed":        {item{"shardIdentity": str("orders/7")}, own{}},
		"a reason of this release":             {item{"leaseOwner": nil, "leaseReleaseReason": str("28/blocked")}, own{released: lease.Blocked}},
		"a reason of an earlier release":       {item{"leaseOwner": nil, "leaseReleaseReason": str("27/blocked")}, own{}},
		"a reason of a lease that was taken":   {item{"leaseReleaseReason": str("28/blocked")}, own{}},
		"a reason that names no release":       {item{"leaseOwner": nil, "leaseReleaseReason": str("blocked")}, own{}},
		"a release that names no reason":       {item{"leaseOwner": nil, "leaseReleaseReason": str("28")}, own{}},
		"a reason with a slash, of a newer us": {item{"leaseOwner": nil, "leaseReleaseReason": str("28/a/b")}, own{released: "a/b"}},
		"attributes of any kind": {
			item{
				"leaseOwner": nil, "leaseOwnerFailoverMillis": num("1"), "leaseOwnerInstance": set("worker-1/i"), "checkpointTimestampFor": num("1"),
				"shardIdentity": num("1"), "leaseReleaseReason": num("28"),
			},
			own{},
		},
	}
}

func TestDecodeTrustsOurAttributesOnlyIfTheyBelongToTheRow(t *testing.T) {
	t.Parallel()
	for name, test := range ownCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := leasedynamo.Decode(leaseRow(test.changes))
			if err != nil {
				t.Fatal(err)
			}
			if got := (own{l.Checkpoint.Arrival, l.Instance, l.FailoverTime, l.Identity, l.Released}); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestDecodeNamesWhatIsWrongWithARow(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		changes item
		want    string // in the error
	}{
		"a negative counter":               {item{"leaseCounter": num("-1")}, "attribute leaseCounter is the number -1"},
		"a counter with a fraction":        {item{"leaseCounter": num("1.5")}, "attribute leaseCounter is the number 1.5"},
		"a counter that is text":           {item{"leaseCounter": str("1")}, `attribute leaseCounter is the string "1"`},
		"a counter beyond 64 bits":         {item{"leaseCounter": num("9223372036854775808")}, "attribute leaseCounter is the number 9223372036854775808"},
		"no checkpoint":                    {item{"checkpoint": nil}, "attribute checkpoint is absent"},
		"a checkpoint that is neither":     {item{"checkpoint": str("latest")}, `attribute checkpoint is the string "latest"`},
		"a checkpoint that is a number":    {item{"checkpoint": num("12")}, "attribute checkpoint is the number 12"},
		"a sentinel with a sub-sequence":   {item{"checkpoint": str("TRIM_HORIZON")}, "attribute checkpoint is"},
		"a negative sub-sequence":          {item{"checkpointSubSequenceNumber": num("-3")}, "attribute checkpointSubSequenceNumber is the number -3"},
		"a bad pending checkpoint":         {item{"pendingCheckpoint": str("")}, "attribute pendingCheckpoint is"},
		"a pending state that is text":     {item{"pendingCheckpoint": str("13"), "pendingCheckpointState": str("s")}, "attribute pendingCheckpointState is"},
		"a range that is upside down":      {item{"startingHashKey": str("10"), "endingHashKey": str("9")}, `attribute startingHashKey is the string "10"`},
		"a range of nothing":               {item{"startingHashKey": str("9"), "endingHashKey": str("09")}, "attribute startingHashKey is"},
		"a range that is no number":        {item{"startingHashKey": str("0x1"), "endingHashKey": str("9")}, "attribute startingHashKey is"},
		"an owner that is null":            {item{"leaseOwner": &types.AttributeValueMemberNULL{Value: true}}, "attribute leaseOwner is of type NULL"},
		"parents that are a list":          {item{"parentShardId": &types.AttributeValueMemberL{}}, "attribute parentShardId is of type L"},
		"children that are one string":     {item{"childShardIds": str("shardId-1")}, `attribute childShardIds is the string "shardId-1"`},
		"a throughput that is none":        {item{"throughputKBps": num("NaN")}, "attribute throughputKBps is"},
		"switches that are none":           {item{"ownerSwitchesSinceCheckpoint": num("x")}, "attribute ownerSwitchesSinceCheckpoint is"},
		"a hand-off to what is no string":  {item{"checkpointOwner": num("1")}, "attribute checkpointOwner is"},
		"a long value, which is shortened": {item{"leaseCounter": str(strings.Repeat("é", 500))}, "é…; it must be a whole number"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := leasedynamo.Decode(leaseRow(test.changes))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "shardId-000000000001") {
				t.Errorf("got %+v, %v; want an error with the key and %s", l, err, test.want)
			}
		})
	}
}

func TestDecodeToleratesWhatJavaDoes(t *testing.T) {
	t.Parallel()
	plain, err := leasedynamo.Decode(leaseRow(nil))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		changes item
		want    func(*lease.Lease)
	}{
		"switches that are absent": {item{"ownerSwitchesSinceCheckpoint": nil}, func(*lease.Lease) {}},
		"a sub-sequence absent":    {item{"checkpointSubSequenceNumber": nil}, func(l *lease.Lease) { l.Checkpoint.SubSequenceNumber = 0 }},
		"half a range":             {item{"startingHashKey": str("1")}, func(*lease.Lease) {}},
		"a number as pending state": {item{"pendingCheckpoint": str("13"), "pendingCheckpointState": num("0")}, func(l *lease.Lease) {
			l.Pending = &checkpoint.Prepared{At: checkpoint.ExtendedSequenceNumber{SequenceNumber: "13"}}
		}},
		"an exponent":             {item{"throughputKBps": num("1.23E7")}, func(l *lease.Lease) { l.ThroughputKBps = 1.23e7 }},
		"attributes nobody knows": {item{"streamName": str("s"), "x": &types.AttributeValueMemberNULL{Value: true}}, func(*lease.Lease) {}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := leasedynamo.Decode(leaseRow(test.changes))
			want := plain
			test.want(&want)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestRowsThatAreNotLeases(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		changes item
		want    bool
	}{
		"a lease of 2.x":              {nil, true},
		"a lease of 3.5":              {item{"entityType": str("LEASE")}, true},
		"another kind of 3.5":         {item{"entityType": str("STREAM")}, false},
		"a kind that is not text":     {item{"entityType": num("1")}, true},
		"what has nothing of a lease": {item{"leaseCounter": nil, "checkpoint": nil}, false},
		"a lease without its counter": {item{"leaseCounter": nil}, true}, // Decode tells
		"one of 3.5 with nothing":     {item{"entityType": str("LEASE"), "leaseCounter": nil, "checkpoint": nil}, true},
		"a counter of the wrong kind": {item{"leaseCounter": str("x")}, true}, // Decode tells
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := leasedynamo.IsLease(leaseRow(test.changes)); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// FuzzDecode lays hostile values into a row. Whatever comes out as a lease can
// be written and read again to the same lease.
func FuzzDecode(f *testing.F) {
	f.Add("leaseOwnerInstance", byte(0), "worker-1/i", "leaseOwnerFailoverMillis", byte(0), "worker-1/99")
	f.Add("startingHashKey", byte(0), "0", "endingHashKey", byte(0), "340282366920938463463374607431768211455")
	f.Add("pendingCheckpoint", byte(0), "SHARD_END", "pendingCheckpointState", byte(2), "\x00\xff")
	f.Add("checkpointTimestamp", byte(1), "-9223372036854775808", "checkpointTimestampFor", byte(0), at)
	f.Add("pendingCheckpoint", byte(0), "12", "pendingCheckpointState", byte(2), "")
	f.Add("throughputKBps", byte(1), "1.0E-6", "checkpointOwner", byte(0), "worker-2")
	f.Add("checkpoint", byte(3), "", "leaseCounter", byte(1), "1e3")
	f.Fuzz(func(t *testing.T, name1 string, kind1 byte, value1, name2 string, kind2 byte, value2 string) {
		row := leaseRow(item{name1: hostile(kind1, value1), name2: hostile(kind2, value2)})
		if !leasedynamo.IsLease(row) {
			return
		}
		l, err := leasedynamo.Decode(row)
		if err != nil {
			if !reflect.DeepEqual(l, lease.Lease{Key: l.Key}) || !strings.Contains(err.Error(), "attribute ") {
				t.Errorf("got %+v and error %v; want only the key, and what is wrong", l, err)
			}
			return
		}
		if l.ThroughputKBps < 0 {
			l.ThroughputKBps = 0 // Java writes none
		}
		if math.IsNaN(l.ThroughputKBps) || l.Counter < 0 || l.Checkpoint.Validate() != nil {
			t.Errorf("got %+v", l)
		}
		again, err := leasedynamo.Decode(leasedynamo.Encode(l))
		if err != nil || !reflect.DeepEqual(again, l) {
			t.Errorf("got  %+v, %v\nwant %+v", again, err, l)
		}
	})
}

func hostile(kind byte, value string) types.AttributeValue {
	switch kind % 9 {
	case 0:
		return str(value)
	case 1:
		return num(value)
	case 2:
		return &types.AttributeValueMemberB{Value: []byte(value)}
	case 3:
		return set(strings.Split(value, ",")...)
	case 4:
		return &types.AttributeValueMemberNULL{Value: true}
	case 5:
		return &types.AttributeValueMemberM{Value: item{value: str(value)}}
	case 6:
		return &types.AttributeValueMemberL{Value: []types.AttributeValue{nil}}
	case 7:
		return &types.UnknownUnionMember{Tag: value}
	default:
		return set()
	}
}
