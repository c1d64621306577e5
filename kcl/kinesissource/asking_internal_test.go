package kinesissource

import (
	"fmt"
	"testing"

	"github.com/shardmill/shardmill/kcl"
)

// How many records are asked for, page after page.
func TestRecordsAskedFor(t *testing.T) {
	t.Parallel()
	const kib = 1 << 10
	room := kcl.Room{Bytes: 1000 * kib}
	came := func(records int, each int64) func(asking, int) asking {
		return func(a asking, n int) asking { return a.came(records, n, int64(records)*each) }
	}
	tooLarge := func(bytes int64) func(asking, int) asking {
		return func(a asking, n int) asking { return a.tooLarge(n, bytes) }
	}
	slow := asking.tooSlow
	for _, tt := range []struct {
		name  string
		room  kcl.Room
		most  int
		pages []func(asking, int) asking
		want  string
	}{
		{"no limit of room", kcl.Room{}, 10_000, []func(asking, int) asking{came(10_000, 10*kib), came(1, 1000*kib)}, "[10000 10000 10000]"},
		{"the first one, and then as many as fit", room, 10_000, []func(asking, int) asking{came(100, kib), came(1000, kib)}, "[100 1000 1000]"},
		{"no more than are allowed", room, 70, []func(asking, int) asking{came(70, kib)}, "[70 70]"},
		{"no more than one call brings", room, 10_000, []func(asking, int) asking{came(100, 10)}, "[100 10000]"},
		{"nothing came", room, 10_000, []func(asking, int) asking{came(0, 0), came(0, 0)}, "[100 100 100]"},
		{"records without data", room, 10_000, []func(asking, int) asking{came(3, 0)}, "[100 10000]"},
		{"records that grow", room, 10_000, []func(asking, int) asking{came(100, kib), came(1000, 10*kib)}, "[100 1000 100]"},
		{"one larger than the room", room, 10_000, []func(asking, int) asking{came(100, 2000*kib)}, "[100 1]"},
		{
			"what was large is forgotten by and by", room, 10_000,
			[]func(asking, int) asking{came(100, 1000*kib), came(1, kib), came(1, kib), came(3, kib), came(7, kib), came(15, kib), came(0, 0)},
			"[100 1 1 3 7 15 31 31]",
		},
		{"no room for the answer", room, 10_000, []func(asking, int) asking{tooLarge(10_000 * kib), came(10, 100*kib), tooLarge(20_000 * kib)}, "[100 10 10 1]"},
		{"no room for one record", room, 10_000, []func(asking, int) asking{came(100, 1000*kib), tooLarge(10_000 * kib)}, "[100 1 1]"},
		{"less room than a slow link carries", room, 10_000, []func(asking, int) asking{came(100, kib), slow, came(500, kib)}, "[100 1000 500 500]"},
		{
			"a link that became better",
			kcl.Room{Bytes: 4000 * kib},
			10_000,
			[]func(asking, int) asking{
				slow, came(50, kib), came(50, kib), came(50, kib), came(50, kib), came(50, kib),
				came(50, kib), came(49, kib), came(50, kib), came(50, kib), came(100, kib),
			},
			"[100 50 50 50 50 50 50 50 50 50 100 100]",
		},
		{
			"a page with little room says nothing of the link", room, 10_000,
			[]func(asking, int) asking{
				slow, came(50, 100*kib), came(10, 100*kib), came(10, 100*kib), came(10, 100*kib), came(10, 100*kib), came(10, 100*kib),
				came(10, 100*kib), came(10, 100*kib), came(10, 100*kib), came(10, 1), came(19, 1), came(39, 1),
			},
			"[100 50 10 10 10 10 10 10 10 10 10 19 39 50]",
		},
	} {
		a := asking{limit: tt.most, most: tt.most}
		asked := []int{a.records(tt.room)}
		for _, page := range tt.pages {
			a = page(a, asked[len(asked)-1])
			asked = append(asked, a.records(tt.room))
		}
		if got := fmt.Sprint(asked); got != tt.want {
			t.Errorf("%s: asked for %s records, want %s", tt.name, got, tt.want)
		}
	}
}
