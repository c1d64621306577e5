package health_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shardmill/shardmill/kcl"
	"github.com/shardmill/shardmill/processors"
)

// trying shows loops, which are told how long they have been shown.
func (w world) trying(loops func(age time.Duration) []kcl.LoopStatus) {
	start := time.Now()
	w.w.set(func() kcl.Snapshot {
		return kcl.Snapshot{WorkerID: "w", Now: time.Now(), LastSync: time.Now(), Loops: loops(time.Since(start))}
	})
}

const idle = "alive: worker w holds 0 leases\n"

// Liveness fails at the fifth look at a try that is silent for longer than
// twice its limit, not before, and is back as soon as the try ends.
func TestLivenessFailsWhenATryHangs(t *testing.T) {
	t.Parallel()
	const late = 10 * time.Millisecond
	for _, row := range []struct {
		name   string
		hangs  kcl.LoopStatus
		beside []kcl.LoopStatus
		reason string
	}{
		{
			"of the start",
			kcl.LoopStatus{Loop: "start", Doing: "looking for the lease table"},
			nil,
			"the start has been silent for 24s in looking for the lease table; its limit is 10s",
		},
		{
			"of reading leases",
			kcl.LoopStatus{Loop: "scan", Doing: "reading the lease table"},
			nil,
			"the scan has been silent for 24s in reading the lease table; its limit is 10s",
		},
		{
			"of the shard sync",
			kcl.LoopStatus{Loop: "sync", Doing: "listing shards"},
			nil,
			"the shard sync has been silent for 24s in listing shards; its limit is 10s",
		},
		{
			"of one renewal among others",
			kcl.LoopStatus{Loop: "renewal", ShardID: "shard-2"},
			[]kcl.LoopStatus{{Loop: "renewal", ShardID: "shard-1", Limit: 10 * time.Second}},
			"the renewal of shard-2 has been silent for 24s; its limit is 10s",
		},
		{
			"of a shard, beside a call without a limit and tries that come late",
			kcl.LoopStatus{Loop: "shard", ShardID: "shard-2", Doing: "reading"},
			[]kcl.LoopStatus{
				{Loop: "shard", ShardID: "shard-2", Doing: "processing", Silent: time.Hour},
				{Loop: "shard", ShardID: "shard-2", Doing: "writing a checkpoint", Limit: time.Millisecond, Silent: late},
			},
			"the loop of shard-2 has been silent for 24s in reading; its limit is 10s",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.trying(func(age time.Duration) []kcl.LoopStatus {
					l := row.hangs
					l.Limit, l.Silent = 10*time.Second, age
					loops := []kcl.LoopStatus{l}
					for _, l := range row.beside {
						if l.Silent == late { // another one at each look
							l.Silent = late - age/1_000_000
						}
						loops = append(loops, l)
					}
					return loops
				})
				for range 24 { // twenty looks within twice the limit, four past it
					time.Sleep(time.Second)
					w.want("/healthz", http.StatusOK, idle)
				}
				time.Sleep(time.Second)
				w.want("/healthz", http.StatusServiceUnavailable, "not alive: "+row.reason+"\n")
				w.trying(func(time.Duration) []kcl.LoopStatus { return row.beside })
				time.Sleep(time.Second)
				w.want("/healthz", http.StatusOK, idle)
			})
		})
	}
}

// A loop whose tries end goes on, however they end.
func TestLivenessDoesNotMindTriesThatEnd(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		limit time.Duration
		every time.Duration // a try, or a sign of life
	}{
		{"in errors, each at twice its limit", 10 * time.Second, 20 * time.Second},
		{"with signs of life, each in time", time.Minute, 59 * time.Second},
		{"each past twice its limit, but no one try is seen five times", 100 * time.Millisecond, 3 * time.Second},
		{"never, for they have no limit", 0, 1000 * time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.trying(func(age time.Duration) []kcl.LoopStatus {
					return []kcl.LoopStatus{{Loop: "shard", ShardID: "shard-1", Limit: row.limit, Silent: age % row.every}}
				})
				for range 600 {
					time.Sleep(time.Second)
					w.want("/healthz", http.StatusOK, idle)
				}
			})
		})
	}
}

// Tries of two loops that come late one after the other are not one that hangs.
func TestLivenessTellsTheTriesOfLoopsApart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		a, b kcl.LoopStatus
	}{
		{"of two shards", kcl.LoopStatus{Loop: "renewal", ShardID: "shard-1"}, kcl.LoopStatus{Loop: "renewal", ShardID: "shard-2"}},
		{"of two loops", kcl.LoopStatus{Loop: "scan", Doing: "reading the lease table"}, kcl.LoopStatus{Loop: "sync", Doing: "reading the lease table"}},
		{"of two steps", kcl.LoopStatus{Loop: "sync", Doing: "listing shards"}, kcl.LoopStatus{Loop: "sync", Doing: "reading the lease table"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.trying(func(age time.Duration) []kcl.LoopStatus {
					l := row.a
					if age%(8*time.Second) >= 4*time.Second {
						l = row.b
					}
					l.Limit, l.Silent = time.Second, time.Minute+age
					return []kcl.LoopStatus{l}
				})
				for range 60 {
					time.Sleep(time.Second)
					w.want("/healthz", http.StatusOK, idle)
				}
			})
		})
	}
}

