package main

import (
	"fmt"
	"strings"
	"testing"
)

const output = `goos: linux
BenchmarkArchive/exactly-once-2     10   64320982 ns/op   126.44 MB/s   0.86 of-gzip-alone   87 allocs/op
BenchmarkArchive/exactly-once-2     10   64320982 ns/op   126.44 MB/s   0.10 of-gzip-alone   87 allocs/op
BenchmarkArchive/exactly-once-2     10   64320982 ns/op   126.44 MB/s   0.90 of-gzip-alone   87 allocs/op
BenchmarkSplitPlain 	   64062866	        11.34 ns/op	       0 B/op	       0 allocs/op
    cost_test.go:89: figure cost, 1 leases, idle = 1.251 of Java's price
`

func TestRead(t *testing.T) {
	t.Parallel()
	m, err := read(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]float64{
		"Archive/exactly-once of-gzip-alone":   0.86,
		"SplitPlain ns/op":                     11.34,
		"cost, 1 leases, idle of Java's price": 1.251,
	} {
		if got, err := m.median(key); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", key, got, err, want)
		}
	}
	if _, err := m.median("SplitPlain MB/s"); err == nil {
		t.Error("a figure that was not measured has a value")
	}
}

func TestTableNeedsEveryFigure(t *testing.T) {
	t.Parallel()
	m := measured{}
	for _, r := range rows {
		for _, key := range r.keys {
			m[key] = []float64{1}
		}
	}
	got, err := table(m)
	if err != nil || strings.Contains(got, "%!") {
		t.Errorf("got %v and\n%s", err, got)
	}
	delete(m, rows[0].keys[0])
	if _, err := table(m); err == nil {
		t.Error("a figure is missing and nobody says so")
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	got, err := replace([]byte("a\n"+begin+"old\n"+end+"\nb\n"), "new\n")
	if want := fmt.Sprintf("a\n%snew\n%s\nb\n", begin, end); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, readme := range []string{"", begin, end} {
		if _, err := replace([]byte(readme), "new\n"); err == nil {
			t.Errorf("%q has no block and it was replaced", readme)
		}
	}
}
