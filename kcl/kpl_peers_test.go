package kcl_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/kcl/kcltest"
	"github.com/shardmill/shardmill/kcl/kpl"
	"github.com/shardmill/shardmill/lease"
)

// vmware-go-kcl logs that one record of a page cannot be taken apart, processes
// none of the page and reads on; an index outside the key table panics.
func TestPeer4OneBadRecordLosesNoPage(t *testing.T) {
	t.Parallel()
	for _, f := range faultsOfRecords() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, table, said := kcltest.NewStream(1), new(lease.Mem), &story{names: map[string]string{f.data: "bad"}}
				s.Put(0, "a")
				aggregate(s, 0, "u", "v")
				s.Put(0, f.data)
				aggregate(s, 0, "w", "x")
				s.Put(0, "b")
				if err := run(t, 5*time.Second, config(s, table, "me"), func(kcl.ShardInfo) kcl.RecordProcessor {
					return process(func(in kcl.ProcessRecordsInput) error {
						said.process(in)
						return in.Checkpointer.Checkpoint(t.Context())
					})
				}); err != nil {
					t.Error(err)
				}
				if got, want := strings.Join(said.told, " "), "ok:a ok:u ok:v ok:bad ok:w ok:x ok:b"; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if at := row(t, table, 0).Checkpoint; at.SequenceNumber != s.Records(0)[4].SequenceNumber {
					t.Errorf("the checkpoint is %v", at)
				}
			})
		})
	}
}

// vmware-go-kcl compares no user record with the hash keys of its shard: what the
// KPL packed for a shard that was split meanwhile, and put again in part, comes
// from both children. And it has no checkpoint within an aggregated record: here
// workers stop after each second user record.
func TestPeer5WhatTheKPLPutsAgainComesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, table, j := kcltest.NewStream(1), new(lease.Mem), new(journal)
		s.Split(0)
		ranges := make([]kpl.HashRange, 3)
		for i := range ranges {
			var err error
			if ranges[i], err = kpl.ParseHashRange(s.Shard(i).Range.Start, s.Shard(i).Range.End); err != nil {
				t.Fatal(err)
			}
		}
		var packed kpl.Aggregator // for the parent; stored in shard 1
		var again kpl.Aggregator  // what belongs to shard 2
		var want []string
		for i := range 20 {
			u := kpl.UserRecord{PartitionKey: fmt.Sprint("key ", i), Data: fmt.Append(nil, i)}
			packed.Add(u)
			if want = append(want, strconv.Itoa(i)); ranges[2].Contains(u) {
				again.Add(u)
			}
		}
		if again.Len() < 4 || again.Len() > 16 {
			t.Fatalf("%d of 20 user records belong to the other shard", again.Len())
		}
		s.PutAs(1, "a", string(packed.Append(nil)))
		s.PutAs(2, "a", string(again.Append(nil)))
		for life := range 20 {
			// What was given up is left alone for a failover time.
			if err := run(t, 25*time.Second, config(s, table, fmt.Sprint("worker-", life)), func(kcl.ShardInfo) kcl.RecordProcessor {
				return &twoByTwo{oneByOne: oneByOne{recorder: recorder{j: j}}}
			}); err != nil {
				t.Errorf("Run = %v", err)
			}
		}
		got := j.words()
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("processed\n got %q\nwant %q", got, want)
		}
	})
}

// twoByTwo dies after two records.
type twoByTwo struct{ oneByOne }

func (p *twoByTwo) ProcessRecords(ctx context.Context, in kcl.ProcessRecordsInput) error {
	if len(in.Records) > 1 {
		p.die = string(in.Records[1].Data)
	}
	return p.oneByOne.ProcessRecords(ctx, in)
}
