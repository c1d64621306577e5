package shardsync_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/kcl/internal/shardsync"
	"github.com/shardmill/shardmill/lease"
)

// classic is the shard graph of the Java KCL's documentation: 0-5 at first,
// then 0+1 are merged to 6 and 2+3 to 7, then 6+7 to 8, and 5 is split into 9
// and 10. 4, 8, 9 and 10 are open.
func classic() []lease.Shard {
	shard := func(id, start int, closed bool, parents ...int) lease.Shard {
		s := lease.Shard{ID: name(id), StartingSequenceNumber: strconv.Itoa(start*1000 + id)}
		for _, p := range parents {
			s.ParentIDs = append(s.ParentIDs, name(p))
		}
		if closed {
			s.EndingSequenceNumber = strconv.Itoa(start*1000 + 999)
		}
		return s
	}
	return []lease.Shard{
		shard(0, 1, true), shard(1, 1, true), shard(2, 1, true), shard(3, 1, true), shard(4, 1, false), shard(5, 1, true),
		shard(6, 2, true, 0, 1), shard(7, 2, true, 2, 3), shard(8, 3, false, 6, 7), shard(9, 3, false, 5), shard(10, 3, false, 5),
	}
}

func name(id int) string { return fmt.Sprintf("shardId-%012d", id) }

// leases makes leases from words such as "4" (begun), "5:SHARD_END", "6:#" (its
// row cannot be read).
func leases(spec string) (out []lease.Lease, unreadable []string) {
	for f := range strings.FieldsSeq(spec) {
		var id int
		var at string
		if _, err := fmt.Sscanf(f, "%d:%s", &id, &at); err != nil {
			at = "5"
			_, _ = fmt.Sscan(f, &id)
		}
		l := lease.Lease{Key: name(id), Checkpoint: checkpoint.Position{ExtendedSequenceNumber: checkpoint.ExtendedSequenceNumber{SequenceNumber: at}}}
		if at == "#" {
			unreadable = append(unreadable, name(id))
			continue
		}
		for _, s := range classic() {
			if s.ID == l.Key {
				l.Parents = s.ParentIDs
			}
			if l.Finished() && slices.Contains(s.ParentIDs, l.Key) {
				l.Children = append(l.Children, s.ID)
			}
		}
		out = append(out, l)
	}
	return out, unreadable
}

// decide decides on shards and the leases of a spec.
func decide(shards []lease.Shard, spec, initial string) shardsync.Actions {
	list, unreadable := leases(spec)
	return shardsync.Decide(shards, list, unreadable, checkpoint.Sentinel(initial))
}

func show(ls []lease.Lease) string {
	var out []string
	for _, l := range ls {
		out = append(out, strings.TrimLeft(strings.TrimPrefix(l.Key, "shardId-"), "0")+":"+l.Checkpoint.SequenceNumber)
	}
	return strings.ReplaceAll(strings.Join(out, " "), " :", " 0:")
}

