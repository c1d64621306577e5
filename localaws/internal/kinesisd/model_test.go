package kinesisd_test

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/localaws/internal/kinesisd"
)

// TestShardKeepsWhatWasPut holds one shard against a plain slice under puts,
// reads, discards and trims in any order.
func TestShardKeepsWhatWasPut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		server := newServer(t, kinesisd.Options{MaxPageBytes: 3000}, 1)
		var data, numbers []string
		first := 0 // oldest that is kept
		steps := rapid.IntRange(1, 60).Draw(r, "steps")
		for range steps {
			switch rapid.IntRange(0, 5).Draw(r, "step") {
			case 0, 1, 2:
				text := strconv.Itoa(len(data)) + strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 50, 2000, 9000}).Draw(r, "size"))
				numbers = append(numbers, put(t, server, "0", text))
				data = append(data, text)
			case 3:
				if i := rapid.IntRange(0, len(data)).Draw(r, "discard"); i > 0 {
					server.Discard(orders, shard0, numbers[i-1])
					first = max(first, i)
				}
			case 4:
				if i := rapid.IntRange(0, len(data)).Draw(r, "trim"); i < len(data) {
					server.Trim(orders, shard0, numbers[i])
					first = max(first, i)
				}
			case 5:
				if i := rapid.IntRange(0, len(data)).Draw(r, "from"); i > 0 {
					got := readAll(t, server, iterator(t, server, shard0, afterSeq, "StartingSequenceNumber", numbers[i-1]), len(data)-max(first, i))
					compare(r, got, data[max(first, i):])
				}
			}
			var bytes int64
			for _, text := range data[first:] {
				bytes += int64(len(text))
			}
			if got := server.StoredBytes(orders); got != bytes {
				r.Fatalf("StoredBytes is %d, want %d", got, bytes)
			}
		}
		compare(r, readAll(t, server, iterator(t, server, shard0, trim), len(data)-first), data[first:])
	})
}

func compare(r *rapid.T, got, wanted []string) {
	if !slices.Equal(got, wanted) {
		r.Fatalf("got %.200q, want %.200q", got, wanted)
	}
}

// readAll reads n records, page by page, and checks that pages say whether
// there is more.
func readAll(tb testing.TB, server *kinesisd.Server, it string, n int) []string {
	tb.Helper()
	var all []string
	for {
		data, answer := read(tb, server, it)
		if records := answer["Records"].([]any); len(records) > 0 {
			all = append(all, strings.Split(data, " ")...)
			if len(records) > 1 && len(data) > 3000+len(records) {
				tb.Errorf("a page has %d bytes in %d records", len(data), len(records))
			}
		} else if len(all) < n {
			tb.Fatalf("an empty page after %d of %d records", len(all), n)
		}
		if (answer["MillisBehindLatest"].(float64) == 0) != (len(all) >= n) {
			tb.Errorf("MillisBehindLatest is %v after %d of %d records", answer["MillisBehindLatest"], len(all), n)
		}
		next, ok := answer["NextShardIterator"].(string)
		if !ok || len(all) >= n {
			return all
		}
		it = next
	}
}

// TestReshardsLoseNothing reshards a stream at random while records are put,
// and reads it as a consumer does: from the shards at the trim horizon, each to
// its end, then its children.
func TestReshardsLoseNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		server := newServer(t, kinesisd.Options{}, rapid.IntRange(1, 4).Draw(r, "shards"))
		hashes := []string{"0", "1", "85070591730234615865843651857942052864", halfHash, maxHash}
		wanted := map[string]string{}
		for i := range rapid.IntRange(1, 12).Draw(r, "steps") {
			hash := rapid.SampledFrom(hashes).Draw(r, "hash")
			put(t, server, hash, fmt.Sprintf("%s/%d", hash, i))
			wanted[hash] += fmt.Sprintf("%s/%d ", hash, i)
			reshard(t, r, server)
			checkCover(r, listed(t, server, "AT_LATEST"))
			checkCover(r, listed(t, server, "AT_TRIM_HORIZON"))
		}
		got := consume(t, server)
		for _, hash := range hashes {
			if got[hash] != wanted[hash] {
				r.Fatalf("records at %s: got %s, want %s", hash, got[hash], wanted[hash])
			}
		}
	})
}

