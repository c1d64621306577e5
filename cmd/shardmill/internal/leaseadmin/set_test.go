package leaseadmin_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/cmd/shardmill/internal/leaseadmin"
	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/lease"
)

func noon() time.Time { return time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC) }

func shardID(n int) string { return fmt.Sprintf("shardId-%012d", n) }

// half of the hash keys.
const half = "170141183460469231731687303715884105728"

// orders is a stream of four shards: 0 is open, 1 is closed and was split into 2
// and 3.
func orders() leaseadmin.Stream {
	low := lease.HashRange{Start: "0", End: "170141183460469231731687303715884105727"}
	high := lease.HashRange{Start: half, End: "340282366920938463463374607431768211455"}
	left := lease.HashRange{Start: half, End: "255211775190703847597530955573826158591"}
	right := lease.HashRange{Start: "255211775190703847597530955573826158592", End: high.End}
	return leaseadmin.Stream{Name: "orders", Shards: []kcl.Shard{
		{ID: shardID(0), Range: low, StartingSequenceNumber: "1000"},
		{ID: shardID(1), Range: high, StartingSequenceNumber: "1001", EndingSequenceNumber: "1999"},
		{ID: shardID(2), Range: left, StartingSequenceNumber: "2000", ParentIDs: []string{shardID(1)}},
		{ID: shardID(3), Range: right, StartingSequenceNumber: "2001", ParentIDs: []string{shardID(1)}},
	}}
}

// at reads a place as rows have it; "TIME" and "LATEST at noon" have an instant.
func at(text string) checkpoint.Position {
	name, instant, _ := strings.Cut(text, "@")
	seq, sub, _ := strings.Cut(name, "/")
	p := checkpoint.At(seq, 0, time.Time{})
	_, _ = fmt.Sscan(sub, &p.SubSequenceNumber)
	if instant == "noon" {
		p.Arrival = noon()
	}
	return p
}

func TestParseAt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want checkpoint.Position // the zero one: it is refused
	}{
		{"trim-horizon", at("TRIM_HORIZON")},
		{"latest", at("LATEST")},
		{"49590338271490256608559692538361571095921575989136588898", at("49590338271490256608559692538361571095921575989136588898")},
		{"12/3", at("12/3")},
		{"2026-11-28T12:00:00Z", at("AT_TIMESTAMP@noon")},
		{"2026-11-28T14:00:00+02:00", at("AT_TIMESTAMP@noon")},
		{"", checkpoint.Position{}},
		{"TRIM_HORIZON", checkpoint.Position{}}, // one word for one thing
		{"SHARD_END", checkpoint.Position{}},
		{"12/", checkpoint.Position{}},
		{"12/-1", checkpoint.Position{}},
		{"12/x", checkpoint.Position{}},
		{"12/99999999999999999999", checkpoint.Position{}},
		{"-12", checkpoint.Position{}},
		{"2026-11-28", checkpoint.Position{}},
		{"2026-11-28T12:00:00", checkpoint.Position{}}, // in which zone?
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			got, err := leaseadmin.ParseAt(tt.text)
			if !got.Equal(tt.want) || (err != nil) != tt.want.IsZero() {
				t.Errorf("ParseAt = %v at %v, %v; want %v", got, got.Arrival, err, tt.want)
			}
		})
	}
}

// setCase is one setting of a lease.
type setCase struct {
	name string
	in   leaseadmin.SetInput
	want string // the checkpoint after it, or the error
	warn string
}