func TestCreate(t *testing.T) {
	t.Parallel()
	const th, latest, at = checkpoint.TrimHorizon, checkpoint.Latest, checkpoint.AtTimestamp
	tests := []struct {
		name, initial, leases, want, repair, withheld string
	}{
		{name: "an empty table at LATEST gets the open shards", initial: latest, want: "4:LATEST 8:LATEST 9:LATEST 10:LATEST"},
		{name: "at TRIM_HORIZON it gets the oldest ones", initial: th, want: ":TRIM_HORIZON 1:TRIM_HORIZON 2:TRIM_HORIZON 3:TRIM_HORIZON 4:TRIM_HORIZON 5:TRIM_HORIZON"},
		{name: "and so at AT_TIMESTAMP", initial: at, want: ":AT_TIMESTAMP 1:AT_TIMESTAMP 2:AT_TIMESTAMP 3:AT_TIMESTAMP 4:AT_TIMESTAMP 5:AT_TIMESTAMP"},
		{name: "Java's example at LATEST", initial: latest, leases: "4 5 7", want: "6:LATEST"},
		{name: "Java's example at TRIM_HORIZON", initial: th, leases: "4 5 7", want: ":TRIM_HORIZON 1:TRIM_HORIZON"},
		{name: "Java's example at AT_TIMESTAMP", initial: at, leases: "4 5 7", want: ":AT_TIMESTAMP 1:AT_TIMESTAMP"},
		{name: "a table that covers all shards is left alone", initial: th, leases: "4 8 9 10"},
		{name: "an unfinished parent creates its children itself", initial: th, leases: "4 6 7 5"},
		{name: "a child that its finished parent lacks is made", initial: th, leases: "4 8 5:SHARD_END 9", repair: "10:TRIM_HORIZON"},
		{name: "also through a generation without leases", initial: latest, leases: "4 0:SHARD_END 1:SHARD_END 2 3 9 10", repair: "6:TRIM_HORIZON"},
		{name: "a merge whose second parent was never read", initial: latest, leases: "4 7:SHARD_END 8:TRIM_HORIZON 9 10", want: "6:LATEST"},
		{name: "or the first one", initial: latest, leases: "4 6:SHARD_END 8:TRIM_HORIZON 9 10", want: "7:LATEST"},
		{name: "also if the child is closed", initial: latest, leases: "4 1:SHARD_END 6:TRIM_HORIZON 7:77 9 10", want: ":LATEST"},
		{name: "is complete once the child has begun", initial: latest, leases: "4 7:SHARD_END 8:77 9 10"},
		{name: "a lease that cannot be read is there", initial: th, leases: "4:# 8:# 9:# 10:#"},
		{name: "and creates its children when it is mended", initial: latest, leases: "4 6:# 7:# 5:#"},
		{name: "a shard before it may have ended long ago", initial: th, leases: "4 9:# 6 7", withheld: "5"},
		{name: "nor does the other parent of a merge get a lease", initial: latest, leases: "4 7:77 8:# 9 10", withheld: "6"},
		{name: "its oldest ancestors", initial: th, leases: "4 7:77 8:# 9 10", withheld: "0 1"},
		{name: "also if its own parents are read", initial: latest, leases: "0 4 7:77 8:# 9 10", withheld: "1"},
		{name: "a child that its finished parents lack never had one", initial: latest, leases: "0:SHARD_END 1:SHARD_END 4 7:77 8:# 9 10", repair: "6:TRIM_HORIZON"},
		{name: "and others have nothing to do with it", initial: th, leases: "9:# 6 7", want: "4:TRIM_HORIZON", withheld: "5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := decide(classic(), tt.leases, tt.initial)
			if s := show(got.Create); s != tt.want {
				t.Errorf("creates %q, want %q", s, tt.want)
			}
			var repair []lease.Lease
			for _, c := range got.Repair {
				repair = append(repair, c.Lease)
				if !c.Parent.Finished() {
					t.Errorf("repairs below the unfinished %s", c.Parent.Key)
				}
			}
			if s := show(repair); s != tt.repair {
				t.Errorf("repairs %q, want %q", s, tt.repair)
			}
			var withheld []string
			for _, id := range got.Withheld {
				withheld = append(withheld, strings.TrimPrefix(id, "shardId-00000000000"))
			}
			if s := strings.Join(withheld, " "); s != tt.withheld {
				t.Errorf("tells that %q wait, want %q", s, tt.withheld)
			}
		})
	}
}

// A parent that the stream lists no more but that has a lease is history: its
// children are not begun at LATEST, which would skip what they hold.
func TestExpiredParentIsHistory(t *testing.T) {
	t.Parallel()
	all := classic()
	listed := slices.DeleteFunc(slices.Clone(all), func(s lease.Shard) bool { return s.ID == name(5) })
	for _, tt := range []struct{ name, leases, repair string }{
		{"its holder will create them", "4 8 5", ""},
		{"or it ended, and they are made", "4 8 5:SHARD_END", "9:TRIM_HORIZON 10:TRIM_HORIZON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := decide(listed, tt.leases, checkpoint.Latest)
			var repair []lease.Lease
			for _, c := range got.Repair {
				repair = append(repair, c.Lease)
			}
			if len(got.Create) > 0 || show(repair) != tt.repair {
				t.Errorf("creates %q, repairs %q; want nothing, %q", show(got.Create), show(repair), tt.repair)
			}
		})
	}
}

