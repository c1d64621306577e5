//go:build search

package referees_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/shardmill/shardmill/processors"
)

// indices are the names of all.
func (r referee) indices(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(r.ask(t, http.MethodGet, "/_all/_settings?filter_path=*.settings.index.uuid", ""), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// shards are documents of several.
func shards(n, each int) []documents {
	lists := make([]documents, n)
	for i := range lists {
		lists[i] = makeDocuments(i, each)
	}
	return lists
}

// TestRefereeRejects delivers to a node with one thread that writes, and room for one
// request before it: what is rejected is tried again until it is in the index.
func TestRefereeRejects(t *testing.T) { //nolint:paralleltest // it restarts the server
	r := newReferee(t)
	name := r.name()
	r.restart(t, "thread_pool.write.size=1", "thread_pool.write.queue_size=1")
	r.create(t, name)
	lists := shards(3, 150)
	c := r.config(t, name)
	c.MaxRequestBytes, c.Parallel, c.RetryDuration = 64<<10, 2, seconds(300)
	e := new(events)
	wantIndexed(t, deliver(t, index(t, c), e, lists...), lists...)
	r.wantAll(t, name, lists...)
	if e.rejected == 0 {
		t.Errorf("nothing was rejected, so nothing was shown: %v", e)
	}
	t.Log(e)
}

// How many documents there are under load.
const (
	shardsUnderLoad = 6
	eachUnderLoad   = 1500
)

// underLoad delivers documents of several shards while something is done to the node,
// once a third of them is in the index.
func underLoad(t *testing.T, r referee, do func() error) *events {
	t.Helper()
	name := r.name()
	r.create(t, name)
	lists := shards(shardsUnderLoad, eachUnderLoad)
	c := r.config(t, name)
	c.MaxRequestBytes, c.RequestTimeout = 64<<10, 5*time.Second
	c.PauseWhenDown = true
	e := new(events)
	ended := make(chan []processors.IndexOutcome, 1)
	go func() { ended <- deliver(t, index(t, c), e, lists...) }()
	if err := e.wait(t.Context(), shardsUnderLoad*eachUnderLoad/3); err != nil {
		t.Fatal(err)
	}
	if err := do(); err != nil {
		t.Error(err)
	}
	wantIndexed(t, <-ended, lists...)
	r.ask(t, http.MethodGet, "/_cluster/health/"+name+"?wait_for_status=yellow&timeout=30s", "")
	r.wantAll(t, name, lists...)
	if e.failed == 0 {
		t.Errorf("no request met it, so nothing was shown: %v", e)
	}
	t.Log(e)
	return e
}

// TestRefereeRestarted ends the node gently under load and starts it again.
func TestRefereeRestarted(t *testing.T) { //nolint:paralleltest // it restarts the server
	r := newReferee(t)
	underLoad(t, r, func() error { return r.run(t.Context(), "restart") })
}

// TestRefereeKilled kills the node under load and starts it again: what it said was in
// the index is there.
func TestRefereeKilled(t *testing.T) { //nolint:paralleltest // it kills the server
	r := newReferee(t)
	underLoad(t, r, func() error {
		if err := r.run(t.Context(), "kill"); err != nil {
			return err
		}
		if err := r.run(t.Context(), "restart"); err != nil {
			return fmt.Errorf("after the kill: %w", err)
		}
		return nil
	})
}
