package kpl_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/kcl/kpl"
)

// A copy goes on by itself, from where it was made.
func TestSplitterGoesOn(t *testing.T) {
	t.Parallel()
	for name, users := range goldenCases(t) {
		data := aggregate(t, users)
		want, err := kpl.Split(nil, data)
		if err != nil {
			t.Fatal(err)
		}
		s, err := kpl.NewSplitter(data)
		if err != nil {
			t.Fatal(err)
		}
		var got []kpl.UserRecord
		for s.Len() > 0 {
			ahead := s
			u, _ := ahead.Next()
			if len(got)%2 == 0 {
				u, _ = s.Next()
			} else {
				s = ahead
			}
			if got = append(got, u); s.Len() != len(want)-len(got) {
				t.Fatalf("%s: %d left after %d of %d", name, s.Len(), len(got), len(want))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if u, ok := s.Next(); ok {
			t.Errorf("%s: %v after the last", name, u)
		}
	}
}

// What a Splitter holds are the keys, however many user records there are.
//
//nolint:paralleltest // AllocsPerRun counts those of the whole process
func TestSplitterAllocatesOnlyKeys(t *testing.T) {
	data := seal("\x0a\x03key" + strings.Repeat("\x1a\x04\x08\x00\x1a\x00", 100_000))
	n := 0
	allocations := testing.AllocsPerRun(10, func() {
		s, _ := kpl.NewSplitter(data)
		for _, ok := s.Next(); ok; _, ok = s.Next() {
			n++
		}
		if s.Bytes() > 64 {
			t.Errorf("%d bytes of keys", s.Bytes())
		}
	})
	if allocations > 2 || n != 11*100_000 {
		t.Errorf("%v allocations for %d user records", allocations, n/11)
	}
	bad := seal("\x0a\x03key" + strings.Repeat("\x1a\x04\x08\x00\x1a\x00", 1000) + "\x1a\x04\x08\x01\x1a\x00")
	if n := testing.AllocsPerRun(10, func() { _, _ = kpl.NewSplitter(bad) }); n != 0 {
		t.Errorf("a record that is refused costs %v allocations", n)
	}
	keys := seal(strings.Repeat("\x0a\x00", 1000) + "\x12\x03abc")
	if s, err := kpl.NewSplitter(keys); err != nil || s.Bytes() != 2000+5+16*1001 {
		t.Errorf("%d bytes of keys, %v", s.Bytes(), err)
	}
}

func TestIsKPL(t *testing.T) {
	t.Parallel()
	user := func(key string) kpl.UserRecord { return kpl.UserRecord{PartitionKey: key} }
	for _, tt := range []struct {
		name  string
		put   string // the partition key of the record itself
		users []kpl.UserRecord
		want  bool
	}{
		{"as the KPL puts it", "a", []kpl.UserRecord{user("k"), user("l")}, true},
		{"a later key may be anything", "a", []kpl.UserRecord{user("k"), user("a")}, true},
		{"the KPL does not pack one", "a", []kpl.UserRecord{user("k")}, false},
		{"put with the first one's key", "k", []kpl.UserRecord{user("k"), user("l")}, false},
		{"which may be the KPL's by chance", "a", []kpl.UserRecord{user("a"), user("l")}, false},
		{"put with any other key", "b", []kpl.UserRecord{user("k"), user("l")}, false},
		{"put with a longer one", "aa", []kpl.UserRecord{user("k"), user("l")}, false},
	} {
		s, err := kpl.NewSplitter(aggregate(t, tt.users))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.IsKPL(tt.put); got != tt.want || s.Len() != len(tt.users) {
			t.Errorf("%s: IsKPL = %v with %d left", tt.name, got, s.Len())
		}
	}
}

// The records in testdata are of AWS' other libraries, which put them with the
// first user record's key and never put one again.
func TestGoldenRecordsAreNotTheKPLs(t *testing.T) {
	t.Parallel()
	for name, users := range goldenCases(t) {
		for language, variant := range variants(users) {
			data := aggregate(t, variant)
			if goldenSum(t, language, name) == "" && !bytes.Equal(data, goldenFile(t, language, name)) {
				t.Fatalf("%s %s differs", language, name)
			}
			s, err := kpl.NewSplitter(data)
			if err != nil || s.IsKPL(users[0].PartitionKey) {
				t.Errorf("%s %s is the KPL's, %v", language, name, err)
			}
		}
	}
}