func TestDescendants(t *testing.T) {
	t.Parallel()
	got := shardsync.Descendants(classic(), name(0))
	if want := []string{name(6), name(8)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A stream that is split and merged again and again, as by something that scales
// it, has very many ways from its first shard to its last.
func TestManyWaysThroughTheShards(t *testing.T) {
	t.Parallel()
	shards := []lease.Shard{{ID: name(0), StartingSequenceNumber: "0"}}
	for i := range 300 {
		last := shards[len(shards)-1].ID
		for n, parents := range [][]string{{last}, {last}, {name(3*i + 1), name(3*i + 2)}} {
			shards = append(shards, lease.Shard{ID: name(3*i + n + 1), ParentIDs: parents, StartingSequenceNumber: strconv.Itoa(3*i + n + 1), EndingSequenceNumber: "1"})
		}
	}
	shards[len(shards)-1].EndingSequenceNumber = ""
	if n := len(shardsync.Descendants(shards, name(0))); n != 900 {
		t.Errorf("%d shards follow the first one, want 900", n)
	}
	if got := shardsync.Decide(shards, nil, nil, checkpoint.Sentinel(checkpoint.TrimHorizon)); len(got.Create) != 1 {
		t.Errorf("creates %d leases, want that of the first shard", len(got.Create))
	}
	if got := decide(shards, "900:#", checkpoint.TrimHorizon); len(got.Create) != 0 {
		t.Errorf("creates %d leases before one that cannot be read", len(got.Create))
	} else if !slices.Equal(got.Withheld, []string{name(0)}) {
		t.Errorf("tells that %v wait, want the first shard", got.Withheld)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, leases, want string }{
		{"children have begun", "5:SHARD_END 9:77 10:78", "5:SHARD_END"},
		{"one child has not begun", "5:SHARD_END 9:77 10:TRIM_HORIZON", ""},
		{"one child has no lease", "5:SHARD_END 9:77", ""},
		{"a finished child has begun", "0:SHARD_END 1:SHARD_END 6:SHARD_END 8:77", ":SHARD_END 1:SHARD_END"},
		{"an unfinished lease stays", "5:77 9:77 10:77", ""},
		{"a finished lease of an expired shard goes", "77:SHARD_END", "77:SHARD_END"},
		{"a child that cannot be read may not have begun", "5:SHARD_END 9:77 10:#", ""},
		{"a parent that cannot be read may not have ended", "0:SHARD_END 1:# 6:SHARD_END 8:77", ":SHARD_END"},
		{"one that cannot be read stays", "77:#", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := show(decide(classic(), tt.leases, checkpoint.TrimHorizon).Delete); got != tt.want {
				t.Errorf("deletes %q, want %q", got, tt.want)
			}
		})
	}
}

// A listing that misses a closed shard must not cost the lease that says that it
// is done: its child, or whatever makes the child, still needs it.
func TestDeleteOfAnUnlistedShard(t *testing.T) {
	t.Parallel()
	without := func(missing ...int) []lease.Shard {
		return slices.DeleteFunc(classic(), func(s lease.Shard) bool {
			return slices.ContainsFunc(missing, func(id int) bool { return s.ID == name(id) })
		})
	}
	for _, tt := range []struct {
		name, leases, want string
		missing            []int
	}{
		{"its child has not begun", "1:SHARD_END 6:TRIM_HORIZON", "", []int{1}},
		{"its child cannot be read", "1:SHARD_END 6:#", "", []int{1}},
		{"its child has no lease yet", "1:SHARD_END", "", []int{1}},
		{"its child, not listed either, has not begun", "1:SHARD_END 6:TRIM_HORIZON", "", []int{1, 6}},
		{"its child has begun", "1:SHARD_END 6:77", "1:SHARD_END", []int{1}},
		{"its child has expired, too", "1:SHARD_END", "1:SHARD_END", []int{1, 6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := show(decide(without(tt.missing...), tt.leases, checkpoint.TrimHorizon).Delete); got != tt.want {
				t.Errorf("deletes %q, want %q", got, tt.want)
			}
		})
	}
}

// TestConverges lets random subsets of the leases exist and applies the decisions
// until nothing is left to do: then every open shard has a lease or an
// unfinished ancestor with one, and nothing is created twice.
func TestConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		initial := checkpoint.Sentinel(rapid.SampledFrom([]string{checkpoint.TrimHorizon, checkpoint.Latest, checkpoint.AtTimestamp}).Draw(t, "initial"))
		var spec strings.Builder
		for id := range 11 {
			spec.WriteString(rapid.SampledFrom([]string{"", fmt.Sprintf(" %d", id), fmt.Sprintf(" %d:SHARD_END", id)}).Draw(t, name(id)))
		}
		table, _ := leases(spec.String())
		for range 8 {
			a := shardsync.Decide(classic(), table, nil, initial)
			if len(a.Create)+len(a.Repair) == 0 {
				break
			}
			for _, c := range a.Repair {
				a.Create = append(a.Create, c.Lease)
			}
			for _, l := range a.Create {
				if slices.ContainsFunc(table, func(m lease.Lease) bool { return m.Key == l.Key }) {
					t.Fatalf("creates %s again", l.Key)
				}
				table = append(table, l)
			}
		}
		for _, s := range classic() {
			if s.EndingSequenceNumber == "" && !read(s, table) {
				t.Fatalf("nobody reads %s with %s", s.ID, show(table))
			}
		}
	})
}

