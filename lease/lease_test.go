package lease_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

func TestHolder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		row  lease.Lease
		want string
	}{
		{lease.Lease{}, ""},
		{lease.Lease{Owner: "a"}, "a"},
		{lease.Lease{Owner: "next", CheckpointOwner: "old"}, "old"},
		{lease.Lease{CheckpointOwner: "old"}, "old"},
	} {
		if got := tt.row.Holder(); got != tt.want {
			t.Errorf("of %+v: %q, want %q", tt.row, got, tt.want)
		}
	}
}

// A new row says nothing of owners; all else is as it was given.
func TestFresh(t *testing.T) {
	t.Parallel()
	given := lease.Lease{
		Key: "k", Checkpoint: checkpoint.Sentinel(checkpoint.Latest), Parents: []string{"p"}, Children: []string{"c"},
		Range: lease.HashRange{Start: "0", End: "9"}, Identity: lease.Identity{Stream: "s"}, ThroughputKBps: 3,
	}
	owned := given
	owned.Owner, owned.Instance, owned.FailoverTime, owned.CheckpointOwner = "a", "a-1", time.Second, "b"
	owned.Counter, owned.OwnerSwitches, owned.Released = 5, 6, lease.GivenUp
	if d := cmp.Diff(given, owned.Fresh()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestClaimValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		owner, instance string
		ok              bool
	}{{"a", "a-1", true}, {"a/b", "i", true}, {"", "i", false}, {"a", "", false}, {"a", "i/1", false}} {
		err := lease.Claim{Owner: tt.owner, Instance: tt.instance}.Validate()
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, lease.ErrInvalidState) {
			t.Errorf("of %q and %q: %v", tt.owner, tt.instance, err)
		}
	}
}