func setCases() []setCase {
	stream := orders()
	free := lease.Lease{Key: shardID(0), Counter: 7, Checkpoint: at("SHARD_END"), OwnerSwitches: 2, Released: lease.GivenUp}
	pending := free
	pending.Checkpoint = at("1200")
	pending.Pending = &checkpoint.Prepared{At: at("1300").ExtendedSequenceNumber}
	held := free
	held.Owner, held.Instance, held.FailoverTime = "gone", "i", time.Minute
	handOff := held
	handOff.CheckpointOwner = "old"
	other := free
	other.Identity = lease.Identity{Stream: "bills", Start: "1000"}
	named := free
	named.Identity = lease.Identity{Stream: "orders", Start: "1000", ARN: "arn"}
	finished := lease.Lease{Key: shardID(1), Checkpoint: at("SHARD_END"), Children: []string{shardID(2), shardID(3)}}
	children := []lease.Lease{
		finished,
		{Key: shardID(3), Parents: []string{shardID(1)}, Checkpoint: at("2005")},
		{Key: shardID(2), Parents: []string{shardID(1)}, Checkpoint: at("TRIM_HORIZON")},
		{Key: shardID(9), Checkpoint: at("9")},
	}

	return []setCase{
		{"out of SHARD_END", leaseadmin.SetInput{Row: free, At: at("TRIM_HORIZON")}, "TRIM_HORIZON", ""},
		{"of an owner that is gone", leaseadmin.SetInput{Row: held, At: at("TRIM_HORIZON")}, "TRIM_HORIZON", ""},
		{"latest is an instant", leaseadmin.SetInput{Row: free, At: at("LATEST")}, "LATEST@noon", ""},
		{"a time that has been", leaseadmin.SetInput{Row: free, At: at("AT_TIMESTAMP@noon")}, "AT_TIMESTAMP@noon", ""},
		{
			"a time to come",
			leaseadmin.SetInput{Row: free, At: checkpoint.Position{ExtendedSequenceNumber: at("AT_TIMESTAMP").ExtendedSequenceNumber, Arrival: noon().Add(time.Second)}},
			"2026-11-28T12:00:01Z is in the future: it is 2026-11-28T12:00:00Z now", "",
		},
		{"any place if the stream is not known", leaseadmin.SetInput{Row: free, At: at("7")}, "7", ""},
		{"a place in the shard", leaseadmin.SetInput{Row: free, At: at("1000/4"), Stream: &stream}, "1000/4", ""},
		{"a place before it", leaseadmin.SetInput{Row: free, At: at("999"), Stream: &stream}, "999 is not within shard shardId-000000000000, which has 1000 to now", ""},
		{"a place after its end", leaseadmin.SetInput{Row: finished, At: at("2000"), Stream: &stream}, "2000 is not within shard shardId-000000000001, which has 1001 to 1999", ""},
		{"a shard that is not listed", leaseadmin.SetInput{Row: lease.Lease{Key: shardID(8)}, At: at("TRIM_HORIZON"), Stream: &stream}, "stream orders lists no shard shardId-000000000008: it has expired, or is another stream's", ""},
		{"a row of another stream", leaseadmin.SetInput{Row: other, At: at("TRIM_HORIZON"), Stream: &stream}, "lease shardId-000000000000 is of stream bills, not orders: if the whole table is to be that of orders, use leases adopt", ""},
		{"a row that names the stream", leaseadmin.SetInput{Row: named, At: at("TRIM_HORIZON"), Stream: &stream}, "TRIM_HORIZON", ""},
		{
			"a prepared checkpoint",
			leaseadmin.SetInput{Row: pending, At: at("TRIM_HORIZON")},
			"lease shardId-000000000000 has a prepared checkpoint at 1300: the records after 1200 up to there may be delivered already. " +
				"Start a worker: it finishes that first, which this command cannot. Or give --abandon: then these records may be delivered twice", "",
		},
		{
			"a prepared checkpoint that is abandoned",
			leaseadmin.SetInput{Row: pending, At: at("TRIM_HORIZON"), Abandon: true},
			"TRIM_HORIZON",
			"the prepared checkpoint at 1300 is abandoned: the records after 1200 up to there may be in two objects, or, if the lease is set beyond them, in none",
		},
		{"a hand-off of KCL 3", leaseadmin.SetInput{Row: handOff, At: at("TRIM_HORIZON")}, "lease shardId-000000000000 is being handed over from old to gone by KCL 3.x: let them finish", ""},
		{
			"a counter that cannot grow",
			leaseadmin.SetInput{Row: lease.Lease{Key: shardID(0), Counter: math.MaxInt64}, At: at("TRIM_HORIZON")},
			"lease table unusable: lease shardId-000000000000: leaseCounter is 9223372036854775807 and cannot grow: set it to 0 by hand while no worker runs", "",
		},
		{
			"an ended shard whose children have begun",
			leaseadmin.SetInput{Row: finished, Leases: children, At: at("TRIM_HORIZON")},
			"TRIM_HORIZON",
			"the shard has ended, and the shards that follow it have begun (shardId-000000000003): its records come again, and after theirs",
		},
		{
			"an ended shard with a child that cannot be read, which may have begun",
			leaseadmin.SetInput{Row: withChild(finished, 4), Unreadable: []*lease.UnreadableError{{Key: shardID(4)}, {Key: shardID(5)}}, At: at("TRIM_HORIZON")},
			"TRIM_HORIZON",
			"the shard has ended, and the shards that follow it have begun (shardId-000000000004): its records come again, and after theirs",
		},
		{"an ended shard whose children have not", leaseadmin.SetInput{Row: finished, Leases: children[2:], At: at("TRIM_HORIZON")}, "TRIM_HORIZON", ""},
	}
}

func withChild(row lease.Lease, shard int) lease.Lease {
	row.Children = []string{shardID(shard)}
	return row
}

func TestPlanSet(t *testing.T) {
	t.Parallel()
	for _, tt := range setCases() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.in.Now = noon()
			c, err := leaseadmin.PlanSet(tt.in)
			if err != nil {
				if err.Error() != tt.want || c.Writes() {
					t.Errorf("PlanSet = %+v, %v; want %s", c, err, tt.want)
				}
				return
			}
			want := tt.in.Row
			want.Owner, want.Instance, want.FailoverTime, want.Released, want.Pending, want.OwnerSwitches = "", "", 0, lease.Plain, nil, 0
			want.Checkpoint, want.Counter = at(tt.want), want.Counter+1
			if tt.in.Stream != nil {
				want.Identity = lease.Identity{Stream: "orders", Start: "1000", ARN: tt.in.Row.Identity.ARN}
			}
			if d := cmp.Diff(leaseadmin.Change{Kind: leaseadmin.Rewrites, Before: tt.in.Row, After: want, Warnings: warnings(tt.warn)}, c); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func warnings(w string) []string {
	if w == "" {
		return nil
	}
	return []string{w}
}

func TestPlanRelease(t *testing.T) {
	t.Parallel()
	row := lease.Lease{
		Key: shardID(0), Owner: "gone", Instance: "i", FailoverTime: time.Second, Counter: 3, Checkpoint: at("1200"), OwnerSwitches: 2,
		Pending: &checkpoint.Prepared{At: at("1300").ExtendedSequenceNumber}, Identity: lease.Identity{Stream: "orders"},
	}
	c, err := leaseadmin.PlanRelease(row)
	want := row
	want.Owner, want.Instance, want.FailoverTime, want.Counter = "", "", 0, 4
	if d := cmp.Diff(leaseadmin.Change{Kind: leaseadmin.Releases, Before: row, After: want}, c); d != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, d)
	}
	if c, err := leaseadmin.PlanRelease(want); err != nil || c.Writes() {
		t.Errorf("of a free lease: %+v, %v", c, err)
	}
	row.CheckpointOwner = "old"
	if _, err := leaseadmin.PlanRelease(row); err == nil {
		t.Error("it releases a lease that is being handed over")
	}
}
