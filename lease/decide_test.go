package lease_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/checkpoint"
	"github.com/shardmill/shardmill/lease"
)

// view makes a View from words such as "a:me" (held by us), "b:A" (by A, of
// this package), "c:J!" (by the Java worker J), "d:" (free), "e:A?" (expired),
// "f:$" (finished), "g:<a" (its parent is a), "h:~" (free for very long), "i:#"
// (its row cannot be read), "j:^" (free for longer than one scan), "k:A." (its
// owner does not renew it), "l:^%" (its holder marked it), "m:*" (nobody's, but
// not to be had yet).
func view(spec string) lease.View {
	v := lease.View{Me: "me", Held: map[string]bool{}, Avoid: map[string]bool{}, Overdue: time.Minute, Unclaimed: 6 * time.Second}
	for f := range strings.FieldsSeq(spec) {
		key, who, _ := strings.Cut(f, ":")
		if who == "#" {
			v.Unreadable = append(v.Unreadable, key)
			continue
		}
		l := lease.Seen{Lease: lease.Lease{Key: key, Checkpoint: checkpoint.Sentinel(checkpoint.TrimHorizon)}}
		who, parent, child := strings.Cut(who, "<")
		if child {
			l.Parents = []string{parent}
		}
		owner := strings.TrimRight(who, "!?$~^.%*")
		l.Owner, l.Expired = owner, strings.Contains(who, "?")
		l.Free = (owner == "" || l.Expired) && !strings.Contains(who, "*")
		l.Silent = strings.Contains(who, ".")
		if strings.Contains(who, "^") {
			l.FreeFor = 6 * time.Second
		}
		if strings.Contains(who, "%") {
			l.Released = lease.Surplus
		}
		if strings.Contains(who, "~") {
			l.FreeFor = time.Hour
		}
		if strings.Contains(who, "$") {
			l.Checkpoint = checkpoint.Sentinel(checkpoint.ShardEnd)
		}
		if owner != "" && !strings.Contains(who, "!") {
			l.Instance = owner + "-1"
		}
		if owner == "me" && !l.Expired {
			v.Held[key] = true
		}
		v.Leases = append(v.Leases, l)
	}
	return v
}

// decideCase is a view in words, and how many leases go which way.
type decideCase struct {
	name, view           string
	change               func(*lease.View)
	take, steal, release int
}

func TestDecide(t *testing.T) {
	t.Parallel()
	decisions(t, []decideCase{
		{name: "a lone worker takes every free lease at once", view: "a: b: c: d:", take: 4},
		{name: "a worker takes its share of the free ones", view: "a:A b:A c: d:", take: 2},
		{name: "expired leases are free and their owner does not count", view: "a:A? b:A? c:A? d:me", take: 3},
		{name: "a worker that holds nothing steals one lease of ours", view: "a:A b:A c:A d:A", steal: 1},
		{name: "one that holds some waits for the release", view: "a:A b:A c:A d:me"},
		{name: "and the owner releases its surplus", view: "a:me b:me c:me d:A", release: 1},
		{name: "all of the surplus", view: "a:me b:me c:me d:me e:me f:A", release: 2},
		{name: "what is being given up counts", view: "a:me b:me c:me d:me e:me f:A", change: func(v *lease.View) { v.Surplus = map[string]bool{"a": true} }, release: 1},
		{name: "and is not asked again", view: "a:me b:me c:me d:me e:me f:A", change: func(v *lease.View) { v.Surplus = map[string]bool{"a": true, "b": true} }},
		{name: "the remainder stays with those who hold most", view: "a:me b:me c:A"},
		{name: "the remainder moves to no one", view: "a:A b:A c:me"},
		{name: "a difference of two is evened out", view: "a:me b:me c:me d:A e:A f:A g:B h:B i:B j:C", release: 1},
		{name: "as many workers as leases", view: "a:A b:B c:C"},
		{name: "a worker too many steals nothing", view: "a:A b:B"},
		{name: "from Java, with something already held", view: "a:J! b:J! c:J! d:J! e:me", steal: 1},
		{name: "from Java, as many as allowed", view: "a:J! b:J! c:J! d:J! e:me", change: func(v *lease.View) { v.MaxSteal = 3 }, steal: 1},
		{name: "from Java, half of the difference", view: "a:J! b:J! c:J! d:J! e:J! f:J!", change: func(v *lease.View) { v.MaxSteal = 9 }, steal: 3},
		{name: "finished leases are no load", view: "a:A$ b:A$ c:A$ d: e:", take: 1},
		{name: "and are not taken", view: "a:$ b:$"},
		{name: "a child waits for its parent", view: "a:A b:<a c:<a"},
		{name: "and is taken once the parent has ended", view: "a:A$ b:<a c:<a", take: 1},
		{name: "a row with our ID that we do not hold is left alone", view: "a:me b:", change: func(v *lease.View) { v.Held = nil }, take: 1},
		{name: "and is no reason to steal", view: "a:me b:A c:A d:A", change: func(v *lease.View) { v.Held = nil }},
		{name: "a lease to avoid is not taken", view: "a: b:", change: func(v *lease.View) { v.Avoid["a"] = true }, take: 1},
		{name: "nor is another stolen for it", view: "a: b:A c:A d:A", change: func(v *lease.View) { v.Avoid["a"] = true }},
		{name: "never more than allowed", view: "a: b: c: d:", change: func(v *lease.View) { v.MaxLeases = 3 }, take: 3},
		{name: "also if what is held counts no more", view: "p:# a:me<p b:me c: d:", change: func(v *lease.View) { v.MaxLeases = 2 }},
		{name: "no leases at all", view: ""},
	})
}

