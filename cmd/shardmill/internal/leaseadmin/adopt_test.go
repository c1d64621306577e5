package leaseadmin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/leaseadmin"
	"github.com/shardmill/shardmill/lease"
)

// told is a plan in words: key, kind, and the checkpoint after it.
func told(plan []leaseadmin.Change) (out []string) {
	for _, c := range plan {
		s := fmt.Sprintf("%s %s", strings.TrimPrefix(c.Before.Key, "shardId-00000000000"), c.Kind)
		if c.Kind == leaseadmin.Rewrites {
			s += " " + c.After.Checkpoint.String()
		}
		out = append(out, s)
	}
	return out
}

// rows makes a lease of shard 0 or 1, and nothing of the others.
func row(shard int, place, stream, start string) lease.Lease {
	return lease.Lease{Key: shardID(shard), Counter: 3, Checkpoint: at(place), Identity: lease.Identity{Stream: stream, Start: start}}
}

func TestAdoptDecidesAboutOneRow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		row  lease.Lease
		want string // the row's change
		keep string // with --keep-checkpoints; "" if it is the same
	}{
		{"of nobody known, in the shard", row(0, "1200", "", ""), "0 rewrite 1200", ""},
		{"of nobody known, before the shard", row(0, "900", "", ""), "0 rewrite TRIM_HORIZON", ""},
		{"of nobody known, after the shard", row(1, "2000", "", ""), "1 rewrite TRIM_HORIZON", ""},
		{"of this shard", row(0, "1200/3", "orders", "1000"), "0 rewrite 1200/3", ""},
		{"of the stream that had the name before", row(0, "1200", "orders", "500"), "0 rewrite TRIM_HORIZON", "0 rewrite 1200"},
		{"of another stream of the same second", row(0, "1200", "bills", "1000"), "0 rewrite TRIM_HORIZON", "0 rewrite 1200"},
		{"of another stream, and not in the shard", row(0, "900", "bills", "1"), "0 rewrite TRIM_HORIZON", ""},
		{"SHARD_END of an open shard", row(0, "SHARD_END", "orders", "1000"), "0 rewrite TRIM_HORIZON", ""},
		{"SHARD_END of a closed one of this stream", row(1, "SHARD_END", "orders", "1001"), "1 rewrite SHARD_END", ""},
		{"SHARD_END of a closed one of who knows", row(1, "SHARD_END", "", ""), "1 rewrite TRIM_HORIZON", "1 rewrite SHARD_END"},
		{"SHARD_END of a closed one of another", row(1, "SHARD_END", "bills", "1001"), "1 rewrite TRIM_HORIZON", "1 rewrite SHARD_END"},
		{"LATEST with its instant", row(0, "LATEST@noon", "", ""), "0 rewrite LATEST", ""},
		{"LATEST without", row(0, "LATEST", "", ""), "0 rewrite TRIM_HORIZON", "0 rewrite LATEST"},
		{"LATEST of another stream", row(0, "LATEST@noon", "orders", "500"), "0 rewrite TRIM_HORIZON", "0 rewrite LATEST"},
		{"a shard that the stream does not have", row(7, "1200", "", ""), "7 delete", ""},
		{"one that has ended", row(7, "SHARD_END", "", ""), "7 delete", ""},
		{"a fleet of several streams", lease.Lease{Key: "123456789012:orders:1700000000:shardId-000000000000", Checkpoint: at("1200")}, "123456789012:orders:1700000000:shardId-000000000000 leave", ""},
		{"a key that is no shard's", lease.Lease{Key: "migration", Checkpoint: at("1200")}, "migration leave", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, keep := range []bool{false, true} {
				want := tt.want
				if keep && tt.keep != "" {
					want = tt.keep
				}
				plan, err := leaseadmin.PlanAdopt(leaseadmin.AdoptInput{Leases: []lease.Lease{tt.row}, Stream: orders(), Keep: keep})
				if err != nil || !slices.Contains(told(plan), want) {
					t.Errorf("keep %v: %v, %v; want %s", keep, told(plan), err, want)
				}
			}
		})
	}
}

