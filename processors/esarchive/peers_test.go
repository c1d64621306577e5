package esarchive_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/processors/esarchive"
)

func TestPeer45ThePipelineIsSent(t *testing.T) {
	t.Parallel()
	s := &answering{answer: ok}
	run(t, esarchive.Config{IndexName: "i", Pipeline: "p"}, s, plain("s", 2))
	for _, a := range s.requests[0] {
		if a.Pipeline != "p" {
			t.Errorf("%+v", a)
		}
	}
}

func TestPeer63WhatFailedAfterAllTriesIsTold(t *testing.T) {
	t.Parallel()
	s := &answering{answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		return all(list, 503), nil
	}}
	o := run(t, esarchive.Config{IndexName: "i"}, s, plain("s", 5))
	if len(o.Failed) != 5 {
		t.Fatalf("%+v", o)
	}
	for i, f := range o.Failed {
		if f.Document != i || f.Code != "503" || f.Message != "unavailable_shards_exception: reason 503" || f.Attempts < 2 || f.ID == "" || f.Index == "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestPeer64WhereNothingCanBeSentDeliveryGoesOn(t *testing.T) {
	t.Parallel()
	s := &answering{answer: ok}
	if o := run(t, esarchive.Config{IndexName: "i"}, s, nil); o.Requests != 0 || o.Failed != nil {
		t.Errorf("%+v", o)
	}
	c := plain("s", 3)
	for i := range c {
		c[i].data = "no JSON"
	}
	if o := run(t, esarchive.Config{IndexName: "i"}, s, c); o.Requests != 0 || len(o.Failed) != 3 {
		t.Errorf("%+v", o)
	}
}

func TestPeer65WhatAlwaysFailsIsGivenUp(t *testing.T) {
	t.Parallel()
	s := &answering{answer: func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		items := all(list, 201)
		items[0] = refusal(400)
		return items, nil
	}}
	o := run(t, esarchive.Config{IndexName: "i"}, s, plain("s", 2))
	if o.Indexed != 1 || len(o.Failed) != 1 || o.Requests > 30 || o.Failed[0].Ended.Sub(s.at[0]) > 5*time.Minute+time.Second {
		t.Errorf("%+v", o)
	}
}

// A part of a request that failed is sent again, and not the rest of it; the answers are
// those of their places, whatever else they say.
func TestPeer68OnlyWhatFailedIsSentAgain(t *testing.T) {
	t.Parallel()
	s := &answering{answer: func(_ context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		items := all(list, 201)
		if n == 0 {
			items[1], items[3] = refusal(429), refusal(503)
		}
		return items, nil
	}}
	o := run(t, esarchive.Config{IndexName: "i"}, s, plain("s", 5))
	if o.Indexed != 5 || len(s.requests) != 2 || len(s.requests[1]) != 2 || s.requests[1][0].N != "s0001.0" || s.requests[1][1].N != "s0003.0" {
		t.Errorf("%+v, %v", o, s.requests)
	}
}

// A conflict is not dropped: with an id of a field it is a failure, with versions it is
// counted. And who waits for the next try heeds a stop.
func TestPeer76ConflictsAreToldAndTriesHeedAStop(t *testing.T) {
	t.Parallel()
	conflicts := func(_ context.Context, _ int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		return all(list, 409), nil
	}
	o := run(t, esarchive.Config{IndexName: "i", Operation: esarchive.OpCreate, IDs: esarchive.IDs{Field: "id"}}, &answering{answer: conflicts}, plain("s", 2))
	if len(o.Failed) != 2 || o.Failed[1].Code != "409" || o.Failed[1].ID != "id-1" || o.Requests != 1 {
		t.Errorf("%+v", o)
	}
	o = run(t, esarchive.Config{IndexName: "i", IDs: esarchive.IDs{Field: "id", VersionField: "v"}}, &answering{answer: conflicts}, plain("s", 2))
	if o.Superseded != 2 || o.Indexed != 0 || len(o.Failed) != 0 {
		t.Errorf("%+v", o)
	}
	synctest.Test(t, func(t *testing.T) {
		x, err := esarchive.NewWith(esarchive.Config{IndexName: "i"}, outage(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		begun := time.Now()
		if err := x.Open(input(plain("s", 9))).Run(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 100*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// A document that was refused as the cluster is busy is sent again, and an answer for
// fewer documents than were sent leaves none of them out.
func TestPeer77NothingIsLeftOut(t *testing.T) {
	t.Parallel()
	s := &answering{answer: func(_ context.Context, n int, list []action) ([]esarchive.Item, *esarchive.Fault) {
		switch items := all(list, 201); n {
		case 0:
			return all(list, 429), nil
		case 1:
			return items[:len(items)-1], nil
		default:
			return items, nil
		}
	}}
	if o := run(t, esarchive.Config{IndexName: "i"}, s, plain("s", 4)); o.Indexed != 4 || o.Requests != 3 || len(s.requests[2]) != 4 {
		t.Errorf("%+v, %v", o, s.requests)
	}
}
