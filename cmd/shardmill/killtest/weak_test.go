//go:build kill

package killtest_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestScriptSeesRecordsTwice has archivers without the prepare. What one of
// them leaves when it dies between publish and commit is in two objects, and
// the script must say so.
func TestScriptSeesRecordsTwice(t *testing.T) { //nolint:paralleltest // its processes need the cores
	rng := newRand(t, "SHARDMILL_KILL_SEED")
	dir := newDir(t, "SHARDMILL_KILL_DIR")
	s := startServices(t, dir)
	feed := startFeeder(t, s, dir, rand.New(rand.NewPCG(rng.Uint64(), 0)), ordinary(1_000_000))
	r := newRun(t, s, newArchivers(t, s, dir, two("at-least-once")), rng)
	feed.allow(5_000_000)
	r.strike(point{step: atPut, how: "S3 holds the put", fault: fault{Service: "S3", Operation: "PutObject", Kind: "Stall"}})
	feed.finish(t)
	r.archivers.finish(2 * time.Minute)
	_, text, err := readTruth(t, s)
	t.Log(text)
	if err == nil || !strings.Contains(text, "times: a record is in several objects") {
		t.Errorf("the script did not find that records are in two objects: %v", err)
	}
	if strings.Contains(text, "a record is in no object") {
		t.Error("records are lost")
	}
}