// Leases beyond a worker's share, that are taken when they were free for long.
func TestDecideBeyondTheShare(t *testing.T) {
	t.Parallel()
	decisions(t, []decideCase{
		{name: "what nobody takes is taken beyond the share", view: "a:me b:me c:A d:~ e:~", take: 2},
		{name: "and kept for a while", view: "a:me b:me c:me d:me e:A", change: func(v *lease.View) { v.KeepSurplus = true }},
		{name: "those of the share with them", view: "a:~ b: c: d: e:A f:A g:A h:A", take: 4},
		{name: "the share of a worker that died is taken after a scan", view: "a:me b:me c:A. d:A. e:^", take: 1},
		{name: "not before", view: "a:me b:me c:A. d:A. e:", take: 0},
		{name: "nor if the worker is alive and lacks one", view: "a:me b:me c:A d:A e:^"},
		{name: "as many as it lacks are left to it", view: "a:me b:me c:A d:B. e:B. f:^ g:^ h:^", take: 2},
		{name: "which one renewal proves", view: "a:me b:me c:A. d:A e:^"},
		{name: "if it has enough it does not matter", view: "a:me b:me c:A d:A e:A f:B. g:B. h:^", take: 1},
		{name: "one that holds nothing that counts lacks one, too", view: "a:me b:A$ c:B. d:^"},
		{name: "after long it is taken all the same", view: "a:me b:me c:A d:A e:~", take: 1},
		{name: "what its holder marked is not taken so soon", view: "a:me b:me c:A. d:A. e:^%"},
		{name: "but after long", view: "a:me b:me c:A. d:A. e:~%", take: 1},
		{name: "nor what expired", view: "a:me b:me c:A. d:A. e:B?^"},
		{name: "nor what is to be avoided", view: "a:me b:me c:A. d:A. e:^", change: func(v *lease.View) { v.Avoid["e"] = true }},
		{name: "nor more than allowed", view: "a:me b:me c:A. d:A. e:^ f:^", change: func(v *lease.View) { v.MaxLeases = 3 }, take: 1},
		{name: "nothing is given up for a worker that died", view: "a:me b:me c:me d:me e:A. f:A."},
		{name: "but for one that lives beside it", view: "a:me b:me c:me d:me e:me f:me g:A. h:B", release: 1},
		{name: "nor for one that will take a free lease", view: "a:me b:me c:me d:me e:A. f:A. g:B h:B i:"},
		{name: "one that is nobody's yet is not taken", view: "a:* b:me"},
		{name: "and keeps no newcomer from stealing", view: "a:* b:A c:A d:A", steal: 1},
		{name: "unless the newcomer was its last holder", view: "a:* b:A c:A d:A", change: func(v *lease.View) { v.Avoid["a"] = true }},
	})
}