// read reports whether s has a lease, or an ancestor has one that is not
// finished, whose holder will create those of the descendants.
func read(s lease.Shard, table []lease.Lease) bool {
	for _, l := range table {
		if l.Key == s.ID {
			return true
		}
	}
	for _, q := range classic() {
		for _, l := range table {
			if slices.Contains(s.ParentIDs, q.ID) && l.Key == q.ID && !l.Finished() {
				return true
			}
		}
		if slices.Contains(s.ParentIDs, q.ID) && read(q, table) && !slices.ContainsFunc(table, func(l lease.Lease) bool { return l.Key == q.ID }) {
			return true
		}
	}
	return false
}

// A lease that lacks its hash range gets it, and nothing else of it changes.
func TestAnnotate(t *testing.T) {
	t.Parallel()
	shards := classic()
	for i := range shards {
		shards[i].Range = lease.HashRange{Start: "1", End: strconv.Itoa(i)}
	}
	table, unreadable := leases("4 8 9:# 10")
	table[1].Range = lease.HashRange{Start: "7", End: "7"}
	got := shardsync.Decide(shards, table, unreadable, checkpoint.Sentinel(checkpoint.TrimHorizon)).Annotate
	if show(got) != "4:5 10:5" || got[0].Range != shards[4].Range || got[1].Range != shards[10].Range {
		t.Errorf("annotates %+v, want 4 and 10 with their ranges", got)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	shard := func(start, end, ending string) lease.Shard {
		return lease.Shard{ID: "s" + start, Range: lease.HashRange{Start: start, End: end}, EndingSequenceNumber: ending}
	}
	const maxKey = "340282366920938463463374607431768211455"
	tests := []struct {
		name   string
		shards []lease.Shard
		ok     bool
	}{
		{"one shard", []lease.Shard{shard("0", maxKey, "")}, true},
		{"two shards in any order", []lease.Shard{shard("10", maxKey, ""), shard("0", "9", "")}, true},
		{"closed shards do not count", []lease.Shard{shard("0", maxKey, ""), shard("0", "9", "77")}, true},
		{"a hole", []lease.Shard{shard("0", "8", ""), shard("10", maxKey, "")}, false},
		{"an overlap", []lease.Shard{shard("0", "10", ""), shard("10", maxKey, "")}, false},
		{"an end too early", []lease.Shard{shard("0", "10", "")}, false},
		{"none", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := shardsync.Check(tt.shards); (err == nil) != tt.ok {
				t.Errorf("Check = %v", err)
			}
		})
	}
}
