package kpl_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shardmill/shardmill/kcl/kpl"
)

// The files in testdata were written by AWS' aggregation libraries: python by
// aws-kinesis-agg 1.2.3, whose bytes are also those of the one for Node, java
// by amazon-kinesis-aggregator 1.0.3, which gives each user record an explicit
// hash key. Of the two large cases only the digests are kept.
func TestGoldenRecordsAreEncodedByteForByte(t *testing.T) {
	t.Parallel()
	for name, users := range goldenCases(t) {
		for language, variant := range variants(users) {
			t.Run(language+" "+name, func(t *testing.T) {
				t.Parallel()
				got := aggregate(t, variant)
				if sum := goldenSum(t, language, name); sum != "" {
					if have := sha256.Sum256(got); hex.EncodeToString(have[:]) != sum {
						t.Errorf("SHA-256 of the %d bytes = %x, want %s", len(got), have, sum)
					}
					return
				}
				if want := goldenFile(t, language, name); !bytes.Equal(got, want) {
					t.Errorf("encoded\n got %x\nwant %x", got, want)
				}
			})
		}
	}
}

func TestGoldenRecordsAreSplit(t *testing.T) {
	t.Parallel()
	for name, users := range goldenCases(t) {
		for language, want := range variants(users) {
			t.Run(language+" "+name, func(t *testing.T) {
				t.Parallel()
				data := aggregate(t, want) // the large cases: proved equal by the digest above
				if goldenSum(t, language, name) == "" {
					data = goldenFile(t, language, name)
				}
				got, err := kpl.Split(nil, data)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
					t.Errorf("user records (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func goldenCases(t *testing.T) map[string][]kpl.UserRecord {
	t.Helper()
	text, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string][][]*string
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	cases := map[string][]kpl.UserRecord{}
	for name, rows := range raw {
		for _, row := range rows {
			var data []byte
			if err := json.Unmarshal([]byte(`"`+*row[2]+`"`), &data); err != nil {
				t.Fatal(err)
			}
			u := kpl.UserRecord{PartitionKey: *row[0], Data: data}
			if row[1] != nil {
				u.ExplicitHashKey, u.HasExplicitHashKey = *row[1], true
			}
			cases[name] = append(cases[name], u)
		}
	}
	for i := range 90 {
		cases["large"] = append(cases["large"], kpl.UserRecord{
			PartitionKey: fmt.Sprintf("pk-%d", i%5),
			Data:         bytes.Repeat([]byte{byte('A' + i%26)}, 10240),
		})
	}
	for range 20 {
		cases["near-max"] = append(cases["near-max"], kpl.UserRecord{PartitionKey: "p", Data: bytes.Repeat([]byte("z"), 51200-64)})
	}
	return cases
}

// variants returns what each library makes of the same input.
func variants(users []kpl.UserRecord) map[string][]kpl.UserRecord {
	java := make([]kpl.UserRecord, len(users))
	for i, u := range users {
		if !u.HasExplicitHashKey {
			u.ExplicitHashKey, u.HasExplicitHashKey = kpl.HashKey(u.PartitionKey), true
		}
		java[i] = u
	}
	return map[string][]kpl.UserRecord{"python": users, "java": java}
}

func goldenFile(t *testing.T, language, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", language, name+".0.bin"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// goldenSum returns the digest of a case whose bytes are not kept, else "".
func goldenSum(t *testing.T, language, name string) string {
	t.Helper()
	sums, err := os.ReadFile(filepath.Join("testdata", language, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums)) {
		if sum, file, _ := strings.Cut(strings.TrimSpace(line), "  "); file == name+".0.bin" {
			return sum
		}
	}
	return ""
}

func aggregate(tb testing.TB, users []kpl.UserRecord) []byte {
	tb.Helper()
	var a kpl.Aggregator
	for i, u := range users {
		if !a.Add(u) {
			tb.Fatalf("user record %d does not fit", i)
		}
	}
	data := a.Append(nil)
	if a.Size() != len(data) || a.Len() != len(users) {
		tb.Errorf("Size, Len = %d, %d, want %d, %d", a.Size(), a.Len(), len(data), len(users))
	}
	return data
}
