package kpl_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/shardmill/shardmill/kcl/kpl"
)

// BenchmarkSplitPlain is what a record that was never aggregated pays.
func BenchmarkSplitPlain(b *testing.B) {
	data := bytes.Repeat([]byte(`{"a":1}`), 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := kpl.Split(nil, data); err == nil {
			b.Fatal("split")
		}
	}
}

// BenchmarkSplit takes 100 user records of 500 bytes out of one aggregated
// record, which is what a KPL with its default settings makes (51200 bytes).
func BenchmarkSplit(b *testing.B) {
	for _, keys := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d keys", keys), func(b *testing.B) {
			data := aggregate(b, benchUsers(100, 500, keys))
			var users []kpl.UserRecord
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if users, err = kpl.Split(users[:0], data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(users)), "ns/user")
		})
	}
}

func BenchmarkContains(b *testing.B) {
	r, err := kpl.ParseHashRange("0", "170141183460469231731687303715884105727")
	if err != nil {
		b.Fatal(err)
	}
	u := kpl.UserRecord{PartitionKey: "customer-123456"}
	b.ReportAllocs()
	for b.Loop() {
		r.Contains(u)
	}
}

func BenchmarkAggregate(b *testing.B) {
	users := benchUsers(100, 500, 100)
	var a kpl.Aggregator
	var data []byte
	b.ReportAllocs()
	for b.Loop() {
		a.Reset()
		for _, u := range users {
			a.Add(u)
		}
		data = a.Append(data[:0])
	}
	b.SetBytes(int64(len(data)))
}

// benchUsers returns n user records of so much data each, with so many keys.
func benchUsers(n, data, keys int) []kpl.UserRecord {
	users := make([]kpl.UserRecord, n)
	for i := range users {
		users[i] = kpl.UserRecord{PartitionKey: fmt.Sprintf("customer-%d", i%keys), Data: bytes.Repeat([]byte("x"), data)}
	}
	return users
}