// Leases that must not be taken, or cannot be read.
func TestDecideLeavesAlone(t *testing.T) {
	t.Parallel()
	decisions(t, []decideCase{
		{name: "one that is left alone is not taken", view: "a: b:", change: alone("a"), take: 1},
		{name: "not even after long", view: "a:~ b:J?~", change: alone("a", "b")},
		{name: "nor stolen", view: "a:A b:A c:J! d:J! e:J!", change: alone("a", "b", "c", "d", "e")},
		{name: "it is no load", view: "a:A b:A c:A d: e: f:A", change: alone("a", "b", "c"), take: 1},
		{name: "nor has its owner a share of ours", view: "a:me b:me c:A", change: alone("c")},
		{name: "and it keeps no newcomer from stealing", view: "a: b:A c:A", change: alone("a"), steal: 1},
		{name: "its children wait for it", view: "a: b:<a", change: alone("a")},
		{name: "one that is held stays held", view: "a:me b:me", change: alone("a")},
		{name: "a counter that cannot grow", view: "a: b:", change: func(v *lease.View) { v.Leases[0].Counter = math.MaxInt64 }, take: 1},
		{name: "is no theft either", view: "a:A b:A", change: func(v *lease.View) { v.Leases[0].Counter, v.Leases[1].Counter = math.MaxInt64, math.MaxInt64 }},
		{name: "one that cannot be read is no load, and nobody's", view: "a:# b:me c:A d:# e:#"},
		{name: "and its children wait for it", view: "a:# b:<a c:<b"},
	})
}

func decisions(t *testing.T, cases []decideCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := view(tt.view)
			if tt.change != nil {
				tt.change(&v)
			}
			d := lease.Decide(v, rand.New(rand.NewPCG(1, 2)))
			if len(d.Take) != tt.take || len(d.Steal) != tt.steal || len(d.Surplus) != tt.release {
				t.Errorf("takes %d, steals %d, gives up %d; want %d, %d, %d", len(d.Take), len(d.Steal), len(d.Surplus), tt.take, tt.steal, tt.release)
			}
			for _, l := range append(d.Take, d.Steal...) {
				if l.Finished() || v.Held[l.Key] || v.Avoid[l.Key] || v.LeftAlone[l.Key] || l.Counter == math.MaxInt64 {
					t.Errorf("goes for %s", l.Key)
				}
			}
			for _, key := range d.Surplus {
				if !v.Held[key] {
					t.Errorf("releases %s, which it does not hold", key)
				}
			}
		})
	}
}

// alone leaves the leases of the keys alone.
func alone(keys ...string) func(*lease.View) {
	return func(v *lease.View) {
		v.LeftAlone = map[string]bool{}
		for _, key := range keys {
			v.LeftAlone[key] = true
		}
	}
}

// What is nobody's is counted, also if it cannot be had; what is left alone is
// counted apart.
func TestDecideCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, view             string
		change                 func(*lease.View)
		quota, free, leftAlone int
	}{
		{"free, to be avoided, and not to be had yet", "a: b: c:* d:A e:A f:A", func(v *lease.View) { v.Avoid["b"] = true }, 3, 3, 0},
		{"left alone: free, another's, finished", "a: b:A c:$ d:me", alone("a", "b", "c"), 1, 0, 3},
		{"but not what is held or cannot be read", "a:me b:# c:me", alone("a", "b"), 2, 0, 0},
		{"a counter that cannot grow", "a: b:", func(v *lease.View) { v.Leases[0].Counter = math.MaxInt64 }, 1, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := view(tt.view)
			tt.change(&v)
			d := lease.Decide(v, rand.New(rand.NewPCG(1, 2)))
			if d.Quota != tt.quota || d.Free != tt.free || d.LeftAlone != tt.leftAlone {
				t.Errorf("quota %d, free %d, left alone %d; want %d, %d, %d", d.Quota, d.Free, d.LeftAlone, tt.quota, tt.free, tt.leftAlone)
			}
		})
	}
}

