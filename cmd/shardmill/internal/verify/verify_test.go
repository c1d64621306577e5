package verify_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/verify"
)

func TestMultisetIsOfAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringN(0, 3, -1)).Draw(t, "words")
		var a, b, fewer verify.Multiset
		for _, w := range words {
			a.Add([]byte(w))
		}
		for _, w := range rapid.Permutation(words).Draw(t, "other") {
			b.Add([]byte(w))
		}
		if !a.Equal(&b) {
			t.Fatal("the order counts")
		}
		if len(words) == 0 {
			return
		}
		for _, w := range words[1:] {
			fewer.Add([]byte(w))
		}
		if a.Equal(&fewer) {
			t.Fatal("a missing record does not count")
		}
		fewer.Add([]byte(words[0] + "!"))
		if a.Equal(&fewer) {
			t.Fatal("a changed record does not count")
		}
	})
}

func TestDifferenceNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	var put, got verify.Multiset
	var in, out []string
	for i := range 5000 {
		in = append(in, fmt.Sprint("record ", i%4000))
	}
	out = append(slices.Clone(in[:100]), in[103:]...) // 100, 101 and 102 are missing once
	out = append(out, "record 7", "stranger")
	for _, r := range in {
		put.Add([]byte(r))
	}
	for _, r := range out {
		got.Add([]byte(r))
	}
	if put.Equal(&got) {
		t.Fatal("the collections count as equal")
	}
	d := verify.NewDifference(&put, &got)
	for _, r := range out {
		d.Got([]byte(r))
	}
	missing := map[string]int{}
	for _, r := range in {
		if d.Put([]byte(r)) {
			missing[r]++
		}
	}
	if len(missing) != 3 || missing["record 100"] != 1 || missing["record 101"] != 1 || missing["record 102"] != 1 {
		t.Errorf("missing: %v", missing)
	}
	if d.Extra() != 2 || d.Full() {
		t.Errorf("%d extra records, full %v; want 2", d.Extra(), d.Full())
	}
}
