package kcl

import (
	"errors"
	"testing"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/internal/rows"
	"github.com/shardmill/shardmill/kcl/internal/shardsync"
	"github.com/shardmill/shardmill/lease"
)

// wholeRange is the range of a stream's only shard.
var wholeRange = lease.HashRange{Start: "0", End: "340282366920938463463374607431768211455"}

// Which rows may be taken, which have the shards listed, and what they are to say.
func TestClaim(t *testing.T) {
	t.Parallel()
	const first, child = "shardId-000000000001", "shardId-000000000002"
	k := &kinship{stream: "s"}
	is := func(what string, row lease.Lease, wantID lease.Identity, wantMay, wantNews bool) {
		t.Helper()
		if id, may, news := k.claim(row); id != wantID || may != wantMay || news != wantNews {
			t.Errorf("%s: %+v, may be taken %v, is news %v; want %+v, %v, %v", what, id, may, news, wantID, wantMay, wantNews)
		}
	}
	row := func(key, at string) lease.Lease {
		return lease.Lease{Key: key, Checkpoint: checkpoint.Position{ExtendedSequenceNumber: checkpoint.ExtendedSequenceNumber{SequenceNumber: at}}}
	}
	is("before the first listing", row(first, "TRIM_HORIZON"), lease.Identity{}, false, false)
	k.saw([]lease.Shard{{ID: first, StartingSequenceNumber: "1000"}})
	ours := lease.Identity{Stream: "s", Start: "1000"}
	is("a listed shard", row(first, "1500"), ours, true, false)
	is("a newer shard", row(child, "TRIM_HORIZON"), lease.Identity{Stream: "s"}, false, true)
	k.creates(child)
	k.creates(first)
	is("a child created here", row(child, "TRIM_HORIZON"), lease.Identity{Stream: "s"}, true, false)
	k.saw([]lease.Shard{{ID: first, StartingSequenceNumber: "1000"}})
	says := row(child, "TRIM_HORIZON")
	says.Identity = lease.Identity{Stream: "s", Start: "2000"}
	is("a child whose row knows where it begins", says, lease.Identity{}, true, false)
	k.saw([]lease.Shard{{ID: first, StartingSequenceNumber: "1000"}, {ID: child, StartingSequenceNumber: "2000"}})
	if len(k.created) > 0 {
		t.Errorf("remembered although listed: %v", k.created)
	}

	k.refute(first, row(first, "1500").Checkpoint.ExtendedSequenceNumber, "why")
	is("a refuted checkpoint", row(first, "1500"), ours, false, false)
	if j := k.judge(row(first, "1500")); j.Verdict != rows.Contradicts || j.Text != "why" || j.Key != first {
		t.Errorf("a refuted checkpoint: %+v", j)
	}
	is("another one", row(first, "TRIM_HORIZON"), ours, true, false)
	is("one that somebody set again", row(first, "1500"), ours, true, false)
}

// What contradicts the stream may not be believed: neither is the end of such a
// shard a reason to begin its children, nor is such a row deleted.
func TestNothingFollowsFromAContradiction(t *testing.T) {
	t.Parallel()
	shards := []lease.Shard{
		{ID: "shardId-000000000000", Range: wholeRange, StartingSequenceNumber: "1", EndingSequenceNumber: "9"},
		{ID: "shardId-000000000001", ParentIDs: []string{"shardId-000000000000"}, Range: wholeRange, StartingSequenceNumber: "10"},
	}
	list := []lease.Lease{{Key: shards[0].ID, Checkpoint: checkpoint.Sentinel(checkpoint.ShardEnd)}, {Key: "leader"}}
	for _, tt := range []struct {
		verdict       rows.Verdict
		rows, repairs int
	}{{rows.Ours, 1, 1}, {rows.Contradicts, 1, 0}, {rows.Alien, 0, 0}} {
		judged := map[string]rows.Judgement{shards[0].ID: {Verdict: tt.verdict, Text: "why"}, "leader": {Verdict: rows.Alien}}
		got, unreadable := asJudged(list, judged)
		todo := shardsync.Decide(shards, got, unreadable, checkpoint.Sentinel(checkpoint.TrimHorizon))
		if len(got)+len(unreadable) != tt.rows || len(todo.Repair) != tt.repairs || len(todo.Delete) > 0 {
			t.Errorf("verdict %d: rows %+v and %v, repaired %+v, deleted %+v", tt.verdict, got, unreadable, todo.Repair, todo.Delete)
		}
	}
}

// Only a record before a record's place refutes a checkpoint: all else may be
// what is left after records have expired.
func TestRefutes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		refused string
		first   []Record
		want    bool
	}{
		{"1500", []Record{{SequenceNumber: "1499"}}, true},
		{"1500", []Record{{SequenceNumber: "999"}, {SequenceNumber: "1600"}}, true},
		{"1500", []Record{{SequenceNumber: "1500"}}, false},
		{"1500", []Record{{SequenceNumber: "1501"}}, false},
		{"999", []Record{{SequenceNumber: "1000"}}, false},
		{"1500", nil, false},
		{"TRIM_HORIZON", []Record{{SequenceNumber: "1"}}, false},
		{"", []Record{{SequenceNumber: "1"}}, false},
	} {
		refused := checkpoint.Position{ExtendedSequenceNumber: checkpoint.ExtendedSequenceNumber{SequenceNumber: tt.refused}}
		if err := refutes(Page{Records: tt.first}, refused); errors.Is(err, endRefuted) != tt.want || (err != nil) != tt.want {
			t.Errorf("refused %s, read %v: %v, want proof %v", tt.refused, tt.first, err, tt.want)
		}
	}
}
