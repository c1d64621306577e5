package kpl_test

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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

// The user records of a page of aggregated records cost next to no allocation:
// each record's keys are parts of a string of several.
//
//nolint:paralleltest // AllocsPerRun counts those of the whole process
func TestAPageOfAggregatedRecordsCostsNoAllocations(t *testing.T) {
	const records, users = 200, 100
	for keys, most := range map[int]float64{1: 0.001, 20: 0.005, users: 0.0099} {
		data := aggregate(t, benchUsers(users, 50, keys))
		n := 0
		allocations := testing.AllocsPerRun(10, func() {
			var s kpl.Splitter
			for range records {
				if err := s.Reset(data); err != nil {
					t.Fatal(err)
				}
				for _, ok := s.Next(); ok; _, ok = s.Next() {
					n++
				}
			}
		})
		if per := allocations / (records * users); per > most || n != 11*records*users {
			t.Errorf("%d keys: %v allocations a user record, and %d of them", keys, per, n/11)
		}
	}
}

// Whatever a Splitter took apart before, it takes a record apart as a new one
// does, and what it returned before stays as it was.
func TestSplitterBeginsAnew(t *testing.T) {
	t.Parallel()
	var records [][]byte
	for _, users := range goldenCases(t) {
		if data := aggregate(t, users); len(data) < 4<<10 {
			records = append(records, data)
		}
	}
	for _, keys := range []int{1, 300, 90} {
		records = append(records, aggregate(t, benchUsers(300, 1, keys)))
	}
	records = append(records, []byte("plain"), seal("\x0a\x01k"), flip(records[0], 9), seal("\x0a\x01k\x1a\x04\x08\x01\x1a\x00"))
	rapid.Check(t, func(t *rapid.T) {
		var s kpl.Splitter
		var got, want []kpl.UserRecord
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(records)-1), 1, 20).Draw(t, "records") {
			fresh, wantErr := kpl.NewSplitter(records[i])
			if err := s.Reset(records[i]); !errors.Is(err, wantErr) || s.Len() != fresh.Len() || s.Bytes() != fresh.Bytes() {
				t.Fatalf("record %d: %d user records of %d bytes of keys and %v, want %d, %d and %v",
					i, s.Len(), s.Bytes(), err, fresh.Len(), fresh.Bytes(), wantErr)
			}
			for n := rapid.IntRange(0, fresh.Len()+1).Draw(t, "taken"); n > 0; n-- {
				u, ok := s.Next()
				v, wantOk := fresh.Next()
				if ok != wantOk {
					t.Fatalf("record %d: there is another user record: %v, want %v", i, ok, wantOk)
				}
				got, want = append(got, u), append(want, v)
			}
		}
		if !slices.EqualFunc(got, want, func(a, b kpl.UserRecord) bool { return cmp.Equal(a, b) }) {
			t.Fatalf("user records are not those of a new Splitter:\n%v\n%v", got, want)
		}
	})
}

// Bytes and Room tell what a Splitter holds, and keys that came from it: also if
// those of a larger record before them are gone.
//
//nolint:paralleltest // it measures the whole process
func TestSplitterSaysWhatItHolds(t *testing.T) {
	small, large := aggregate(t, benchUsers(20, 1, 20)), aggregate(t, benchUsers(20_000, 1, 20_000))
	for _, tt := range []struct {
		name        string
		gone, there [][]byte
	}{
		{"small ones", nil, slices.Repeat([][]byte{small}, 5000)},
		{"a large one", nil, [][]byte{large}},
		{"a few after a large one", [][]byte{large}, slices.Repeat([][]byte{small}, 10)},
	} {
		var s kpl.Splitter
		keys, said := make([]string, 0, len(tt.there)), 0
		before := heap()
		for i, r := range slices.Concat(tt.gone, tt.there) {
			if err := s.Reset(r); err != nil {
				t.Fatal(err)
			}
			if i >= len(tt.gone) {
				u, _ := s.Next()
				keys, said = append(keys, u.PartitionKey), said+s.Bytes()
			}
		}
		if held := heap() - before; held > int64(said+s.Room())*11/10+4<<10 {
			t.Errorf("%s: %d bytes are held, and %d of keys and %d of room were told", tt.name, held, said, s.Room())
		}
		runtime.KeepAlive(keys)
		runtime.KeepAlive(s)
	}
	var s kpl.Splitter
	if s.Room() != 0 || s.Bytes() != 0 {
		t.Errorf("an empty one holds %d and %d bytes", s.Bytes(), s.Room())
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
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
