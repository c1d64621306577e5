package esarchive_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors/esarchive"
)

// sameID returns n documents of one id, each with a later version.
func sameID(n int) cut {
	c := plain("s", n)
	for i := range c {
		c[i].data = fmt.Sprintf(`{"n":%q,"id":"same","v":%d}`, c[i].place, i)
	}
	return c
}

// The documents of one id hold up their shard for RetryDuration, not each of them.
func TestRefusedDocumentsOfOneID(t *testing.T) {
	t.Parallel()
	s := &answering{answer: func(ctx context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		wait(ctx, 20*time.Millisecond)
		return all(list, 400), nil
	}}
	synctest.Test(t, func(t *testing.T) {
		o := runTo(t, esarchive.Config{IndexName: "i", Operation: esarchive.OpCreate, IDs: esarchive.IDs{Field: "id"}}, s, sameID(100))
		if took := time.Since(s.at[0]); len(o.Failed) != 100 || took < 5*time.Minute || took > 5*time.Minute+4*time.Second {
			t.Errorf("%d failed, in %v", len(o.Failed), took)
		}
		for _, f := range o.Failed {
			if f.Attempts == 0 || f.Code != "400" || f.Ended.Sub(s.at[0]) < 5*time.Minute {
				t.Errorf("%+v", f)
			}
		}
	})
}

// With versions documents of one id share requests, and need not wait for one another.
func TestVersionsShareRequests(t *testing.T) {
	t.Parallel()
	s := &answering{answer: func(ctx context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		wait(ctx, 20*time.Millisecond)
		return all(list, 201), nil
	}}
	o := run(t, esarchive.Config{IndexName: "i", IDs: esarchive.IDs{Field: "id", VersionField: "v"}}, s, sameID(5000))
	if o.Indexed != 5000 || o.Requests != 1 {
		t.Errorf("%d indexed by %d requests", o.Indexed, o.Requests)
	}
}