// A decision says when the table is to be read again because time alone will have
// changed something, and asks for no more reads than that.
func TestDecideAgain(t *testing.T) {
	t.Parallel()
	after := func(in time.Duration, keys ...string) func(*lease.View) {
		return func(v *lease.View) {
			for i := range v.Leases {
				if slices.Contains(keys, v.Leases[i].Key) {
					v.Leases[i].FreeIn = in
				}
			}
		}
	}
	for _, tt := range []struct {
		name, view string
		change     func(*lease.View)
		want       time.Duration
	}{
		{"everything moves", "a:me b:A c:A", nil, 0},
		{"one does not", "a:me b:A c:A", after(3*time.Second, "c"), 3 * time.Second},
		{"ours does not", "a:me b:A", after(3*time.Second, "a"), 0},
		{"the first of several", "a:me b:A c:A e:^%", after(30*time.Second, "c"), 30 * time.Second},
		{"a free one that is kept for somebody", "a:me b:me c:A d:A e:^", nil, 54 * time.Second},
		{"a free one that was just seen", "a:me b:me c:A. d:A. e:", nil, 0},
		{"a finished one", "a:me b:A$", after(3*time.Second, "b"), 0},
		{"one that is left alone", "a:me b:A", func(v *lease.View) { after(3*time.Second, "b")(v); alone("b")(v) }, 0},
		{"one that could not be held", "a:me b:A", func(v *lease.View) { after(3*time.Second, "b")(v); v.MaxLeases = 1 }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := view(tt.view)
			if tt.change != nil {
				tt.change(&v)
			}
			if d := lease.Decide(v, rand.New(rand.NewPCG(1, 2))); d.Again != tt.want {
				t.Errorf("again in %v, want %v", d.Again, tt.want)
			}
		})
	}
}

// TestDecideBalances lets workers act on their decisions in turn, from any start:
// after few rounds every lease is held, the loads differ by one at most, and
// then nothing moves any more.
func TestDecideBalances(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		workers, leases := rapid.IntRange(1, 8).Draw(t, "workers"), rapid.IntRange(0, 40).Draw(t, "leases")
		owner := make([]int, leases) // 0: free
		for i := range owner {
			owner[i] = rapid.IntRange(0, workers).Draw(t, fmt.Sprint("owner", i))
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rounds := 2*leases + 4
		for round := range rounds {
			moved := 0
			for me := 1; me <= workers; me++ {
				moved += act(lease.Decide(tableOf(owner, me), rng), owner, me)
			}
			if moved == 0 {
				break
			}
			if round == rounds-1 {
				t.Fatalf("still moving: %v", owner)
			}
		}
		load := make([]int, workers+1)
		for _, w := range owner {
			load[w]++
		}
		if load[0] > 0 || leases > 0 && slices.Max(load[1:])-slices.Min(load[1:]) > 1 {
			t.Fatalf("free %d, loads %v", load[0], load[1:])
		}
	})
}

func tableOf(owner []int, me int) lease.View {
	v := lease.View{Me: fmt.Sprint("w", me), Held: map[string]bool{}}
	for i, w := range owner {
		l := lease.Seen{Lease: lease.Lease{Key: strconv.Itoa(i)}, Free: w == 0}
		if w != 0 {
			l.Owner, l.Instance = fmt.Sprint("w", w), "i"
		}
		if w == me {
			v.Held[l.Key] = true
		}
		v.Leases = append(v.Leases, l)
	}
	return v
}

func act(d lease.Decision, owner []int, me int) (moved int) {
	for _, l := range append(d.Take, d.Steal...) {
		owner[atoi(l.Key)] = me
	}
	for _, key := range d.Surplus {
		owner[atoi(key)] = 0
	}
	return len(d.Take) + len(d.Steal) + len(d.Surplus)
}

func atoi(s string) (n int) {
	_, _ = fmt.Sscan(s, &n)
	return n
}
