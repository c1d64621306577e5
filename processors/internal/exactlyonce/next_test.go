package exactlyonce_test

import (
	"slices"
	"testing"

	"github.com/shardmill/shardmill/processors/internal/exactlyonce"
)

// TestNext: the steps of a cut, each once, in this order.
func TestNext(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		cut  exactlyonce.Progress
		want []exactlyonce.Step
	}{
		{"at least once", exactlyonce.Progress{}, []exactlyonce.Step{exactlyonce.Publish, exactlyonce.Commit}},
		{"one object", exactlyonce.Progress{Planned: true}, []exactlyonce.Step{exactlyonce.Prepare, exactlyonce.Publish, exactlyonce.Commit}},
		{
			"documents, sealed",
			exactlyonce.Progress{Documents: true, Planned: true, Bundled: true},
			[]exactlyonce.Step{exactlyonce.Bulk, exactlyonce.Seal, exactlyonce.Prepare, exactlyonce.Publish, exactlyonce.Commit},
		},
		{
			"to be loaded",
			exactlyonce.Progress{Planned: true, Bundled: true, Loading: true},
			[]exactlyonce.Step{exactlyonce.Seal, exactlyonce.Prepare, exactlyonce.Publish, exactlyonce.Announce, exactlyonce.Await, exactlyonce.Commit},
		},
		{
			"to be loaded, at least once",
			exactlyonce.Progress{Loading: true},
			[]exactlyonce.Step{exactlyonce.Publish, exactlyonce.Await, exactlyonce.Commit},
		},
	} {
		p := row.cut
		var got []exactlyonce.Step
		for range 9 {
			step := exactlyonce.Next(p)
			if got = append(got, step); step == exactlyonce.Commit {
				break
			}
			done := map[exactlyonce.Step]*bool{
				exactlyonce.Bulk: &p.Indexed, exactlyonce.Seal: &p.Sealed, exactlyonce.Prepare: &p.Prepared,
				exactlyonce.Publish: &p.Published, exactlyonce.Announce: &p.Announced, exactlyonce.Await: &p.Loaded,
			}
			*done[step] = true
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