// A row that cannot be read is left, and its shard is not said to lack a lease.
func TestAdoptLeavesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	bad := &lease.UnreadableError{Key: shardID(0), Err: errors.New("its counter is no number")}
	plan, err := leaseadmin.PlanAdopt(leaseadmin.AdoptInput{Unreadable: []*lease.UnreadableError{bad}, Stream: orders()})
	if got := told(plan); err != nil || !slices.Contains(got, "0 leave") || slices.Contains(got, "0 none") || plan[0].Why != bad.Error() {
		t.Errorf("%v, %v; want 0 left, for %v", got, err, bad)
	}
}

// A row that is right but in one thing is made right.
func TestAdoptMendsOneThing(t *testing.T) {
	t.Parallel()
	right := row(2, "2200", "orders", "2000")
	right.Range, right.Parents = orders().Shards[2].Range, []string{shardID(1)}
	parents, hashes, identity := right, right, right
	parents.Parents, hashes.Range, identity.Identity.Start = []string{shardID(0)}, lease.HashRange{}, ""
	for name, tt := range map[string]struct {
		row  lease.Lease
		kind leaseadmin.Kind
	}{
		"nothing": {right, leaseadmin.Keeps}, "parents": {parents, leaseadmin.Rewrites}, "range": {hashes, leaseadmin.Rewrites}, "identity": {identity, leaseadmin.Rewrites},
	} {
		plan, err := leaseadmin.PlanAdopt(leaseadmin.AdoptInput{Leases: []lease.Lease{tt.row}, Stream: orders()})
		if err != nil || plan[2].Kind != tt.kind {
			t.Errorf("%s: %v, %v; want %s", name, told(plan), err, tt.kind)
			continue
		}
		want := right
		if tt.kind == leaseadmin.Rewrites {
			want.Counter++
		}
		if d := cmp.Diff(want, plan[2].After); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What a row says of the shard becomes what the stream says, its relations too:
// a child of a shard that is open would wait for ever.
func TestAdoptedRow(t *testing.T) {
	t.Parallel()
	stream := orders()
	stream.ARN = "arn"
	old := lease.Lease{
		Key: shardID(0), Counter: 3, Owner: "gone", Instance: "i", FailoverTime: 5, Checkpoint: at("900"), OwnerSwitches: 4,
		Pending: &checkpoint.Prepared{At: at("950").ExtendedSequenceNumber}, Parents: []string{shardID(2)}, Children: []string{shardID(3)},
		Range: lease.HashRange{Start: "0", End: "9"}, ThroughputKBps: 3, Identity: lease.Identity{Stream: "bills", Start: "1", ARN: "x"},
	}
	in := leaseadmin.AdoptInput{Leases: []lease.Lease{old}, Stream: stream}
	if _, err := leaseadmin.PlanAdopt(in); err == nil || !strings.Contains(err.Error(), "has a prepared checkpoint at 950") {
		t.Errorf("a prepared checkpoint: %v", err)
	}
	in.Abandon = true
	plan, err := leaseadmin.PlanAdopt(in)
	if err != nil {
		t.Fatal(err)
	}
	want := leaseadmin.Change{
		Kind: leaseadmin.Rewrites, Before: old,
		After: lease.Lease{
			Key: shardID(0), Counter: 4, Checkpoint: at("TRIM_HORIZON"), Range: stream.Shards[0].Range, ThroughputKBps: 3,
			Identity: lease.Identity{Stream: "orders", Start: "1000", ARN: "arn"},
		},
		Why:      "it is of stream bills, not orders; its hash range is 0 to 9, not 0 to 170141183460469231731687303715884105727; its checkpoint 900 is not within the shard, which has 1000 to now",
		Warnings: []string{"lease shardId-000000000000: the prepared checkpoint at 950 is abandoned: the records after 900 up to there may be in two objects"},
	}
	if d := cmp.Diff(want, plan[0]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := told(plan[1:]); !slices.Equal(got, []string{"1 none", "2 none", "3 none"}) {
		t.Errorf("the shards without a lease: %v", got)
	}
}

func TestAdoptRefuses(t *testing.T) {
	t.Parallel()
	raced := orders()
	raced.Shards = raced.Shards[:3] // a listing that lacks a child
	tests := []struct {
		name   string
		rows   []lease.Lease
		stream leaseadmin.Stream
		want   string
	}{
		{"a listing that is not whole", nil, raced, "the listing of the shards of orders is not whole"},
		{"a stream that has no shards yet", nil, leaseadmin.Stream{Name: "orders"}, "the listing of the shards of orders is not whole"},
		{"a hand-off", []lease.Lease{{Key: shardID(0), Owner: "a", CheckpointOwner: "b"}}, orders(), "is being handed over from b to a"},
		{
			"all at once",
			[]lease.Lease{
				{Key: shardID(0), Pending: &checkpoint.Prepared{At: at("1").ExtendedSequenceNumber}},
				{Key: shardID(9), Pending: &checkpoint.Prepared{At: at("2").ExtendedSequenceNumber}},
			},
			orders(), "prepared checkpoint at 2",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan, err := leaseadmin.PlanAdopt(leaseadmin.AdoptInput{Leases: tt.rows, Stream: tt.stream})
			if plan != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("PlanAdopt = %v, %v; want %s", told(plan), err, tt.want)
			}
		})
	}
}

// A prepared checkpoint of a row that stays as it is, or that is not ours, is
// nobody's business.
func TestAdoptLeavesPreparedCheckpointsOfOthers(t *testing.T) {
	t.Parallel()
	p := &checkpoint.Prepared{At: at("1300").ExtendedSequenceNumber}
	right := row(0, "1200", "orders", "1000")
	right.Pending, right.Range = p, orders().Shards[0].Range
	many := lease.Lease{Key: "1:orders:2:shardId-000000000000", Checkpoint: at("1"), Pending: p}
	plan, err := leaseadmin.PlanAdopt(leaseadmin.AdoptInput{Leases: []lease.Lease{right, many}, Stream: orders()})
	if got := told(plan); err != nil || !slices.Equal(got[:2], []string{"1:orders:2:shardId-000000000000 leave", "0 keep"}) {
		t.Errorf("%v, %v", got, err)
	}
}

// Whatever the rows are, after an adoption nothing contradicts the stream, no
// record of it is skipped that a row was not proven to have done, and a second
// adoption finds nothing to do.
func TestAdoptMends(t *testing.T) {
	t.Parallel()
	places := []string{"TRIM_HORIZON", "LATEST", "LATEST@noon", "AT_TIMESTAMP@noon", "SHARD_END", "900", "1200", "1999", "2000", "5000"}
	rapid.Check(t, func(t *rapid.T) {
		stream := orders()
		var rows []lease.Lease
		for n := range 6 {
			l := row(n, rapid.SampledFrom(places).Draw(t, "place"), rapid.SampledFrom([]string{"", "orders", "bills"}).Draw(t, "stream"),
				rapid.SampledFrom([]string{"", "500", "1000", "1001", "2000"}).Draw(t, "start"))
			l.Owner = rapid.SampledFrom([]string{"", "gone"}).Draw(t, "owner")
			l.Parents = rapid.SampledFrom([][]string{nil, {shardID(0)}, {shardID(1)}}).Draw(t, "parents")
			l.Children = rapid.SampledFrom([][]string{nil, {shardID(2), shardID(3)}}).Draw(t, "children")
			l.Range = rapid.SampledFrom([]lease.HashRange{{}, {Start: "0", End: "5"}, stream.Shards[0].Range}).Draw(t, "range")
			if rapid.Bool().Draw(t, "there") {
				rows = append(rows, l)
			}
		}
		keep := rapid.Bool().Draw(t, "keep")
		plan, err := leaseadmin.PlanAdopt(leaseadmin.AdoptInput{Leases: rows, Stream: stream, Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		var after []lease.Lease
		for _, c := range plan {
			if c.Kind != leaseadmin.Rewrites && c.Kind != leaseadmin.Keeps {
				continue
			}
			after = append(after, c.After)
			if why := stream.Contradictions(c.After); why != nil {
				t.Errorf("%+v: %v", c.After, why)
			}
			other := c.Before.Identity.Contradicts(c.After.Identity) != ""
			if at := c.After.Checkpoint.SequenceNumber; !keep && other && at != checkpoint.TrimHorizon {
				t.Errorf("%+v became %+v", c.Before, c.After)
			}
		}
		again, err := leaseadmin.PlanAdopt(leaseadmin.AdoptInput{Leases: after, Stream: stream, Keep: keep})
		if err != nil || slices.ContainsFunc(again, leaseadmin.Change.Writes) {
			t.Errorf("again: %v, %v", told(again), err)
		}
	})
}
