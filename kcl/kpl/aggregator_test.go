package kpl_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/kcl/kpl"
)

func TestWhatWasAggregatedIsSplitAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		user := rapid.Custom(func(t *rapid.T) kpl.UserRecord {
			u := kpl.UserRecord{
				PartitionKey: rapid.StringN(0, 5, 20).Draw(t, "key"),
				Data:         rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data"),
			}
			if u.HasExplicitHashKey = rapid.Bool().Draw(t, "hash"); u.HasExplicitHashKey {
				u.ExplicitHashKey = rapid.StringMatching(`[0-9]{0,39}`).Draw(t, "hashKey")
			}
			return u
		})
		want := rapid.SliceOfN(user, 1, 200).Draw(t, "users")
		a := kpl.Aggregator{MaxBytes: rapid.IntRange(100, 20_000).Draw(t, "max")}
		var got []kpl.UserRecord
		flush := func() {
			data := a.Append(nil)
			if len(data)+len(a.PartitionKey()) > a.MaxBytes {
				t.Fatalf("%d bytes, at most %d", len(data), a.MaxBytes)
			}
			var err error
			if got, err = kpl.Split(got, data); err != nil {
				t.Fatal(err)
			}
			a.Reset()
		}
		var fit []kpl.UserRecord
		for _, u := range want {
			added := a.Add(u)
			if !added && a.Len() > 0 {
				flush()
				added = a.Add(u)
			}
			if added {
				fit = append(fit, u)
			}
		}
		if a.Len() > 0 {
			flush()
		}
		if diff := cmp.Diff(fit, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestAggregatorHoldsTheLimitExactly(t *testing.T) {
	t.Parallel()
	u := kpl.UserRecord{PartitionKey: "pk", ExplicitHashKey: "7", HasExplicitHashKey: true, Data: bytes.Repeat([]byte("x"), 200)}
	size := len(aggregate(t, []kpl.UserRecord{u, u})) + len("pk")
	for _, tt := range []struct {
		name string
		max  int
		want int
	}{
		{"two fit exactly", size, 2},
		{"one byte less and the second does not", size - 1, 1},
		{"a limit below the first refuses it", 200, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := kpl.Aggregator{MaxBytes: tt.max}
			for a.Add(u) {
				if a.Len() > tt.want {
					break
				}
			}
			if a.Len() != tt.want {
				t.Errorf("%d fit, want %d", a.Len(), tt.want)
			}
		})
	}
}

func TestAggregatorOfNothingAppendsNothing(t *testing.T) {
	t.Parallel()
	var a kpl.Aggregator
	if got := a.Append([]byte("x")); string(got) != "x" {
		t.Errorf("Append = %q", got)
	}
}

// Another producer gave every user record the first one's partition key.
func TestPeer60EachUserRecordKeepsItsKeys(t *testing.T) {
	t.Parallel()
	want := []kpl.UserRecord{
		{PartitionKey: "a", Data: []byte("1")},
		{PartitionKey: "b", ExplicitHashKey: "5", HasExplicitHashKey: true, Data: []byte("2")},
		{PartitionKey: "a", ExplicitHashKey: "6", HasExplicitHashKey: true, Data: []byte("3")},
		{PartitionKey: "c", Data: []byte("4")},
	}
	var a kpl.Aggregator
	for _, u := range want {
		a.Add(u)
	}
	got, err := kpl.Split(nil, a.Append(nil))
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("Split = %+v, %v, want %+v", got, err, want)
	}
	if _, ok := a.ExplicitHashKey(); ok || a.PartitionKey() != "a" {
		t.Errorf("to be put with %q, %v, want the first one's", a.PartitionKey(), ok)
	}
}