// A process that was stopped for an hour wakes up amidst its tries, whose time
// is up: they are given up now, which is no failure.
func TestLivenessSurvivesASuspensionAmidstATry(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		for range 2 { // the count begins anew
			w.trying(func(age time.Duration) []kcl.LoopStatus {
				return []kcl.LoopStatus{{Loop: "scan", Limit: 10 * time.Second, Silent: time.Hour + age}}
			})
			time.Sleep(4 * time.Second)
			w.want("/healthz", http.StatusOK, idle)
			w.trying(func(time.Duration) []kcl.LoopStatus { return nil })
			time.Sleep(time.Second)
			w.want("/healthz", http.StatusOK, idle)
		}
	})
}

// A day without a service is nothing that a restart mends, at no moment of it,
// nor anything that somebody can do here: tries end in errors at their limit,
// begin again, and none succeeds.
func TestLivenessSurvivesADaysOutage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		service string
		loops   []kcl.LoopStatus
	}{
		{"DynamoDB", []kcl.LoopStatus{
			{Loop: "scan", Doing: "reading the lease table", Limit: 30 * time.Second},
			{Loop: "renewal", ShardID: "shard-1", Limit: 3 * time.Second},
			{Loop: "shard", ShardID: "shard-1", Doing: "writing a checkpoint", Limit: 30 * time.Second},
		}},
		{"Kinesis", []kcl.LoopStatus{
			{Loop: "sync", Doing: "listing shards", Limit: 30 * time.Second},
			{Loop: "shard", ShardID: "shard-1", Doing: "reading", Limit: 30 * time.Second},
		}},
		{"S3", []kcl.LoopStatus{{Loop: "shard", ShardID: "shard-1", Doing: "processing"}}},
	} {
		t.Run(row.service, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w world) {
				w.scanned()
				start, put := time.Now(), w.m.DeliveryHooks().PutFailed
				var looks, dead atomic.Int64
				w.w.set(func() kcl.Snapshot { // at each look, what the one before has found
					looks.Add(1)
					if w.m.Dead() != "" {
						dead.Add(1)
					}
					s := holding(time.Now().Add(time.Second), false)()
					s.Shards[0].LastError, s.LastSync = "connection refused", start
					for _, l := range row.loops {
						l.Silent = time.Since(start)
						if l.Limit > 0 {
							l.Silent %= l.Limit
						}
						s.Loops = append(s.Loops, l)
					}
					return s
				})
				for range 24 * 60 {
					time.Sleep(time.Minute)
					put(processors.PutFailedEvent{ShardID: "shard-1", Err: errors.New("test")})
				}
				if looks.Load() < 24*60*60 || dead.Load() > 0 {
					w.t.Errorf("of %d looks %d found it dead", looks.Load(), dead.Load())
				}
				w.want("/healthz", http.StatusOK, alive)
				w.ready(http.StatusOK, "ready: worker w holds 1 leases")
			})
		})
	}
}

func TestVerboseListsLoopsAndTroubles(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w world) {
		at := time.Now()
		w.w.set(func() kcl.Snapshot {
			return kcl.Snapshot{
				WorkerID: "w", Now: at, LastSync: at,
				Loops: []kcl.LoopStatus{
					{Loop: "scan", Doing: "reading the lease table", Silent: 1234567 * time.Microsecond, Limit: 30 * time.Second},
					{Loop: "shard", ShardID: "shard-1", Silent: time.Hour},
				},
				Troubles: []kcl.Trouble{
					{Reason: kcl.TroubleAccess, Since: at, Text: "two\nlines " + strings.Repeat("x", 2000)},
					{Reason: kcl.TroubleUnreadable, Since: at, ShardID: "shard-2", Text: "mend it"},
				},
			}
		})
		since := at.UTC().Format(time.RFC3339)
		w.want("/healthz?verbose", http.StatusOK, idle+
			"trouble: access, since "+since+": \"two\\nlines "+strings.Repeat("x", 990)+"\"\n"+
			"trouble: unreadable of shard-2, since "+since+": \"mend it\"\n"+
			"shards and leases compared: 0s ago\n"+
			"the scan: reading the lease table, silent for 1.234s, limit 30s\n"+
			"the loop of shard-1: busy, silent for 1h0m0s, no limit\n")
	})
}
