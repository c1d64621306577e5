package leasedynamo_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/shardmill/shardmill/lease/leasedynamo"
)

const golden = "../../testdata/leases/"

// goldenTables returns the rows of the tables in a file, by table name.
func goldenTables(tb testing.TB, path string) map[string][]map[string]any {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var tables map[string][]map[string]any
	if err := json.Unmarshal(b, &tables); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return tables
}

// goldenRows calls f with every row of every table that Java left.
func goldenRows(tb testing.TB, f func(path string, row item)) {
	tb.Helper()
	paths, err := filepath.Glob(golden + "*.json")
	if err != nil || len(paths) < 10 {
		tb.Fatalf("got %d files, %v", len(paths), err)
	}
	for _, path := range paths {
		for _, rows := range goldenTables(tb, path) {
			for _, row := range rows {
				f(path, attributes(tb, row))
			}
		}
	}
}

func TestJavasLeasesDecodeAndEncodeToTheSameRow(t *testing.T) {
	t.Parallel()
	leases := 0
	goldenRows(t, func(path string, row item) {
		if !leasedynamo.IsLease(row) {
			return
		}
		leases++
		l, err := leasedynamo.Decode(row)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		want := maps.Clone(row)
		delete(want, "entityType") // no write touches it
		if l.ThroughputKBps == 0 {
			delete(want, "throughputKBps") // 0 and absent are the same
		}
		if d := diffItem(leasedynamo.Encode(l), want); d != "" {
			t.Errorf("%s: %s (-want +got):\n%s", path, l.Key, d)
		}
	})
	if leases < 30 {
		t.Errorf("got %d leases, want those of all files", leases)
	}
}

func TestJavasOtherRowsAreNotLeases(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	goldenRows(t, func(path string, row item) {
		kind := ""
		if s, ok := row["entityType"]; ok {
			kind = wire(item{"": s})[""].(map[string]any)["S"].(string)
		}
		_, key := row["leaseKey"]
		want := key && (kind == "" || kind == "LEASE")
		if got := leasedynamo.IsLease(row); got != want {
			t.Errorf("%s: IsLease(%v) = %v, want %v", path, row, got, want)
		}
		kinds[kind]++
	})
	for _, kind := range []string{"", "LEASE", "LEADER", "CLIENT_VERSION_MIGRATION", "WORKER_METRIC_STATS"} {
		if kinds[kind] == 0 {
			t.Errorf("no row of entity type %q among the files: %v", kind, kinds)
		}
	}
}
