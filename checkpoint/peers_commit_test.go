package checkpoint_test

import (
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
)

// A call prepares a checkpoint and fails after that; a shutdown comes before
// the next try. The processor commits, and then checkpoints what was processed:
// that must not take the commit back (peers' bug 58).
func TestPeer58ACheckpointAfterACommitDoesNotGoBack(t *testing.T) {
	t.Parallel()
	r := &row{at: at("10")}
	c := checkpoint.New(r, r.at, false)
	c.Processed(at("20"))
	p, err := c.Prepare(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Retract(at("10"))
	if err := p.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Checkpoint(t.Context()); err != nil || r.at != at("20") {
		t.Errorf("checkpoints %v, %v; want no other after 20", r.history, err)
	}
}
