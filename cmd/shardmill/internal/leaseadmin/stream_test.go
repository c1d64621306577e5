package leaseadmin_test

import (
	"slices"
	"testing"

	"github.com/shardmill/shardmill/lease"
)

func TestContradictions(t *testing.T) {
	t.Parallel()
	rangeOf := orders().Shards[0].Range
	tests := []struct {
		name string
		row  lease.Lease
		want []string
	}{
		{"nothing known", row(0, "1200", "", ""), nil},
		{"the same", lease.Lease{Key: shardID(0), Checkpoint: at("1200"), Range: rangeOf, Identity: lease.Identity{Stream: "orders", Start: "1000", ARN: "arn"}}, nil},
		{"the same range in other digits", lease.Lease{Key: shardID(0), Checkpoint: at("1200"), Range: lease.HashRange{Start: "00", End: rangeOf.End}}, nil},
		{"a shard that is not listed", row(9, "SHARD_END", "orders", "1"), nil},
		{"a shard that is not listed, of another stream", row(9, "12", "bills", "1"), []string{"it is of stream bills, not orders"}},
		{"a shard that is not listed, with a range", lease.Lease{Key: shardID(9), Checkpoint: at("12"), Range: rangeOf}, nil},
		{"a checkpoint before the shard", row(0, "999", "", ""), []string{"its checkpoint 999 is not within the shard, which has 1000 to now"}},
		{"a checkpoint after its end", row(1, "2000", "", ""), []string{"its checkpoint 2000 is not within the shard, which has 1001 to 1999"}},
		{"a checkpoint at its end", row(1, "1999", "", ""), nil},
		{"a checkpoint at its beginning", row(1, "1001", "", ""), nil},
		{"SHARD_END of a closed shard", row(1, "SHARD_END", "", ""), nil},
		{"another stream", row(0, "1200", "bills", "1000"), []string{"it is of stream bills, not orders"}},
		{"another shard", row(0, "1200", "orders", "500"), []string{"it is of a shard that begins at 500, not 1000"}},
		{
			"all",
			lease.Lease{Key: shardID(0), Checkpoint: at("SHARD_END"), Range: lease.HashRange{Start: "0", End: "5"}, Identity: lease.Identity{Stream: "bills"}},
			[]string{"it is of stream bills, not orders", "its hash range is 0 to 5, not 0 to " + rangeOf.End, "it is at SHARD_END, but the shard is open"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := orders().Contradictions(tt.row); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