// listed gives the shards that a filter lets through.
func listed(tb testing.TB, server *kinesisd.Server, filter string) []fields {
	tb.Helper()
	var all []fields
	for _, shard := range do(tb, server, "ListShards", fields{"StreamName": orders, "ShardFilter": fields{"Type": filter}})["Shards"].([]any) {
		all = append(all, shard.(fields))
	}
	return all
}

func number(text any) *big.Int {
	n, _ := new(big.Int).SetString(fmt.Sprint(text), 10)
	return n
}

// checkCover checks that the ranges of shards cover the key space exactly once.
func checkCover(r *rapid.T, shards []fields) {
	slices.SortFunc(shards, func(a, b fields) int {
		return number(a["HashKeyRange"].(fields)["StartingHashKey"]).Cmp(number(b["HashKeyRange"].(fields)["StartingHashKey"]))
	})
	next := new(big.Int)
	for _, shard := range shards {
		keys := shard["HashKeyRange"].(fields)
		if number(keys["StartingHashKey"]).Cmp(next) != 0 {
			r.Fatalf("shard %v starts at %v, want %v", shard["ShardId"], keys["StartingHashKey"], next)
		}
		next.Add(number(keys["EndingHashKey"]), big.NewInt(1))
	}
	if next.Cmp(new(big.Int).Lsh(big.NewInt(1), 128)) != 0 {
		r.Fatalf("the shards end at %v", next)
	}
}

func reshard(tb testing.TB, r *rapid.T, server *kinesisd.Server) {
	tb.Helper()
	open := listed(tb, server, "AT_LATEST")
	checkCover(r, open) // sorts them
	switch rapid.IntRange(0, 3).Draw(r, "reshard") {
	case 1:
		do(tb, server, "UpdateShardCount", fields{
			"StreamName": orders, "TargetShardCount": rapid.IntRange((len(open)+1)/2, max((len(open)+1)/2, min(6, 2*len(open)))).Draw(r, "count"), "ScalingType": "UNIFORM_SCALING",
		})
	case 2:
		shard := rapid.SampledFrom(open).Draw(r, "split")
		keys := shard["HashKeyRange"].(fields)
		middle := new(big.Int).Add(number(keys["StartingHashKey"]), number(keys["EndingHashKey"]))
		do(tb, server, "SplitShard", fields{
			"StreamName": orders, "ShardToSplit": shard["ShardId"], "NewStartingHashKey": middle.Rsh(middle, 1).String(),
		})
	case 3:
		if len(open) > 1 {
			i := rapid.IntRange(0, len(open)-2).Draw(r, "merge")
			do(tb, server, "MergeShards", fields{
				"StreamName": orders, "ShardToMerge": open[i]["ShardId"], "AdjacentShardToMerge": open[i+1]["ShardId"],
			})
		}
	}
}

// consume reads every shard to its end, a child when all its parents are read,
// and gives the records of each hash in the order read.
func consume(tb testing.TB, server *kinesisd.Server) map[string]string {
	tb.Helper()
	got := map[string]string{}
	done := map[string]bool{}
	var ready []string
	for _, shard := range listed(tb, server, "AT_TRIM_HORIZON") {
		ready = append(ready, shard["ShardId"].(string))
	}
	for len(ready) > 0 {
		id := ready[0]
		ready = ready[1:]
		data, answer := read(tb, server, iterator(tb, server, id, trim))
		for record := range strings.FieldsSeq(data) {
			hash, _, _ := strings.Cut(record, "/")
			got[hash] += record + " "
		}
		done[id] = true
		children, _ := answer["ChildShards"].([]any)
		if _, open := answer["NextShardIterator"]; open == (len(children) > 0) {
			tb.Errorf("shard %s has an iterator: %v, and %d children", id, open, len(children))
		}
		for _, child := range children {
			blocked := slices.ContainsFunc(child.(fields)["ParentShards"].([]any), func(p any) bool { return !done[p.(string)] })
			if !blocked {
				ready = append(ready, child.(fields)["ShardId"].(string))
			}
		}
	}
	return got
}
